"""The `.metadata` object beside a result: a small protobuf that Athena's JDBC driver reads.

Fields, as clients decode them: 1 string query id; 4 repeated message {1 catalog, 2 schema,
3 table, 4 name, 5 label, 6 type (strings), 7 precision, 8 scale, 9 nullable (3 unknown),
10 case sensitive (varints)}. It is too small to need a protobuf library.
"""

from __future__ import annotations

from querysvc.model import ResultColumn
from querysvc.results.column_info import column_info

_UNKNOWN_NULLABLE = 3
_VARINT, _BYTES = 0, 2


def encode_metadata(query_id: str, columns: tuple[ResultColumn, ...]) -> bytes:
    """The object's bytes."""
    parts = [_bytes(1, query_id.encode())]
    parts += [_bytes(4, _column(column)) for column in columns]
    return b"".join(parts)


def _column(column: ResultColumn) -> bytes:
    info = column_info(column)
    name = info.name.encode()
    return b"".join(
        [
            _bytes(1, b"hive"),
            _bytes(2, b""),
            _bytes(3, b""),
            _bytes(4, name),
            _bytes(5, name),
            _bytes(6, info.type.encode()),
            _number(7, info.precision),
            _number(8, info.scale),
            _number(9, _UNKNOWN_NULLABLE),
            _number(10, int(info.is_case_sensitive)),
        ]
    )


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(len(data)) + data


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(value)


def _varint(value: int) -> bytes:
    assert value >= 0, "only counts are written"
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
