"""Queries: CTEs, bodies, grouping, order and limit. Outputs are named "c0", "c1", …"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from querysvc.engines.duckdb.lowering.context import Context
from querysvc.engines.duckdb.lowering.expressions import filter_terms
from querysvc.engines.duckdb.lowering.fragments import Sql, case, fail, identifier
from querysvc.engines.duckdb.lowering.grouping import lower_grouping
from querysvc.engines.duckdb.lowering.keys import check_orderable, key_form, needs_key
from querysvc.engines.duckdb.lowering.relations import column_names, from_item, values_rows
from querysvc.engines.duckdb.lowering.sorting import is_compound, sort_list
from querysvc.engines.duckdb.lowering.types import not_supported
from querysvc.errors import ErrorCode
from querysvc.tree import (
    Cte,
    Expression,
    OutputReference,
    Query,
    Select,
    SetOperation,
    SetOperator,
    SortItem,
    ValuesBody,
)

RECURSION_DEPTH_MAX: Final = 10

_SET_OPERATORS: Final = {
    SetOperator.UNION: "UNION",
    SetOperator.INTERSECT: "INTERSECT",
    SetOperator.EXCEPT: "EXCEPT",
}


@dataclass(frozen=True, slots=True)
class _SelectParts:
    """A SELECT's clauses, and the context in which its order keys stand."""

    items: tuple[Sql, ...]
    tail: str
    distinct: str
    context: Context


def lower_query(context: Context, query: Query) -> Sql:
    """The query as a SELECT statement."""
    with_clause = _with(context, query.ctes)
    if isinstance(query.body, Select):
        return Sql(with_clause + _select_query(context, query, query.body))
    return Sql(with_clause + _other_query(context, query))


def _with(context: Context, ctes: tuple[Cte, ...]) -> str:
    if not ctes:
        return ""
    recursive = "RECURSIVE " if any(cte.is_recursive for cte in ctes) else ""
    return f"WITH {recursive}{', '.join(_cte(context, cte) for cte in ctes)} "


def _cte(context: Context, cte: Cte) -> str:
    names = column_names(len(cte.query.output))
    name = identifier(f"q{cte.id}")
    if not cte.is_recursive:
        return f"{name}({names}) AS ({context.query(cte.query)})"
    return f"{_recursion(context, cte, names)}, {name} AS ({_steps(cte, names)})"


def _steps(cte: Cte, names: str) -> str:
    body = cte.query.body
    assert isinstance(body, SetOperation)
    return f"SELECT {'' if body.is_all else 'DISTINCT '}{names} FROM {identifier(f'p{cte.id}')}"


def _recursion(context: Context, cte: Cte, names: str) -> str:
    """The recursion proper: every row with the step that made it, for Trino's limit on depth."""
    body = cte.query.body
    plain = not (cte.query.ctes or cte.query.order_by or cte.query.limit or cte.query.offset)
    if not isinstance(body, SetOperation) or body.operator is not SetOperator.UNION or not plain:
        raise not_supported("a recursive query that is not a UNION")
    inside = replace(context, recursion=context.recursion | {cte.id})
    name = identifier(f"p{cte.id}")
    limit = fail(
        ErrorCode.NOT_SUPPORTED,
        f"Recursion depth limit exceeded ({RECURSION_DEPTH_MAX}). Use 'max_recursion_depth'"
        " session property to modify the limit.",
    )
    next_step = case([(Sql(f'("d"."d" >= {RECURSION_DEPTH_MAX})'), limit)], Sql('("d"."d" + 1)'))
    return (
        f'{name}({names}, "d") AS ('
        f'SELECT *, CAST(0 AS BIGINT) FROM ({context.query(body.left)}) AS "b" UNION ALL '
        f'SELECT "b".*, {next_step} FROM ({inside.query(body.right)}) AS "b",'
        f' (SELECT max("d") AS "d" FROM {name}) AS "d")'
    )


def _select_query(context: Context, query: Query, select: Select) -> str:
    parts = _select_parts(context, select, query.order_by)
    listed = ", ".join(f"{sql} AS {identifier(f'c{i}')}" for i, sql in enumerate(parts.items))
    keys = [_sort_key(parts, select, query, item) for item in query.order_by]
    if query.with_ties:
        return _with_ties(f"SELECT {listed}{_hidden(keys)}{parts.tail}", query)
    if any(map(is_compound, query.order_by)):
        # Inside an expression of ORDER BY a name is the input's column before the output's.
        rows = f"SELECT {parts.distinct}{listed}{_hidden(keys)}{parts.tail}"
        order = _order_clause(_hidden_names(keys), query.order_by)
        names = column_names(len(query.output))
        return f'SELECT {names} FROM ({rows}) AS "b"{order}{_limits(query)}'
    order = _order_clause(keys, query.order_by)
    return f"SELECT {parts.distinct}{listed}{parts.tail}{order}{_limits(query)}"


def _hidden(keys: list[Sql]) -> str:
    names = _hidden_names(keys)
    return "".join(f", {sql} AS {name}" for sql, name in zip(keys, names, strict=True))


def _hidden_names(keys: Sequence[object]) -> list[Sql]:
    return [identifier(f"s{i}") for i in range(len(keys))]


def _select_parts(context: Context, select: Select, order_by: tuple[SortItem, ...]) -> _SelectParts:
    source = "" if select.source is None else f" FROM {from_item(context, select.source)}"
    terms = [] if select.where is None else filter_terms(context, select.where)
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    tail = source + where
    if select.group_by is not None:
        context, tail = lower_grouping(context, select, order_by, tail)
        if select.having is not None:
            tail += f" WHERE {' AND '.join(filter_terms(context, select.having))}"
    items = context.lower_all(select.items)
    return _SelectParts(items, tail, _distinct(select, items), context)


def _distinct(select: Select, items: tuple[Sql, ...]) -> str:
    if not select.is_distinct:
        return ""
    types = [item.type for item in select.items]
    if not any(needs_key(type_) for type_ in types):
        return "DISTINCT "
    keys = (key_form(sql, type_) for sql, type_ in zip(items, types, strict=True))
    return f"DISTINCT ON ({', '.join(keys)}) "


def _sort_key(parts: _SelectParts, select: Select, query: Query, item: SortItem) -> Sql:
    """The key's expression; an output in it is the output's own expression."""
    outputs: dict[Expression, Sql] = {
        OutputReference(type=node.type, index=i): sql
        for i, (node, sql) in enumerate(zip(select.items, parts.items, strict=True))
    }
    value = item.value
    is_plain = not query.with_ties and not any(map(is_compound, query.order_by))
    if isinstance(value, OutputReference) and not needs_key(value.type) and is_plain:
        return identifier(f"c{value.index}")
    return key_form(parts.context.with_substitutions(outputs).lower(value), value.type)


def _order_clause(keys: list[Sql], items: tuple[SortItem, ...]) -> str:
    return f" ORDER BY {sort_list(keys, items)}" if items else ""


def _limits(query: Query) -> str:
    limit = "" if query.limit is None else f" LIMIT {query.limit}"
    offset = "" if not query.offset else f" OFFSET {query.offset}"
    return limit + offset


def _with_ties(rows: str, query: Query) -> str:
    """FETCH FIRST n ROWS WITH TIES: the rows whose rank, after the offset, is at most n."""
    keys = _hidden_names(query.order_by)
    order = sort_list(keys, query.order_by)
    skipped = f'SELECT * FROM ({rows}) AS "b" ORDER BY {order}'
    if query.offset:
        skipped += f" OFFSET {query.offset}"
    ranked = f'SELECT *, rank() OVER (ORDER BY {order}) AS "rank" FROM ({skipped}) AS "b"'
    names = column_names(len(query.output))
    return f'SELECT {names} FROM ({ranked}) AS "b" WHERE "rank" <= {query.limit} ORDER BY {order}'


def _other_query(context: Context, query: Query) -> str:
    """A set operation or VALUES: its order keys are made of outputs only."""
    body = _body(context, query)
    if not query.order_by and query.limit is None and not query.offset:
        return body
    outputs: dict[Expression, Sql] = {
        OutputReference(type=item.type, index=i): identifier("b", f"c{i}")
        for i, item in enumerate(query.output)
    }
    inner = context.with_substitutions(outputs)
    keys = [key_form(inner.lower(item.value), item.value.type) for item in query.order_by]
    if query.with_ties:
        return _with_ties(f'SELECT *{_hidden(keys)} FROM ({body}) AS "b"', query)
    order = _order_clause(keys, query.order_by)
    return f'SELECT * FROM ({body}) AS "b"{order}{_limits(query)}'


def _body(context: Context, query: Query) -> str:
    body = query.body
    names = column_names(len(query.output))
    if isinstance(body, ValuesBody):
        return f'SELECT * FROM ({values_rows(context, body.rows)}) AS "b"({names})'
    assert isinstance(body, SetOperation)
    if any(needs_key(item.type) for item in query.output) and not (
        body.is_all and body.operator is SetOperator.UNION
    ):
        return _keyed_set_operation(context, query, body)
    every = " ALL" if body.is_all else ""
    if body.is_all and body.operator is not SetOperator.UNION:
        check_orderable([item.type for item in query.output])
    left, right = context.query(body.left), context.query(body.right)
    return f"({left}) {_SET_OPERATORS[body.operator]}{every} ({right})"


def _keyed_set_operation(context: Context, query: Query, body: SetOperation) -> str:
    """Rows are compared by key forms; which of two equal ones stays is not defined."""
    if body.is_all:
        check_orderable([item.type for item in query.output])
    left, right = context.query(body.left), context.query(body.right)
    if body.operator is SetOperator.UNION:
        keys = ", ".join(_row_keys(query))
        return f'SELECT DISTINCT ON ({keys}) * FROM (({left}) UNION ALL ({right})) AS "u"'
    first, second = (_numbered(query, side) for side in (left, right))
    terms = [
        f"{one} IS NOT DISTINCT FROM {other}"
        for one, other in zip(_row_keys(query, "l"), _row_keys(query, "r"), strict=True)
    ]
    terms.append('"l"."n" = "r"."n"' if body.is_all else '"l"."n" = 1')
    negation = "NOT " if body.operator is SetOperator.EXCEPT else ""
    return (
        f'SELECT {column_names(len(query.output))} FROM ({first}) AS "l" WHERE "l"."n" IS NOT NULL'
        f"{'' if body.is_all else ' AND ' + terms.pop()} AND {negation}EXISTS"
        f' (SELECT 1 FROM ({second}) AS "r" WHERE {" AND ".join(terms)})'
    )


def _row_keys(query: Query, *alias: str) -> list[Sql]:
    return [key_form(identifier(*alias, f"c{i}"), item.type) for i, item in enumerate(query.output)]


def _numbered(query: Query, rows: str) -> str:
    """The rows with their numbers among equal ones, `n`."""
    keys = ", ".join(_row_keys(query))
    return f'SELECT *, row_number() OVER (PARTITION BY {keys}) AS "n" FROM ({rows}) AS "b"'
