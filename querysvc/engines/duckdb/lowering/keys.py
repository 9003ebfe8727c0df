"""Key forms: values whose native equality, order and hash in DuckDB are Trino's."""

from __future__ import annotations

from collections.abc import Iterable

from querysvc.engines.duckdb.lowering.fragments import (
    NULL,
    Sql,
    bind,
    call,
    case,
    field,
    lambda_,
    operation,
    struct,
    template,
)
from querysvc.engines.duckdb.lowering.types import contains, is_fine
from querysvc.errors import ErrorCode, StatementError
from querysvc.types.algebra import Array, Map, Row, TimestampTz, TimeTz, TrinoType

INSTANT_OF_TIME_TZ = (
    "CAST(TIMESTAMP '1970-01-02 00:00:00'"
    ' + to_microseconds(epoch_us(CAST({0}."t" AS TIME)))'
    ' - to_minutes(CAST({0}."o" AS BIGINT)) AS TIME)'
)


def needs_key(type_: TrinoType) -> bool:
    """Whether DuckDB compares the storage form otherwise than Trino (NaN apart)."""
    return contains(type_, TimestampTz, TimeTz, Map)


def check_orderable(types: Iterable[TrinoType]) -> None:
    """Trino sorts to find the partitions of a window: it fails over types without an order."""
    for type_ in types:
        if not type_.is_orderable:
            raise StatementError(ErrorCode.GENERIC_INTERNAL_ERROR, f"{type_} is not orderable")


def key_form(value: Sql, type_: TrinoType) -> Sql:
    """The value's key form; the value itself where that is right already.

    Instants for times with a zone, sorted entries for maps, and so inside arrays and rows.
    """
    if not needs_key(type_):
        return value
    if isinstance(type_, TimestampTz):
        return field(value, "t") if not is_fine(type_) else _fine_key(value)
    if isinstance(type_, TimeTz):
        return template(INSTANT_OF_TIME_TZ, value)
    if isinstance(type_, Array):
        inner = key_form(Sql('"e"'), type_.element)
        return call("list_transform", value, lambda_(["e"], inner))
    if isinstance(type_, Map):
        return _map_key(value, type_)
    assert isinstance(type_, Row)
    return bind([value], lambda bound: _row_key(bound, type_))


def _fine_key(value: Sql) -> Sql:
    def body(bound: Sql) -> Sql:
        instant = struct([("t", field(bound, "t")), ("p", field(bound, "p"))])
        return case([(operation("IS", bound, NULL), NULL)], instant)

    return bind([value], body)


def _row_key(value: Sql, type_: Row) -> Sql:
    fields = [
        (f"f{i}", key_form(field(value, f"f{i}"), item.type)) for i, item in enumerate(type_.fields)
    ]
    return case([(operation("IS", value, NULL), NULL)], struct(fields))


def _map_key(value: Sql, type_: Map) -> Sql:
    entry = Sql('"e"')
    pair = struct(
        [
            ("k", key_form(field(entry, "key"), type_.key)),
            ("v", key_form(field(entry, "value"), type_.value)),
        ]
    )
    entries = call("list_transform", call("map_entries", value), lambda_(["e"], pair))
    return call("list_sort", entries)
