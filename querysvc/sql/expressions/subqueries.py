"""Queries inside expressions: scalar, EXISTS, IN, and quantified comparisons.

A query of several columns stands for rows of them. It leaves here with one output, a row: the query
of a scalar subquery, an IN or a quantified comparison always has one output, of the value's type.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from querysvc import tree
from querysvc.errors import ErrorCode
from querysvc.sql import syntax
from querysvc.sql.expressions.coercion import coerce
from querysvc.sql.expressions.conditionals import common_type
from querysvc.sql.expressions.errors import fail, mismatch
from querysvc.types.algebra import BOOLEAN, UNKNOWN, Row, RowField, TrinoType

if TYPE_CHECKING:
    from querysvc.sql.expressions.analyser import Analyser
    from querysvc.sql.query_syntax import Query
    from querysvc.sql.scope import Scope


def _query(analyser: Analyser, node: syntax.Expression, query: Query, scope: Scope) -> tree.Query:
    if analyser.is_in_lambda:
        message = "Lambda expression cannot contain subqueries"
        raise fail(ErrorCode.NOT_SUPPORTED, node, message)
    return analyser.context.analyse_query(query, scope)


def scalar(analyser: Analyser, node: syntax.SubqueryExpression, scope: Scope) -> tree.Expression:
    """(query): its value, or the row of its values."""
    query = _query(analyser, node, node.query, scope)
    if len(query.output) == 1:
        return tree.ScalarSubquery(query.output[0].type, query)
    type_ = Row(tuple(RowField(field.name, field.type) for field in query.output))
    unnamed = Row(tuple(RowField(None, field.type) for field in query.output))
    row = _over(
        analyser,
        query,
        lambda references: tree.RowConstructor(unnamed, references),
    )
    value = tree.ScalarSubquery(unnamed, row)
    return value if type_ == unnamed else tree.Cast(type_, value)


def exists(analyser: Analyser, node: syntax.Exists, scope: Scope) -> tree.Expression:
    """EXISTS (query)."""
    return tree.Exists(BOOLEAN, _query(analyser, node, node.query, scope))


def in_subquery(analyser: Analyser, node: syntax.InSubquery, scope: Scope) -> tree.Expression:
    """value IN (query)."""
    value, query = _compared(analyser, node, scope)
    if not all(field.type.is_comparable for field in query.output):
        listed = _row_type(query)
        raise mismatch(node, f"Type [{listed}] must be comparable in order to be used in IN")
    return tree.InSubquery(BOOLEAN, value, query)


def quantified(
    analyser: Analyser, node: syntax.QuantifiedComparison, scope: Scope
) -> tree.Expression:
    """value <operator> ALL|ANY (query)."""
    value, query = _compared(analyser, node, scope)
    types = [field.type for field in query.output]
    if node.operator in ("=", "<>"):
        ability, is_able = "comparable", all(type_.is_comparable for type_ in types)
    else:
        ability, is_able = "orderable", all(type_.is_orderable for type_ in types)
    if not is_able:
        raise mismatch(
            node,
            f"Type [{_row_type(query)}] must be {ability} in order to be used in quantified "
            "comparison",
        )
    quantifier = tree.Quantifier(node.quantifier)
    return tree.QuantifiedComparison(BOOLEAN, node.operator, quantifier, value, query)


def _row_type(query: tree.Query) -> Row:
    return Row(tuple(RowField(None, field.type) for field in query.output))


def _compared(
    analyser: Analyser, node: syntax.InSubquery | syntax.QuantifiedComparison, scope: Scope
) -> tuple[tree.Expression, tree.Query]:
    """The value and the query, brought to the same types."""
    value = analyser.analyse(node.value, scope)
    query = _query(analyser, node, node.query, scope)
    if value.type == UNKNOWN and len(query.output) > 1:
        value = tree.Literal(_row_type(query), None)
    # A value that is no row stands for a row of one field, as in Trino.
    is_row = isinstance(value.type, Row)
    fields = value.type.children if is_row else (value.type,)
    outputs = tuple(field.type for field in query.output)
    types = _common_types(fields, outputs)
    if types is None:
        value_type = value.type if is_row else Row((RowField(None, value.type),))
        raise mismatch(
            node,
            "Value expression and result of subquery must be of the same type: "
            f"{value_type} vs {_row_type(query)}",
        )
    if len(types) == 1:
        if types != outputs:
            query = _over(analyser, query, lambda columns: coerce(columns[0], types[0]))
        return coerce(_only_field(value), types[0]), query
    row = Row(tuple(RowField(None, type_) for type_ in types))
    query = _over(
        analyser,
        query,
        lambda columns: tree.RowConstructor(row, tuple(map(coerce, columns, types))),
    )
    return coerce(value, row), query


def _only_field(value: tree.Expression) -> tree.Expression:
    """The value itself, or the field of a row that has only one."""
    if not isinstance(value.type, Row):
        return value
    if isinstance(value, tree.RowConstructor):
        return value.items[0]
    return tree.Dereference(value.type.fields[0].type, value, 0)


def _common_types(
    fields: tuple[TrinoType, ...], outputs: tuple[TrinoType, ...]
) -> tuple[TrinoType, ...] | None:
    if len(fields) != len(outputs):
        return None
    types = tuple(map(common_type, fields, outputs))
    return None if None in types else types  # type: ignore[return-value]  # none is None


def _over(
    analyser: Analyser,
    query: tree.Query,
    make: Callable[[tuple[tree.Expression, ...]], tree.Expression],
) -> tree.Query:
    """SELECT make(columns) FROM (query), or the query itself with its items changed so."""
    body = query.body
    if isinstance(body, tree.Select) and not query.order_by and query.limit is None:
        # Engines plan a correlated query better without another one around it.
        item = make(body.items)
        return replace(query, output=_one(item), body=replace(body, items=(item,)))
    relation = analyser.context.next_relation()
    source = tree.Subquery(relation, query.output, query)
    references = tuple(
        tree.ColumnReference(field.type, relation, index)
        for index, field in enumerate(query.output)
    )
    item = make(references)
    return tree.Query(_one(item), tree.Select((item,), source))


def _one(item: tree.Expression) -> tuple[tree.Field]:
    return (tree.Field(None, item.type),)


HANDLERS: Final[dict[type[syntax.Node], Callable[..., Any]]] = {  # each takes its own node type
    syntax.SubqueryExpression: scalar,
    syntax.Exists: exists,
    syntax.InSubquery: in_subquery,
    syntax.QuantifiedComparison: quantified,
}
