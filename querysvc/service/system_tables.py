"""The rows of virtual tables, put into a query in their tables' place before it is planned.

A scan of `system.jdbc.columns` becomes the rows that the catalog gives now, as constants, of only
the columns that the query reads; what the query asks of names by `=` and IN is not listed beside.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import count, islice
from typing import Any, Final

from querysvc import tree
from querysvc.errors import ErrorCode, StatementError
from querysvc.model import Principal, QueryExecution, QueryState
from querysvc.plan import AnalysedStatement, TableReference
from querysvc.planning.metadata import TOLD_OF_TABLE
from querysvc.planning.request import PlannedQuery, PlanRequest, QueryPlanner
from querysvc.service.jdbc_types import jdbc_type, type_info_rows
from querysvc.service.system_listing import Listing, Wanted, wanted_names
from querysvc.service.system_metadata import INFORMATION_SCHEMA, SYSTEM, is_virtual
from querysvc.sql.token_stream import deep_recursion
from querysvc.state.repository import QueryRepository
from querysvc.state.values import HistoryFilter
from querysvc.types import algebra
from querysvc.types.algebra import BOOLEAN, TrinoType

ROWS_MAX: Final = 20_000
"""More rows than this are not put into one query: it must ask for fewer schemas or tables."""
HISTORY_MAX: Final = 1000
"""How many queries system.runtime.queries tells, the newest."""
TRINO_VERSION: Final = "476"
_FIRST_ID: Final = 1_000_000
"""Relations that are put into a query have ids from here on; the analyser counts from 0."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PICOSECONDS: Final = 10**12

_MAP_KEY: Final = "map(array(K),array(V))"
Row = tuple[Any, ...]
"""Literal values as `querysvc.tree` has them, lists for arrays; of any type: hence Any."""


class SystemTables:
    """Gives the rows of virtual tables."""

    def __init__(
        self,
        listing_of: Callable[[Principal], Listing],
        queries: QueryRepository,
        node: str,
        address: str,
    ) -> None:
        self._listing_of = listing_of
        self._queries = queries
        self._node = (node, address, TRINO_VERSION, True, "active")

    def rows(self, reference: TableReference, principal: Principal) -> Iterable[Row]:
        """The rows of the table that the principal may know."""
        if reference.table.table_type == TOLD_OF_TABLE:
            return self._listing_of(principal).rows_of_table(reference)
        name = f"{reference.database}.{reference.table.name}"
        if name == "runtime.queries":
            return self._query_rows(principal)
        if name == "runtime.nodes":
            return (self._node,)
        make = _MAKERS.get(name)
        # The others are empty here, as they are in a Trino without roles and connectors.
        return () if make is None else make(self._listing_of(principal), wanted_of(reference))

    def _query_rows(self, principal: Principal) -> Iterator[Row]:
        """The queries of whom asks, newest first."""
        page = self._queries.history(
            HistoryFilter(principal=principal.name), page_token=None, limit=HISTORY_MAX
        )
        yield from map(_query_row, page.queries)


def wanted_of(reference: TableReference) -> Wanted:
    """The names that the query asks for; a table of information_schema is of its catalog only."""

    def names(*columns: str) -> frozenset[str] | None:
        for index, column in enumerate(reference.columns):
            if column.name in columns:
                return wanted_names(reference.domains.get(index))
        return None

    catalogs = names("table_cat", "table_catalog", "catalog_name")
    if reference.database == INFORMATION_SCHEMA:
        own = frozenset({reference.catalog})
        catalogs = own if catalogs is None else catalogs & own
    return Wanted(
        catalogs,
        names("table_schem", "table_schema", "schema_name"),
        names("table_name"),
    )


def _catalog_rows(listing: Listing, wanted: Wanted) -> Iterator[Row]:
    for catalog in listing.catalogs(wanted):
        yield (catalog,)


def _metadata_catalog_rows(listing: Listing, wanted: Wanted) -> Iterator[Row]:
    for catalog in listing.catalogs(wanted):
        connector = SYSTEM if catalog == SYSTEM else "hive"
        yield (catalog, catalog, connector)


def _jdbc_schema_rows(listing: Listing, wanted: Wanted) -> Iterator[Row]:
    for catalog, schema in listing.schemas(wanted):
        yield (schema, catalog)


def _schemata_rows(listing: Listing, wanted: Wanted) -> Iterator[Row]:
    yield from listing.schemas(wanted)


def _jdbc_table_rows(listing: Listing, wanted: Wanted) -> Iterator[Row]:
    for entry in listing.tables(wanted):
        kind = "VIEW" if entry.is_view else "TABLE"
        yield (*entry.name, kind, entry.comment, *(None,) * 5)


def _table_rows(listing: Listing, wanted: Wanted) -> Iterator[Row]:
    for entry in listing.tables(wanted):
        yield (*entry.name, "VIEW" if entry.is_view else "BASE TABLE", entry.comment)


def _comment_rows(listing: Listing, wanted: Wanted) -> Iterator[Row]:
    for entry in listing.tables(wanted):
        yield (*entry.name, entry.comment)


def _view_rows(listing: Listing, wanted: Wanted) -> Iterator[Row]:
    for entry in listing.tables(wanted):
        definition = listing.view_definition(entry)
        if definition is not None:
            yield (*entry.name, definition)


def _jdbc_column_rows(listing: Listing, wanted: Wanted) -> Iterator[Row]:
    for entry in listing.tables(wanted):
        for position, column in enumerate(listing.columns(entry), 1):
            jdbc = jdbc_type(column.type)
            yield (
                *(*entry.name, column.name, jdbc.code, str(column.type), jdbc.column_size, 0),
                *(jdbc.decimal_digits, jdbc.radix, 1, column.comment, None, None, None),
                *(jdbc.octet_length, position, "YES", *(None,) * 6),
            )


def _column_rows(listing: Listing, wanted: Wanted) -> Iterator[Row]:
    for entry in listing.tables(wanted):
        for position, column in enumerate(listing.columns(entry), 1):
            extra = "partition key" if column.is_partition_key else None
            yield (
                *(*entry.name, column.name, position, None, "YES", str(column.type)),
                *(column.comment, extra, column.comment),
            )


def _table_type_rows(_: Listing, __: Wanted) -> Iterator[Row]:
    yield from (("TABLE",), ("VIEW",))


def _type_rows(_: Listing, __: Wanted) -> Iterator[Row]:
    yield from type_info_rows()


_MAKERS: Final[dict[str, Callable[[Listing, Wanted], Iterator[Row]]]] = {
    "information_schema.columns": _column_rows,
    "information_schema.schemata": _schemata_rows,
    "information_schema.tables": _table_rows,
    "information_schema.views": _view_rows,
    "jdbc.catalogs": _catalog_rows,
    "jdbc.columns": _jdbc_column_rows,
    "jdbc.schemas": _jdbc_schema_rows,
    "jdbc.table_types": _table_type_rows,
    "jdbc.tables": _jdbc_table_rows,
    "jdbc.types": _type_rows,
    "metadata.catalogs": _metadata_catalog_rows,
    "metadata.table_comments": _comment_rows,
}
_STATES: Final = {QueryState.SUCCEEDED: "FINISHED", QueryState.CANCELLED: "FAILED"}


def _query_row(execution: QueryExecution) -> Row:
    error = execution.error
    code = None if error is None else ErrorCode.__members__.get(error.code)
    times = (execution.submitted_at, execution.started_at, None, execution.completed_at)
    statistics = execution.statistics
    return (
        execution.id,
        _STATES.get(execution.state, execution.state.value),
        execution.session.user,
        execution.session.source,
        execution.sql,
        [execution.work_group],
        statistics.queued_milliseconds,
        0,
        statistics.planning_milliseconds,
        *(None if time is None else _timestamp(time) for time in times),
        None if code is None else code.error_type.value,
        None if error is None else error.code,
    )


def _timestamp(time: datetime) -> tuple[int, str]:
    milliseconds = round((time - _EPOCH).total_seconds() * 1000)
    return milliseconds * (_PICOSECONDS // 1000), "UTC"


class SystemTablePlanner:
    """A planner that puts virtual tables' rows into the query, and leaves the rest to another."""

    def __init__(self, planner: QueryPlanner, tables: SystemTables) -> None:
        self._planner = planner
        self._tables = tables

    def plan(self, request: PlanRequest) -> PlannedQuery:
        """Plan the query with the rows in their tables' place."""
        statement = request.statement
        if any(map(is_virtual, statement.tables)):
            with deep_recursion():
                inlined = _Inliner(statement, self._tables, request.principal).statement()
            request = dataclasses.replace(request, statement=inlined)
        return self._planner.plan(request)


class _Inliner:
    def __init__(
        self, statement: AnalysedStatement, tables: SystemTables, principal: Principal
    ) -> None:
        self._statement = statement
        self._rows: dict[int, tuple[Row, ...]] = {}
        self._kept: dict[int, int] = {}
        self._ids = count(_FIRST_ID)
        for index, reference in enumerate(statement.tables):
            if is_virtual(reference):
                self._rows[index] = _bounded(reference, tables.rows(reference, principal))
            else:
                self._kept[index] = len(self._kept)

    def statement(self) -> AnalysedStatement:
        kept = tuple(self._statement.tables[index] for index in self._kept)
        query = self._rebuilt(self._statement.query)
        return dataclasses.replace(self._statement, query=query, tables=kept)

    def _rebuilt(self, node: Any) -> Any:  # any node of the tree, and tuples of them
        if isinstance(node, tree.Scan):
            return self._scan(node)
        if type(node) is tuple:
            return tuple(self._rebuilt(item) for item in node)
        if not dataclasses.is_dataclass(node) or isinstance(node, TrinoType | tree.Literal):
            return node
        changes = {}
        for field in dataclasses.fields(node):
            value = getattr(node, field.name)
            rebuilt = self._rebuilt(value)
            if rebuilt is not value:
                changes[field.name] = rebuilt
        return dataclasses.replace(node, **changes) if changes else node  # type: ignore[type-var]  # it is a dataclass's instance, as was just asked

    def _scan(self, scan: tree.Scan) -> tree.Relation:
        kept = self._kept.get(scan.table)
        if kept is not None:
            return scan if kept == scan.table else dataclasses.replace(scan, table=kept)
        rows = self._rows[scan.table]
        if not rows or not scan.fields:
            return _counted(scan, len(rows))
        return _constants(scan, rows, next(self._ids))


def _constants(scan: tree.Scan, rows: tuple[Row, ...], inner: int) -> tree.Subquery:
    """The rows as constants; a column with one value is written once, not in every row."""
    varying = [
        index
        for index, column in enumerate(scan.columns)
        if any(row[column] != rows[0][column] for row in rows)
    ] or [0]
    fields = tuple(scan.fields[index] for index in varying)
    values = tuple(
        tuple(_literal(scan.fields[i].type, row[scan.columns[i]]) for i in varying) for row in rows
    )
    source = tree.Values(id=inner, fields=fields, rows=values)
    items = tuple(
        tree.ColumnReference(type=field.type, relation=inner, field=varying.index(index))
        if index in varying
        else _literal(field.type, rows[0][scan.columns[index]])
        for index, field in enumerate(scan.fields)
    )
    query = tree.Query(output=scan.fields, body=tree.Select(items=items, source=source))
    return tree.Subquery(id=scan.id, fields=scan.fields, query=query)


def _counted(scan: tree.Scan, count: int) -> tree.Subquery:
    """A relation of so many rows that has no columns to speak of, or of none."""
    nulls = tuple(tree.Literal(type=field.type, value=None) for field in scan.fields)
    if count:
        dummy = tree.Field(None, BOOLEAN)
        rows = tuple((tree.Literal(type=BOOLEAN, value=None),) for _ in range(count))
        query = tree.Query(output=(dummy,), body=tree.ValuesBody(rows))
        return tree.Subquery(id=scan.id, fields=(), query=query)
    never = tree.Literal(type=BOOLEAN, value=False)
    items = nulls or (tree.Literal(type=BOOLEAN, value=None),)
    output = scan.fields or (tree.Field(None, BOOLEAN),)
    query = tree.Query(output=output, body=tree.Select(items=items, where=never))
    return tree.Subquery(id=scan.id, fields=scan.fields, query=query)


def _literal(type_: TrinoType, value: Any) -> tree.Expression:
    """A value as an expression: lists for arrays and rows, dicts for maps."""
    if value is None:
        return tree.Literal(type=type_, value=None)
    match type_:
        case algebra.Array(element):
            items = tuple(_literal(element, item) for item in value)
            return tree.ArrayConstructor(type=type_, items=items)
        case algebra.Row(fields):
            return tree.RowConstructor(
                type=type_,
                items=tuple(
                    _literal(field.type, item) for field, item in zip(fields, value, strict=True)
                ),
            )
        case algebra.Map(key, item):
            sides = (
                _literal(algebra.Array(key), list(value)),
                _literal(algebra.Array(item), list(value.values())),
            )
            return tree.Call(type_, "map", _MAP_KEY, sides)
    return tree.Literal(type=type_, value=value)


def _bounded(reference: TableReference, rows: Iterable[Row]) -> tuple[Row, ...]:
    found = tuple(islice(rows, ROWS_MAX + 1))
    if len(found) > ROWS_MAX:
        name = f"{reference.catalog}.{reference.database}.{reference.table.name}"
        raise StatementError(
            ErrorCode.EXCEEDED_SCAN_LIMIT,
            f"{name} has more than {ROWS_MAX} rows here: ask for a schema or a table by name",
        )
    return found


__all__ = ["SystemTablePlanner", "SystemTables", "wanted_of"]
