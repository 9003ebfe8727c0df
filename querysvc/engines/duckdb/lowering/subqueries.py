"""Subqueries inside expressions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from querysvc.engines.duckdb.lowering.comparisons import compare
from querysvc.engines.duckdb.lowering.context import Context, Handler
from querysvc.engines.duckdb.lowering.fragments import (
    FALSE,
    NULL,
    TRUE,
    Sql,
    case,
    field,
    identifier,
    lambda_,
    operation,
)
from querysvc.engines.duckdb.lowering.keys import key_form, needs_key
from querysvc.tree import (
    Exists,
    Expression,
    InSubquery,
    QuantifiedComparison,
    Quantifier,
    Query,
    ScalarSubquery,
)
from querysvc.types.algebra import TrinoType

_DECIDED_BY_TWO: Final[Mapping[tuple[str, bool], Sql]] = {("=", True): FALSE, ("<>", False): TRUE}
"""What `= ALL` and `<> ANY` are over different values."""
_MEMBERSHIPS: Final = frozenset({("=", False), ("<>", True)})
"""IN and NOT IN, in other words."""
_EQUALITIES: Final = frozenset({"=", "<>"})


def _scalar(context: Context, node: ScalarSubquery) -> Sql:
    return _placed(context, Sql(f"({context.query(node.query)})"))


def _exists(context: Context, node: Exists) -> Sql:
    return _placed(context, Sql(f"(EXISTS ({context.query(node.query)}))"))


def _in(context: Context, node: InSubquery) -> Sql:
    value = key_form(context.lower(node.value), node.value.type)
    query = _keyed(context, node.query, node.value.type)
    return _placed(context, Sql(f"({value} IN ({query}))"))


def _quantified(context: Context, node: QuantifiedComparison) -> Sql:
    type_ = node.value.type
    is_all = node.quantifier is Quantifier.ALL
    if type_.is_floating and (node.operator, is_all) not in _MEMBERSHIPS:
        return _by_extremes(context, node)
    value = key_form(context.lower(node.value), type_)
    query = _keyed(context, node.query, type_)
    compared = Sql(f"({value} {node.operator} {'ALL' if is_all else 'ANY'} ({query}))")
    decided = _DECIDED_BY_TWO.get((node.operator, is_all))
    if decided is not None and type_.is_orderable:
        # Trino asks for one value only, which it compares: of several it does not look at NULL.
        several = Sql(f'(SELECT min("c0") <> max("c0") FROM ({query}) AS "s"("c0"))')
        compared = case([(Sql(f"({value} IS NULL AND {several})"), decided)], compared)
    return _placed(context, compared)


def _by_extremes(context: Context, node: QuantifiedComparison) -> Sql:
    """A comparison with the least or greatest value, as Trino does it: those pass over NaN."""
    is_all = node.quantifier is Quantifier.ALL
    extremes = ", ".join(
        f'coalesce({name}("c0") FILTER (NOT isnan("c0")), {name}("c0")) AS "{name}"'
        for name in ("min", "max")
    )
    query = Sql(
        f'(SELECT {{"min": "min", "max": "max", "rows": "rows", "values": "values"}} FROM (SELECT'
        f' {extremes}, count(*) AS "rows", count("c0") AS "values"'
        f' FROM ({context.query(node.query)}) AS "s"("c0")))'
    )
    value = context.lower(node.value)

    def body(found: Sql) -> Sql:
        least, greatest = field(found, "min"), field(found, "max")
        if node.operator in _EQUALITIES:
            several = compare(node.operator, least, greatest, node.value.type)
            compared = compare(node.operator, value, greatest, node.value.type)
            decided = operation("AND" if is_all else "OR", several, compared)
        else:
            is_less = node.operator.startswith("<")
            bound = least if is_less is is_all else greatest
            decided = compare(node.operator, value, bound, node.value.type)
        has_null = Sql(f"({field(found, 'rows')} <> {field(found, 'values')})")
        rest = case([(has_null, NULL)], TRUE if is_all else FALSE)
        whole = operation("AND" if is_all else "OR", decided, rest)
        return case([(Sql(f"({field(found, 'rows')} = 0)"), TRUE if is_all else FALSE)], whole)

    hoisted = _placed(context, query)
    return Sql(f"list_transform([{hoisted}], {lambda_(['qe'], body(identifier('qe')))})[1]")


def _keyed(context: Context, query: Query, type_: TrinoType) -> Sql:
    """The query with its one column in key form."""
    lowered = context.query(query)
    if not needs_key(type_):
        return lowered
    return Sql(f'SELECT {key_form(identifier("s", "c0"), type_)} FROM ({lowered}) AS "s"')


def _placed(context: Context, subquery: Sql) -> Sql:
    """The subquery where it stands; inside TRY, a reference to it outside."""
    if context.hoisted is None:
        return subquery
    context.hoisted.append(subquery)
    return identifier(context.hoist_name, f"v{len(context.hoisted) - 1}")


HANDLERS: Final[Mapping[type[Expression], Handler]] = {
    ScalarSubquery: _scalar,
    Exists: _exists,
    InSubquery: _in,
    QuantifiedComparison: _quantified,
}
