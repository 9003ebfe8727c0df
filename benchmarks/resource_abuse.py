"""Fifty statements that ask for too much: how each ends, after how long, with what memory.

python -m benchmarks.resource_abuse [--neighbours] [--at-once 1]

With --neighbours: what another user of the same service feels meanwhile, in turns with quiet.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.support import median, percentile, record
from tests.support.neighbours import feel, shared_service
from tests.support.resource_abuse import (
    LIMITS,
    MEMORY_BYTES_MAX,
    SECONDS_MAX,
    Victim,
    abuse_statements,
)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neighbours", action="store_true")
    parser.add_argument("--at-once", type=int, default=1)
    options = parser.parse_args()
    if options.neighbours:
        neighbours(options.at_once)
    else:
        statements()


def neighbours(at_once: int) -> None:
    """Run them all beside another user's queries, and record how long those took."""
    with (
        tempfile.TemporaryDirectory() as folder,
        shared_service(Path(folder) / "state") as (service, bob, mallory),
    ):
        felt = feel(service, bob, mallory, abuse_statements(), at_once=at_once)
    told = {
        name: {
            "queries": len(seconds),
            "median_milliseconds": round(median(seconds) * 1000, 1),
            "p99_milliseconds": round(percentile(seconds, 0.99) * 1000, 1),
        }
        for name, seconds in (("quiet", felt.quiet), ("disturbed", felt.disturbed))
    }
    ratio = percentile(felt.disturbed, 0.99) / percentile(felt.quiet, 0.99)
    figures = {**told, "p99_ratio": round(ratio, 2), "statements_at_once": at_once}
    figures |= {"ends": dict(Counter(felt.ends.values())), "wrong": felt.wrong}
    unexpected = [one for one, code in felt.ends.items() if code == "GENERIC_INTERNAL_ERROR"]
    figures |= {"unexpected": unexpected}
    name = "resource_abuse_neighbours" + (f"_{at_once}" if at_once > 1 else "")
    record(name, figures, {"p99 of others < 2 x": ratio < 2.0})


def statements() -> None:
    """Run them all alone, and record how each ended."""
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
