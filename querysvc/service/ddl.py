"""Runs DDL and utility statements against the catalog."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from querysvc.errors import ErrorCode, StatementError
from querysvc.model import ResultColumn, Session, StatementType
from querysvc.service.catalog_errors import catalog_errors
from querysvc.sql.ddl import statements as ddl
from querysvc.types.algebra import VARCHAR
from querysvc_catalog.errors import (
    AlreadyExistsError,
    EntityNotFoundError,
)
from querysvc_catalog.model import (
    DEFAULT_CATALOG,
    Database,
    DatabaseName,
    Partition,
    PartitionValues,
    Table,
    TableName,
)
from querysvc_catalog.name_patterns import compile_name_pattern
from querysvc_catalog.names import parse_partition_path, partition_path
from querysvc_catalog.service import CatalogService

_BATCH: Final = 1000
_EXTERNAL: Final = "EXTERNAL_TABLE"


@dataclass(frozen=True, slots=True)
class StatementResult:
    """What a DDL or utility statement answers: rows of text."""

    columns: tuple[ResultColumn, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()


class DirectoryLister(Protocol):
    """Lists what lies directly under an s3:// prefix, one level deep."""

    def directories(self, location: str) -> Iterable[str]:
        """The names of the «directories» (common prefixes), without slashes."""
        ...


class DdlExecutor:
    """Executes typed DDL statements; each method is one statement."""

    def __init__(self, catalog: CatalogService, lister: DirectoryLister) -> None:
        self._catalog = catalog
        self._lister = lister

    def execute(self, statement: ddl.Statement, session: Session) -> StatementResult:
        """Run a statement; errors are Trino's by name."""
        run = getattr(self, _KINDS[type(statement)].method)
        with catalog_errors():
            result: StatementResult = run(statement, session)
            return result

    def create_database(self, statement: ddl.CreateDatabase, session: Session) -> StatementResult:
        """CREATE DATABASE."""
        database = Database(
            name=statement.database,
            catalog_name=session.catalog,
            description=statement.comment,
            location_uri=statement.location,
            parameters=statement.properties,
        )
        with _tolerated(AlreadyExistsError, statement.if_not_exists):
            self._catalog.create_database(database)
        return StatementResult()

    def drop_database(self, statement: ddl.DropDatabase, session: Session) -> StatementResult:
        """DROP DATABASE."""
        name = DatabaseName(session.catalog, statement.database)
        if not statement.cascade and self._holds_tables(name):
            raise StatementError(
                ErrorCode.SCHEMA_NOT_EMPTY,
                f"Cannot drop non-empty schema '{name}'; drop its tables first, or use CASCADE",
            )
        with _tolerated(EntityNotFoundError, statement.if_exists):
            self._catalog.delete_database(name, cascade=statement.cascade)
        return StatementResult()

    def _holds_tables(self, name: DatabaseName) -> bool:
        try:
            return bool(self._catalog.list_table_names(name))
        except EntityNotFoundError:
            return False

    def create_table(self, statement: ddl.CreateTable, session: Session) -> StatementResult:
        """CREATE EXTERNAL TABLE."""
        name = _table_name(statement.name, session)
        table = Table(
            name=name.name,
            database_name=name.database_name,
            catalog_name=name.catalog_name,
            owner=session.user,
            description=statement.comment,
            storage_descriptor=statement.storage_descriptor,
            partition_keys=statement.partition_keys,
            parameters=statement.parameters,
            table_type=_EXTERNAL,
        )
        with _tolerated(AlreadyExistsError, statement.if_not_exists):
            self._catalog.create_table(table)
        return StatementResult()

    def drop_table(self, statement: ddl.DropTable, session: Session) -> StatementResult:
        """DROP TABLE: the catalog's entry; the objects stay."""
        with _tolerated(EntityNotFoundError, statement.if_exists):
            self._catalog.delete_table(_table_name(statement.name, session))
        return StatementResult()

    def add_partitions(self, statement: ddl.AddPartitions, session: Session) -> StatementResult:
        """ALTER TABLE ADD PARTITION."""
        table = self._table(statement.table, session)
        partitions = [
            _partition(table, _spec_values(table, spec), spec.location)
            for spec in statement.partitions
        ]
        if not statement.if_not_exists:
            for partition in partitions:  # all or none: find the first that exists before adding
                if self._catalog.get_partitions(_name(table), [partition.values]):
                    raise StatementError(
                        ErrorCode.ALREADY_EXISTS,
                        f"Partition already exists: {_path(table, partition.values)}",
                    )
        self._create(table, partitions)
        return StatementResult()

    def drop_partitions(self, statement: ddl.DropPartitions, session: Session) -> StatementResult:
        """ALTER TABLE DROP PARTITION: the catalog's entries; the objects stay."""
        table = self._table(statement.table, session)
        values = [_spec_values(table, spec) for spec in statement.partitions]
        found = {p.values for p in self._catalog.get_partitions(_name(table), values)}
        missing = [v for v in values if v not in found]
        if missing and not statement.if_exists:
            raise StatementError(
                ErrorCode.NOT_FOUND, f"Partition not found: {_path(table, missing[0])}"
            )
        self._catalog.delete_partitions(_name(table), [v for v in values if v in found])
        return StatementResult()

    def repair_table(self, statement: ddl.RepairTable, session: Session) -> StatementResult:
        """MSCK REPAIR TABLE: registers what lies under the location and is not registered."""
        table = self._table(statement.table, session)
        if not table.partition_keys:
            raise StatementError(
                ErrorCode.GENERIC_USER_ERROR, f"Table {table.name} is not a partitioned table"
            )
        known = set(self._catalog.iter_partition_values(_name(table)))
        found, strange = self._discover(table)
        new = [(values, location) for values, location in found if values not in known]
        self._create(table, [_partition(table, values, location) for values, location in new])
        return StatementResult(_TEXT, _repair_report(table, [v for v, _ in new], strange))

    def _discover(self, table: Table) -> tuple[list[tuple[PartitionValues, str]], list[str]]:
        """The Hive-style partitions under the table's location, and the paths that are none."""
        level: list[tuple[PartitionValues, str]] = [((), _location(table).rstrip("/"))]
        strange: list[str] = []
        for key in table.partition_keys:
            following: list[tuple[PartitionValues, str]] = []
            for values, location in level:
                for directory in self._lister.directories(location + "/"):
                    pairs = parse_partition_path(directory)
                    path = f"{location}/{directory}"
                    if pairs is None or pairs[0][0] != key.name:
                        strange.append(path)
                    else:
                        following.append(((*values, pairs[0][1]), path))
            level = following
        return level, strange

    def show_databases(self, statement: ddl.ShowDatabases, session: Session) -> StatementResult:
        """SHOW DATABASES."""
        names = (database.name for database in self._catalog.iter_databases(session.catalog))
        return _one_column("database_name", _matching(names, statement.pattern))

    def show_tables(self, statement: ddl.ShowTables, session: Session) -> StatementResult:
        """SHOW TABLES: tables and views by name."""
        database = DatabaseName(session.catalog, statement.database or session.database)
        self._catalog.get_database(database)
        names = self._catalog.list_table_names(database)
        return _one_column("tab_name", _matching(names, statement.pattern))

    def show_partitions(self, statement: ddl.ShowPartitions, session: Session) -> StatementResult:
        """SHOW PARTITIONS: `key=value/…`, by name."""
        table = self._table(statement.table, session)
        if not table.partition_keys:
            raise StatementError(
                ErrorCode.GENERIC_USER_ERROR, f"Table {table.name} is not a partitioned table"
            )
        values = self._catalog.iter_partition_values(_name(table))
        return _one_column("partition", sorted(_path(table, v) for v in values))

    def show_columns(self, statement: ddl.ShowColumns, session: Session) -> StatementResult:
        """SHOW COLUMNS: data columns, then partition keys."""
        table = self._table(statement.table, session)
        descriptor = table.storage_descriptor
        columns = (*(descriptor.columns if descriptor else ()), *table.partition_keys)
        return _one_column("field", [column.name for column in columns])

    def describe_table(self, statement: ddl.DescribeTable, session: Session) -> StatementResult:
        """DESCRIBE: name, type and comment; partition keys are told again under a heading."""
        if statement.detail is not None:
            raise StatementError(
                ErrorCode.NOT_SUPPORTED, f"DESCRIBE {statement.detail} is not supported"
            )
        table = self._table(statement.table, session)
        descriptor = table.storage_descriptor
        data = [_described(c) for c in (descriptor.columns if descriptor else ())]
        keys = [_described(c) for c in table.partition_keys]
        rows: list[tuple[str | None, ...]] = [*data, *keys]
        if keys:
            heading = ("# col_name", "data_type", "comment")
            rows += [("", "", ""), ("# Partition Information", "", ""), heading, *keys]
        return StatementResult(_columns("col_name", "data_type", "comment"), tuple(rows))

    def _table(self, name: ddl.ObjectName, session: Session) -> Table:
        full = _table_name(name, session)
        table = self._catalog.find_table(full)
        if table is None:
            raise StatementError(
                ErrorCode.TABLE_NOT_FOUND,
                f"Table '{full.catalog_name}.{full.database_name}.{full.name}' does not exist",
            )
        return table

    def _create(self, table: Table, partitions: list[Partition]) -> None:
        for start in range(0, len(partitions), _BATCH):
            # One that another writer registered meanwhile is as wanted as ours.
            self._catalog.create_partitions(_name(table), partitions[start : start + _BATCH])


@dataclass(frozen=True, slots=True)
class StatementKind:
    """How a DDL statement is classified (Athena's terms) and which method runs it."""

    statement_type: StatementType
    substatement_type: str
    method: str


_DDL, _UTILITY = StatementType.DDL, StatementType.UTILITY
_KINDS: Final[dict[type[Any], StatementKind]] = {
    ddl.CreateDatabase: StatementKind(_DDL, "CREATE_DATABASE", "create_database"),
    ddl.DropDatabase: StatementKind(_DDL, "DROP_DATABASE", "drop_database"),
    ddl.CreateTable: StatementKind(_DDL, "CREATE_TABLE", "create_table"),
    ddl.DropTable: StatementKind(_DDL, "DROP_TABLE", "drop_table"),
    ddl.AddPartitions: StatementKind(_DDL, "ALTER_TABLE_ADD_PARTITION", "add_partitions"),
    ddl.DropPartitions: StatementKind(_DDL, "ALTER_TABLE_DROP_PARTITION", "drop_partitions"),
    ddl.RepairTable: StatementKind(_DDL, "MSCK_REPAIR_TABLE", "repair_table"),
    ddl.ShowDatabases: StatementKind(_UTILITY, "SHOW_DATABASES", "show_databases"),
    ddl.ShowTables: StatementKind(_UTILITY, "SHOW_TABLES", "show_tables"),
    ddl.ShowPartitions: StatementKind(_UTILITY, "SHOW_PARTITIONS", "show_partitions"),
    ddl.ShowColumns: StatementKind(_UTILITY, "SHOW_COLUMNS", "show_columns"),
    ddl.DescribeTable: StatementKind(_UTILITY, "DESCRIBE_TABLE", "describe_table"),
}


def kind_of(statement: ddl.Statement) -> StatementKind:
    """How the statement is classified."""
    return _KINDS[type(statement)]


@contextlib.contextmanager
def _tolerated(error: type[Exception], tolerate: bool) -> Any:
    """IF [NOT] EXISTS: the named error is no error."""
    try:
        yield
    except error:
        if not tolerate:
            raise


def _columns(*names: str) -> tuple[ResultColumn, ...]:
    return tuple(ResultColumn(name, VARCHAR) for name in names)


_TEXT: Final = _columns("result")


def _one_column(name: str, values: Iterable[str]) -> StatementResult:
    return StatementResult(_columns(name), tuple((value,) for value in values))


def _matching(names: Iterable[str], pattern: str | None) -> list[str]:
    matches: Callable[[str], bool] = (
        compile_name_pattern(pattern) if pattern is not None else lambda _: True
    )
    return sorted(name for name in names if matches(name))


def _described(column: Any) -> tuple[str, str, str]:
    return column.name, column.type or "", column.comment or ""


def _table_name(name: ddl.ObjectName, session: Session) -> TableName:
    return TableName(
        (name.catalog or session.catalog or DEFAULT_CATALOG).lower(),
        (name.database or session.database).lower(),
        name.name,
    )


def _name(table: Table) -> TableName:
    return TableName(table.catalog_name, table.database_name, table.name)


def _location(table: Table) -> str:
    descriptor = table.storage_descriptor
    if descriptor is None or not descriptor.location:
        raise StatementError(ErrorCode.HIVE_INVALID_METADATA, f"Table {table.name} has no location")
    return descriptor.location


def _path(table: Table, values: PartitionValues) -> str:
    return partition_path([key.name for key in table.partition_keys], values)


def _partition(table: Table, values: PartitionValues, location: str | None) -> Partition:
    """A partition with the table's storage descriptor at its own location."""
    place = location or f"{_location(table).rstrip('/')}/{_path(table, values)}"
    descriptor = table.storage_descriptor
    assert descriptor is not None, "a table without a location was refused above"
    return Partition(values=values, storage_descriptor=replace(descriptor, location=place))


def _spec_values(table: Table, spec: ddl.PartitionSpec) -> PartitionValues:
    """The spec's values in the order of the table's keys; each key once, none missing."""
    given = dict(spec.values)
    keys = [key.name for key in table.partition_keys]
    if len(given) != len(spec.values) or set(given) != set(keys):
        raise StatementError(
            ErrorCode.INVALID_ARGUMENTS,
            f"the partition specification names ({', '.join(k for k, _ in spec.values)}); the"
            f" partition keys of {table.name} are ({', '.join(keys)})",
        )
    return tuple(given[key] for key in keys)


def _repair_report(
    table: Table, added: list[PartitionValues], strange: list[str]
) -> tuple[tuple[str, ...], ...]:
    """Hive's report: what was not in the metastore, what was added, what is no partition."""
    paths = [f"{table.name}:{_path(table, values)}" for values in added]
    lines = []
    if paths:
        lines.append("Partitions not in metastore:\t" + "\t".join(paths))
    lines += [f"Repair: Added partition to metastore {path}" for path in paths]
    lines += [f"Not a partition of {table.name}, left alone: {path}" for path in strange]
    return tuple((line,) for line in lines)
