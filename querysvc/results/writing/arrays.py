"""Spooled batches as files hold them: the columns' names, Hive's precision, text that fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any  # Arrow is untyped

import pyarrow as pa
import pyarrow.compute as pc

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import ResultColumn
from querysvc.results.arrow_values import public_batch, public_schema
from querysvc.types import algebra
from querysvc.write_plan import WrittenColumn


def fitted(column: WrittenColumn, array: pa.Array) -> pa.Array:
    """The column's values in its own type; INVALID_CAST_ARGUMENT where text would be cut."""
    type_ = column.type
    if column.source_type == type_:
        return array
    length = type_.length if isinstance(type_, algebra.Varchar | algebra.Char) else None
    if length is None:
        return array
    trimmed = pc.ascii_rtrim(array, " ")
    longest = pc.max(pc.utf8_length(trimmed)).as_py()
    if longest is not None and longest > length:
        raise QueryServiceError(
            ErrorCode.INVALID_CAST_ARGUMENT,
            "Cannot truncate non-space characters when casting from"
            f" {column.source_type} to {type_} on INSERT",
        )
    if isinstance(type_, algebra.Char):
        return pc.utf8_rpad(trimmed, length, " ")
    return pc.utf8_slice_codeunits(array, 0, length)


def file_schema(columns: Sequence[WrittenColumn]) -> pa.Schema:
    """The Arrow schema of binary files."""
    fields = public_schema(tuple(ResultColumn(column.name, column.type) for column in columns))
    return pa.schema([pa.field(field.name, _stored(field.type)) for field in fields])


def file_batch(
    columns: Sequence[WrittenColumn], schema: pa.Schema, arrays: Sequence[pa.Array]
) -> pa.RecordBatch:
    """Fitted arrays in the files' schema; chars without the spaces that readers add."""
    result = tuple(ResultColumn(column.name, column.type) for column in columns)
    bare = [
        pc.ascii_rtrim(array, " ") if isinstance(column.type, algebra.Char) else array
        for column, array in zip(columns, arrays, strict=True)
    ]
    batch = pa.RecordBatch.from_arrays(bare, names=[str(i) for i in range(len(bare))])
    return public_batch(result, schema, batch)


def _stored(type_: Any) -> Any:
    """The type with timestamps of Hive's precision, milliseconds, however deep."""
    if pa.types.is_timestamp(type_):
        return pa.timestamp("ms")
    if pa.types.is_list(type_):
        return pa.list_(_stored(type_.value_type))
    if pa.types.is_map(type_):
        return pa.map_(_stored(type_.key_type), _stored(type_.item_type))
    if pa.types.is_struct(type_):
        return pa.struct([pa.field(field.name, _stored(field.type)) for field in type_])
    return type_
