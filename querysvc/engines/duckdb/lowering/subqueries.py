"""Subqueries inside expressions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from querysvc.engines.duckdb.lowering.context import Context, Handler
from querysvc.engines.duckdb.lowering.fragments import FALSE, TRUE, Sql, case, identifier
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
    value = key_form(context.lower(node.value), type_)
    query = _keyed(context, node.query, type_)
    if type_.is_floating:
        query = context.query(node.query)
    quantifier = "ALL" if node.quantifier is Quantifier.ALL else "ANY"
    compared = Sql(f"({value} {node.operator} {quantifier} ({query}))")
    decided = _DECIDED_BY_TWO.get((node.operator, node.quantifier is Quantifier.ALL))
    if decided is not None and type_.is_orderable and not type_.is_floating:
        # Trino asks for one value only, which it compares: of several it does not look at NULL.
        several = Sql(f'(SELECT min("c0") <> max("c0") FROM ({query}) AS "s"("c0"))')
        compared = case([(Sql(f"({value} IS NULL AND {several})"), decided)], compared)
    return _placed(context, compared)


def _keyed(context: Context, query: Query, type_: TrinoType) -> Sql:
    """The query with its one column in key form."""
    lowered = context.query(query)
    if type_.is_floating:  # NaN equals nothing
        return Sql(f'SELECT "c0" FROM ({lowered}) AS "s" WHERE isnan("c0") IS NOT TRUE')
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
