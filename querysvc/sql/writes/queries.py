"""The typed query of a write: in the table's columns and types, a partition's rows together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from querysvc import tree
from querysvc.model import ResultColumn
from querysvc.plan import AnalysedStatement, TableColumn
from querysvc.sql.expressions.coercion import coerce
from querysvc.sql.writes.layouts import is_bounded_text, is_text
from querysvc.types.algebra import TrinoType
from querysvc.types.coercion import can_coerce, common_super_type

_OUTER: Final = 1 << 30
"""Relation ids of queries around the statement's own, which count from 0."""


def labelled(statement: AnalysedStatement, names: Sequence[str]) -> AnalysedStatement:
    """The statement with its columns under other names."""
    columns = tuple(
        ResultColumn(name, column.type)
        for name, column in zip(names, statement.columns, strict=True)
    )
    return replace(statement, columns=columns)


def inserted(
    statement: AnalysedStatement, columns: Sequence[TableColumn], chosen: Sequence[int]
) -> tuple[AnalysedStatement, tuple[TrinoType, ...]]:
    """All of a table's columns out of those that are given; and the types that they come in.

    Text comes in the query's own type where the table's is shorter: the file writer refuses to cut
    it, as Trino does on INSERT, which a CAST would not.
    """
    query = statement.query
    position_of = {index: position for position, index in enumerate(chosen)}
    items: list[tree.Expression] = []
    for index, column in enumerate(columns):
        position = position_of.get(index)
        if position is None:
            items.append(tree.Literal(column.type, None))
            continue
        field = query.output[position]
        reference = tree.ColumnReference(field.type, _OUTER, position)
        stays = is_bounded_text(column.type) and is_text(field.type)
        items.append(reference if stays else coerce(reference, column.type))
    output = tuple(
        tree.Field(column.name, item.type) for column, item in zip(columns, items, strict=True)
    )
    source = tree.Subquery(_OUTER, query.output, query)
    typed = tree.Query(output, tree.Select(tuple(items), source))
    result = tuple(ResultColumn(field.name or "", field.type) for field in output)
    return replace(statement, query=typed, columns=result), tuple(f.type for f in output)


def together(statement: AnalysedStatement, partition_keys: int) -> AnalysedStatement:
    """The statement with the rows of each partition one after the other."""
    if not partition_keys:
        return statement
    query = statement.query
    is_bare = query.limit is None and query.offset is None and not query.order_by
    if not is_bare:
        references = tuple(
            tree.ColumnReference(field.type, _OUTER + 1, index)
            for index, field in enumerate(query.output)
        )
        source = tree.Subquery(_OUTER + 1, query.output, query)
        query = tree.Query(query.output, tree.Select(references, source))
    keys = tuple(
        tree.SortItem(tree.OutputReference(field.type, index))
        for index, field in list(enumerate(query.output))[-partition_keys:]
    )
    return replace(statement, query=replace(query, order_by=keys))


def may_be_inserted(query: TrinoType, table: TrinoType) -> bool:
    """Trino's rule: a common type exists; text inside collections is never cut."""
    if any(_holds_bounded_text(child) for child in table.children):
        return can_coerce(query, table)
    return common_super_type(query, table) is not None


def _holds_bounded_text(type_: TrinoType) -> bool:
    return is_bounded_text(type_) or any(map(_holds_bounded_text, type_.children))
