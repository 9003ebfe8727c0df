"""Queries inside expressions: scalar, EXISTS, IN, and quantified comparisons.

A query of several columns stands for rows of them: the value that it is compared with is a row
with as many fields (`tree.InSubquery` and `tree.QuantifiedComparison` compare field by field).
"""

from __future__ import annotations

from collections.abc import Callable
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
        lambda references: (tree.RowConstructor(unnamed, references),),
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
    if types != outputs:
        query = _over(analyser, query, lambda columns: tuple(map(coerce, columns, types)))
    if not is_row:
        return coerce(value, types[0]), query
    if len(types) == 1 and isinstance(value, tree.RowConstructor):
        return coerce(value.items[0], types[0]), query
    if len(types) == 1:
        return coerce(tree.Dereference(fields[0], value, 0), types[0]), query
    return coerce(value, Row(tuple(RowField(None, item) for item in types))), query


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
    make: Callable[[tuple[tree.Expression, ...]], tuple[tree.Expression, ...]],
) -> tree.Query:
    """SELECT make(columns) FROM (query)."""
    relation = analyser.context.next_relation()
    source = tree.Subquery(relation, query.output, query)
    references = tuple(
        tree.ColumnReference(field.type, relation, index)
        for index, field in enumerate(query.output)
    )
    items = make(references)
    output = tuple(tree.Field(None, item.type) for item in items)
    return tree.Query(output, tree.Select(items, source))


HANDLERS: Final[dict[type[syntax.Node], Callable[..., Any]]] = {  # each takes its own node type
    syntax.SubqueryExpression: scalar,
    syntax.Exists: exists,
    syntax.InSubquery: in_subquery,
    syntax.QuantifiedComparison: quantified,
}
