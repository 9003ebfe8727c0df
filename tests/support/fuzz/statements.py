"""Statements by rule: signatures over literals and columns, aggregates, windows, query shapes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from querysvc.sql.functions.signature import FunctionKind
from tests.support.fuzz.expressions import Expressions, Variable, base_name, signatures
from tests.support.fuzz.queries import Queries

_FRAMES: Final = (
    "",
    "",
    "ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
    "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
    "ROWS 2 PRECEDING",
    "RANGE BETWEEN 1 PRECEDING AND 2 FOLLOWING",
    "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    "GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
    "GROUPS BETWEEN 1 FOLLOWING AND 2 FOLLOWING",
    "ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING",
)
_ROWS: Final = 4


class Statements:
    """Statements from a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.expressions = Expressions(self.chance)
        self.queries = Queries(self.chance, self.expressions)

    def scalars(self, each: int, depth: int) -> Iterator[tuple[str, str]]:
        """Every scalar signature, over literals or over columns."""
        for name, signature in signatures(FunctionKind.SCALAR):
            for _ in range(each):
                types = [base_name(pattern.text) for pattern in signature.arguments]
                scope, source = self.columns(types) if self.chance.random() < 0.35 else ([], "")
                call = self.expressions.call(name, signature, depth, scope)
                yield f"fn/{name}", f"SELECT {call}{source}"

    def tried(self, each: int, depth: int) -> Iterator[tuple[str, str]]:
        """Every scalar signature over columns inside TRY, beside itself: rows that fail and do not."""
        for name, signature in signatures(FunctionKind.SCALAR):
            for _ in range(each):
                types = [base_name(pattern.text) for pattern in signature.arguments]
                scope, source = self.columns(types)
                call = self.expressions.call(name, signature, depth, scope)
                yield f"try/{name}", f"SELECT TRY({call}), TRY({call}) IS NULL{source}"

    def forms(self, count: int, depth: int) -> Iterator[tuple[str, str]]:
        """Operators, casts and special forms."""
        for _ in range(count):
            types = [self.expressions.scalar_type() for _ in range(3)]
            scope, source = self.columns(types) if self.chance.random() < 0.3 else ([], "")
            yield "form", f"SELECT {self.expressions.form(depth, scope)}{source}"

    def aggregates(self, each: int) -> Iterator[tuple[str, str]]:
        """Every aggregate signature, with its clauses at chance, grouped or not or windowed."""
        for name, signature in signatures(FunctionKind.AGGREGATE):
            for _ in range(each):
                yield f"agg/{name}", self.aggregate(name, signature)

    def windows(self, each: int) -> Iterator[tuple[str, str]]:
        """Every window function, with frames and null treatment at chance."""
        for name, signature in signatures(FunctionKind.WINDOW):
            for _ in range(each):
                kind = self.expressions.element()
                scope, source = self.columns([kind], keys=True)
                values = []
                for index, pattern in enumerate(signature.arguments):
                    type_ = base_name(pattern.text)
                    place = kind if type_ == "t" else type_
                    values.append(self.expressions.argument(name, index, place, 0, scope))
                nulls = self.pick(("", "", " IGNORE NULLS", " RESPECT NULLS")) if values else ""
                call = f"{name}({', '.join(values)}){nulls} OVER ({self.window()})"
                yield f"window/{name}", f"SELECT k, {call}{source}"

    def shapes(self, count: int) -> Iterator[tuple[str, str]]:
        """Queries: joins, grouping sets, set operations, subqueries, UNNEST, TPC-H."""
        for _ in range(count):
            yield self.queries.any()

    def aggregate(self, name: str, signature: object) -> str:
        """One aggregate's statement."""
        kinds = [self.kind_of(base_name(p.text)) for p in signature.arguments]  # type: ignore[attr-defined]
        scope, source = self.columns(kinds or ["integer"], keys=True)
        if name == "listagg":
            call = f"listagg(c0, {self.pick(SEPARATORS)}) WITHIN GROUP (ORDER BY k)"
        else:
            values = []
            for index, kind in enumerate(kinds):
                if kind.startswith("function("):
                    return f"SELECT {name}(c0, 0, (a, b) -> a + b, (a, b) -> a + b){source}"
                is_column = (name, index) not in _CONSTANT
                values.append(
                    f"c{index}"
                    if is_column and self.chance.random() < 0.8
                    else self.expressions.argument(name, index, kind, 0, scope)
                )
            distinct = "DISTINCT " if len(values) == 1 and self.chance.random() < 0.2 else ""
            order = " ORDER BY k" if name in _ORDERED and not distinct and values else ""
            call = f"{name}({distinct}{', '.join(values)}{order})" if values else f"{name}(*)"
        filtered = self.pick(("", "", "", " FILTER (WHERE k > 1)", " FILTER (WHERE g IS NULL)"))
        shape = self.pick(("", "", "group", "window"))
        if shape == "group":
            return f"SELECT g, {call}{filtered}{source} GROUP BY g"
        if shape == "window" and name not in _ORDERED:
            return f"SELECT k, {call}{filtered} OVER ({self.window()}){source}"
        return f"SELECT {call}{filtered}{source}"

    def kind_of(self, type_: str) -> str:
        """The type, its variables replaced."""
        if type_ in ("t", "e", "k", "v", "s"):
            return self.expressions.element()
        if type_.startswith("map("):
            return "map(varchar,integer)"
        if type_ == "unknown":
            return "integer"
        return type_

    def window(self) -> str:
        """The inside of OVER."""
        partition = self.pick(("", "", "PARTITION BY g "))
        order = self.pick(("", "ORDER BY k", "ORDER BY k", "ORDER BY k DESC", "ORDER BY g, k"))
        frame = self.pick(_FRAMES) if order.startswith("ORDER BY k") else ""
        return f"{partition}{order} {frame}".strip()

    def columns(self, types: list[str], keys: bool = False) -> tuple[list[Variable], str]:
        """Columns c0, c1 … of the types over VALUES, and the FROM clause; k and g for keys."""
        known = [t if not _is_variable(t) else self.expressions.element() for t in types]
        known = [t for t in known if not t.startswith("function(")] or ["integer"]
        rows = []
        for row in range(_ROWS):
            values = [self.expressions.literal(type_) for type_ in known]
            if keys:
                values += [str(row + 1), self.pick(("1", "2", "NULL"))]
            rows.append(f"({', '.join(values)})")
        names = [f"c{index}" for index in range(len(known))]
        listed = ", ".join([*names, "k", "g"] if keys else names)
        source = f" FROM (VALUES {', '.join(rows)}) t({listed})"
        return list(zip(names, known, strict=True)), source

    def pick(self, items: tuple[str, ...]) -> str:
        return self.chance.choice(items)


SEPARATORS: Final = ("','", "''", "', '")
_ORDERED: Final = frozenset({"array_agg", "map_agg", "multimap_agg", "listagg"})
_CONSTANT: Final = frozenset(
    {
        *(("approx_percentile", i) for i in (1, 2, 3)),
        *(("approx_distinct", 1), ("numeric_histogram", 0)),
        *(("approx_most_frequent", 0), ("approx_most_frequent", 2)),
        *((name, i) for name in ("max", "min") for i in (1,)),
        *((name, 2) for name in ("max_by", "min_by")),
    }
)


def _is_variable(type_: str) -> bool:
    head = type_.partition("(")[0]
    inside = type_.partition("(")[2]
    return (
        (not inside and len(type_) <= 2)
        or head == "function"
        or any(
            part
            in ("t", "e", "k", "v", "s", "u", "t1", "t2", "t3", "t4", "t5", "k1", "v1", "v2", "k2")
            for part in inside.replace(")", ",").replace("(", ",").split(",")
        )
    )
