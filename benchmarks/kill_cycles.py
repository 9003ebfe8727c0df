"""Kills of workers and of the service under load: nothing lost, nothing doubled, nothing left.

python -m benchmarks.kill_cycles [--cycles 500] [--seed 8] [--postgresql]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.support import record
from tests.support.kill_cycles import run
from tests.support.postgresql import running_server
from tests.support.s3 import versitygw

LOG = Path(tempfile.gettempdir()) / "querysvc-kill-cycles.log"


def main() -> int:
    """Run the cycles and record what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--postgresql", action="store_true", help="State in PostgreSQL.")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="querysvc-kill-")))
        (folder / "s3").mkdir()
        server = stack.enter_context(versitygw(folder / "s3"))
        state = {}
        if options.postgresql:
            state["database_url"] = stack.enter_context(running_server())
        found = run(server, folder / "state", options.cycles, options.seed, **state)
        if found["problems"]:
            print("The service's log:", shutil.copy(folder / "state" / "test.log", LOG))
    store = "postgresql" if options.postgresql else "sqlite"
    record(
        f"kill_cycles_{store}",
        {"cycles": options.cycles, "seed": options.seed, **found},
        {"nothing lost, doubled or left behind": not found["problems"]},
    )
    return 1 if found["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
