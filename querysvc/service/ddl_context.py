"""What every DDL statement works with, and what it answers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from querysvc.errors import ErrorCode, StatementError
from querysvc.model import ResultColumn, Session
from querysvc.planning.discovery import DirectoryLister
from querysvc.planning.iceberg import IcebergObjects
from querysvc.planning.metadata import CatalogMetadata
from querysvc.planning.views import hive_text
from querysvc.sql.ddl import statements as ddl
from querysvc.sql.metadata import TableInfo
from querysvc.types.algebra import VARCHAR
from querysvc_catalog.model import (
    DEFAULT_CATALOG,
    Column,
    DatabaseName,
    StorageDescriptor,
    Table,
    TableName,
)
from querysvc_catalog.name_patterns import compile_name_pattern
from querysvc_catalog.service import CatalogService

if TYPE_CHECKING:
    from querysvc.iceberg.commit import Committer


@dataclass(frozen=True, slots=True)
class StatementResult:
    """What a DDL or utility statement answers: rows of text."""

    columns: tuple[ResultColumn, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class DdlContext:
    """The catalog, the storage, and the session that names are resolved in."""

    catalog: CatalogService
    lister: DirectoryLister
    session: Session
    objects: IcebergObjects | None = None
    """Where Iceberg's metadata lie; None: there are no Iceberg tables (tests)."""
    query_id: str = ""

    def iceberg(self) -> Committer:
        """Reads and commits Iceberg tables' metadata, in the catalog of whoever asks."""
        from querysvc.iceberg.commit import Committer
        from querysvc.iceberg.table import IcebergTables

        if self.objects is None:
            raise error(ErrorCode.NOT_SUPPORTED, "Iceberg tables are not supported here")
        return Committer(IcebergTables(self.catalog, self.objects))

    def full_name(self, name: ddl.ObjectName) -> TableName:
        """The name with what the session adds."""
        return TableName(
            (name.catalog or self.session.catalog or DEFAULT_CATALOG).lower(),
            (name.database or self.session.database).lower(),
            name.name,
        )

    def database(self, name: str | None) -> DatabaseName:
        """The database of that name, or the session's."""
        return DatabaseName(self.session.catalog, name or self.session.database)

    def find(self, name: ddl.ObjectName) -> Table | None:
        """The table or view, if there is one."""
        return self.catalog.find_table(self.full_name(name))

    def relation(self, name: ddl.ObjectName) -> Table:
        """The table, view or relation beside a table; TABLE_NOT_FOUND when there is none."""
        table = self.find(name) or self._beside(name)
        if table is None:
            raise error(ErrorCode.TABLE_NOT_FOUND, f"Table '{self.told(name)}' does not exist")
        return table

    def _beside(self, name: ddl.ObjectName) -> Table | None:
        """`"t$partitions"`, `"t$properties"` and `"t$rejects"`, as a table of their columns."""
        full = self.full_name(name)
        found = CatalogMetadata(self.catalog).relation(
            full.catalog_name, full.database_name, full.name
        )
        if not isinstance(found, TableInfo):
            return None
        columns = tuple(Column(column.name, hive_text(column.type)) for column in found.columns)
        return Table(
            full.name,
            full.database_name,
            full.catalog_name,
            storage_descriptor=StorageDescriptor(columns=columns),
        )

    def table(self, name: ddl.ObjectName) -> Table:
        """The table; NOT_SUPPORTED when it is a view."""
        table = self.find(name)
        if table is None:
            raise error(ErrorCode.TABLE_NOT_FOUND, f"Table '{self.told(name)}' does not exist")
        if table.is_view:
            message = f"Relation '{self.told(name)}' is a view, not a table"
            raise error(ErrorCode.NOT_SUPPORTED, message)
        return table

    def told(self, name: ddl.ObjectName) -> str:
        """The full name as messages tell it."""
        full = self.full_name(name)
        return f"{full.catalog_name}.{full.database_name}.{full.name}"


def error(code: ErrorCode, message: str) -> StatementError:
    """An error of a whole statement, placed at its begin as Trino does."""
    return StatementError(code, message, line=1, column=1)


@contextlib.contextmanager
def tolerated(kind: type[Exception], tolerate: bool) -> Iterator[None]:
    """IF [NOT] EXISTS: the named error is no error."""
    try:
        yield
    except kind:
        if not tolerate:
            raise


def text_columns(*names: str) -> tuple[ResultColumn, ...]:
    """Columns of text."""
    return tuple(ResultColumn(name, VARCHAR) for name in names)


def one_column(name: str, values: Iterable[str]) -> StatementResult:
    """A result of one column of text."""
    return StatementResult(text_columns(name), tuple((value,) for value in values))


def matching(names: Iterable[str], pattern: str | None) -> list[str]:
    """The names that a SHOW statement's pattern lets through, sorted.

    Patterns are Hive's (`*`, `|`); Trino's `%` is in no name, so that it can only mean `*`.
    """
    matches: Callable[[str], bool] = (
        compile_name_pattern(pattern.replace("%", "*")) if pattern is not None else lambda _: True
    )
    return sorted(name for name in names if matches(name))
