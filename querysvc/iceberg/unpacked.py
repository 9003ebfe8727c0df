"""How much memory metadata may take: files that others write are unpacked in the API process."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from typing import Final

import zstandard

from querysvc.errors import ErrorCode, QueryServiceError

UNPACKED_BYTES_MAX: Final = 256 << 20
"""Of one metadata file, manifest list or manifest; writers keep manifests at some 8 MB."""
_ENTRIES_MAX: Final = 500_000
_AVRO: Final = b"Obj\x01"
_GZIP: Final = b"\x1f\x8b"
_STEP: Final = 1 << 20
_SYNC_BYTES: Final = 16


def check_unpacked(data: bytes, where: str) -> None:
    """ICEBERG_INVALID_METADATA of what unpacks to more than it may, or is damaged."""
    try:
        for size in _sizes(data):
            if size > UNPACKED_BYTES_MAX:
                raise _bad(where, f"unpacks to more than {UNPACKED_BYTES_MAX} bytes")
    except (ValueError, IndexError, zlib.error, zstandard.ZstdError) as error:
        raise _bad(where, f"is damaged: {error}") from error


def _sizes(data: bytes) -> Iterator[int]:
    """The running total of unpacked bytes."""
    if data.startswith(_GZIP):
        yield from _inflated(data, 31)
    elif data.startswith(_AVRO):
        total = 0
        for codec, block in _avro_blocks(data):
            size = 0
            for size in _BLOCKS[codec](block):
                yield total + size
            total += size
    else:
        yield len(data)


def _avro_blocks(data: bytes) -> Iterator[tuple[str, bytes]]:
    codec, at = _avro_header(data)
    entries = 0
    while at < len(data):
        count, at = _long(data, at)
        size, at = _long(data, at)
        entries += count
        if size < 0 or count < 0 or at + size + _SYNC_BYTES > len(data):
            raise ValueError("a block ends beyond the file")
        if entries > _ENTRIES_MAX:
            raise ValueError(f"more than {_ENTRIES_MAX} entries")
        yield codec, data[at : at + size]
        at += size + _SYNC_BYTES


def _avro_header(data: bytes) -> tuple[str, int]:
    """The codec's name, and where the first block begins."""
    codec, at = "null", len(_AVRO)
    while True:
        count, at = _long(data, at)
        if count == 0:
            break
        if count < 0:
            _size, at = _long(data, at)
        for _ in range(abs(count)):
            key, at = _bytes(data, at)
            value, at = _bytes(data, at)
            if key == b"avro.codec":
                codec = value.decode("ascii", "replace")
    if codec not in _BLOCKS:
        raise ValueError(f"codec {codec} is not supported")
    if at + _SYNC_BYTES > len(data):
        raise ValueError("its header ends beyond the file")
    return codec, at + _SYNC_BYTES


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _long(data, at)
    if size < 0 or at + size > len(data):
        raise ValueError("a text ends beyond the file")
    return data[at : at + size], at + size


def _long(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        if shift > 63:
            raise ValueError("a number is too long")


def _inflated(block: bytes, window_bits: int = -15) -> Iterator[int]:
    inflater, total = zlib.decompressobj(window_bits), 0
    while block and not inflater.eof:
        total += len(inflater.decompress(block, _STEP))
        block = inflater.unconsumed_tail
        yield total


def _snappy(block: bytes) -> Iterator[int]:
    """Its size is told at its begin, as an unsigned number."""
    size = shift = 0
    for byte in block[:5]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    yield size


def _zstd(block: bytes) -> Iterator[int]:
    total = 0
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(block)) as reader:
        while chunk := reader.read(_STEP):
            total += len(chunk)
            yield total


def _plain(block: bytes) -> Iterator[int]:
    yield len(block)


_BLOCKS: Final[dict[str, Callable[[bytes], Iterator[int]]]] = {
    "null": _plain,
    "deflate": _inflated,
    "snappy": _snappy,
    "zstandard": _zstd,
}


def _bad(where: str, what: str) -> QueryServiceError:
    return QueryServiceError(ErrorCode.ICEBERG_INVALID_METADATA, f"{where} {what}")
