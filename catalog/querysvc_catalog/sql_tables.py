"""Tables and their versions in SQL."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from querysvc_catalog import identity
from querysvc_catalog import tables as schema
from querysvc_catalog.documents import dump, load_table
from querysvc_catalog.errors import (
    AlreadyExistsError,
    ConcurrentModificationError,
    EntityKind,
)
from querysvc_catalog.model import DatabaseName, Table, TableName, TableVersion
from querysvc_catalog.paging import Page, decode_number_token, make_page
from querysvc_catalog.partition_values import partition_keys
from querysvc_catalog.repository import TableGeneration
from querysvc_catalog.sql_partition_rows import filter_columns
from querysvc_catalog.sql_store import SqlStore, TableEntry, is_table, list_by_name, map_page

_tables = schema.tables
_versions = schema.table_versions
_partitions = schema.partitions

_REWRITE_CHUNK = 5_000


class SqlTables(SqlStore):
    """The part of the SQL store that holds tables."""

    def create_table(self, table: Table) -> None:
        """Add a table."""
        name = table.full_name
        with self._engine.begin() as connection:
            database_id = self._lock_database(connection, name.database)
            if connection.execute(select(_tables.c.id).where(is_table(name))).first() is not None:
                raise AlreadyExistsError(EntityKind.TABLE, str(name))
            siblings = connection.execute(
                select(func.count())
                .select_from(_tables)
                .where(_tables.c.database_id == database_id)
            ).scalar_one()
            identity.check_limit(
                EntityKind.TABLE, str(name), siblings + 1, self._limits.tables_per_database_max
            )
            connection.execute(
                insert(_tables).values(
                    database_id=database_id,
                    catalog_name=name.catalog_name,
                    database_name=name.database_name,
                    name=name.name,
                    version_id=table.version_id,
                    document=dump(table),
                )
            )

    def get_table(self, name: TableName) -> Table:
        """Give a table."""
        with self._engine.connect() as connection:
            return self._table_entry(connection, name).table

    def list_tables(
        self,
        database: DatabaseName,
        *,
        name_matches: Callable[[str], bool] | None,
        page_size: int,
        token: str | None,
    ) -> Page[Table]:
        """List tables."""
        with self._engine.connect() as connection:
            database_id = self._database_id(connection, database)
            page = list_by_name(
                connection,
                "tables",
                select(_tables).where(_tables.c.database_id == database_id),
                _tables.c.name,
                name_matches=name_matches,
                page_size=page_size,
                token=token,
            )
        return map_page(
            page,
            lambda row: load_table(
                TableName(row.catalog_name, row.database_name, row.name),
                row.version_id,
                row.document,
            ),
        )

    def list_table_names(self, database: DatabaseName) -> tuple[str, ...]:
        """List the names of all tables."""
        with self._engine.connect() as connection:
            database_id = self._database_id(connection, database)
            query = select(_tables.c.name).where(_tables.c.database_id == database_id)
            return tuple(connection.execute(query.order_by(_tables.c.name)).scalars())

    def update_table(
        self, table: Table, *, expected_version: int | None, archive_previous: bool
    ) -> Table:
        """Replace a table under the next version."""
        name = table.full_name
        with self._engine.begin() as connection:
            entry = self._lock_table(connection, name)
            previous = entry.table
            if expected_version not in (None, previous.version_id):
                raise ConcurrentModificationError(EntityKind.TABLE, str(name))
            identity.check_keys_count(previous, table, entry.partition_count)
            if archive_previous:
                self._archive(connection, entry)
            updated = identity.next_version(previous, table)
            connection.execute(
                update(_tables)
                .where(_tables.c.id == entry.table_id)
                .values(version_id=updated.version_id, document=dump(updated))
            )
            if partition_keys(previous.partition_keys) != partition_keys(table.partition_keys):
                self._rewrite_filter_columns(connection, entry.table_id, updated)
        return updated

    def _archive(self, connection: Connection, entry: TableEntry) -> None:
        archived = connection.execute(
            select(func.count())
            .select_from(_versions)
            .where(_versions.c.table_id == entry.table_id)
        ).scalar_one()
        identity.check_limit(
            EntityKind.TABLE_VERSION,
            str(entry.table.full_name),
            archived + 1,
            self._limits.archived_versions_per_table_max,
        )
        connection.execute(
            insert(_versions).values(
                table_id=entry.table_id,
                version_id=entry.table.version_id,
                document=entry.document,
            )
        )

    def _rewrite_filter_columns(self, connection: Connection, table_id: int, table: Table) -> None:
        """Compute the texts that partitions are filtered by anew: the keys' types have changed."""
        keys = partition_keys(table.partition_keys)
        after = ""
        while True:
            rows = connection.execute(
                select(_partitions.c.identity, _partitions.c.values_json)
                .where(_partitions.c.table_id == table_id, _partitions.c.identity > after)
                .order_by(_partitions.c.identity)
                .limit(_REWRITE_CHUNK)
            ).all()
            if not rows:
                return
            changes = [
                {"at": row.identity, **filter_columns(keys, identity.values_of(row.values_json))}
                for row in rows
            ]
            connection.execute(
                update(_partitions).where(
                    _partitions.c.table_id == table_id,
                    _partitions.c.identity == bindparam("at"),
                ),
                changes,
            )
            after = rows[-1].identity

    def delete_table(self, name: TableName) -> None:
        """Remove a table with its versions, partitions and statistics."""
        with self._engine.begin() as connection:
            entry = self._lock_table(connection, name)
            for owned in schema.OWNED_BY_TABLE:
                connection.execute(delete(owned).where(owned.c.table_id == entry.table_id))
            connection.execute(delete(_tables).where(_tables.c.id == entry.table_id))

    def table_generation(self, name: TableName) -> TableGeneration:
        """Give the table's generation."""
        with self._engine.connect() as connection:
            query = select(_tables.c.id, _tables.c.generation).where(is_table(name))
            row = connection.execute(query).first()
            if row is None:
                entry = self._table_entry(connection, name)  # raises the right error
                return TableGeneration(entry.table_id, entry.generation)
            return TableGeneration(row.id, row.generation)

    def get_table_version(self, name: TableName, version_id: int) -> TableVersion:
        """Give the current or an archived version."""
        with self._engine.connect() as connection:
            entry = self._table_entry(connection, name)
            if version_id == entry.table.version_id:
                return TableVersion(entry.table, version_id)
            query = select(_versions.c.document).where(
                _versions.c.table_id == entry.table_id, _versions.c.version_id == version_id
            )
            text = connection.execute(query).scalar()
        if text is None:
            raise identity.version_not_found(name, version_id)
        return TableVersion(load_table(name, version_id, text), version_id)

    def list_table_versions(
        self, name: TableName, *, page_size: int, token: str | None
    ) -> Page[TableVersion]:
        """List the current and the archived versions, newest first."""
        before = decode_number_token("versions", token)
        with self._engine.connect() as connection:
            entry = self._table_entry(connection, name)
            query = select(_versions).where(_versions.c.table_id == entry.table_id)
            if before is not None:
                query = query.where(_versions.c.version_id < before)
            query = query.order_by(_versions.c.version_id.desc()).limit(page_size + 1)
            rows = connection.execute(query).all()
        found = [
            TableVersion(load_table(name, row.version_id, row.document), row.version_id)
            for row in rows
            if row.version_id < entry.table.version_id
        ]
        if before is None or entry.table.version_id < before:
            found.insert(0, TableVersion(entry.table, entry.table.version_id))
        return make_page("versions", found, page_size, lambda version: version.version_id)

    def delete_table_version(self, name: TableName, version_id: int) -> None:
        """Remove an archived version."""
        with self._engine.begin() as connection:
            entry = self._lock_table(connection, name)
            if version_id == entry.table.version_id:
                raise identity.version_is_current(name, version_id)
            result = connection.execute(
                delete(_versions).where(
                    _versions.c.table_id == entry.table_id, _versions.c.version_id == version_id
                )
            )
            if not result.rowcount:
                raise identity.version_not_found(name, version_id)
