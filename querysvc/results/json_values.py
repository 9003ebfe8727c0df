"""Rows as JSON values, in the forms of Trino's client protocol.

Numbers and booleans are JSON's; decimals, dates, times and intervals are texts; NaN and the
infinities are texts; varbinary is base64; arrays and rows are lists; maps are objects.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, TypeAlias

import pyarrow as pa

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import ResultColumn
from querysvc.results import temporal
from querysvc.results.columnar import Converter, convert_lists, convert_maps, convert_structs
from querysvc.results.text_values import java_double_text
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"


def json_rows(
    columns: tuple[ResultColumn, ...], batch: pa.RecordBatch
) -> Iterator[list[JsonValue]]:
    """The batch's rows, each a list of JSON values."""
    if not columns:
        return iter([[] for _ in range(batch.num_rows)])
    lists = [
        json_converter(column.type)(array)
        for column, array in zip(columns, batch.columns, strict=True)
    ]
    return map(list, zip(*lists, strict=True))


@lru_cache(maxsize=1024)
def json_converter(type_: TrinoType) -> Converter:
    """The converter of a type's columns."""
    scalar = _SCALARS.get(type_)
    if scalar is not None:
        return scalar
    build = _PARAMETRIC.get(type(type_))
    if build is None:
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED, f"Results of type {type_} are not supported"
        )
    return build(type_)


def _plain(array: pa.Array) -> list[Any]:
    values: list[Any] = array.to_pylist()
    return values


def _doubles(array: pa.Array) -> list[float | str | None]:
    return [
        value if value is None or math.isfinite(value) else _special(value)
        for value in array.to_pylist()
    ]


def _reals(array: pa.Array) -> list[float | str | None]:
    # By way of its shortest text, or 0.1 as a real would come out as 0.10000000149011612.
    return _doubles(array.cast(pa.string()).cast(pa.float64()))


def _special(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _base64(array: pa.Array) -> list[str | None]:
    return [
        None if value is None else base64.b64encode(value).decode() for value in array.to_pylist()
    ]


def _decimals(array: pa.Array) -> list[str | None]:
    return [None if value is None else format(value, "f") for value in array.to_pylist()]


def _nothing(array: pa.Array) -> list[None]:
    return [None] * len(array)


def _array(type_: algebra.Array) -> Converter:
    element = json_converter(type_.element)
    return lambda array: convert_lists(array, element)


def _map(type_: algebra.Map) -> Converter:
    key, value = json_converter(type_.key), json_converter(type_.value)

    def convert(array: pa.Array) -> list[Any]:
        return [
            None if pairs is None else {_key_text(name): item for name, item in pairs}
            for pairs in convert_maps(array, key, value)
        ]

    return convert


def _key_text(value: Any) -> str:
    """The key as Java's toString gives it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return java_double_text(repr(value))
    if isinstance(value, list):
        return f"[{', '.join(map(_key_text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}={_key_text(item)}' for key, item in value.items())}}}"
    return "null" if value is None else str(value)


def _row(type_: algebra.Row) -> Converter:
    fields = [json_converter(field.type) for field in type_.fields]

    def convert(array: pa.Array) -> list[Any]:
        return [None if row is None else list(row) for row in convert_structs(array, fields)]

    return convert


_SCALARS: dict[TrinoType, Converter] = {
    **dict.fromkeys((algebra.BOOLEAN, *algebra.INTEGER_TYPES), _plain),
    **dict.fromkeys((algebra.JSON, algebra.UUID, algebra.IPADDRESS), _plain),
    algebra.REAL: _reals,
    algebra.DOUBLE: _doubles,
    algebra.VARBINARY: _base64,
    algebra.DATE: temporal.date_texts,
    algebra.INTERVAL_DAY_TO_SECOND: temporal.day_interval_texts,
    algebra.INTERVAL_YEAR_TO_MONTH: temporal.month_interval_texts,
    algebra.UNKNOWN: _nothing,
}

# Any: each builder takes its own class of types, which is the key.
_PARAMETRIC: dict[type, Callable[[Any], Converter]] = {
    algebra.Varchar: lambda _: _plain,
    algebra.Char: lambda _: _plain,
    algebra.Decimal: lambda _: _decimals,
    algebra.Time: lambda type_: lambda array: temporal.time_texts(array, type_.precision),
    algebra.TimeTz: lambda type_: lambda array: temporal.time_tz_texts(array, type_.precision),
    algebra.Timestamp: (
        lambda type_: lambda array: temporal.timestamp_texts(array, type_.precision)
    ),
    algebra.TimestampTz: (
        lambda type_: lambda array: temporal.timestamp_tz_texts(array, type_.precision)
    ),
    algebra.Array: _array,
    algebra.Map: _map,
    algebra.Row: _row,
}
