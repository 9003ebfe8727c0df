"""The catalog's values, in Glue's terms: immutable, typed, free of any wire or store.

Mappings inside these values are to be treated as immutable: build a new value with
`dataclasses.replace` instead of changing one in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

JsonValue: TypeAlias = (
    "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"  # recursive
)
PartitionValues: TypeAlias = tuple[str, ...]

DEFAULT_CATALOG = "awsdatacatalog"
DEFAULT_DATABASE = "default"


class DataCatalogType(StrEnum):
    """Athena's kinds of data catalogs."""

    GLUE = "GLUE"
    HIVE = "HIVE"
    LAMBDA = "LAMBDA"
    FEDERATED = "FEDERATED"


@dataclass(frozen=True, slots=True)
class DataCatalog:
    """A named collection of databases."""

    name: str
    type: DataCatalogType = DataCatalogType.GLUE
    description: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DatabaseName:
    """The full name of a database."""

    catalog_name: str
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class TableName:
    """The full name of a table."""

    catalog_name: str
    database_name: str
    name: str

    @property
    def database(self) -> DatabaseName:
        """The name of the database that holds the table."""
        return DatabaseName(self.catalog_name, self.database_name)

    def __str__(self) -> str:
        return f"{self.database_name}.{self.name}"


@dataclass(frozen=True, slots=True)
class Database:
    """A database: a named collection of tables in a data catalog."""

    name: str
    catalog_name: str = DEFAULT_CATALOG
    description: str | None = None
    location_uri: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    create_time: datetime | None = None

    @property
    def full_name(self) -> DatabaseName:
        """The database's name with its data catalog."""
        return DatabaseName(self.catalog_name, self.name)


@dataclass(frozen=True, slots=True)
class Column:
    """A column or partition key; `type` is Hive's text, such as `array<int>`."""

    name: str
    type: str | None = None
    comment: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SerDeInfo:
    """The class that reads and writes rows, and its properties."""

    name: str | None = None
    serialization_library: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SortColumn:
    """One column of a bucketed table's sort order."""

    column: str
    is_ascending: bool = True


@dataclass(frozen=True, slots=True)
class StorageDescriptor:
    """Where the data of a table or a partition lies, and how it is written."""

    columns: tuple[Column, ...] = ()
    location: str | None = None
    input_format: str | None = None
    output_format: str | None = None
    compressed: bool = False
    number_of_buckets: int | None = None
    serde_info: SerDeInfo | None = None
    bucket_columns: tuple[str, ...] = ()
    sort_columns: tuple[SortColumn, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    stored_as_sub_directories: bool = False


@dataclass(frozen=True, slots=True)
class PartitionIndex:
    """An index over some partition keys, in its order."""

    name: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view; `version_id` is a number here and decimal text on Glue's wire."""

    name: str
    database_name: str
    catalog_name: str = DEFAULT_CATALOG
    owner: str | None = None
    description: str | None = None
    storage_descriptor: StorageDescriptor | None = None
    partition_keys: tuple[Column, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    table_type: str | None = None
    view_original_text: str | None = None
    view_expanded_text: str | None = None
    retention: int = 0
    version_id: int = 0
    create_time: datetime | None = None
    update_time: datetime | None = None
    last_access_time: datetime | None = None
    last_analyzed_time: datetime | None = None
    created_by: str | None = None
    partition_indexes: tuple[PartitionIndex, ...] = ()

    @property
    def full_name(self) -> TableName:
        """The table's name with its database and data catalog."""
        return TableName(self.catalog_name, self.database_name, self.name)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns without the partition keys."""
        return self.storage_descriptor.columns if self.storage_descriptor else ()

    @property
    def current_columns(self) -> tuple[Column, ...]:
        """The columns without those that an Iceberg table's entry keeps of older schemas."""
        return tuple(
            column
            for column in self.columns
            if column.parameters.get("iceberg.field.current") != "false"
        )

    @property
    def location(self) -> str | None:
        """The location of the table's data, if it has any."""
        return self.storage_descriptor.location if self.storage_descriptor else None

    @property
    def is_view(self) -> bool:
        """Whether the table is a view."""
        return self.table_type == "VIRTUAL_VIEW"

    @property
    def is_iceberg(self) -> bool:
        """Whether the table is an Iceberg table, which its parameters say (in any case)."""
        return self.parameters.get("table_type", "").upper() == "ICEBERG"


@dataclass(frozen=True, slots=True)
class TableVersion:
    """A table as it was at one of its versions."""

    table: Table
    version_id: int


@dataclass(frozen=True, slots=True)
class Partition:
    """A registered partition: its values are text, typed by the table's partition keys."""

    values: PartitionValues
    storage_descriptor: StorageDescriptor | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    creation_time: datetime | None = None
    last_access_time: datetime | None = None
    last_analyzed_time: datetime | None = None

    @property
    def location(self) -> str | None:
        """The partition's own location, which need not lie under the table's."""
        return self.storage_descriptor.location if self.storage_descriptor else None


class ColumnStatisticsType(StrEnum):
    """Glue's kinds of column statistics."""

    BOOLEAN = "BOOLEAN"
    DATE = "DATE"
    DECIMAL = "DECIMAL"
    DOUBLE = "DOUBLE"
    LONG = "LONG"
    STRING = "STRING"
    BINARY = "BINARY"


@dataclass(frozen=True, slots=True)
class ColumnStatistics:
    """Statistics of one column; `data` is kept as the writer gave it, under Glue's member names."""

    column_name: str
    column_type: str
    statistics_type: ColumnStatisticsType
    data: Mapping[str, JsonValue]
    analyzed_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class UserDefinedFunction:
    """A function's registration; Trino keeps its SQL routines in these."""

    function_name: str
    database_name: str
    catalog_name: str = DEFAULT_CATALOG
    class_name: str | None = None
    owner_name: str | None = None
    owner_type: str | None = None
    resource_uris: tuple[tuple[str, str], ...] = ()
    create_time: datetime | None = None
