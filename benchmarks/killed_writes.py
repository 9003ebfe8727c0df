"""`kill -9` during CREATE TABLE AS and INSERT, 50 times: no partial table, no orphan object.

CYCLES and SEED come from the environment; the result goes to benchmarks/results/killed_writes.json,
that of `--iceberg` to killed_writes_iceberg.json.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from support import record

from tests.support.killed_writes import ROWS, cycles
from tests.support.s3 import versitygw

CYCLES = int(os.environ.get("CYCLES", "50"))
SEED = int(os.environ.get("SEED", "476"))
IS_ICEBERG = "--iceberg" in sys.argv[1:]


def main() -> int:
    """Run the cycles, print each, record all."""
    found = []
    with tempfile.TemporaryDirectory(prefix="querysvc-killed-") as name:
        folder = Path(name)
        with versitygw(folder / "s3") as server:
            for cycle in cycles(server, folder / "state", CYCLES, SEED, is_iceberg=IS_ICEBERG):
                found.append(cycle)
                print(len(found), cycle, flush=True)
    ends = Counter(f"{cycle.statement} {cycle.state}" for cycle in found)
    problems = [problem for cycle in found for problem in cycle.problems]
    record(
        "killed_writes_iceberg" if IS_ICEBERG else "killed_writes",
        {
            "cycles": len(found),
            "seed": SEED,
            "rows_a_write": ROWS,
            "ends": dict(sorted(ends.items())),
            "problems": problems,
        },
        {"no partial table and no orphan object": not problems},
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
