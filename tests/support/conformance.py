"""Run a file of recorded answers and print the pass rate by category.

    python -m tests.support.conformance tests/conformance/data/visible.jsonl
        [--service] [--only CATEGORY-PREFIX] [--failures FILE] [--verbose]

In this process, without service and workers; or with --service over REST on a service of its own.

Levels: values; values and base types; values, exact types and names; errors by name.
"""

from __future__ import annotations

import argparse
import json
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, Protocol

from tests.support.answers import difference, levels
from tests.support.local_engine import LocalEngine
from tests.support.service_engine import ServiceEngine

SLOW_SECONDS = 3.0
LEVELS = ("values", "base", "exact", "errors")


def main() -> None:
    """Run the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--failures", type=Path, default=Path("/tmp/querysvc-failures.txt"))
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--service", action="store_true", help="ask a real service over REST")
    options = parser.parse_args()
    cases = [json.loads(line) for line in options.file.read_text().splitlines() if line.strip()]
    cases = [case for case in cases if case.get("category", "").startswith(options.only)]
    engine: Engine = ServiceEngine() if options.service else LocalEngine()
    passed, total, failures, wrong = run(cases, engine)
    _print_table(passed, total)
    print(f"wrong answers without an error: {wrong} of {len(cases)}")
    options.failures.write_text("\n".join(failures) + "\n")
    if options.verbose:
        print("\n".join(failures))
    print(f"{len(failures)} failures listed in {options.failures}")


class Engine(Protocol):
    """What answers statements in the recorded answers' form."""

    def ask(self, sql: str) -> dict[str, Any]: ...

    def close(self) -> None: ...


def run(
    cases: list[dict[str, Any]], engine: Engine | None = None
) -> tuple[Counter[Any], Counter[Any], list[str], int]:
    """Ask every case; counts by (category, level), the failures' lines, and wrong answers."""
    engine = engine or LocalEngine()
    passed: Counter[Any] = Counter()
    total: Counter[Any] = Counter()
    failures: list[str] = []
    wrong = 0
    for case in cases:
        started = time.monotonic()
        actual = ask(engine, case["sql"])
        elapsed = time.monotonic() - started
        if elapsed > SLOW_SECONDS:
            print(f"{elapsed:.1f} s: {case.get('id')} {case['sql'][:200]}", flush=True)
        category = case.get("category", "")
        reason = difference(case, actual)
        wrong += bool(reason) and not actual.get("error_name")
        for level, is_passed in levels(case, actual).items():
            for group in (category, "~ total"):
                total[group, level] += 1
                passed[group, level] += is_passed
            if not is_passed:
                reason = reason or _mismatch(level, case, actual)
        if reason:
            failures.append(f"{case.get('id')} [{category}] {reason} | {case['sql']}")
    engine.close()
    return passed, total, failures, wrong


def ask(engine: Engine, sql: str) -> dict[str, Any]:
    """The answer; a crash of ours counts as an error that Trino does not have."""
    try:
        return engine.ask(sql)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        name = f"{Path(where.filename).name}:{where.lineno}"
        return {"error_name": "CRASH", "error_message": f"{type(error).__name__} {error} @ {name}"}


def _mismatch(level: str, case: dict[str, Any], actual: dict[str, Any]) -> str:
    if level == "errors":
        return (
            f"error {actual.get('error_name')}: {actual.get('error_message', '')[:150]}"
            f" for {case['error_name']}"
        )
    return (
        f"{level}: {actual.get('types')} {actual.get('columns')}"
        f" for {case['types']} {case['columns']}"
    )


def _print_table(passed: Counter[Any], total: Counter[Any]) -> None:
    print(f"{'category':24}" + "".join(f"{level:>18}" for level in LEVELS))
    for category in sorted({group for group, _ in total}):
        cells = ""
        for level in LEVELS:
            count = total[category, level]
            share = f"{100 * passed[category, level] / count:5.1f}%" if count else ""
            cells += f"{passed[category, level]:6}/{count:<4}{share:>7}" if count else " " * 18
        print(f"{category:24}{cells}")


if __name__ == "__main__":
    main()
