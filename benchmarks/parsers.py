"""Changed bytes at every parser for so many seconds each: what was not refused by name.

    python -m benchmarks.parsers --seconds 20 --seed 1

`make test` gives each 100 inputs of a fixed seed (tests/faults/fuzz/test_parsers.py).
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from typing import Any

from benchmarks.support import record
from tests.support.fuzz.parsers import Parser, changed, parsers


def hunt(parser: Parser, seconds: float, seed: int) -> dict[str, Any]:
    """How many inputs were read or refused, the slowest, and what failed otherwise."""
    chance = random.Random(f"{parser.name} {seed}")
    inputs, slowest = 0, 0.0
    failures: dict[str, str] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = changed(chance.choice(parser.samples), chance)
        began = time.process_time()
        try:
            parser.read(data)
        except parser.refusals:
            pass
        except Exception as error:
            failures[f"{type(error).__name__}: {error}"[:200]] = data[:500].hex()
        slowest = max(slowest, time.process_time() - began)
        inputs += 1
    return {"inputs": inputs, "slowest_cpu_seconds": round(slowest, 3), "failures": failures}


def main() -> int:
    """Hunt, print, record."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=20.0)
    options.add_argument("--seed", type=int, default=1)
    told = options.parse_args()
    found = {}
    for parser in parsers():
        found[parser.name] = result = hunt(parser, told.seconds, told.seed)
        print(f"{parser.name:32} {result['inputs']:>8} inputs, {len(result['failures'])} failures")
    bars = {"all is read or refused by name": not any(one["failures"] for one in found.values())}
    record("parsers", {"seconds": told.seconds, "seed": told.seed, "parsers": found}, bars)
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
