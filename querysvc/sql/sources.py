"""Small builders of typed relations, and coercion of whole queries."""

from __future__ import annotations

from dataclasses import dataclass, replace

from querysvc import tree
from querysvc.sql.expressions.coercion import coerce
from querysvc.sql.scope import ScopeField
from querysvc.types.algebra import TrinoType


@dataclass(frozen=True, slots=True)
class Source:
    """What a FROM item is made of: the typed item, and the columns that it brings in sight."""

    item: tree.FromItem
    fields: tuple[ScopeField, ...]

    @property
    def visible(self) -> tuple[ScopeField, ...]:
        """The fields that `*` means."""
        return tuple(item for item in self.fields if not item.is_hidden)


def relation_source(relation: tree.Relation, name: tuple[str, ...] | None = None) -> Source:
    """A relation with its fields in sight, qualified by `name`."""
    return Source(relation, fields_of(relation.id, relation.fields, name))


def fields_of(
    relation: int, fields: tuple[tree.Field, ...], name: tuple[str, ...] | None
) -> tuple[ScopeField, ...]:
    """References to the fields of a relation."""
    return tuple(
        ScopeField(item.name, tree.ColumnReference(item.type, relation, index), name)
        for index, item in enumerate(fields)
    )


def relations_in(item: tree.FromItem | None) -> frozenset[int]:
    """The ids of the relations whose columns a FROM item brings in sight."""
    if item is None:
        return frozenset()
    if isinstance(item, tree.Join):
        return relations_in(item.left) | relations_in(item.right)
    return frozenset({item.id})


def named_fields(
    fields: tuple[tree.Field, ...], names: tuple[str, ...] | None
) -> tuple[tree.Field, ...]:
    """The fields, renamed where names are given."""
    if names is None:
        return fields
    return tuple(tree.Field(name, item.type) for name, item in zip(names, fields, strict=True))


def coerce_query(query: tree.Query, types: tuple[TrinoType, ...], relation: int) -> tree.Query:
    """The query with its columns brought to these types.

    `relation` is an unused id, for the derived table that is needed where the casts must not come
    before DISTINCT, ORDER BY or LIMIT.
    """
    if tuple(item.type for item in query.output) == types:
        return query
    output = tuple(
        tree.Field(item.name, type_) for item, type_ in zip(query.output, types, strict=True)
    )
    is_bare = not query.order_by and query.limit is None and query.offset is None
    body = query.body
    if is_bare and isinstance(body, tree.Select) and not body.is_distinct:
        return replace(query, output=output, body=replace(body, items=_coerced(body.items, types)))
    if is_bare and isinstance(body, tree.ValuesBody):
        rows = tuple(_coerced(row, types) for row in body.rows)
        return replace(query, output=output, body=tree.ValuesBody(rows))
    source = tree.Subquery(relation, query.output, query)
    columns = tuple(
        tree.ColumnReference(item.type, relation, index) for index, item in enumerate(query.output)
    )
    return tree.Query(output, tree.Select(_coerced(columns, types), source))


def _coerced(
    items: tuple[tree.Expression, ...], types: tuple[TrinoType, ...]
) -> tuple[tree.Expression, ...]:
    return tuple(coerce(item, type_) for item, type_ in zip(items, types, strict=True))
