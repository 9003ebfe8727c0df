"""The catalog as the analyser sees it: Hive's types become Trino's, stored views become SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import REJECT_COLUMNS, REJECTS, TableColumn, TableVersion
from querysvc.planning.iceberg import IcebergReader
from querysvc.planning.views import view_info
from querysvc.sql.metadata import TableInfo, ViewInfo, not_versioned
from querysvc.types.algebra import BIGINT, INTEGER, VARCHAR, TimestampTz, TrinoType
from querysvc.types.hive import from_hive
from querysvc_catalog.errors import CatalogError, EntityNotFoundError
from querysvc_catalog.model import Column, DatabaseName, Table, TableName
from querysvc_catalog.service import CatalogService
from querysvc_catalog.types import parse_type as parse_hive_type

PARTITIONS: Final = "$partitions"
PROPERTIES: Final = "$properties"
REJECTS_SUFFIX: Final = "$rejects"
ICEBERG_SUFFIXES: Final = (
    *(PARTITIONS, "$snapshots", "$history", "$files", "$manifests", "$refs"),
    "$metadata_log_entries",
)
"""Of tables that tell of an Iceberg table."""
TOLD_OF_TABLE: Final = "SYSTEM_TABLE"
"""The type of relations that tell of a table; no table in the catalog has it."""
_HIDDEN = (
    TableColumn("$path", VARCHAR, is_hidden=True),
    TableColumn("$file_size", BIGINT, is_hidden=True),
    TableColumn("$file_modified_time", TimestampTz(3), is_hidden=True),
)
_PARTITION = TableColumn("$partition", VARCHAR, is_hidden=True)
_BUCKET = TableColumn("$bucket", INTEGER, is_hidden=True)


class CatalogMetadata:
    """A MetadataReader over the catalog."""

    def __init__(self, catalog: CatalogService, iceberg: IcebergReader | None = None) -> None:
        self._catalog = catalog
        self._iceberg = iceberg

    def catalog_exists(self, catalog: str) -> bool:
        """Whether there is such a data catalog."""
        return _exists(lambda: self._catalog.get_data_catalog(catalog))

    def schema_exists(self, catalog: str, database: str) -> bool:
        """Whether there is such a database."""
        return _exists(lambda: self._catalog.get_database(DatabaseName(catalog, database)))

    def relation(self, catalog: str, database: str, name: str) -> TableInfo | ViewInfo | None:
        """The table or view; None when there is none."""
        full_name = TableName(catalog, database, name)
        try:
            # The generation first: a table that changes between the two looks older than it is.
            stamp = self._catalog.table_generation(full_name)
            table = self._catalog.get_table(full_name)
        except EntityNotFoundError:
            return self._about_table(full_name)
        if table.is_view:
            return view_info(table)
        return TableInfo(table, self.columns(table), stamp.table_id << 32 | stamp.generation)

    def columns(self, table: Table, snapshot_id: int | None = None) -> tuple[TableColumn, ...]:
        """A table's columns; an Iceberg table's are those of its metadata, or of a snapshot."""
        if table.is_iceberg and self._iceberg is not None:
            return self._iceberg.columns(table, snapshot_id)
        return table_columns(table)

    def at_version(
        self, catalog: str, database: str, name: str, version: TableVersion
    ) -> TableInfo:
        """A table of which `relation` told, as it was."""
        found = self.relation(catalog, database, name)
        if self._iceberg is None or not isinstance(found, TableInfo) or not found.table.is_iceberg:
            raise not_versioned()
        if found.table.table_type == TOLD_OF_TABLE:
            raise not_versioned()
        snapshot_id = self._iceberg.snapshot_id(found.table, version)
        columns = self.columns(found.table, snapshot_id)
        return replace(
            found,
            columns=columns,
            snapshot_id=snapshot_id,
            has_names_of_now=self._iceberg.has_names_of_now(found.table, snapshot_id),
        )

    def _about_table(self, name: TableName) -> TableInfo | None:
        """`"t$partitions"`, `"t$properties"` as Trino's Hive connector has them, `"t$rejects"`."""
        base = table_told_of(name.name)
        table = None if base is None else self._catalog.find_table(replace(name, name=base))
        if table is None or table.is_view:
            return None
        if table.is_iceberg and self._iceberg is not None:
            return self._about_iceberg(self._iceberg, table, name.name)
        if name.name.endswith(REJECTS_SUFFIX):
            return self._rejects(table)
        if name.name.endswith(PARTITIONS):
            columns = tuple(column for column in table_columns(table) if column.is_partition_key)
        elif not name.name.endswith(PROPERTIES):
            return None
        else:
            columns = tuple(TableColumn(key, VARCHAR) for key in sorted(table.parameters))
        if not columns:
            return None
        return TableInfo(replace(table, name=name.name, table_type=TOLD_OF_TABLE), columns)

    def _about_iceberg(self, reader: IcebergReader, table: Table, name: str) -> TableInfo | None:
        """`"t$snapshots"` and the others that Trino's Iceberg connector has."""
        suffix = name.rpartition("$")[2]
        if f"${suffix}" == PROPERTIES:
            columns: tuple[TableColumn, ...] = (
                TableColumn("key", VARCHAR),
                TableColumn("value", VARCHAR),
            )
        elif f"${suffix}" in ICEBERG_SUFFIXES:
            columns = reader.told_columns(table, suffix)
        else:
            return None
        return TableInfo(replace(table, name=name, table_type=TOLD_OF_TABLE), columns)

    def _rejects(self, table: Table) -> TableInfo | None:
        """`"t$rejects"`: the rows that t sets aside; it is t's objects that are read."""
        chosen = table.parameters.get("querysvc.on_bad_record", "")
        if chosen.strip().lower() != "quarantine":
            return None
        stamp = self._catalog.table_generation(table.full_name)
        keys = tuple(column for column in table_columns(table) if column.is_partition_key)
        return TableInfo(
            replace(table, table_type=REJECTS),
            (*REJECT_COLUMNS, *keys),
            stamp.table_id << 32 | stamp.generation,
        )

    def relation_names(self, catalog: str, database: str) -> tuple[str, ...]:
        """The tables and views of a database that exists."""
        return self._catalog.list_table_names(DatabaseName(catalog, database))


def table_told_of(name: str) -> str | None:
    """The table that a name such as `t$partitions` tells of."""
    for suffix in (*ICEBERG_SUFFIXES, PROPERTIES, REJECTS_SUFFIX):
        if name.endswith(suffix) and name != suffix:
            return name.removesuffix(suffix)
    return None


def table_columns(table: Table) -> tuple[TableColumn, ...]:
    """A table's columns as statements see them: data, partition keys, hidden ones."""
    data = tuple(TableColumn(c.name, _type(table, c)) for c in table.columns)
    keys = tuple(
        TableColumn(c.name, _type(table, c), is_partition_key=True) for c in table.partition_keys
    )
    descriptor = table.storage_descriptor
    is_bucketed = descriptor is not None and bool(descriptor.bucket_columns)
    return (
        *(*data, *keys, *_HIDDEN),
        *((_PARTITION,) if keys else ()),
        *((_BUCKET,) if is_bucketed else ()),
    )


def _type(table: Table, column: Column) -> TrinoType:
    try:
        return from_hive(parse_hive_type(column.type or "string"))
    except CatalogError as error:
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED,
            f"Column '{column.name}' of table {table.full_name}: {error.message}",
        ) from error


def _exists(look: Callable[[], object]) -> bool:
    try:
        look()
    except EntityNotFoundError:
        return False
    return True
