"""Runs DDL and utility statements against the catalog: one function for each kind of statement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from querysvc.model import Session, StatementType
from querysvc.planning.discovery import DirectoryLister
from querysvc.planning.iceberg import IcebergObjects
from querysvc.service import (
    ddl_alter,
    ddl_databases,
    ddl_describe,
    ddl_iceberg,
    ddl_partitions,
    ddl_show,
    ddl_tables,
    ddl_views,
)
from querysvc.service.catalog_errors import catalog_errors
from querysvc.service.ddl_context import DdlContext, StatementResult
from querysvc.sql.ddl import statements as ddl
from querysvc_catalog.service import CatalogService

__all__ = ["DdlExecutor", "StatementKind", "StatementResult", "kind_of"]


class DdlExecutor:
    """Executes typed DDL statements."""

    def __init__(
        self,
        catalog: CatalogService,
        lister: DirectoryLister,
        objects: IcebergObjects | None = None,
    ) -> None:
        self._catalog = catalog
        self._lister = lister
        self._objects = objects

    def execute(
        self, statement: ddl.Statement, session: Session, query_id: str = ""
    ) -> StatementResult:
        """Run a statement; errors are Trino's by name."""
        context = DdlContext(self._catalog, self._lister, session, self._objects, query_id)
        with catalog_errors():
            return kind_of(statement).run(statement, context)


_Run = Callable[[Any, DdlContext], StatementResult]


@dataclass(frozen=True, slots=True)
class StatementKind:
    """How a DDL statement is classified (Athena's terms), and what runs it."""

    statement_type: StatementType
    substatement_type: str
    run: _Run
    """It takes its own type of statement: a common type would be Never."""


def _of_hive_tables(run: _Run) -> _Run:
    """What runs a statement on Hive tables; on Iceberg tables another module does."""

    def dispatched(statement: Any, context: DdlContext) -> StatementResult:
        table = context.find(statement.table)
        if table is not None and table.is_iceberg:
            return ddl_iceberg.alter(statement, table, context)
        return run(statement, context)

    return dispatched


_DDL, _UTILITY = StatementType.DDL, StatementType.UTILITY
_KINDS: Final[dict[type[Any], StatementKind]] = {
    ddl.CreateDatabase: StatementKind(_DDL, "CREATE_DATABASE", ddl_databases.create_database),
    ddl.DropDatabase: StatementKind(_DDL, "DROP_DATABASE", ddl_databases.drop_database),
    ddl.CreateTable: StatementKind(_DDL, "CREATE_TABLE", ddl_tables.create_table),
    ddl.DropTable: StatementKind(_DDL, "DROP_TABLE", ddl_tables.drop_table),
    ddl.CreateView: StatementKind(_DDL, "CREATE_VIEW", ddl_views.create_view),
    ddl.DropView: StatementKind(_DDL, "DROP_VIEW", ddl_views.drop_view),
    ddl.AddPartitions: StatementKind(
        _DDL, "ALTER_TABLE_ADD_PARTITION", _of_hive_tables(ddl_partitions.add_partitions)
    ),
    ddl.DropPartitions: StatementKind(
        _DDL, "ALTER_TABLE_DROP_PARTITION", _of_hive_tables(ddl_partitions.drop_partitions)
    ),
    ddl.RepairTable: StatementKind(
        _DDL, "MSCK_REPAIR_TABLE", _of_hive_tables(ddl_partitions.repair_table)
    ),
    ddl.Vacuum: StatementKind(_DDL, "VACUUM", ddl_iceberg.vacuum),
    ddl.ShowCreateView: StatementKind(_UTILITY, "SHOW_CREATE_VIEW", ddl_views.show_create_view),
    ddl.ShowViews: StatementKind(_UTILITY, "SHOW_VIEWS", ddl_views.show_views),
    ddl.ShowDatabases: StatementKind(_UTILITY, "SHOW_DATABASES", ddl_show.show_databases),
    ddl.ShowTables: StatementKind(_UTILITY, "SHOW_TABLES", ddl_show.show_tables),
    ddl.ShowPartitions: StatementKind(
        _UTILITY, "SHOW_PARTITIONS", _of_hive_tables(ddl_partitions.show_partitions)
    ),
    ddl.ShowColumns: StatementKind(_UTILITY, "SHOW_COLUMNS", ddl_show.show_columns),
    ddl.DescribeTable: StatementKind(_UTILITY, "DESCRIBE_TABLE", ddl_describe.describe_table),
    ddl.ShowCreateTable: StatementKind(_UTILITY, "SHOW_CREATE_TABLE", ddl_show.show_create_table),
    ddl.ShowTableProperties: StatementKind(
        _UTILITY, "SHOW_TBLPROPERTIES", ddl_show.show_properties
    ),
    ddl.ShowFunctions: StatementKind(_UTILITY, "SHOW_FUNCTIONS", ddl_show.show_functions),
    ddl.SetDatabaseProperties: StatementKind(
        _DDL, "ALTER_DATABASE_SET_PROPERTIES", ddl_alter.set_database_properties
    ),
    ddl.AddColumns: StatementKind(
        _DDL, "ALTER_TABLE_ADD_COLUMNS", _of_hive_tables(ddl_alter.add_columns)
    ),
    ddl.ReplaceColumns: StatementKind(
        _DDL, "ALTER_TABLE_REPLACE_COLUMNS", _of_hive_tables(ddl_alter.replace_columns)
    ),
    ddl.ChangeColumn: StatementKind(
        _DDL, "ALTER_TABLE_CHANGE_COLUMN", _of_hive_tables(ddl_alter.change_column)
    ),
    ddl.DropColumn: StatementKind(
        _DDL, "ALTER_TABLE_DROP_COLUMN", _of_hive_tables(ddl_alter.drop_column)
    ),
    ddl.RenameColumn: StatementKind(
        _DDL, "ALTER_TABLE_RENAME_COLUMN", _of_hive_tables(ddl_alter.rename_column)
    ),
    ddl.RenameTable: StatementKind(_DDL, "ALTER_TABLE_RENAME", ddl_alter.rename_table),
    ddl.RenamePartition: StatementKind(
        _DDL, "ALTER_TABLE_RENAME_PARTITION", _of_hive_tables(ddl_alter.rename_partition)
    ),
    ddl.SetLocation: StatementKind(
        _DDL, "ALTER_TABLE_SET_LOCATION", _of_hive_tables(ddl_alter.set_location)
    ),
    ddl.SetTableProperties: StatementKind(
        _DDL, "ALTER_TABLE_SET_PROPERTIES", _of_hive_tables(ddl_alter.set_table_properties)
    ),
    ddl.UnsetTableProperties: StatementKind(
        _DDL, "ALTER_TABLE_UNSET_PROPERTIES", _of_hive_tables(ddl_alter.unset_table_properties)
    ),
}


def kind_of(statement: ddl.Statement) -> StatementKind:
    """How the statement is classified, and what runs it."""
    return _KINDS[type(statement)]
