"""What the parts of the SQL store share: locks, look-ups, listings.

Every write transaction begins with an UPDATE of the row that guards what it changes (a data
catalog for its databases, a database for its tables, a table for its versions and partitions) and
bumps that row's generation. So writers queue on that row in PostgreSQL, and SQLite takes its write
lock before anything was read: neither can act on stale rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Engine, Row, Select, select, update

from querysvc_catalog import tables as schema
from querysvc_catalog.documents import load_table
from querysvc_catalog.errors import EntityKind, EntityNotFoundError
from querysvc_catalog.model import DatabaseName, Table, TableName
from querysvc_catalog.paging import Page, decode_text_token, make_page
from querysvc_catalog.repository import CatalogLimits

IN_LIST_MAX: Final = 500  # bound parameters in one statement

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A table's row."""

    table_id: int
    table: Table
    generation: int
    partition_count: int
    document: str


class SqlStore:
    """The engine, the limits, and the look-ups that every part needs."""

    def __init__(self, engine: Engine, limits: CatalogLimits | None = None) -> None:
        self._engine = engine
        self._limits = limits or CatalogLimits()

    def _require_catalog(self, connection: Connection, name: str) -> None:
        found = connection.execute(
            select(schema.data_catalogs.c.name).where(schema.data_catalogs.c.name == name)
        ).first()
        if found is None:
            raise EntityNotFoundError(EntityKind.DATA_CATALOG, name)

    def _lock_catalog(self, connection: Connection, name: str) -> None:
        """Lock a data catalog's row until the transaction ends."""
        result = connection.execute(
            update(schema.data_catalogs)
            .where(schema.data_catalogs.c.name == name)
            .values(generation=schema.data_catalogs.c.generation + 1)
        )
        if not result.rowcount:
            raise EntityNotFoundError(EntityKind.DATA_CATALOG, name)

    def _database_id(self, connection: Connection, name: DatabaseName) -> int:
        row = connection.execute(select(schema.databases.c.id).where(is_database(name))).first()
        if row is None:
            raise EntityNotFoundError(EntityKind.DATABASE, str(name))
        return int(row.id)

    def _lock_database(self, connection: Connection, name: DatabaseName) -> int:
        """Lock a database's row until the transaction ends, and give its id."""
        row = connection.execute(
            update(schema.databases)
            .where(is_database(name))
            .values(generation=schema.databases.c.generation + 1)
            .returning(schema.databases.c.id)
        ).first()
        if row is None:
            raise EntityNotFoundError(EntityKind.DATABASE, str(name))
        return int(row.id)

    def _table_entry(self, connection: Connection, name: TableName) -> TableEntry:
        row = connection.execute(select(schema.tables).where(is_table(name))).first()
        return self._entry(connection, name, row)

    def _lock_table(self, connection: Connection, name: TableName) -> TableEntry:
        """Lock a table's row until the transaction ends, bump its generation, and give it."""
        row = connection.execute(
            update(schema.tables)
            .where(is_table(name))
            .values(generation=schema.tables.c.generation + 1)
            .returning(*schema.tables.c)
        ).first()
        return self._entry(connection, name, row)

    def _entry(self, connection: Connection, name: TableName, row: Row[Any] | None) -> TableEntry:
        if row is None:
            self._database_id(connection, name.database)
            raise EntityNotFoundError(EntityKind.TABLE, str(name))
        return TableEntry(
            table_id=row.id,
            table=load_table(name, row.version_id, row.document),
            generation=row.generation,
            partition_count=row.partition_count,
            document=row.document,
        )


def is_database(name: DatabaseName) -> sqlalchemy.ColumnElement[bool]:
    """Select one database."""
    columns = schema.databases.c
    return (columns.catalog_name == name.catalog_name) & (columns.name == name.name)


def is_table(name: TableName) -> sqlalchemy.ColumnElement[bool]:
    """Select one table."""
    columns = schema.tables.c
    return (
        (columns.catalog_name == name.catalog_name)
        & (columns.database_name == name.database_name)
        & (columns.name == name.name)
    )


def list_by_name(
    connection: Connection,
    kind: str,
    query: Select[Any],
    name_column: sqlalchemy.Column[Any],
    *,
    name_matches: Callable[[str], bool] | None = None,
    page_size: int,
    token: str | None,
) -> Page[Row[Any]]:
    """Read a page of rows in the order of a unique name, optionally of chosen names only."""
    after = decode_text_token(kind, token)
    if after is not None:
        query = query.where(name_column > after)
    query = query.order_by(name_column)
    if name_matches is None:
        rows: Sequence[Row[Any]] = connection.execute(query.limit(page_size + 1)).all()
    else:
        names = connection.execute(query.with_only_columns(name_column)).scalars()
        wanted = first(filter(name_matches, names), page_size + 1)
        rows = []
        for start in range(0, len(wanted), IN_LIST_MAX):
            chunk = wanted[start : start + IN_LIST_MAX]
            rows.extend(connection.execute(query.where(name_column.in_(chunk))).all())
    return make_page(kind, rows, page_size, lambda row: str(getattr(row, name_column.name)))


def first(items: Any, count: int) -> list[Any]:  # rows' scalars are untyped
    """Take the first items."""
    return [item for item, _ in zip(items, range(count), strict=False)]


def map_page(page: Page[Row[Any]], load: Callable[[Row[Any]], T]) -> Page[T]:
    """Read the rows of a page as values."""
    return Page(tuple(map(load, page.items)), page.next_token)
