"""Advice on a valid statement: what will cost more than it has to. Never an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from querysvc import tree
from querysvc.plan import AnalysedStatement, TableReference
from querysvc.sql.typed_walk import parts_in
from querysvc_catalog.errors import UnsupportedFormatError
from querysvc_catalog.serdes import StorageFormat, resolve_format

_COLUMNAR: Final = frozenset({StorageFormat.PARQUET, StorageFormat.ORC})
# Below this, naming the columns saves nobody anything.
_WIDE_COLUMNS_MIN: Final = 5


def lint(statement: AnalysedStatement) -> tuple[str, ...]:
    """What could be better, one sentence each."""
    found = [advice for table in statement.tables for advice in _table(table)]
    for select in _selects(statement.query):
        found.extend(_cross_joins(select, statement.tables))
    if not statement.is_deterministic:
        found.append("The result may differ from run to run, so that it is never reused.")
    return tuple(dict.fromkeys(found))


def _table(reference: TableReference) -> Iterator[str]:
    name = f"{reference.database}.{reference.table.name}"
    keys = [i for i, column in enumerate(reference.columns) if column.is_partition_key]
    is_filtered = reference.partition_predicate is not None or any(
        key in reference.domains for key in keys
    )
    if keys and not is_filtered:
        told = ", ".join(reference.columns[key].name for key in keys)
        yield f"Table {name} is read in all its partitions: filter by its keys ({told})."
    data = [
        index
        for index, column in enumerate(reference.columns)
        if not column.is_partition_key and not column.is_hidden
    ]
    reads_all = len(data) >= _WIDE_COLUMNS_MIN and set(data) <= set(reference.used_columns)
    if reads_all and _is_columnar(reference):
        yield (
            f"All {len(data)} columns of {name} are read: the format is columnar,"
            " name the columns that you need."
        )


def _is_columnar(reference: TableReference) -> bool:
    descriptor = reference.table.storage_descriptor
    try:
        return descriptor is not None and resolve_format(descriptor).storage_format in _COLUMNAR
    except UnsupportedFormatError:
        return False


def _cross_joins(select: tree.Select, tables: tuple[TableReference, ...]) -> Iterator[str]:
    """Relations of a FROM that no condition connects."""
    relations: dict[int, str] = {}
    conditions = [] if select.where is None else [select.where]
    for item in _items(select.source):
        if isinstance(item, tree.Join):
            conditions += [] if item.condition is None else [item.condition]
        elif isinstance(item, tree.Scan):
            reference = tables[item.table]
            relations[item.id] = f"{reference.database}.{reference.table.name}"
    group = {relation: relation for relation in relations}
    for condition in conditions:
        for term in _conjuncts(condition):
            _unite(group, [r for r in _relations(term) if r in group])
    first_of_group = {group[relation]: name for relation, name in reversed(relations.items())}
    if len(first_of_group) > 1:
        left, right, *_ = reversed(first_of_group.values())
        yield f"No condition connects {left} with {right}: every row is joined with every other."


def _unite(group: dict[int, int], relations: list[int]) -> None:
    if not relations:
        return
    united = {group[relation] for relation in relations}
    for relation, of in group.items():
        if of in united:
            group[relation] = group[relations[0]]


def _relations(term: tree.Expression) -> set[int]:
    return {part.relation for part in parts_in(term) if isinstance(part, tree.ColumnReference)}


def _conjuncts(condition: tree.Expression) -> Iterator[tree.Expression]:
    if isinstance(condition, tree.Logical) and condition.operator is tree.LogicalOperator.AND:
        for term in condition.terms:
            yield from _conjuncts(term)
    else:
        yield condition


def _items(source: tree.FromItem | None) -> Iterator[tree.FromItem]:
    if source is None:
        return
    yield source
    if isinstance(source, tree.Join):
        yield from _items(source.left)
        yield from _items(source.right)
    elif isinstance(source, tree.Sample):
        yield from _items(source.source)


def _selects(query: tree.Query) -> Iterator[tree.Select]:
    for cte in query.ctes:
        yield from _selects(cte.query)
    body = query.body
    if isinstance(body, tree.SetOperation):
        yield from _selects(body.left)
        yield from _selects(body.right)
    elif isinstance(body, tree.Select):
        yield body
        for item in _items(body.source):
            if isinstance(item, tree.Subquery):
                yield from _selects(item.query)
        for part in parts_in((*body.items, body.where, body.having)):
            if isinstance(part, tree.Query):
                yield from _selects(part)
