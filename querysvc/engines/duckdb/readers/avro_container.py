"""Avro's object container files: header, and blocks of records, one block in memory at a time."""

from __future__ import annotations

import bz2
import io
import json
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final  # Avro schemas are JSON documents

from querysvc.engines.duckdb.readers import raw_codecs
from querysvc.engines.duckdb.readers.damage import DamagedFileError

_MAGIC: Final = b"Obj\x01"
_SYNC_BYTES: Final = 16
_PIECE_BYTES: Final = 4 << 20
_METADATA_ENTRIES_MAX: Final = 10_000
_CHECKSUM_BYTES: Final = 4
_VARINT_BYTES_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class AvroHeader:
    """What a file says of itself."""

    schema: Any
    codec: str
    sync: bytes


def read_header(source: io.BufferedIOBase) -> AvroHeader:
    """Read the header; the source then stands at the first block."""
    if source.read(len(_MAGIC)) != _MAGIC:
        raise DamagedFileError("is not a valid Avro file")
    metadata: dict[str, bytes] = {}
    while count := _long(source):
        if count < 0:
            _long(source)  # the block's size, for those who skip it
            count = -count
        if count > _METADATA_ENTRIES_MAX:
            raise DamagedFileError("has a damaged header")
        for _ in range(count):
            name = _bytes(source).decode(errors="replace")
            metadata[name] = _bytes(source)
    try:
        schema = json.loads(metadata["avro.schema"])
    except (KeyError, ValueError, RecursionError) as error:
        raise DamagedFileError("has no readable schema in its header") from error
    codec = metadata.get("avro.codec", b"null").decode(errors="replace")
    if codec not in _CODECS:
        raise DamagedFileError(f"has codec {codec}, which is not supported")
    return AvroHeader(schema, codec, _exactly(source, _SYNC_BYTES))


def read_blocks(source: io.BufferedIOBase, header: AvroHeader) -> Iterator[tuple[int, bytes]]:
    """How many records each block holds, and their bytes, unpacked."""
    while source.peek(1):  # type: ignore[attr-defined]  # BufferedReader's
        count, size = _long(source), _long(source)
        if count < 0 or size < 0:
            raise DamagedFileError("has a block of a negative size")
        packed = _exactly(source, size)
        if _exactly(source, _SYNC_BYTES) != header.sync:
            raise DamagedFileError("has a block that does not end with its sync marker")
        try:
            yield count, _CODECS[header.codec](packed)
        except (OSError, lzma.LZMAError, EOFError) as error:
            raise DamagedFileError(f"has damaged {header.codec} data: {error}") from error


def encode_long(value: int) -> bytes:
    """A count of records as Avro writes it."""
    rest = value << 1
    encoded = bytearray()
    while rest > 0x7F:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


def _unsnap_checked(data: bytes) -> bytes:
    return raw_codecs.unsnap(data[:-_CHECKSUM_BYTES])


_CODECS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "null": lambda data: data,
    "deflate": raw_codecs.inflate,
    "snappy": _unsnap_checked,
    "zstandard": raw_codecs.unzstd,
    "bzip2": bz2.decompress,
    "xz": lzma.decompress,
}


def _long(source: io.BufferedIOBase) -> int:
    result = 0
    for position in range(_VARINT_BYTES_MAX):
        byte = _exactly(source, 1)[0]
        result |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return (result >> 1) ^ -(result & 1)
    raise DamagedFileError("has a number without an end")


def _bytes(source: io.BufferedIOBase) -> bytes:
    return _exactly(source, _long(source))


def _exactly(source: io.BufferedIOBase, size: int) -> bytes:
    """So many bytes, never asked for at once: the size is only what the file says."""
    data = bytearray()
    while len(data) < size and (piece := source.read(min(size - len(data), _PIECE_BYTES))):
        data += piece
    if len(data) != size:
        raise DamagedFileError("ends in the middle of a block")
    return bytes(data)
