"""DDL and utility statements as values. Names are lower case, as the catalog keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from querysvc.model import ResultColumn
from querysvc.sql.positions import Place
from querysvc_catalog.model import Column, StorageDescriptor


@dataclass(frozen=True, slots=True)
class ObjectName:
    """A table's or view's name as written; None parts come from the session."""

    name: str
    database: str | None = None
    catalog: str | None = None

    def __str__(self) -> str:
        return ".".join(part for part in (self.catalog, self.database, self.name) if part)


@dataclass(frozen=True, slots=True)
class CreateDatabase:
    """CREATE DATABASE | SCHEMA."""

    database: str
    if_not_exists: bool = False
    comment: str | None = None
    location: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DropDatabase:
    """DROP DATABASE | SCHEMA … [RESTRICT | CASCADE]."""

    database: str
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class CreateTable:
    """CREATE EXTERNAL TABLE, its storage already in the catalog's terms."""

    name: ObjectName
    storage_descriptor: StorageDescriptor
    partition_keys: tuple[Column, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    comment: str | None = None
    if_not_exists: bool = False
    iceberg_partitioning: tuple[str, ...] | None = None
    """Of an Iceberg table: columns and transforms, as `bucket(16, id)`; None for other tables."""


@dataclass(frozen=True, slots=True)
class DropTable:
    """DROP TABLE."""

    name: ObjectName
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class CreateView:
    """CREATE [OR REPLACE] VIEW; `columns` are known once its query is analysed."""

    name: ObjectName
    sql: str
    place: Place
    """Where the query begins in the statement."""
    is_replace: bool = False
    comment: str | None = None
    runs_as_invoker: bool = False
    columns: tuple[ResultColumn, ...] = ()


@dataclass(frozen=True, slots=True)
class DropView:
    """DROP VIEW."""

    name: ObjectName
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class ShowCreateView:
    """SHOW CREATE VIEW."""

    name: ObjectName


@dataclass(frozen=True, slots=True)
class ShowViews:
    """SHOW VIEWS [IN database] [LIKE 'pattern']."""

    database: str | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class PartitionSpec:
    """PARTITION (key = 'value', …) [LOCATION '…']."""

    values: tuple[tuple[str, str], ...]
    location: str | None = None


@dataclass(frozen=True, slots=True)
class AddPartitions:
    """ALTER TABLE … ADD [IF NOT EXISTS] PARTITION …"""

    table: ObjectName
    partitions: tuple[PartitionSpec, ...]
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropPartitions:
    """ALTER TABLE … DROP [IF EXISTS] PARTITION …"""

    table: ObjectName
    partitions: tuple[PartitionSpec, ...]
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class RepairTable:
    """MSCK REPAIR TABLE: register the Hive-style partitions that lie under the location."""

    table: ObjectName


@dataclass(frozen=True, slots=True)
class ShowDatabases:
    """SHOW DATABASES | SCHEMAS [LIKE 'pattern']."""

    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class ShowTables:
    """SHOW TABLES [IN database] ['pattern']."""

    database: str | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class ShowPartitions:
    """SHOW PARTITIONS table."""

    table: ObjectName


@dataclass(frozen=True, slots=True)
class ShowColumns:
    """SHOW COLUMNS IN | FROM table."""

    table: ObjectName


@dataclass(frozen=True, slots=True)
class ShowCreateTable:
    """SHOW CREATE TABLE."""

    name: ObjectName


@dataclass(frozen=True, slots=True)
class ShowTableProperties:
    """SHOW TBLPROPERTIES table [('key')]."""

    table: ObjectName
    key: str | None = None


@dataclass(frozen=True, slots=True)
class ShowFunctions:
    """SHOW FUNCTIONS [LIKE 'pattern']."""

    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class DescribeTable:
    """DESCRIBE [EXTENDED | FORMATTED] table [PARTITION (…)] [column]."""

    table: ObjectName
    detail: str | None = None
    partition: PartitionSpec | None = None
    column: tuple[str, ...] = ()
    """A column's name, then names of fields, `$elem$`, `$key$`, `$value$`."""


@dataclass(frozen=True, slots=True)
class SetDatabaseProperties:
    """ALTER DATABASE … SET DBPROPERTIES (…)."""

    database: str
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AddColumns:
    """ALTER TABLE … ADD COLUMNS (…) | ADD COLUMN [IF NOT EXISTS] …"""

    table: ObjectName
    columns: tuple[Column, ...]
    if_not_exists: bool = False
    partition: PartitionSpec | None = None


@dataclass(frozen=True, slots=True)
class ReplaceColumns:
    """ALTER TABLE … REPLACE COLUMNS (…)."""

    table: ObjectName
    columns: tuple[Column, ...]
    partition: PartitionSpec | None = None


@dataclass(frozen=True, slots=True)
class ChangeColumn:
    """ALTER TABLE … CHANGE [COLUMN] old new type [COMMENT 'x'] [FIRST | AFTER column]."""

    table: ObjectName
    old: str
    new: Column
    is_first: bool = False
    after: str | None = None


@dataclass(frozen=True, slots=True)
class DropColumn:
    """ALTER TABLE … DROP COLUMN."""

    table: ObjectName
    column: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class RenameColumn:
    """ALTER TABLE … RENAME COLUMN old TO new."""

    table: ObjectName
    old: str
    new: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class RenameTable:
    """ALTER TABLE … RENAME TO."""

    table: ObjectName
    new: ObjectName


@dataclass(frozen=True, slots=True)
class RenamePartition:
    """ALTER TABLE … PARTITION (…) RENAME TO PARTITION (…)."""

    table: ObjectName
    old: PartitionSpec
    new: PartitionSpec


@dataclass(frozen=True, slots=True)
class Vacuum:
    """VACUUM table: expire snapshots of an Iceberg table, and remove files that none needs."""

    table: ObjectName


@dataclass(frozen=True, slots=True)
class SetLocation:
    """ALTER TABLE … [PARTITION (…)] SET LOCATION."""

    table: ObjectName
    location: str
    partition: PartitionSpec | None = None


@dataclass(frozen=True, slots=True)
class SetTableProperties:
    """ALTER TABLE … SET TBLPROPERTIES (…)."""

    table: ObjectName
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class UnsetTableProperties:
    """ALTER TABLE … UNSET TBLPROPERTIES [IF EXISTS] (…)."""

    table: ObjectName
    keys: tuple[str, ...]
    if_exists: bool = False


Statement: TypeAlias = (
    CreateDatabase
    | DropDatabase
    | CreateTable
    | DropTable
    | CreateView
    | DropView
    | ShowCreateView
    | ShowViews
    | AddPartitions
    | DropPartitions
    | RepairTable
    | Vacuum
    | ShowDatabases
    | ShowTables
    | ShowPartitions
    | ShowColumns
    | DescribeTable
    | ShowCreateTable
    | ShowTableProperties
    | ShowFunctions
    | SetDatabaseProperties
    | AddColumns
    | ReplaceColumns
    | ChangeColumn
    | DropColumn
    | RenameColumn
    | RenameTable
    | RenamePartition
    | SetLocation
    | SetTableProperties
    | UnsetTableProperties
)
