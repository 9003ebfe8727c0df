"""Where the columns of a query come from: what DESCRIBE OUTPUT tells beside names and types."""

from __future__ import annotations

from dataclasses import dataclass

from querysvc import tree
from querysvc.plan import AnalysedStatement
from querysvc.sql.query_syntax import Query, QuerySpecification, SelectItem, SingleColumn


@dataclass(frozen=True, slots=True)
class ColumnOrigin:
    """The table that a column is read from (empty when it is computed), and whether AS names it.

    Columns of views and derived tables are told as computed.
    """

    catalog: str = ""
    schema: str = ""
    table: str = ""
    is_aliased: bool = False


def column_origins(parsed: Query, statement: AnalysedStatement) -> tuple[ColumnOrigin, ...]:
    """An origin for every column of the statement."""
    items = _items(statement.query)
    if len(items) != len(statement.columns):
        items = (None,) * len(statement.columns)
    scans = _scans(statement.query)
    aliases = _aliases(parsed, len(items))
    return tuple(
        _origin(item, scans, statement, is_aliased=is_aliased)
        for item, is_aliased in zip(items, aliases, strict=True)
    )


def _origin(
    item: tree.Expression | None,
    scans: dict[int, tree.Scan],
    statement: AnalysedStatement,
    *,
    is_aliased: bool,
) -> ColumnOrigin:
    scan = scans.get(item.relation) if isinstance(item, tree.ColumnReference) else None
    if scan is None:
        return ColumnOrigin(is_aliased=is_aliased)
    table = statement.tables[scan.table]
    return ColumnOrigin(table.catalog, table.database, table.table.name, is_aliased)


def _items(query: tree.Query) -> tuple[tree.Expression | None, ...]:
    """What is selected; of a UNION its first query's."""
    body = query.body
    while isinstance(body, tree.SetOperation):
        body = body.left.body
    return body.items if isinstance(body, tree.Select) else ()


def _scans(query: tree.Query) -> dict[int, tree.Scan]:
    body = query.body
    while isinstance(body, tree.SetOperation):
        body = body.left.body
    source = body.source if isinstance(body, tree.Select) else None
    found: dict[int, tree.Scan] = {}
    pending = [] if source is None else [source]
    while pending:
        item = pending.pop()
        if isinstance(item, tree.Join):
            pending += (item.left, item.right)
        elif isinstance(item, tree.Sample):
            pending.append(item.source)
        elif isinstance(item, tree.Scan):
            found[item.id] = item
    return found


def _aliases(parsed: Query, count: int) -> tuple[bool, ...]:
    """Which columns AS names; those of a star have the names of their tables."""
    body = parsed.body
    items: tuple[SelectItem, ...] = ()
    if isinstance(body, QuerySpecification):
        items = body.items
    stars = [item for item in items if not isinstance(item, SingleColumn)]
    if len(stars) > 1 or (not stars and len(items) != count):
        return (False,) * count
    found: list[bool] = []
    for item in items:
        if isinstance(item, SingleColumn):
            found.append(item.alias is not None)
        else:
            found += [False] * (count - len(items) + 1)
    return tuple(found)
