"""Spliced statements for a time, over every wire, beside a canary table, file and server.

python -m benchmarks.splices [--seconds 600] [--seed 1]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.support import record
from tests.faults.escape.cages import MARK
from tests.faults.fuzz.canary_service import canary_service
from tests.support.s3 import versitygw


def main() -> None:
    """Send them and record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with versitygw(root / "s3") as s3, canary_service(s3, root) as service:
            deadline = time.monotonic() + options.seconds
            found = service.send(options.seed, lambda _: time.monotonic() < deadline)
            bars = {
                "no answer, error or plan tells of the canary": not found.leaks,
                "no request at the canary server, no file written": not found.harm,
                "no internal error": not found.internal,
                "no log and no history tells of it": MARK not in service.history(),
                "no file of the state holds it": not service.left(),
                "the service is well": service.office.rows("SELECT a FROM open.t") == [[1]],
            }
    figures = {
        "seed": options.seed,
        "seconds": options.seconds,
        "statements": found.statements,
        "answered": found.answered,
        "by wire": dict(found.wires),
        "found": [*found.leaks, *found.harm, *found.internal],
    }
    record("splices", figures, bars)


if __name__ == "__main__":
    main()
