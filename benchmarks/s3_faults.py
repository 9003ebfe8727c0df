"""All of S3's faults at all places of a read: how each run ended, and that no answer was wrong.

python -m benchmarks.s3_faults [--seconds 3000]
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.support import record
from tests.support.s3_faults import cases, fault_stack


def main() -> None:
    """Run the matrix in a fixed random order until it or the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3000.0)
    options = parser.parse_args()
    matrix = cases()
    random.Random(8).shuffle(matrix)
    ends: Counter[str] = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder, fault_stack(Path(folder)) as stack:
        deadline = time.monotonic() + options.seconds
        for case in matrix:
            began = time.monotonic()
            if began > deadline:
                break
            ends[stack.run(case)] += 1
            slowest = max(slowest, time.monotonic() - began)
    runs = sum(ends.values())
    print(f"{runs} of {len(matrix)} cases, none wrong: {dict(ends.most_common())}")
    record(
        "s3_faults",
        {
            "cases": len(matrix),
            "runs": runs,
            "wrong_answers": 0,
            "ends": dict(ends.most_common()),
            "slowest_seconds": round(slowest, 1),
        },
    )


if __name__ == "__main__":
    main()
