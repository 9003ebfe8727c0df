"""What one principal may do with tables, views, databases and locations, from its grants.

A grant shows a table's cells: named columns (or all) of the rows that its filter lets through (or
all). Several grants add up, cell by cell; none ever takes away.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.sql.metadata import Visibility, VisibleCells
from querysvc_catalog.model import DatabaseName, TableName

ANY: Final = "*"
_S3: Final = ("s3://", "s3a://", "s3n://")


class Action(StrEnum):
    """What a grant allows."""

    SELECT = "SELECT"
    DESCRIBE = "DESCRIBE"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CREATE = "CREATE"
    ALTER = "ALTER"
    DROP = "DROP"
    USE = "USE"
    READ_RESULTS = "READ_RESULTS"


READING: Final = frozenset({Action.SELECT, Action.DESCRIBE})
"""The actions that a column list or a row filter can narrow."""

CHANGING: Final = frozenset({Action.INSERT, Action.UPDATE, Action.DELETE})
"""The actions on rows; a MERGE needs those of its cases."""

Columns = frozenset[str] | None
"""Column names in lower case; None is all of them."""

_TABLE_VERBS: Final = {
    Action.SELECT: "select from",
    Action.DESCRIBE: "show columns of",
    Action.INSERT: "insert into",
    Action.UPDATE: "update",
    Action.DELETE: "delete from",
    Action.CREATE: "create",
    Action.ALTER: "alter",
    Action.DROP: "drop",
}


@dataclass(frozen=True, slots=True)
class TableGrant:
    """Actions on the tables that a pattern covers; each part of it is a name, or `*`."""

    actions: frozenset[Action]
    pattern: tuple[str, str, str]
    columns: Columns = None
    row_filter: str | None = None

    def covers(self, *names: str) -> bool:
        """Whether the pattern begins with these names: catalog, database, table."""
        return all(part in (ANY, name) for part, name in zip(self.pattern, names, strict=False))


@dataclass(frozen=True, slots=True)
class Access:
    """The rights of one principal; unrestricted ones hold for everything."""

    is_unrestricted: bool = True
    tables: tuple[TableGrant, ...] = ()
    locations: tuple[str, ...] = ()
    """Prefixes under which tables, partitions and results may be put."""

    def visible(self, name: TableName) -> Visibility:
        """What SELECT shows of a table or view; a table of its metadata shows no more than it."""
        if self.is_unrestricted:
            return None
        base, _, part = name.name.partition("$")
        grants = self._of(TableName(name.catalog_name, name.database_name, base))
        cells = {
            VisibleCells(grant.columns, grant.row_filter)
            for grant in grants
            if Action.SELECT in grant.actions and not (part and grant.row_filter)
        }
        return _simplified(cells)

    def described(self, name: TableName) -> Columns:
        """The columns that listings tell of a table or view; none of them: it is not told of."""
        return _union(grant.columns for grant in self._of(name))

    def columns_of_all_rows(self, name: TableName) -> Columns:
        """The columns whose values may be known of every row, as partitions and statistics tell."""
        return _union(grant.columns for grant in self._of(name) if grant.row_filter is None)

    def sees_database(self, name: DatabaseName) -> bool:
        """Whether anything in the database may be known."""
        return self.is_unrestricted or any(
            grant.covers(name.catalog_name, name.name) for grant in self.tables
        )

    def may(self, action: Action, name: TableName) -> bool:
        """Whether the action on the table is granted, be it on some of its cells."""
        return self.is_unrestricted or any(action in grant.actions for grant in self._of(name))

    def require(self, action: Action, name: TableName) -> None:
        """PERMISSION_DENIED unless the action on the table is granted."""
        if not self.may(action, name):
            raise denied(f"Cannot {_TABLE_VERBS[action]} table {full_name(name)}")

    def require_database(self, action: Action, name: DatabaseName) -> None:
        """PERMISSION_DENIED unless the action is granted on the whole database."""
        if self.is_unrestricted:
            return
        for grant in self.tables:
            if grant.covers(name.catalog_name, name.name, ANY) and action in grant.actions:
                return
        place = f"{name.catalog_name}.{name.name}"
        raise denied(f"Cannot {_TABLE_VERBS[action]} schema {place}")

    def require_location(self, location: str) -> None:
        """PERMISSION_DENIED unless tables, partitions and results may be put there."""
        if self.is_unrestricted:
            return
        place = f"{location.rstrip('/')}/"
        if not any(granted == ANY or place.startswith(granted) for granted in self.locations):
            raise denied(f"Cannot use location {location}")

    def require_locations(self, values: Iterable[str | None]) -> None:
        """The same of every value that is an S3 address, up to its first placeholder."""
        for value in values:
            if value is not None and value.lower().startswith(_S3):
                self.require_location(value.partition("${")[0])

    def _of(self, name: TableName) -> list[TableGrant]:
        if self.is_unrestricted:
            return [_EVERYTHING]
        names = (name.catalog_name, name.database_name, name.name)
        return [grant for grant in self.tables if grant.covers(*names)]


_EVERYTHING: Final = TableGrant(frozenset(Action), (ANY, ANY, ANY))


def full_name(name: TableName) -> str:
    """catalog.database.table, as Trino's messages have it."""
    return f"{name.catalog_name}.{name.database_name}.{name.name}"


def denied(what: str) -> QueryServiceError:
    """PERMISSION_DENIED in Trino's words."""
    return QueryServiceError(ErrorCode.PERMISSION_DENIED, f"Access Denied: {what}")


def _union(parts: Iterable[Columns]) -> Columns:
    found: set[str] = set()
    for columns in parts:
        if columns is None:
            return None
        found |= columns
    return frozenset(found)


def _simplified(cells: set[VisibleCells]) -> Visibility:
    """The parts that no other part contains, in a fixed order; None when one is everything."""
    if VisibleCells() in cells:
        return None
    kept = (one for one in cells if not any(_contains(other, one) for other in cells - {one}))
    return tuple(sorted(kept, key=_order))


def _contains(outer: VisibleCells, inner: VisibleCells) -> bool:
    has_rows = outer.row_filter is None or outer.row_filter == inner.row_filter
    if outer.columns is None:
        return has_rows
    return has_rows and inner.columns is not None and inner.columns <= outer.columns


def _order(cells: VisibleCells) -> tuple[str, list[str]]:
    return cells.row_filter or "", sorted(cells.columns or ())
