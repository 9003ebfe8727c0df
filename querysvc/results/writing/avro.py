"""Avro object container files, by fastavro: every field may be null, types as Hive's SerDe has."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final  # Avro's schemas are JSON

import fastavro.write
import pyarrow as pa

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.results.columnar import Converter, convert_lists, convert_maps, convert_structs
from querysvc.types import algebra
from querysvc.types.algebra import VARCHAR, TrinoType
from querysvc.write_plan import Compression, WriteLayout

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CODECS: Final = {
    Compression.NONE: "null",
    Compression.DEFLATE: "deflate",
    Compression.SNAPPY: "snappy",
    Compression.ZSTD: "zstandard",
    Compression.BZIP2: "bzip2",
}
_ROWS_AT_ONCE: Final = 4096


class AvroFile:
    """An Avro file."""

    def __init__(self, layout: WriteLayout, path: Path) -> None:
        columns = layout.data_columns
        self._names = [column.name for column in columns]
        self._converters = [_converter(column.type) for column in columns]
        self._file = path.open("wb")
        self._writer = fastavro.write.Writer(
            self._file,
            _record("record", [(column.name, column.type) for column in columns], []),
            codec=_CODECS[layout.format.compression],
        )

    @property
    def size(self) -> int:
        """Bytes that are in the file so far."""
        return self._file.tell()

    def write(self, arrays: Sequence[pa.Array]) -> None:
        """Add rows."""
        for start in range(0, len(arrays[0]), _ROWS_AT_ONCE):
            columns = [
                convert(array.slice(start, _ROWS_AT_ONCE))
                for convert, array in zip(self._converters, arrays, strict=True)
            ]
            for row in zip(*columns, strict=True):
                self._writer.write(dict(zip(self._names, row, strict=True)))

    def close(self) -> None:
        """Write the last block."""
        self._writer.flush()
        self._file.close()


_PRIMITIVES: Final[dict[TrinoType, Any]] = {
    algebra.BOOLEAN: "boolean",
    **dict.fromkeys((algebra.TINYINT, algebra.SMALLINT, algebra.INTEGER), "int"),
    algebra.BIGINT: "long",
    algebra.REAL: "float",
    algebra.DOUBLE: "double",
    algebra.VARBINARY: "bytes",
    algebra.DATE: {"type": "int", "logicalType": "date"},
}


def _schema(type_: TrinoType, path: list[str]) -> Any:
    return ["null", _bare_schema(type_, path)]


def _bare_schema(type_: TrinoType, path: list[str]) -> Any:
    primitive = _PRIMITIVES.get(type_)
    if primitive is not None:
        return primitive
    match type_:
        case algebra.Decimal(precision, scale):
            logical = {"logicalType": "decimal", "precision": precision, "scale": scale}
            return {"type": "bytes", **logical}
        case algebra.Timestamp():
            return {"type": "long", "logicalType": "timestamp-millis"}
        case algebra.Array(element):
            return {"type": "array", "items": _schema(element, [*path, "element"])}
        case algebra.Map(key, value):
            if not isinstance(key, algebra.Varchar):
                raise _refused(
                    f"Column '{path[0]}' has a non-varchar map key, which is not supported by Avro"
                )
            return {"type": "map", "values": _schema(value, [*path, "value"])}
        case algebra.Row(fields):
            return _record(
                "_".join(["record", *path]),
                [(field.name or "", field.type) for field in fields],
                path,
            )
        case _:
            return "string"


def _record(name: str, fields: Sequence[tuple[str, TrinoType]], path: list[str]) -> Any:
    for field, _ in fields:
        if not _NAME.fullmatch(field):
            raise _refused(f"the name {field!r} is none that Avro can hold")
    return {
        "type": "record",
        "name": name,
        "fields": [
            {"name": field, "type": _schema(type_, [*path, field]), "default": None}
            for field, type_ in fields
        ],
    }


def _refused(message: str) -> QueryServiceError:
    return QueryServiceError(ErrorCode.NOT_SUPPORTED, message)


@lru_cache(maxsize=1024)
def _converter(type_: TrinoType) -> Converter:
    """Values as fastavro takes them; times as numbers, which it does not convert by its zone."""
    build = _BUILDERS.get(type(type_))
    if build is not None:
        return build(type_)
    number = pa.int32() if type_ == algebra.DATE else None
    return lambda array: (array.cast(number) if number else array).to_pylist()


def _timestamp(_: algebra.Timestamp) -> Converter:
    return lambda array: array.cast(pa.timestamp("ms")).cast(pa.int64()).to_pylist()


def _array(type_: algebra.Array) -> Converter:
    element = _converter(type_.element)
    return lambda array: convert_lists(array, element)


def _map(type_: algebra.Map) -> Converter:
    key, value = _converter(VARCHAR), _converter(type_.value)
    return lambda array: [
        None if pairs is None else dict(pairs) for pairs in convert_maps(array, key, value)
    ]


def _row(type_: algebra.Row) -> Converter:
    names = [field.name or "" for field in type_.fields]
    fields = [_converter(field.type) for field in type_.fields]
    return lambda array: [
        None if row is None else dict(zip(names, row, strict=True))
        for row in convert_structs(array, fields)
    ]


def _char(_: algebra.Char) -> Converter:
    return lambda array: [
        None if value is None else value.rstrip(" ") for value in array.to_pylist()
    ]


# Any: each builder takes its own class of types, which is the key.
_BUILDERS: Final[dict[type, Callable[[Any], Converter]]] = {
    algebra.Timestamp: _timestamp,
    algebra.Array: _array,
    algebra.Map: _map,
    algebra.Row: _row,
    algebra.Char: _char,
}
