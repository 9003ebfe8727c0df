"""Avro object container files: rows by fastavro, types as Hive's SerDe has, all nullable."""

from __future__ import annotations

import bz2
import io
import re
import secrets
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final  # Avro's schemas are JSON

import fastavro
import orjson
import pyarrow as pa

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.results.columnar import Converter, convert_lists, convert_maps, convert_structs
from querysvc.types import algebra
from querysvc.types.algebra import VARCHAR, TrinoType
from querysvc.write_plan import Compression, WriteLayout

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAGIC: Final = b"Obj\x01"
_SYNC_BYTES: Final = 16
_ROWS_AT_ONCE: Final = 4096
_BLOCK_BYTES: Final = 1 << 20


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def _snapped(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, codec="snappy", asbytes=True)
    return packed + zlib.crc32(data).to_bytes(4, "big")


def _zstandard(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return packed


_CODECS: Final[dict[Compression, tuple[str, Callable[[bytes], bytes]]]] = {
    Compression.NONE: ("null", lambda data: data),
    Compression.DEFLATE: ("deflate", _deflated),
    Compression.SNAPPY: ("snappy", _snapped),
    Compression.ZSTD: ("zstandard", _zstandard),
    Compression.BZIP2: ("bzip2", bz2.compress),
}


class AvroFile:
    """An Avro file: blocks of about a megabyte, packed here, since fastavro lacks some codecs."""

    def __init__(self, layout: WriteLayout, path: Path) -> None:
        columns = layout.data_columns
        self._names = [column.name for column in columns]
        self._converters = [_converter(column.type) for column in columns]
        schema = _record("record", [(column.name, column.type) for column in columns], [])
        self._schema = fastavro.parse_schema(schema)
        name, self._pack = _CODECS[layout.format.compression]
        self._sync = secrets.token_bytes(_SYNC_BYTES)
        self._block, self._rows = io.BytesIO(), 0
        self._file = path.open("wb")
        meta = {"avro.schema": orjson.dumps(schema), "avro.codec": name.encode()}
        self._file.write(_MAGIC + _map_bytes(meta) + self._sync)

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
                record = dict(zip(self._names, row, strict=True))
                fastavro.schemaless_writer(self._block, self._schema, record)
                self._rows += 1
                if self._block.tell() >= _BLOCK_BYTES:
                    self._flush()

    def close(self) -> None:
        """Write the last block."""
        if self._rows:
            self._flush()
        self._file.close()

    def _flush(self) -> None:
        packed = self._pack(self._block.getvalue())
        self._file.write(_long(self._rows) + _long(len(packed)) + packed + self._sync)
        self._block, self._rows = io.BytesIO(), 0


def _map_bytes(entries: dict[str, bytes]) -> bytes:
    pairs = b"".join(
        _long(len(key)) + key.encode() + _long(len(value)) + value for key, value in entries.items()
    )
    return _long(len(entries)) + pairs + _long(0)


def _long(value: int) -> bytes:
    """Avro's zig-zag number, of one that is not negative."""
    rest, encoded = value << 1, bytearray()
    while rest > 0x7F:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


_PRIMITIVES: Final[dict[TrinoType, Any]] = {
    algebra.BOOLEAN: "boolean",
    algebra.INTEGER: "int",
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
    if type_ in (algebra.TINYINT, algebra.SMALLINT):
        raise _refused(
            f"Column '{path[0]}' is {type_}, which is not supported by Avro. Use integer instead."
        )
    match type_:
        case algebra.Decimal(precision, scale):
            logical = {"logicalType": "decimal", "precision": precision, "scale": scale}
            return {"type": "bytes", **logical}
        case algebra.Timestamp():
            return {"type": "long", "logicalType": "timestamp-millis"}
        case algebra.Array(element):
            return {"type": "array", "items": _schema(element, [*path, "element"])}
        case algebra.Map(key, value):
            if key != VARCHAR:  # Hive's SerDe and Trino take string keys only
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
