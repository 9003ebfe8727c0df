"""Batches as other programs want them: the columns' own names, and Arrow's own types.

The spool's form of zoned times is a pair; Arrow and Parquet readers get the instant in UTC, which
is what Trino's Parquet writer keeps too. Each field's metadata names its Trino type.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from querysvc.model import ResultColumn
from querysvc.results.json_values import json_converter
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

_MICROSECOND_PRECISION = 6  # finer timestamps are texts
_PLAIN: dict[TrinoType, pa.DataType] = {
    algebra.BOOLEAN: pa.bool_(),
    algebra.TINYINT: pa.int8(),
    algebra.SMALLINT: pa.int16(),
    algebra.INTEGER: pa.int32(),
    algebra.BIGINT: pa.int64(),
    algebra.REAL: pa.float32(),
    algebra.DOUBLE: pa.float64(),
    algebra.VARBINARY: pa.binary(),
    algebra.DATE: pa.date32(),
    algebra.INTERVAL_DAY_TO_SECOND: pa.int64(),
    algebra.INTERVAL_YEAR_TO_MONTH: pa.int32(),
    algebra.UNKNOWN: pa.null(),
}


def public_schema(columns: tuple[ResultColumn, ...]) -> pa.Schema:
    """The schema that readers of Arrow and Parquet results see."""
    return pa.schema(
        [
            pa.field(
                column.name,
                _public_type(column.type),
                metadata={"trino.type": column.type.wire_name},
            )
            for column in columns
        ]
    )


def public_batch(
    columns: tuple[ResultColumn, ...], schema: pa.Schema, batch: pa.RecordBatch
) -> pa.RecordBatch:
    """The batch in that schema."""
    arrays = [
        _public_array(column.type, array)
        for column, array in zip(columns, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(
        [array.cast(field.type) for array, field in zip(arrays, schema, strict=True)],
        schema=schema,
    )


def _public_type(type_: TrinoType) -> pa.DataType:
    if type_ in _PLAIN:
        return _PLAIN[type_]
    match type_:
        case algebra.Decimal(precision, scale):
            return pa.decimal128(precision, scale)
        case algebra.Time():
            return pa.time64("us")
        case algebra.Timestamp(precision) if precision <= _MICROSECOND_PRECISION:
            return pa.timestamp("us")
        case algebra.TimestampTz(precision) if precision <= _MICROSECOND_PRECISION:
            return pa.timestamp("us", "UTC")
        case algebra.Array(element):
            return pa.list_(_public_type(element))
        case algebra.Map(key, value):
            return pa.map_(_public_type(key), _public_type(value))
        case algebra.Row(fields):
            return pa.struct(
                [
                    pa.field(field.name or f"field{index}", _public_type(field.type))
                    for index, field in enumerate(fields)
                ]
            )
        case _:
            return pa.string()


def _public_array(type_: TrinoType, array: pa.Array) -> pa.Array:
    match type_:
        case algebra.UNKNOWN:
            return pa.nulls(len(array))
        case algebra.TimestampTz(precision) if precision <= _MICROSECOND_PRECISION:
            return array.flatten()[0].cast(pa.timestamp("us", "UTC"))
        case algebra.TimeTz():
            return pa.array(json_converter(type_)(array), pa.string())
        case algebra.Array(element):
            values = _public_array(element, array.flatten())
            return pa.ListArray.from_arrays(_offsets(array), values, mask=array.is_null())
        case algebra.Map(key, value):
            offsets = array.offsets
            start, length = offsets[0].as_py(), offsets[-1].as_py() - offsets[0].as_py()
            keys = _public_array(key, array.keys.slice(start, length))
            items = _public_array(value, array.items.slice(start, length))
            starts = pc.subtract(offsets, pa.scalar(start, pa.int32()))
            return pa.MapArray.from_arrays(starts, keys, items, mask=array.is_null())
        case algebra.Row(fields):
            children = [
                _public_array(field.type, child)
                for field, child in zip(fields, array.flatten(), strict=True)
            ]
            return pa.StructArray.from_arrays(
                children, fields=list(_public_type(type_)), mask=array.is_null()
            )
        case _:
            return array.cast(_public_type(type_))


def _offsets(array: pa.ListArray) -> pa.Array:
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    return pa.concat_arrays(
        [pa.array([0], pa.int32()), pc.cumulative_sum(lengths).cast(pa.int32())]
    )
