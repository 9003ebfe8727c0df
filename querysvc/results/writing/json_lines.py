"""JSON objects, one a line: hcatalog's and openx' JSON SerDes read them.

Forms as Trino writes them: decimals are numbers with all digits, times are texts, binary is base64,
maps and rows are objects; NaN and the infinities, which JSON has not, are refused.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final  # JSON values of every kind

import orjson
import pyarrow as pa

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.results.columnar import Converter, convert_lists, convert_maps, convert_structs
from querysvc.results.text_values import text_converter
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc.write_plan import WrittenColumn


class JsonLines:
    """Encodes rows as objects; keys are the columns' names, or what the SerDe maps them to."""

    def __init__(self, columns: Sequence[WrittenColumn], mapping: Mapping[str, str]) -> None:
        self._keys = [mapping.get(column.name, column.name) for column in columns]
        self._converters = [json_value_converter(column.type) for column in columns]

    def lines(self, arrays: Sequence[pa.Array]) -> Iterator[bytes]:
        """The rows' lines."""
        columns = [convert(array) for convert, array in zip(self._converters, arrays, strict=True)]
        for row in zip(*columns, strict=True):
            document = dict(zip(self._keys, row, strict=True))
            yield orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


@lru_cache(maxsize=1024)
def json_value_converter(type_: TrinoType) -> Converter:
    """The converter of a type's columns."""
    build = _BUILDERS.get(type(type_))
    if build is not None:
        return build(type_)
    return _SCALARS.get(type_) or text_converter(type_)


def _plain(array: pa.Array) -> list[Any]:
    values: list[Any] = array.to_pylist()
    return values


def _doubles(array: pa.Array) -> list[Any]:
    texts = text_converter(algebra.DOUBLE)(array)
    return [_number(value, text) for value, text in zip(array.to_pylist(), texts, strict=True)]


def _reals(array: pa.Array) -> list[Any]:
    texts = text_converter(algebra.REAL)(array)
    return [_number(value, text) for value, text in zip(array.to_pylist(), texts, strict=True)]


def _number(value: float | None, text: str) -> Any:
    if value is None:
        return None
    if not math.isfinite(value):
        raise QueryServiceError(
            ErrorCode.HIVE_UNSERIALIZABLE_JSON_VALUE, f"Invalid value to Insert: {text}"
        )
    return orjson.Fragment(text)


def base64_texts(array: pa.Array) -> list[str | None]:
    """Binary values in base64."""
    return [
        None if value is None else base64.b64encode(value).decode() for value in array.to_pylist()
    ]


def _decimal(type_: algebra.Decimal) -> Converter:
    convert = text_converter(type_)
    return lambda array: [
        None if text is None else orjson.Fragment(text) for text in convert(array)
    ]


def _array(type_: algebra.Array) -> Converter:
    element = json_value_converter(type_.element)
    return lambda array: convert_lists(array, element)


def _map(type_: algebra.Map) -> Converter:
    key, value = text_converter(type_.key), json_value_converter(type_.value)
    return lambda array: [
        None if pairs is None else dict(pairs) for pairs in convert_maps(array, key, value)
    ]


def _row(type_: algebra.Row) -> Converter:
    names = [field.name or "" for field in type_.fields]
    fields = [json_value_converter(field.type) for field in type_.fields]
    return lambda array: [
        None if row is None else dict(zip(names, row, strict=True))
        for row in convert_structs(array, fields)
    ]


_SCALARS: Final[dict[TrinoType, Converter]] = {
    **dict.fromkeys((algebra.BOOLEAN, *algebra.INTEGER_TYPES), _plain),
    algebra.REAL: _reals,
    algebra.DOUBLE: _doubles,
    algebra.VARBINARY: base64_texts,
}
# Any: each builder takes its own class of types, which is the key.
_BUILDERS: Final[dict[type, Callable[[Any], Converter]]] = {
    algebra.Decimal: _decimal,
    algebra.Array: _array,
    algebra.Map: _map,
    algebra.Row: _row,
}
