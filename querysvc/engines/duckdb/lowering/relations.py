"""What stands in FROM: relation r has the alias "r<r>", its field f the column "c<f>"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from querysvc.engines.duckdb.lowering.context import Context
from querysvc.engines.duckdb.lowering.expressions import filter_terms
from querysvc.engines.duckdb.lowering.fragments import Sql, identifier
from querysvc.engines.duckdb.lowering.types import not_supported, storage_type
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.tree import (
    CteReference,
    Expression,
    FromItem,
    Join,
    JoinKind,
    Literal,
    Relation,
    Sample,
    Scan,
    Subquery,
    TableFunction,
    Unnest,
    Values,
)
from querysvc.types.algebra import Array, Map, Row

SEQUENCE_ROWS_MAX: Final = 2**31 - 1
_ALL_ROWS: Final = 2**63 - 1
"""A limit that drops no row: DuckDB moves no filter below a LIMIT."""


def from_item(context: Context, item: FromItem) -> Sql:
    """A FROM item with its alias."""
    # The handler's node type is its key in the table: hence Any.
    handler: Callable[[Context, Any], Sql] = _HANDLERS[type(item)]
    return handler(context, item)


def column_names(count: int) -> str:
    """`"c0", "c1", …`"""
    return ", ".join(identifier(f"c{i}") for i in range(count))


def _alias(relation: Relation) -> str:
    return identifier(f"r{relation.id}")


def _scan(context: Context, item: Scan) -> Sql:
    columns = ", ".join(
        f"{identifier(f'c{column}')} AS {identifier(f'c{i}')}"
        for i, column in enumerate(item.columns)
    )
    return Sql(f"(SELECT {columns or 'NULL'} FROM {context.tables[item.table]}) AS {_alias(item)}")


def values_rows(context: Context, rows: tuple[tuple[Expression, ...], ...]) -> Sql:
    """`VALUES (…), (…)`."""
    lowered = (f"({', '.join(context.lower_all(row))})" for row in rows)
    return Sql(f"VALUES {', '.join(lowered)}")


def _values(context: Context, item: Values) -> Sql:
    rows = values_rows(context, item.rows)
    return Sql(f"({rows}) AS {_alias(item)}({column_names(len(item.fields))})")


def _subquery(context: Context, item: Subquery) -> Sql:
    lateral = "LATERAL " if item.is_lateral else ""
    query = context.query(item.query)
    if item.is_barrier:
        query = Sql(f'SELECT * FROM ({query}) AS "b" LIMIT {_ALL_ROWS}')
    return Sql(f"{lateral}({query}) AS {_alias(item)}")


def _cte(context: Context, item: CteReference) -> Sql:
    name = f"p{item.cte}" if item.cte in context.recursion else f"q{item.cte}"
    return Sql(f"{identifier(name)} AS {_alias(item)}")


def _unnest(context: Context, item: Unnest) -> Sql:
    """UNNESTs side by side in one SELECT: DuckDB pads the shorter ones with NULL, as Trino does."""
    inner: list[str] = []
    outer: list[str] = []
    lengths: list[str] = []
    for i, argument in enumerate(item.arguments):
        value = context.lower(argument)
        lengths.append(
            f"coalesce({'cardinality' if isinstance(argument.type, Map) else 'len'}({value}), 0)"
        )
        _unnest_argument(f"u{i}", value, argument, inner, outer)
    if item.with_ordinality:
        longest = lengths[0] if len(lengths) == 1 else f"greatest({', '.join(lengths)})"
        inner.append(f'unnest(range(1, CAST({longest} AS BIGINT) + 1)) AS "o"')
        outer.append('"o"')
    columns = ", ".join(f"{sql} AS {identifier(f'c{i}')}" for i, sql in enumerate(outer))
    query = f'SELECT {columns} FROM (SELECT {", ".join(inner)}) AS "u"'
    return Sql(f"LATERAL ({query}) AS {_alias(item)}")


def _unnest_argument(
    name: str, value: Sql, argument: Expression, inner: list[str], outer: list[str]
) -> None:
    """Add the argument's UNNESTs to the inner columns, and its fields to the outer ones."""
    type_ = argument.type
    if isinstance(type_, Map):
        inner += [
            f'unnest(map_keys({value})) AS "{name}k"',
            f'unnest(map_values({value})) AS "{name}v"',
        ]
        outer += [f'"{name}k"', f'"{name}v"']
        return
    # An UNNEST of NULL's own type is refused by DuckDB.
    inner.append(f'unnest(CAST({value} AS {storage_type(type_)})) AS "{name}"')
    assert isinstance(type_, Array)
    if isinstance(type_.element, Row):
        outer += [f'"{name}"."f{i}"' for i in range(len(type_.element.fields))]
    else:
        outer.append(f'"{name}"')


def _table_function(context: Context, item: TableFunction) -> Sql:
    if item.name != "sequence":
        raise not_supported(f"table function {item.name}")
    start, stop, step = (_constant(argument) for argument in item.arguments)
    if step == 0:
        raise QueryServiceError(ErrorCode.INVALID_FUNCTION_ARGUMENT, "Step must not be 0")
    # generate_series ends at the stop, inclusive, as Trino's does.
    series = (
        f"generate_series(CAST({start} AS BIGINT), CAST({stop} AS BIGINT), CAST({step} AS BIGINT))"
    )
    return Sql(f"{series} AS {_alias(item)}({column_names(1)})")


def _constant(argument: Expression) -> int:
    inner = getattr(argument, "value", None)
    if isinstance(argument, Literal) and isinstance(inner, int):
        return inner
    if isinstance(inner, Expression):  # a cast of a literal
        return _constant(inner)
    raise not_supported("a table function's argument that is not a constant")


_SAMPLE_METHODS: Final = {"BERNOULLI": "BERNOULLI", "SYSTEM": "SYSTEM"}


def _sample(context: Context, item: Sample) -> Sql:
    method = _SAMPLE_METHODS[item.method.upper()]
    source = from_item(context, item.source)
    if isinstance(item.source, Join):
        raise not_supported("TABLESAMPLE of a join")
    alias = identifier(f"r{item.source.id}")
    sampled = f"(SELECT * FROM {source}) AS {alias}"
    if item.percentage >= 100:
        return Sql(_renamed(sampled, item))
    return Sql(_renamed(f"{sampled} TABLESAMPLE {method}({item.percentage:f} PERCENT)", item))


def _renamed(source: str, item: Relation) -> str:
    return f"(SELECT * FROM {source}) AS {_alias(item)}"


_JOINS: Final[Mapping[JoinKind, str]] = {
    JoinKind.INNER: "INNER JOIN",
    JoinKind.LEFT: "LEFT JOIN",
    JoinKind.RIGHT: "RIGHT JOIN",
    JoinKind.FULL: "FULL JOIN",
    JoinKind.CROSS: "CROSS JOIN",
}


def _join(context: Context, item: Join) -> Sql:
    left, right = from_item(context, item.left), from_item(context, item.right)
    if item.condition is None:
        kind = JoinKind.CROSS if item.kind is JoinKind.INNER else item.kind
        on = "" if kind is JoinKind.CROSS else " ON true"
        return Sql(f"({left} {_JOINS[kind]} {right}{on})")
    condition = " AND ".join(filter_terms(context, item.condition))
    return Sql(f"({left} {_JOINS[item.kind]} {right} ON {condition})")


_HANDLERS: Final[Mapping[type[Relation] | type[Join], Callable[[Context, Any], Sql]]] = {
    Scan: _scan,
    Values: _values,
    Subquery: _subquery,
    CteReference: _cte,
    Unnest: _unnest,
    TableFunction: _table_function,
    Sample: _sample,
    Join: _join,
}
