"""What a statement needs of its tables: columns, domains, partition predicates."""

from __future__ import annotations

from decimal import Decimal

import pytest

from querysvc import tree
from querysvc.model import ResultColumn
from querysvc.plan import Domain, Range, TableReference
from querysvc.sql.metadata import MemoryMetadata, ViewInfo
from querysvc.types.parse import parse_type
from tests.support.queries import analysed, columns

METADATA = MemoryMetadata()
METADATA.add_table(
    "lake",
    "events",
    columns(
        "id bigint, n integer, name varchar(10), price decimal(10,2), at timestamp(3), "
        "flag boolean, ratio double, code char(3), day date",
        keys="year integer, region varchar",
        hidden="$path varchar",
    ),
)
METADATA.add_table("lake", "users", columns("id bigint, name varchar", keys="country varchar"))
METADATA.add_view(
    "lake",
    "recent",
    ViewInfo(
        "SELECT id, upper(name) AS name, year AS y FROM events WHERE n > 0",
        (
            ResultColumn("id", parse_type("bigint")),
            ResultColumn("name", parse_type("varchar")),
            ResultColumn("y", parse_type("integer")),
        ),
    ),
)


def _table(sql: str, name: str = "events") -> TableReference:
    tables = analysed(sql, METADATA, database="lake").tables
    return next(table for table in tables if table.table.name == name)


def _used(sql: str, name: str = "events") -> list[str]:
    table = _table(sql, name)
    return [table.columns[index].name for index in table.used_columns]


def _domains(sql: str, name: str = "events") -> dict[str, Domain]:
    table = _table(sql, name)
    return {table.columns[index].name: domain for index, domain in table.domains.items()}


def _ranges(condition: str, column: str = "n") -> tuple[Range, ...] | None:
    domain = _domains(f"SELECT id FROM events WHERE {condition}").get(column)
    return None if domain is None else domain.ranges


def at_least(value: object) -> Range:
    return Range(value, True)  # type: ignore[arg-type]


def above(value: object) -> Range:
    return Range(value, False)  # type: ignore[arg-type]


def at_most(value: object) -> Range:
    return Range(None, False, value, True)  # type: ignore[arg-type]


def below(value: object) -> Range:
    return Range(None, False, value, False)  # type: ignore[arg-type]


def exactly(value: object) -> Range:
    return Range(value, True, value, True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sql", "used"),
    [
        ("SELECT id FROM events", ["id"]),
        ("SELECT count(*) FROM events", []),
        ("SELECT id FROM events WHERE n > 1 ORDER BY price", ["id", "n", "price"]),
        ("SELECT id FROM (SELECT * FROM events)", ["id"]),
        ("SELECT id FROM (SELECT id, n, row_number() OVER (ORDER BY at) r FROM events)", ["id"]),
        ("SELECT id FROM (SELECT DISTINCT id, n FROM events)", ["id", "n"]),
        (
            "SELECT id FROM (SELECT id, n FROM events UNION ALL SELECT n, id FROM events)",
            ["id", "n"],
        ),
        (
            "SELECT x FROM (SELECT id x, name FROM events UNION SELECT id, name FROM events)",
            ["id", "name"],
        ),
        (
            "WITH a AS (SELECT * FROM events) SELECT id, b.n FROM a JOIN a b USING (id)",
            ["id", "n"],
        ),
        (
            "WITH a AS (SELECT * FROM events), b AS (SELECT id, name FROM a) SELECT id FROM b",
            ["id"],
        ),
        ("SELECT id FROM events GROUP BY id, n HAVING max(price) > 1", ["id", "n", "price"]),
        ("SELECT 1 FROM events e WHERE EXISTS (SELECT 1 FROM users u WHERE u.id = e.n)", ["n"]),
        ("SELECT 1 FROM users u WHERE EXISTS (SELECT * FROM events e WHERE e.id = u.id)", ["id"]),
        ("SELECT 1 WHERE NOT EXISTS (SELECT id, max(n) FROM events GROUP BY id, n)", ["id", "n"]),
        ("SELECT 1 WHERE EXISTS (SELECT DISTINCT name FROM events LIMIT 1)", ["name"]),
        ("SELECT 1 WHERE 1 IN (SELECT n FROM events)", ["n"]),
        ("SELECT u.x FROM events e, LATERAL (SELECT e.id x, e.name y) u", ["id"]),
        ("SELECT k FROM events, UNNEST(split(name, ',')) t(k)", ["name"]),
        ('SELECT "$path", id FROM events', ["id", "$path"]),
        ("SELECT * FROM events TABLESAMPLE BERNOULLI (10) WHERE n = 1", None),
        ("SELECT id FROM events TABLESAMPLE BERNOULLI (10) WHERE n = 1", ["id", "n"]),
        ("SELECT id FROM recent", ["id", "n"]),
        ("SELECT y FROM recent WHERE name = 'A'", ["n", "name", "year"]),
    ],
)
def test_only_columns_that_are_read_are_used(sql: str, used: list[str] | None) -> None:
    if used is None:
        used = [c.name for c in _table(sql).columns if not c.is_hidden]
    assert _used(sql) == used


@pytest.mark.parametrize(
    ("condition", "ranges"),
    [
        ("n = 1", (exactly(1),)),
        ("1 = n", (exactly(1),)),
        ("n > 1 AND n <= 5", (Range(1, False, 5, True),)),
        ("5 > n", (below(5),)),
        ("n <> 3", (below(3), above(3))),
        ("NOT n = 3", None),
        ("n BETWEEN 2 AND 4", (Range(2, True, 4, True),)),
        ("n IN (3, 1, 3)", (exactly(1), exactly(3))),
        ("n IN (1, NULL)", (exactly(1),)),
        ("n = 1 OR n > 4 OR n = 5", (exactly(1), above(4))),
        ("n = 1 OR id = 2", None),
        ("n = NULL", ()),
        ("n > 5 AND n < 3", ()),
        ("n IS NULL", ()),
        ("n IS NOT NULL", (Range(),)),
        ("n > BIGINT '2'", (above(2),)),
        ("n > 1.5", (at_least(2),)),
        ("n >= 2.0", (at_least(2),)),
        ("n < 1.5", (at_most(1),)),
        ("n = 1.5", ()),
        ("n > 2.5e0", (at_least(3),)),
        ("n + 1 > 2", None),
        ("CAST(n AS varchar) = '1'", None),
        ("CAST(n AS smallint) = 1", None),
        ("abs(n) = 1", None),
        ("n = id", None),
        ("n IN (SELECT 1)", None),
        ("n IS NOT DISTINCT FROM 4", (exactly(4),)),
        ("(n = 1 AND id = 2) OR n = 3", (exactly(1), exactly(3))),
    ],
)
def test_predicates_on_an_integer_give_its_ranges(
    condition: str, ranges: tuple[Range, ...] | None
) -> None:
    assert _ranges(condition) == ranges


@pytest.mark.parametrize(
    ("condition", "column", "ranges"),
    [
        ("name = 'x'", "name", (exactly("x"),)),
        ("name LIKE 'ab%'", "name", (Range("ab", True, "ac", False),)),
        ("name LIKE 'a!_b%' ESCAPE '!'", "name", (Range("a_b", True, "a_c", False),)),
        ("name LIKE '%b'", "name", None),
        ("name > CAST('abc' AS varchar)", "name", (above("abc"),)),
        ("day >= CAST('1970-01-11' AS date)", "day", (at_least(10),)),
        ("day >= CAST('nonsense' AS date)", "day", None),
        ("price >= 1.5", "price", (at_least(Decimal("1.5")),)),
        ("at < TIMESTAMP '1970-01-02 00:00:00'", "at", (below(86_400 * 10**12),)),
        ("day >= DATE '1970-01-11'", "day", (at_least(10),)),
        ("day < TIMESTAMP '1970-01-11 12:00:00'", "day", (at_most(10),)),
        ("flag", "flag", (exactly(True),)),
        ("NOT flag", "flag", (exactly(False),)),
        ("ratio > 0.5e0", "ratio", (above(0.5),)),
        ("ratio <> 0.5e0", "ratio", None),
        ("ratio = nan()", "ratio", None),
        ("code = 'ab'", "code", None),
        ("at > TIMESTAMP '2020-01-01 00:00:00 UTC'", "at", None),
    ],
)
def test_predicates_on_other_types_give_ranges_where_casts_are_exact(
    condition: str, column: str, ranges: tuple[Range, ...] | None
) -> None:
    assert _ranges(condition, column) == ranges


def test_null_is_admitted_only_where_the_predicate_accepts_it() -> None:
    domains = _domains("SELECT 1 FROM events WHERE n IS NULL OR n = 1")
    assert domains["n"] == Domain(parse_type("integer"), (exactly(1),), allows_null=True)
    assert not _domains("SELECT 1 FROM events WHERE n = 1")["n"].allows_null


@pytest.mark.parametrize(
    ("sql", "constrained"),
    [
        ("SELECT 1 FROM users u LEFT JOIN events e ON u.id = e.id WHERE e.n = 1", True),
        ("SELECT 1 FROM users u LEFT JOIN events e ON u.id = e.id AND e.n = 1", True),
        ("SELECT 1 FROM users u LEFT JOIN events e ON u.id = e.id WHERE e.n IS NULL", False),
        (
            "SELECT 1 FROM users u LEFT JOIN events e ON u.id = e.id WHERE e.n = 1 OR e.n IS NULL",
            False,
        ),
        ("SELECT 1 FROM events e LEFT JOIN users u ON u.id = e.id AND e.n = 1", False),
        ("SELECT 1 FROM events e LEFT JOIN users u ON u.id = e.id WHERE e.n = 1", True),
        ("SELECT 1 FROM events e RIGHT JOIN users u ON u.id = e.id AND e.n = 1", True),
        ("SELECT 1 FROM events e FULL JOIN users u ON u.id = e.id AND e.n = 1", False),
        ("SELECT 1 FROM events e FULL JOIN users u ON u.id = e.id WHERE e.n = 1", True),
        ("SELECT 1 FROM events e FULL JOIN users u ON u.id = e.id WHERE e.n IS NULL", False),
        ("SELECT 1 FROM events e JOIN users u ON u.id = e.id AND e.n = 1", True),
        ("SELECT 1 FROM (SELECT n FROM events) WHERE n = 1", True),
        ("SELECT 1 FROM (SELECT n FROM events LIMIT 5) WHERE n = 1", False),
        ("SELECT 1 FROM (SELECT n, count(*) c FROM events GROUP BY n) WHERE n = 1", True),
        ("SELECT 1 FROM (SELECT n, count(*) c FROM events GROUP BY ROLLUP(n)) WHERE n = 1", False),
        ("SELECT 1 FROM (SELECT max(n) n FROM events) WHERE n = 1", False),
        ("SELECT 1 FROM (SELECT n, rank() OVER (ORDER BY n) r FROM events) WHERE n = 1", False),
        ("SELECT 1 FROM (SELECT n FROM events UNION ALL SELECT 2) WHERE n = 1", True),
        ("SELECT 1 FROM (SELECT n FROM events EXCEPT SELECT 2) WHERE n = 1", True),
        ("WITH a AS (SELECT * FROM events) SELECT 1 FROM a WHERE n = 1", True),
        (
            "WITH a AS (SELECT * FROM events) SELECT 1 FROM a WHERE n = 1 UNION SELECT 2 FROM a",
            False,
        ),
        ("SELECT 1 FROM events WHERE n = 1 UNION SELECT id FROM events", False),
        ("SELECT 1 FROM events WHERE n = 1 AND id IN (SELECT id FROM events WHERE n = 2)", True),
        ("SELECT (SELECT max(id) FROM events) FROM users WHERE users.id = 1", False),
    ],
)
def test_filters_reach_a_scan_only_where_no_row_is_lost(sql: str, *, constrained: bool) -> None:
    assert ("n" in _domains(sql)) is constrained


def test_scans_of_one_table_need_what_any_of_them_needs() -> None:
    sql = "SELECT 1 FROM events a JOIN events b ON a.id = b.id WHERE a.n = 1 AND b.n = 5"
    assert _domains(sql)["n"].ranges == (exactly(1), exactly(5))


def test_cte_needs_the_filters_of_all_its_references() -> None:
    sql = (
        "WITH a AS (SELECT * FROM events) SELECT 1 FROM a WHERE n = 1 "
        "UNION ALL SELECT 2 FROM a WHERE n = 7"
    )
    assert _domains(sql)["n"].ranges == (exactly(1), exactly(7))


def _predicate_columns(sql: str) -> set[str]:
    table = _table(sql)
    found = set()

    def visit(node: object) -> None:
        if isinstance(node, tree.ColumnReference):
            assert node.relation == -1
            found.add(table.columns[node.field].name)
        for name in getattr(type(node), "__dataclass_fields__", ()):
            value = getattr(node, name)
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, tree.Expression):
                    visit(item)

    if table.partition_predicate is not None:
        visit(table.partition_predicate)
    return found


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        ("year = 2020 AND region = 'eu' AND n = 1", {"year", "region"}),
        ("year + 1 = 2021", {"year"}),
        ("year = 2020 OR region = 'eu'", {"year", "region"}),
        ("year = 2020 OR n = 1", set()),
        ("year = n", set()),
        ("lower(region) IN ('eu', 'us')", {"region"}),
        ("year > random(10)", set()),
        ("year = (SELECT 2020)", set()),
    ],
)
def test_partition_predicate_holds_conjuncts_over_keys_alone(
    condition: str, keys: set[str]
) -> None:
    assert _predicate_columns(f"SELECT 1 FROM events WHERE {condition}") == keys


def test_partition_filter_goes_through_a_view() -> None:
    assert _predicate_columns("SELECT id FROM recent WHERE y = 2020") == {"year"}
    assert _domains("SELECT id FROM recent WHERE y = 2020")["year"].ranges == (exactly(2020),)
