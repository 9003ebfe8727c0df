"""What the analyser asks of the catalog: a port, and an implementation in memory.

Calls are coarse and values picklable, so that an implementation can stand behind a pipe.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from querysvc.errors import ErrorCode, StatementError
from querysvc.model import ResultColumn
from querysvc.plan import TableColumn, TableVersion
from querysvc_catalog.model import Table


@dataclass(frozen=True, slots=True)
class VisibleCells:
    """A part of a table that may be read: named columns of the rows that a filter lets through.

    None is all columns, and all rows. Column names are in lower case; the filter is SQL.
    """

    columns: frozenset[str] | None = None
    row_filter: str | None = None


Visibility = tuple[VisibleCells, ...] | None
"""What whoever asks may read of a table or view: the union of parts; None is everything."""


@dataclass(frozen=True, slots=True)
class TableInfo:
    """A table as statements see it: the catalog's entry, and its columns with Trino's types.

    Partition keys come after the data columns, hidden columns last.
    """

    table: Table
    columns: tuple[TableColumn, ...]
    generation: int = 0
    visible: Visibility = None
    snapshot_id: int | None = None
    """Which snapshot, where a version was asked for; the columns are its own."""
    has_names_of_now: bool = True
    """Whether a version's columns are columns of now, by the same names: grants tell names."""


@dataclass(frozen=True, slots=True)
class ViewInfo:
    """A view: its SQL, the session's names when it was created, and its stored columns."""

    sql: str
    columns: tuple[ResultColumn, ...]
    catalog: str | None = None
    database: str | None = None
    visible: Visibility = None
    comment: str | None = None
    runs_as_invoker: bool = False


class MetadataReader(Protocol):
    """Reads the catalog; names come in lower case."""

    def catalog_exists(self, catalog: str) -> bool: ...

    def schema_exists(self, catalog: str, database: str) -> bool: ...

    def relation(self, catalog: str, database: str, name: str) -> TableInfo | ViewInfo | None: ...

    def at_version(
        self, catalog: str, database: str, name: str, version: TableVersion
    ) -> TableInfo:
        """A table of which `relation` told, as it was; NOT_SUPPORTED where it has no versions."""
        ...

    def relation_names(self, catalog: str, database: str) -> tuple[str, ...]:
        """The tables and views of a schema that exists, for «did you mean»."""
        ...


class MemoryMetadata:
    """Metadata held in memory, for tests and for tools without a catalog."""

    def __init__(self, catalog: str = "awsdatacatalog") -> None:
        self._catalog = catalog
        self._schemas: dict[str, dict[str, TableInfo | ViewInfo]] = {}

    def add_schema(self, database: str) -> None:
        """Make a database exist."""
        self._schemas.setdefault(database, {})

    def add_table(
        self, database: str, name: str, columns: Iterable[TableColumn], generation: int = 0
    ) -> None:
        """Put a table with these columns."""
        entry = Table(name=name, database_name=database, catalog_name=self._catalog)
        info = TableInfo(entry, tuple(columns), generation)
        self._schemas.setdefault(database, {})[name.lower()] = info

    def add_view(self, database: str, name: str, view: ViewInfo) -> None:
        """Put a view."""
        self._schemas.setdefault(database, {})[name.lower()] = view

    def catalog_exists(self, catalog: str) -> bool:
        return catalog == self._catalog

    def schema_exists(self, catalog: str, database: str) -> bool:
        return catalog == self._catalog and database in self._schemas

    def relation(self, catalog: str, database: str, name: str) -> TableInfo | ViewInfo | None:
        if catalog != self._catalog:
            return None
        return self._schemas.get(database, {}).get(name)

    def at_version(
        self, catalog: str, database: str, name: str, version: TableVersion
    ) -> TableInfo:
        found = self.relation(catalog, database, name)
        if not isinstance(found, TableInfo) or not found.table.is_iceberg:
            raise not_versioned()
        value = version.value
        return replace(found, snapshot_id=value if isinstance(value, int) else None)

    def relation_names(self, catalog: str, database: str) -> tuple[str, ...]:
        return tuple(self._schemas[database])


def not_versioned() -> StatementError:
    """NOT_SUPPORTED, to be raised where a table has no versions."""
    message = "This connector does not support versioned tables"
    return StatementError(ErrorCode.NOT_SUPPORTED, message)
