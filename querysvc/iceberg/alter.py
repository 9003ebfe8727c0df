"""ALTER TABLE of an Iceberg table: what it changes in the table's metadata; no file is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final

from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.table import Table as PyTable
from pyiceberg.table import Transaction
from pyiceberg.table.update import RemovePropertiesUpdate, SetPropertiesUpdate, TableUpdate
from pyiceberg.table.update.schema import UpdateSchema
from pyiceberg.types import (
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
)

from querysvc.errors import ErrorCode, StatementError
from querysvc.iceberg.table import IcebergTable
from querysvc.iceberg.types import from_trino
from querysvc.types.algebra import TrinoType

Updates = tuple[TableUpdate, ...]
_WIDER: Final[dict[type, type]] = {IntegerType: LongType, FloatType: DoubleType}


@dataclass(frozen=True, slots=True)
class NewColumn:
    """A column as a statement tells it."""

    name: str
    type: TrinoType
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a column is put: first, after another one, or where it is."""

    is_first: bool = False
    after: str | None = None


def add_columns(
    table: IcebergTable, columns: Iterable[NewColumn], *, if_not_exists: bool = False
) -> Updates:
    """Add columns at the end; old rows have NULL in them."""
    known = {field.name.lower() for field in table.metadata.schema().fields}
    update = _update(table)
    for column in columns:
        if column.name in known:
            if if_not_exists:
                continue
            raise _error(
                ErrorCode.COLUMN_ALREADY_EXISTS, f"Column '{column.name}' already exists in", table
            )
        known.add(column.name)
        type_ = from_trino(column.type, count(1).__next__)
        update.add_column((column.name,), type_, column.comment)
    return update._commit()[0]


def drop_column(table: IcebergTable, name: str, *, if_exists: bool = False) -> Updates:
    """Drop a column that no partitioning of the table, past ones included, needs."""
    fields = {field.name.lower(): field for field in table.metadata.schema().fields}
    if name not in fields and if_exists:
        return ()
    field = _field(table, name)
    sources = {f.source_id for spec in table.metadata.partition_specs for f in spec.fields}
    if field.field_id in sources:
        raise _error(ErrorCode.NOT_SUPPORTED, f"Cannot drop partition field '{name}' of", table)
    if len(fields) == 1:
        raise StatementError(ErrorCode.NOT_SUPPORTED, "Cannot drop the only column in a table")
    update = _update(table)
    update.delete_column((field.name,))
    return update._commit()[0]


def change_column(table: IcebergTable, old: str, new: NewColumn, place: Place) -> Updates:
    """Rename a column, widen its type, comment on it, move it."""
    field = _field(table, old)
    update = _update(table)
    type_ = from_trino(new.type, count(1).__next__)
    if not _is_alike(field.field_type, type_):
        if not _may_become(field.field_type, type_):
            message = f"Cannot change column type: {old}: {field.field_type} -> {type_} of"
            raise _error(ErrorCode.NOT_SUPPORTED, message, table)
        update.update_column((field.name,), type_)
    if new.comment is not None:
        update.update_column((field.name,), doc=new.comment)
    if new.name != field.name.lower():
        _require_free(table, new.name)
        update.rename_column((field.name,), new.name)
    if place.is_first:
        update.move_first((field.name,))
    elif place.after is not None:
        update.move_after((field.name,), (_field(table, place.after).name,))
    return update._commit()[0]


def rename_column(table: IcebergTable, old: str, new: str, *, if_exists: bool = False) -> Updates:
    """Give a column another name; files know it by its id."""
    known = {field.name.lower() for field in table.metadata.schema().fields}
    if old not in known and if_exists:
        return ()
    field = _field(table, old)
    _require_free(table, new)
    update = _update(table)
    update.rename_column((field.name,), new)
    return update._commit()[0]


def comment_on_column(table: IcebergTable, name: str, comment: str | None) -> Updates:
    """Tell what a column is."""
    update = _update(table)
    update.update_column((_field(table, name).name,), doc=comment or "")
    return update._commit()[0]


def set_properties(properties: Mapping[str, str]) -> Updates:
    """Set properties of the table."""
    return (SetPropertiesUpdate(updates=dict(properties)),)


def unset_properties(
    table: IcebergTable, keys: Iterable[str], *, if_exists: bool = False
) -> Updates:
    """Remove properties of the table."""
    wanted = list(keys)
    missing = [key for key in wanted if key not in table.metadata.properties]
    if missing and not if_exists:
        raise StatementError(
            ErrorCode.INVALID_TABLE_PROPERTY, f"Table {table.name} has no property '{missing[0]}'"
        )
    return (RemovePropertiesUpdate(removals=[key for key in wanted if key not in missing]),)


def _update(table: IcebergTable) -> UpdateSchema:
    identity = (table.name.database_name, table.name.name)
    known = PyTable(
        identity, table.metadata, table.metadata_location, table.io, NoopCatalog("alter")
    )
    return UpdateSchema(Transaction(known), case_sensitive=False)


def _field(table: IcebergTable, name: str) -> NestedField:
    for field in table.metadata.schema().fields:
        if field.name.lower() == name:
            return field
    raise _error(ErrorCode.COLUMN_NOT_FOUND, f"Column '{name}' does not exist in", table)


def _require_free(table: IcebergTable, name: str) -> None:
    if any(field.name.lower() == name for field in table.metadata.schema().fields):
        raise _error(ErrorCode.COLUMN_ALREADY_EXISTS, f"Column '{name}' already exists in", table)


def _is_alike(known: IcebergType, told: IcebergType) -> bool:
    """Whether the types are equal but for the ids inside of them."""
    return _without_ids(known) == _without_ids(told)


def _without_ids(type_: IcebergType) -> object:
    children = [
        _without_ids(child)
        for name in ("element_type", "key_type", "value_type")
        if (child := getattr(type_, name, None)) is not None
    ]
    fields = [(f.name, _without_ids(f.field_type)) for f in getattr(type_, "fields", ())]
    return (type(type_), children, fields) if children or fields else type_


def _may_become(known: IcebergType, told: IcebergType) -> bool:
    """The promotions of the table format's version 2."""
    if isinstance(known, DecimalType) and isinstance(told, DecimalType):
        return known.scale == told.scale and known.precision <= told.precision
    return _WIDER.get(type(known)) is type(told)


def _error(code: ErrorCode, message: str, table: IcebergTable) -> StatementError:
    return StatementError(code, f"{message} {table.name}")


ChangeTable = Callable[[IcebergTable], Updates]
"""What is asked again of the table as it then is, when another commit came first."""
