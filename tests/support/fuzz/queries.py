"""Query shapes by rule over small VALUES tables and TPC-H tiny."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from tests.support.fuzz.expressions import Expressions, Variable

_LEFT: Final = (
    "(VALUES (1, 'a', 1.5), (2, 'b', NULL), (2, NULL, 2.25), (NULL, 'c', 0.0)) l(i, s, d)"
)
_RIGHT: Final = "(VALUES (2, 'b', DATE '2024-01-01'), (3, 'z', NULL), (NULL, 'a', DATE '2023-05-05')) r(i, s, t)"
_L: Final = (("l.i", "integer"), ("l.s", "varchar"), ("l.d", "decimal"))
_R: Final = (("r.i", "integer"), ("r.s", "varchar"), ("r.t", "date"))
_JOINS: Final = ("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN")
_SETS: Final = (
    *("UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL", "UNION DISTINCT"),
)
_TABLES: Final[dict[str, tuple[Variable, ...]]] = {
    "nation": (
        ("nationkey", "bigint"),
        ("name", "varchar"),
        ("regionkey", "bigint"),
        ("comment", "varchar"),
    ),
    "region": (("regionkey", "bigint"), ("name", "varchar")),
    "customer": (
        *(("custkey", "bigint"), ("name", "varchar"), ("nationkey", "bigint")),
        *(("acctbal", "double"), ("mktsegment", "varchar")),
    ),
    "orders": (
        *(("orderkey", "bigint"), ("custkey", "bigint"), ("orderstatus", "varchar")),
        *(("totalprice", "double"), ("orderdate", "date"), ("orderpriority", "varchar")),
    ),
    "supplier": (("suppkey", "bigint"), ("nationkey", "bigint"), ("acctbal", "double")),
}
_AGGREGATES: Final = (
    *(
        "count(*)",
        "count({n})",
        "sum({n})",
        "min({n})",
        "max({n})",
        "avg({n})",
        "count(DISTINCT {n})",
    ),
    *("max_by({n}, {m})", "bool_or({n} > 3)", "approx_distinct({n})", "min(lower({s}))"),
    *(
        "checksum({n})",
        "count_if({n} > 2)",
        "arbitrary(1)",
        "stddev({n})",
        "sum({n}) FILTER (WHERE {n} > 2)",
    ),
)


class Queries:
    """Queries from one source of chance."""

    def __init__(self, chance: random.Random, expressions: Expressions) -> None:
        self.chance = chance
        self.expressions = expressions

    def any(self) -> tuple[str, str]:
        """The name of a shape, and a query of it."""
        shape = self.chance.choice(_SHAPES)
        return f"query/{shape.__name__.strip('_')}", shape(self)

    def pick(self, items: tuple[str, ...]) -> str:
        return self.chance.choice(items)

    def join(self) -> str:
        kind = self.pick(_JOINS)
        scope = [*_L, *_R]
        condition = self.pick(
            (
                *(
                    "ON l.i = r.i",
                    "ON l.s = r.s",
                    "ON l.i = r.i AND l.s = r.s",
                    "USING (i)",
                    "USING (i, s)",
                ),
                f"ON l.i = r.i AND {self.expressions.value('boolean', 1, scope)}",
                f"ON {self.expressions.value('boolean', 1, scope)}",
            )
        )
        condition = "" if kind == "CROSS JOIN" else condition
        items = (
            "*"
            if self.chance.random() < 0.4
            else self._items(
                scope if "USING" not in condition else [("l.d", "decimal"), ("r.t", "date")]
            )
        )
        where = self.pick(
            (
                "",
                "",
                f" WHERE {self.expressions.value('boolean', 1, scope if 'USING' not in condition else [])}",
            )
        )
        return f"SELECT {items} FROM {_LEFT} {kind} {_RIGHT} {condition}{where}"

    def grouped(self) -> str:
        table = self.pick(tuple(_TABLES))
        numbers = [name for name, kind in _TABLES[table] if kind in ("bigint", "double")]
        texts = [name for name, kind in _TABLES[table] if kind == "varchar"] or [
            "CAST(1 AS varchar)"
        ]
        keys = self.pick(
            (
                *(f"{numbers[0]} % 3", f"substr({texts[-1]}, 1, 1)", f"length({texts[-1]})"),
                f"{numbers[-1]} > 5",
            )
        )
        second = f"{numbers[0]} % 2"
        calls = [
            self.pick(_AGGREGATES).format(n=self.pick(tuple(numbers)), m=numbers[0], s=texts[0])
            for _ in range(3)
        ]
        grouping = self.pick(
            (
                "1",
                "1, 2",
                keys,
                f"ROLLUP ({keys}, {second})",
                f"CUBE ({keys}, {second})",
                f"GROUPING SETS (({keys}, {second}), ({second}), ())",
                f"GROUPING SETS ({keys}, ()), {second}",
            )
        )
        head = keys if grouping in ("1", keys) else f"{keys}, {second}"
        having = self.pick(("", "", " HAVING count(*) > 2", f" HAVING sum({numbers[0]}) > 10"))
        order = self.pick(("", " ORDER BY 1, 2", " ORDER BY 1 DESC NULLS FIRST, 2"))
        return f"SELECT {head}, {', '.join(calls)} FROM {table} GROUP BY {grouping}{having}{order}"

    def grouping_call(self) -> str:
        return (
            "SELECT a, b, grouping(a, b), grouping(b), count(*), sum(x) FROM (VALUES (1, 'x', 1), (1, 'y', 2),"
            " (2, 'x', 3), (NULL, 'x', 4)) t(a, b, x) GROUP BY "
            + self.pick(
                (
                    "ROLLUP (a, b)",
                    "CUBE (a, b)",
                    "GROUPING SETS ((a), (b), (a, b))",
                    "a, ROLLUP (b)",
                )
            )
            + self.pick(("", " HAVING grouping(a) = 0", " ORDER BY 1, 2, 3, 5"))
        )

    def set_operation(self) -> str:
        kinds = [self.expressions.element() for _ in range(2)]

        def side() -> str:
            rows = ", ".join(
                f"({', '.join(self.expressions.literal(kind) for kind in kinds)})" for _ in range(3)
            )
            return self.pick(
                (
                    f"SELECT * FROM (VALUES {rows}) t(a, b)",
                    f"VALUES {rows}",
                    f"SELECT b, a FROM (VALUES {rows}) t(b, a)",
                )
            )

        middle = f"{side()} {self.pick(_SETS)} {side()}"
        if self.chance.random() < 0.3:
            middle = f"({middle}) {self.pick(_SETS)} {side()}"
        return f"{middle}{self.pick(('', '', ' LIMIT 100'))}"

    def subquery(self) -> str:
        return self.pick(
            (
                "SELECT name, (SELECT count(*) FROM customer c WHERE c.nationkey = n.nationkey) FROM nation n",
                "SELECT name FROM nation n WHERE {not_}EXISTS (SELECT 1 FROM supplier s WHERE s.nationkey = n.nationkey AND s.acctbal > {x})",
                "SELECT name FROM nation WHERE regionkey {not_}IN (SELECT regionkey FROM region WHERE name LIKE '{c}%')",
                "SELECT n.name, (SELECT max(r.name) FROM region r WHERE r.regionkey = n.regionkey AND r.name > '{c}') FROM nation n",
                "SELECT name, nationkey FROM nation WHERE nationkey {op} {quant} (SELECT regionkey FROM region WHERE regionkey > {i})",
                "SELECT x, x {not_}IN (SELECT y FROM (VALUES 1, {i}, NULL) u(y)) FROM (VALUES 1, 2, NULL) t(x)",
                "SELECT x, (SELECT sum(y) FROM (VALUES 1, 2, 3) u(y) WHERE y {op} x) FROM (VALUES 1, 2, NULL) t(x)",
                "SELECT x, EXISTS (SELECT 1 FROM (VALUES 1, 2, NULL) u(y) WHERE y {op} x) FROM (VALUES 1, 2, NULL) t(x)",
                "SELECT x, (SELECT y FROM (VALUES 1, 2) u(y) WHERE y {op} x) FROM (VALUES 1, 2) t(x)",
                "SELECT x, z FROM (VALUES 1, 2, 3) t(x) CROSS JOIN LATERAL (SELECT x * y AS z FROM (VALUES 1, {i}) u(y) WHERE y {op} x) v",
                "SELECT x, z FROM (VALUES 1, 2, 3) t(x) LEFT JOIN LATERAL (SELECT count(*) AS z FROM (VALUES 1, {i}) u(y) WHERE y {op} x) v ON true",
                "WITH a AS (SELECT nationkey k, name FROM nation), b AS (SELECT k % {i1} AS m, count(*) c FROM a GROUP BY 1) SELECT * FROM b ORDER BY m",
                "SELECT x {op} {quant} (VALUES 1, {i}, NULL) FROM (VALUES 1, 2, NULL) t(x)",
                "SELECT (x, 'a') {not_}IN (VALUES (1, 'a'), ({i}, NULL)) FROM (VALUES 1, 2, NULL) t(x)",
            )
        ).format(
            not_=self.pick(("", "NOT ")),
            op=self.pick(("=", "<>", "<", ">=", ">")),
            x=self.chance.choice((0, 5000, -100)),
            c=self.pick(("A", "E", "Z", "")),
            quant=self.pick(("ALL", "ANY", "SOME")),
            i=self.chance.choice((0, 2, 3)),
            i1=self.chance.choice((2, 3)),
        )

    def unnest(self) -> str:
        kind = self.pick(
            ("integer", "varchar", "decimal", "row(integer,varchar)", "date", "array(integer)")
        )
        array = self.expressions.literal(f"array({kind})")
        other = self.expressions.literal("array(varchar)")
        mapping = self.expressions.literal("map(varchar,integer)")
        ordinality = self.pick(("", " WITH ORDINALITY"))
        return self.pick(
            (
                f"SELECT * FROM UNNEST({array}){ordinality}",
                f"SELECT * FROM UNNEST({array}, {other}){ordinality}",
                f"SELECT * FROM UNNEST({mapping}){ordinality}",
                f"SELECT x, u.* FROM (VALUES 1, 2) t(x) CROSS JOIN UNNEST({array}){ordinality} u",
                f"SELECT x, u.* FROM (VALUES (1, ARRAY[1, 2]), (2, NULL), (3, ARRAY[])) t(x, a) "
                f"{self.pick(('CROSS JOIN', 'LEFT JOIN'))} UNNEST(a){ordinality} u ON true".replace(
                    "CROSS JOIN UNNEST(a) u ON true", "CROSS JOIN UNNEST(a) u"
                ),
                f"SELECT count(*) FROM UNNEST({array}, {mapping})",
            )
        )

    def projected(self) -> str:
        table = self.pick(tuple(_TABLES))
        scope = list(_TABLES[table])
        where = self.pick(("", f" WHERE {self.expressions.value('boolean', 2, scope)}"))
        key = scope[0][0]
        tail = self.pick(
            (
                f" ORDER BY {key} LIMIT 5",
                f" ORDER BY {key} DESC LIMIT 4",
                f" ORDER BY {key} OFFSET 3 LIMIT 4",
            )
        )
        return f"SELECT {key}, {self._items(scope)} FROM {table}{where}{tail}"

    def ordered(self) -> str:
        kind = self.expressions.element()
        rows = ", ".join(f"({i}, {self.expressions.literal(kind)})" for i in range(5))
        direction = self.pick(("", " DESC", " NULLS FIRST", " DESC NULLS LAST", " ASC NULLS LAST"))
        return self.pick(
            (
                f"SELECT k, x FROM (VALUES {rows}) t(k, x) ORDER BY x{direction}, k",
                f"SELECT DISTINCT x FROM (VALUES {rows}) t(k, x)",
                f"SELECT x, count(*) FROM (VALUES {rows}) t(k, x) GROUP BY x",
                f"SELECT k, rank() OVER (ORDER BY x{direction}) FROM (VALUES {rows}) t(k, x)",
                f"SELECT k, count(*) OVER (PARTITION BY x) FROM (VALUES {rows}) t(k, x)",
                f"SELECT min(x), max(x), array_agg(x ORDER BY x{direction}, k) FROM (VALUES {rows}) t(k, x)",
                f"SELECT array_sort(ARRAY[{', '.join(self.expressions.literal(kind) for _ in range(3))}])",
            )
        )

    def window(self) -> str:
        kind = self.pick(("integer", "decimal", "double", "date", "timestamp", "bigint"))
        rows = ", ".join(f"({i}, {i // 3}, {self.expressions.literal(kind)})" for i in range(6))
        number = kind in ("integer", "decimal", "double", "bigint")
        step = (
            ("1", "2", "0.5", "1e0")
            if number
            else ("INTERVAL '1' DAY", "INTERVAL '2' MONTH", "INTERVAL '36' HOUR")
        )
        bounds = (
            "UNBOUNDED PRECEDING",
            "CURRENT ROW",
            f"{self.pick(step)} PRECEDING",
            f"{self.pick(step)} FOLLOWING",
            "UNBOUNDED FOLLOWING",
        )
        frame = f"RANGE BETWEEN {self.pick(bounds[:4])} AND {self.pick(bounds[1:])}"
        call = self.pick(
            (
                "count(*)",
                "min(x)",
                "max(k)",
                "sum(k)",
                "first_value(k)",
                "last_value(x)",
                "array_agg(k)",
            )
        )
        partition = self.pick(("", "PARTITION BY g "))
        order = self.pick(("x", "x DESC", "x NULLS FIRST", "x DESC NULLS LAST"))
        return f"SELECT k, {call} OVER ({partition}ORDER BY {order} {frame}) FROM (VALUES {rows}) t(k, g, x)"

    def _items(self, scope: list[Variable]) -> str:
        count = self.chance.choice((1, 2, 3))
        return ", ".join(
            self.expressions.value(self.expressions.scalar_type(), 2, scope) for _ in range(count)
        )


_SHAPES: Final[tuple[Callable[[Queries], str], ...]] = (
    *(Queries.join, Queries.grouped, Queries.grouping_call, Queries.set_operation),
    *(Queries.subquery, Queries.unnest, Queries.projected, Queries.ordered, Queries.window),
)
