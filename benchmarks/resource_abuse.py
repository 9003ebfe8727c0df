"""Fifty statements that ask for too much: how each ends, after how long, with what memory.

python -m benchmarks.resource_abuse
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.support import record
from tests.support.resource_abuse import (
    LIMITS,
    MEMORY_BYTES_MAX,
    SECONDS_MAX,
    Victim,
    abuse_statements,
)


def main() -> None:
    """Run them all and record."""
    figures: dict[str, object] = {}
    slowest, largest = 0.0, 0
    victim = Victim()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name, sql in abuse_statements().items():
                ended = victim.run(sql, Path(folder) / "spool")
                slowest = max(slowest, ended.seconds)
                largest = max(largest, ended.peak_memory_bytes)
                figures[name] = {
                    "how": ended.how,
                    "seconds": round(ended.seconds, 2),
                    "memory_of_limit": round(ended.peak_memory_bytes / LIMITS.memory_bytes, 2),
                }
    finally:
        victim.close()
    figures["limits"] = {"seconds": LIMITS.timeout_seconds, "memory_bytes": LIMITS.memory_bytes}
    bars = {
        "each ends within its limit + 2 s": slowest <= SECONDS_MAX,
        "memory is at most 1.1 of the limit": largest <= MEMORY_BYTES_MAX,
    }
    record("resource_abuse", figures, bars)


if __name__ == "__main__":
    main()
