"""Iceberg's fields in Parquet files: matched by id, nested ones too, and converted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final  # Arrow and DuckDB types are untyped

from querysvc.engines.duckdb.readers.base import FILE_INDEX
from querysvc.engines.duckdb.readers.physical import (
    Source,
    TypeMismatchError,
    convert,
    kind,
    parameter,
)
from querysvc.engines.duckdb.readers.sqltext import literal_text, quote_name, quote_text
from querysvc.plan import IcebergField
from querysvc.types import algebra

_FIELD_ID: Final = b"PARQUET:field_id"


def field_ids(schema: Any) -> tuple[int | None, ...]:
    """The ids of all of a Parquet schema's fields: files may differ in them alone."""
    return tuple(_walk(schema.to_arrow_schema()))


def _walk(fields: Iterable[Any]) -> Iterable[int | None]:
    for field in fields:
        yield _id(field)
        yield from _walk(_children(field.type))


def _id(field: Any) -> int | None:
    told = (field.metadata or {}).get(_FIELD_ID)
    return int(told) if told is not None else None


def _children(type_: Any) -> list[Any]:
    return [type_.field(index) for index in range(type_.num_fields)]


def matching(fields: Sequence[Any], wanted: IcebergField) -> int | None:
    """The index of the file's field; by name only where the file has no ids."""
    ids = [_id(field) for field in fields]
    if any(number is not None for number in ids):
        return ids.index(wanted.id) if wanted.id in ids else None
    names = [field.name for field in fields]
    return next((names.index(name) for name in wanted.names if name in names), None)


def each(texts: Sequence[str]) -> str:
    """SQL of what differs from file to file, given in the order of the part's files."""
    if len(set(texts)) == 1:
        return texts[0]
    return f"([{', '.join(texts)}])[{FILE_INDEX} + 1]"


def value_of(sql: str, physical: Any, stored: Any, wanted: IcebergField, source: Source) -> str:
    """SQL of a file's value in the wanted type (as physical.convert, but fields by id)."""
    match wanted.type:
        case algebra.Row():
            return _row(sql, physical, stored, wanted, source)
        case algebra.Array():
            return _array(sql, physical, stored, wanted, source)
        case algebra.Map():
            return _map(sql, physical, stored, wanted, source)
        case algebra.UUID if kind(physical) == "blob":
            return f"CAST(lower(hex({sql})) AS UUID)"  # fixed[16], as some writers put it
    return convert(sql, physical, wanted.type, source)


def _row(sql: str, physical: Any, stored: Any, wanted: IcebergField, source: Source) -> str:
    if kind(physical) != "struct":
        raise TypeMismatchError
    fields = _children(stored.type)
    parts = []
    for index, child in enumerate(wanted.children):
        place = matching(fields, child)
        if place is None:
            part = literal_text(child.default, child.type)
        else:
            name, inner = physical.children[place]
            extracted = f"struct_extract({sql}, {quote_text(name)})"
            part = value_of(extracted, inner, fields[place], child, source)
        parts.append(f"{quote_name(f'f{index}')} := {part}")
    return f"CASE WHEN {sql} IS NULL THEN NULL ELSE struct_pack({', '.join(parts)}) END"


def _array(sql: str, physical: Any, stored: Any, wanted: IcebergField, source: Source) -> str:
    if kind(physical) != "list":
        raise TypeMismatchError
    name = parameter(sql)
    element = stored.type.value_field
    inner = value_of(name, physical.children[0][1], element, wanted.children[0], source)
    return sql if inner == name else f"list_transform({sql}, lambda {name}: {inner})"


def _map(sql: str, physical: Any, stored: Any, wanted: IcebergField, source: Source) -> str:
    if kind(physical) != "map":
        raise TypeMismatchError
    (_, key), (_, item) = physical.children
    name = parameter(sql)
    fields = (stored.type.key_field, stored.type.item_field)
    new_key = value_of(f"{name}.key", key, fields[0], wanted.children[0], source)
    new_item = value_of(f"{name}.value", item, fields[1], wanted.children[1], source)
    if (new_key, new_item) == (f"{name}.key", f"{name}.value"):
        return sql
    entry = f"struct_pack(k := {new_key}, v := {new_item})"
    entries = f"list_transform(map_entries({sql}), lambda {name}: {entry})"
    return f"CASE WHEN {sql} IS NULL THEN NULL ELSE map_from_entries({entries}) END"
