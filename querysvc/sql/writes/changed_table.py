"""The Iceberg table that a statement changes: whether it may be, and its columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from querysvc import tree
from querysvc.errors import ErrorCode, StatementError
from querysvc.plan import TableColumn
from querysvc.sql import syntax
from querysvc.sql.context import AnalysisContext
from querysvc.sql.expressions.coercion import coerce
from querysvc.sql.metadata import TableInfo, ViewInfo
from querysvc.sql.scope import ScopeField
from querysvc.sql.writes.names import dotted, target_name
from querysvc.sql.writes.queries import may_be_inserted
from querysvc.types.algebra import TrinoType

PATH: Final = "$path"
_VERBS: Final = {
    "DELETE": "Deleting from",
    "UPDATE": "Updating",
    "MERGE": "Merging into",
    "OPTIMIZE": "Optimizing",
}
_NOT_ICEBERG: Final = {"OPTIMIZE": "OPTIMIZE is supported for Iceberg tables only"}
_HIVE: Final = "Modifying Hive table rows is only supported for transactional tables"


class ChangedTable:
    """The table whose rows change; refused here unless it is an Iceberg table, readable whole."""

    def __init__(
        self, written: tuple[syntax.Identifier, ...], kind: str, context: AnalysisContext
    ) -> None:
        name = target_name(written, context.session)
        found = context.relation(name.catalog_name, name.database_name, name.name)
        if found is None:
            message = f"Table '{dotted(name)}' does not exist"
            raise at_start(ErrorCode.TABLE_NOT_FOUND, message)
        if found.visible == ():
            message = f"Access Denied: Cannot select from table or view {dotted(name)}"
            raise StatementError(ErrorCode.PERMISSION_DENIED, message)
        if isinstance(found, ViewInfo):
            message = f"{_VERBS[kind]} views is not supported"
            raise at_start(ErrorCode.NOT_SUPPORTED, message)
        if not found.table.is_iceberg or PATH not in {column.name for column in found.columns}:
            raise at_start(ErrorCode.NOT_SUPPORTED, _NOT_ICEBERG.get(kind, _HIVE))
        if found.visible is not None:
            raise StatementError(
                ErrorCode.PERMISSION_DENIED,
                f"Access Denied: Cannot {kind.lower()} rows of table {dotted(name)}: only some of"
                " its rows or columns may be read",
            )
        self.info: TableInfo = found
        self.columns: tuple[TableColumn, ...] = tuple(
            column for column in found.columns if not column.is_hidden
        )

    def positions(
        self,
        names: Sequence[syntax.Identifier],
        errors: Callable[[ErrorCode, syntax.Identifier], StatementError],
    ) -> list[int]:
        """The indexes of the table's columns of these names, each at most once."""
        known = {column.name: index for index, column in enumerate(self.columns)}
        missing = [one for one in names if one.name.lower() not in known]
        if missing:
            raise errors(ErrorCode.COLUMN_NOT_FOUND, missing[0])
        chosen: list[int] = []
        for one in names:
            position = known[one.name.lower()]
            if position in chosen:
                raise errors(ErrorCode.DUPLICATE_COLUMN_NAME, one)
            chosen.append(position)
        return chosen

    def check_types(
        self,
        columns: Sequence[int],
        values: Sequence[tree.Expression],
        message: str,
        place: syntax.Position = (1, 1),
    ) -> None:
        """TYPE_MISMATCH unless every value may be written to its column."""
        wanted = [self.columns[index].type for index in columns]
        given = [value.type for value in values]
        if not all(map(may_be_inserted, given, wanted)):
            raise StatementError(
                ErrorCode.TYPE_MISMATCH,
                f"{message}: Table: [{_listed(wanted)}], Expressions: [{_listed(given)}]",
                line=place[0],
                column=place[1],
            )

    def row(
        self,
        columns: Sequence[int],
        values: Sequence[tree.Expression],
        old: Sequence[ScopeField] | None,
    ) -> tuple[tree.Expression, ...]:
        """A new row: what is not given is as in the old one, or NULL where there is none."""
        given = dict(zip(columns, values, strict=True))
        kept = None if old is None else [item.expression for item in old]
        row: list[tree.Expression] = []
        for index, column in enumerate(self.columns):
            if index in given:
                row.append(coerce(given[index], column.type))
            else:
                row.append(tree.Literal(column.type, None) if kept is None else kept[index])
        return tuple(row)


def at_start(code: ErrorCode, message: str) -> StatementError:
    """An error of the whole statement, which Trino places at its first word."""
    return StatementError(code, message, line=1, column=1)


def _listed(types: Sequence[TrinoType]) -> str:
    return ", ".join(map(str, types))
