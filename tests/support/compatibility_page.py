"""docs/compatibility.md, made from the tables that decide.

python -m tests.support.compatibility_page > docs/compatibility.md
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from querysvc.engines.duckdb.functions import catalog
from querysvc.engines.duckdb.functions.registry import Unsupported
from querysvc.sql.functions.registry import load_registry
from querysvc.sql.functions.signature import FunctionKind, Signature
from querysvc.sql.trino_only import TrinoOnly
from tests.support.aws_operations import operations
from tests.support.compatibility_formats import formats
from tests.support.statement_reference import DDL, DML, OTHERS, UNSUPPORTED, states

KNOWN = Path(__file__).parents[1] / "conformance" / "data" / "visible-known.json"
_ENTRY = {
    FunctionKind.SCALAR: catalog.scalar_entry,
    FunctionKind.AGGREGATE: catalog.aggregate_entry,
    FunctionKind.WINDOW: catalog.window_entry,
}

HEAD = """\
# Compatibility

Made by `python -m tests.support.compatibility_page > docs/compatibility.md`; a test fails when it
is not current. What is not supported is refused by name with NOT_SUPPORTED, never approximated.

"""

QUERIES = """
Inside of queries: subqueries, joins, LATERAL, UNNEST, GROUPING SETS, ROLLUP, CUBE, windows with all
frames, TABLESAMPLE, FETCH … WITH TIES: yes. What only Trino runs, and is NOT_SUPPORTED:

"""

TYPES = """
## Types

| type | state |
|---|---|
| boolean, tinyint … bigint, real, double, decimal(p,s) | yes |
| varchar(n), char(n), varbinary, json, uuid, ipaddress | yes |
| date; timestamp(p) with and without time zone; time(p), the same, p ≤ 6; intervals | yes |
| array, map, row | yes |
| HyperLogLog, SetDigest, tdigest, qdigest | yes, but not as results |
| time(p) with p > 6; geometry | NOT_SUPPORTED |
"""


SILENT = """
Known to answer otherwise than Trino without an error; each is to be mended or refused:

- `approx_distinct` of about 1,900 to 10,000 values may differ from Trino's estimate by one
  (3 in 100); with an error of one's own it is exact there.
- `approx_percentile`, `tdigest_agg`, `numeric_histogram`, `approx_most_frequent` over tables that
  Trino reads in many splits.
- The order of `array_agg(DISTINCT …)`, of ties in `max_by(…, n)`, and of the keys that `map_keys`
  and the like give of `histogram` and `map_agg`.
- INTERSECT ALL and EXCEPT ALL of arrays and rows that hold NULL, where Trino fails; correlated IN
  subqueries over values that hold NULL or NaN. To sort such arrays is refused, also where Trino
  never meets the NULL. An array that holds NaN is not found IN (…, itself).
- A `sum` of bigints whose total fits is the total, where Trino may overflow on the way.
- CASE over a subquery WHEN the same subquery, where both are NULL.
- Correlated subqueries that Trino cannot run («Given correlated subquery is not supported») run.
- A few time zones before 1970; characters new to Unicode in regexes.
- A trailing semicolon is accepted, as Athena accepts it; Trino's wire refuses it.
"""


def page() -> str:
    """The page."""
    parts = [HEAD, *_statements(), QUERIES]
    parts += [f"- {one.construct}: {one.reason}\n" for one in TrinoOnly]
    parts.append(TYPES)
    parts += formats()
    parts += operations()
    parts.append("\n## Functions\n\n")
    signatures = _signatures()
    states = {signature: _state(signature) for signature in signatures}
    supported = sum(state == "yes" for state in states.values())
    parts.append(f"{supported} of {len(signatures)} signatures of Trino 476 run.\n")
    names: dict[str, list[tuple[Signature, str]]] = defaultdict(list)
    for signature, state in states.items():
        for name in (signature.name, *signature.aliases):
            names[name].append((signature, state))
    parts.append("\n| function | kind | state |\n|---|---|---|\n")
    for name in sorted(names, key=str.lower):
        kind = names[name][0][0].kind.value
        parts.append(f"| {name} | {kind} | {_told(names[name])} |\n")
    parts.append("\n## Known differences\n\nOf the recorded answers in `tests/conformance`:\n\n")
    reasons = sorted(set(json.loads(KNOWN.read_text()).values()))
    parts += [f"- {reason}\n" for reason in reasons]
    parts.append(SILENT)
    return "".join(parts)


def _statements() -> Iterator[str]:
    """Athena's reference, statement by statement; each state is that of an example that was run."""
    found = states()
    for heading, statements in _SECTIONS:
        yield f"## {heading}\n\n| statement | state | |\n|---|---|---|\n"
        for statement in statements:
            title = statement.title.replace("|", "\\|")
            yield f"| {title} | {found[statement]} | {statement.note} |\n"
        yield "\n"


_SECTIONS = (
    ("DML and queries", DML),
    ("DDL", DDL),
    ("DDL that Athena does not support either", UNSUPPORTED),
    ("Other statements of Hive and Trino", OTHERS),
)


def _signatures() -> list[Signature]:
    registry = load_registry()
    found = [s for name in registry.lines for s in registry.calls(name)]
    return [s for s in dict.fromkeys(found) if not s.is_hidden]


def _state(signature: Signature) -> str:
    entry = _ENTRY[signature.kind](signature.name, signature.key)
    if entry is None:
        return "NOT_SUPPORTED"
    if isinstance(entry, Unsupported):
        return f"NOT_SUPPORTED: {entry.reason}"
    return "yes"


def _told(overloads: list[tuple[Signature, str]]) -> str:
    states = {state for _, state in overloads}
    if len(states) == 1:
        return states.pop()
    return (
        "; ".join(f"`{s.key}`: {state}" for s, state in overloads if state != "yes") + "; else yes"
    )


if __name__ == "__main__":
    print(page(), end="")
