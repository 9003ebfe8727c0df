"""Compare querysvc with a live Trino over generated statements, and cluster what differs.

python -m tests.support.fuzz.live [--seed N] [--kinds scalars,forms,…] [--each N] [--url URL]
    [--answers CACHE.jsonl] [--failures FILE] [--cases FILE.jsonl]
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tests.support.answers import difference, is_ordered, levels
from tests.support.conformance import SLOW_SECONDS, ask
from tests.support.fuzz.mutations import Mutations
from tests.support.fuzz.statements import Statements
from tests.support.local_engine import LocalEngine

URL: Final = "http://127.0.0.1:18090"
KINDS: Final = ("scalars", "tried", "forms", "aggregates", "windows", "shapes", "mutations")
RECORDED: Final = Path(__file__).parents[2] / "conformance/data/visible.jsonl"
_HEADERS: Final = {
    "X-Trino-User": "oracle",
    "X-Trino-Source": "fuzz",
    "X-Trino-Time-Zone": "UTC",
    "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME,PATH",
}
_ROWS_MAX: Final = 20_000


def ask_trino(sql: str, url: str, *, catalog: str = "tpch", schema: str = "tiny") -> dict[str, Any]:
    """Trino's answer in the recorded form."""
    place = {"X-Trino-Catalog": catalog, "X-Trino-Schema": schema}
    page = _fetch(url + "/v1/statement", sql.encode(), place)
    columns: list[dict[str, Any]] = []
    rows: list[Any] = []
    while True:
        if page.get("error"):
            error = page["error"]
            return {
                "error_name": error["errorName"],
                "error_message": error.get("message", "")[:300],
            }
        columns = page.get("columns") or columns
        rows += page.get("data") or []
        if not page.get("nextUri") or len(rows) > _ROWS_MAX:
            break
        page = _fetch(page["nextUri"])
    return {
        "columns": [column["name"] for column in columns],
        "types": [column["type"] for column in columns],
        "rows": rows,
        "ordered": is_ordered(sql),
    }


def _fetch(
    url: str, body: bytes | None = None, place: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    request = urllib.request.Request(url, data=body, headers={**_HEADERS, **place})
    with urllib.request.urlopen(request, timeout=120) as response:
        answer: dict[str, Any] = json.loads(response.read())
    return answer


def generate(kinds: list[str], seed: int, each: int, depth: int) -> list[dict[str, str]]:
    """The statements of a seed."""
    made = Statements(seed)
    sources = {
        "scalars": lambda: made.scalars(each, depth),
        "tried": lambda: made.tried(each, depth),
        "forms": lambda: made.forms(each * 100, depth),
        "aggregates": lambda: made.aggregates(each),
        "windows": lambda: made.windows(each * 3),
        "shapes": lambda: made.shapes(each * 50),
        "mutations": lambda: mutated(seed, each * 200),
    }
    unique = {sql: category for kind in kinds for category, sql in sources[kind]()}
    return [{"category": category, "sql": sql} for sql, category in unique.items()]


def mutated(seed: int, count: int) -> Iterator[tuple[str, str]]:
    """Statements like the recorded ones."""
    cases = [json.loads(line) for line in RECORDED.read_text().split("\n") if line]
    mutations = Mutations(random.Random(seed), cases)
    return (mutations.any() for _ in range(count))


def recorded(cases: list[dict[str, str]], url: str, cache: Path) -> list[dict[str, Any]]:
    """The cases with Trino's answers, of which those asked before come from the cache."""
    known: dict[str, dict[str, Any]] = {}
    if cache.exists():
        for line in cache.read_text().split("\n"):
            if line:
                answer = json.loads(line)
                known[answer["sql"]] = answer
    missing = [case for case in cases if case["sql"] not in known]
    with ThreadPoolExecutor(2) as pool, cache.open("a") as file:
        answers = pool.map(lambda case: ask_trino(case["sql"], url), missing)
        for case, answer in zip(missing, answers, strict=True):
            known[case["sql"]] = {"sql": case["sql"], **answer}
            file.write(json.dumps(known[case["sql"]], ensure_ascii=False) + "\n")
    return [{**known[case["sql"]], "category": case["category"]} for case in cases]


def verdict(case: dict[str, Any], actual: dict[str, Any]) -> tuple[str, str]:
    """How the answers differ, and the detail; ("", "") when they agree."""
    expected_error, error = case.get("error_name"), actual.get("error_name")
    if error in ("NOT_SUPPORTED", "QUERYSVC_NOT_SUPPORTED") and expected_error != error:
        return "refused", actual.get("error_message", "")[:100]
    if error and not expected_error:
        return "error", f"{error}: {actual.get('error_message', '')[:160]}"
    if expected_error and not error:
        return (
            "accepted",
            f"{expected_error}: {case['error_message'][:100]} | ours {actual['rows'][:2]}",
        )
    if expected_error:
        if expected_error == error:
            return "", ""
        return (
            "error name",
            f"{error} ({actual.get('error_message', '')[:80]}) for {expected_error} ({case['error_message'][:80]})",
        )
    why = difference(case, actual)
    if why:
        return "wrong", f"{why}: {str(actual['rows'])[:160]} for {str(case['rows'])[:160]}"
    if not all(levels(case, actual).values()):
        return (
            "type",
            f"{actual['types']} {actual['columns']} for {case['types']} {case['columns']}",
        )
    return "", ""


def main() -> None:
    """Compare, and print the clusters."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--each", type=int, default=5)
    parser.add_argument("--depth", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--show", type=int, default=3)
    parser.add_argument("--url", default=URL)
    parser.add_argument("--answers", type=Path, default=Path("/tmp/querysvc-fuzz-answers.jsonl"))
    parser.add_argument("--record", type=Path, help="append what agrees, with its answers")
    parser.add_argument("--failures", type=Path, default=Path("/tmp/querysvc-fuzz.jsonl"))
    options = parser.parse_args()
    cases = generate(options.kinds.split(","), options.seed, options.each, options.depth)
    cases = [case for case in cases if re.search(options.only, case["category"])]
    differing, agreeing = compare(recorded(cases, options.url, options.answers))
    options.failures.write_text(_lines(differing))
    if options.record:
        with options.record.open("a") as file:
            file.write(_lines(agreeing))
    _report(differing, options.show, len(cases))


def compare(cases: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The cases in which the answers differ, with how they do, and those in which they agree."""
    engine = LocalEngine()
    differing, agreeing = [], []
    for case in cases:
        started = time.monotonic()
        actual = ask(engine, case["sql"])
        elapsed = time.monotonic() - started
        if elapsed > SLOW_SECONDS:
            print(f"{elapsed:.1f} s: {case['sql'][:200]}", flush=True)
        kind, detail = verdict(case, actual)
        if kind:
            differing.append({"verdict": kind, "detail": detail, **case})
        else:
            agreeing.append(case)
    engine.close()
    return differing, agreeing


def _lines(cases: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(case, ensure_ascii=False) + "\n" for case in cases)


def _report(differing: list[dict[str, Any]], shown: int, count: int) -> None:
    clusters: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for case in differing:
        clusters[case["verdict"], case["category"]].append(case)
    for (kind, category), found in sorted(clusters.items()):
        print(f"== {kind} {category} {len(found)}")
        for case in found[:shown]:
            print(f"   {case['sql'][:400]}\n      {case['detail']}")
    totals = Counter(case["verdict"] for case in differing)
    print(f"{count} statements; " + ", ".join(f"{kind} {n}" for kind, n in totals.items()))


if __name__ == "__main__":
    main()
