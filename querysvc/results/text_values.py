"""Rows as Athena's texts: what GetQueryResults and the result CSV hold.

Doubles are Java's, varbinary is hexadecimal bytes with spaces between, arrays are [1, 2], maps
{1=2}, rows {a=1}; times have at least three digits, and more where the type does, so that no digit
is lost. A NULL inside a nested value is the word null; a whole NULL is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import pyarrow as pa

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import ResultColumn
from querysvc.results import temporal
from querysvc.results.columnar import Converter, convert_lists, convert_maps, convert_structs
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

_DIGITS_MIN = 3


def text_rows(
    columns: tuple[ResultColumn, ...], batch: pa.RecordBatch
) -> Iterator[tuple[str | None, ...]]:
    """The batch's rows, each a tuple of texts."""
    if not columns:
        return iter([() for _ in range(batch.num_rows)])
    lists = [
        text_converter(column.type)(array)
        for column, array in zip(columns, batch.columns, strict=True)
    ]
    return zip(*lists, strict=True)


@lru_cache(maxsize=1024)
def text_converter(type_: TrinoType) -> Converter:
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


def java_double_text(shortest: str) -> str:
    """Java's text of a number, from its shortest decimal digits (any notation)."""
    sign = "-" if shortest.startswith("-") else ""
    mantissa, _, exponent_text = shortest.lstrip("-").lower().partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading_zeros = len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    if not digits:
        return f"{sign}0.0"
    # value = 0.digits * 10^point
    point = len(whole) - leading_zeros + int(exponent_text or 0)
    if -3 < point <= 7:
        if point <= 0:
            return f"{sign}0.{'0' * -point}{digits}"
        padded = digits.ljust(point, "0")
        return f"{sign}{padded[:point]}.{padded[point:] or '0'}"
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{point - 1}"


def _plain(array: pa.Array) -> list[Any]:
    values: list[Any] = array.to_pylist()
    return values


def _booleans(array: pa.Array) -> list[str | None]:
    return [None if value is None else str(value).lower() for value in array.to_pylist()]


def _integers(array: pa.Array) -> list[str | None]:
    values: list[str | None] = array.cast(pa.string()).to_pylist()
    return values


def _doubles(array: pa.Array) -> list[str | None]:
    return [None if value is None else _double(value) for value in array.to_pylist()]


def _double(value: float) -> str:
    if math.isfinite(value):
        return java_double_text(repr(value))
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _reals(array: pa.Array) -> list[str | None]:
    return _doubles(array.cast(pa.string()).cast(pa.float64()))


def _binaries(array: pa.Array) -> list[str | None]:
    return [None if value is None else value.hex(" ") for value in array.to_pylist()]


def _decimals(array: pa.Array) -> list[str | None]:
    return [None if value is None else format(value, "f") for value in array.to_pylist()]


def _nothing(array: pa.Array) -> list[None]:
    return [None] * len(array)


def _or_null(text: str | None) -> str:
    return "null" if text is None else text


def _array(type_: algebra.Array) -> Converter:
    element = text_converter(type_.element)

    def convert(array: pa.Array) -> list[Any]:
        return [
            None if items is None else f"[{', '.join(map(_or_null, items))}]"
            for items in convert_lists(array, element)
        ]

    return convert


def _map(type_: algebra.Map) -> Converter:
    key, value = text_converter(type_.key), text_converter(type_.value)

    def convert(array: pa.Array) -> list[Any]:
        return [
            None
            if pairs is None
            else f"{{{', '.join(f'{_or_null(name)}={_or_null(item)}' for name, item in pairs)}}}"
            for pairs in convert_maps(array, key, value)
        ]

    return convert


def _row(type_: algebra.Row) -> Converter:
    fields = [text_converter(field.type) for field in type_.fields]
    names = [field.name or f"field{index}" for index, field in enumerate(type_.fields)]

    def text(row: tuple[str | None, ...]) -> str:
        items = (f"{name}={_or_null(item)}" for name, item in zip(names, row, strict=True))
        return f"{{{', '.join(items)}}}"

    def convert(array: pa.Array) -> list[Any]:
        return [None if row is None else text(row) for row in convert_structs(array, fields)]

    return convert


def _digits(
    type_: algebra.Time | algebra.TimeTz | algebra.Timestamp | algebra.TimestampTz,
) -> int:
    return max(_DIGITS_MIN, type_.precision)


_SCALARS: dict[TrinoType, Converter] = {
    **dict.fromkeys(algebra.INTEGER_TYPES, _integers),
    **dict.fromkeys((algebra.JSON, algebra.UUID, algebra.IPADDRESS), _plain),
    algebra.BOOLEAN: _booleans,
    algebra.REAL: _reals,
    algebra.DOUBLE: _doubles,
    algebra.VARBINARY: _binaries,
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
    algebra.Time: lambda type_: lambda array: temporal.time_texts(array, _digits(type_)),
    algebra.TimeTz: lambda type_: lambda array: temporal.time_tz_texts(array, _digits(type_)),
    algebra.Timestamp: lambda type_: lambda array: temporal.timestamp_texts(array, _digits(type_)),
    algebra.TimestampTz: (
        lambda type_: lambda array: temporal.timestamp_tz_texts(array, _digits(type_))
    ),
    algebra.Array: _array,
    algebra.Map: _map,
    algebra.Row: _row,
}
