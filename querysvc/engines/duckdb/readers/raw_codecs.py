"""Compressed blocks that carry no length of their own, as ORC, Avro and Hadoop store them."""

from __future__ import annotations

import zlib

import pyarrow as pa

from querysvc.engines.duckdb.readers.damage import DamagedFileError

_SIZE_BYTES_MAX = 5
_SNAPPY_RATIO_MAX = 64
"""A copy of at most 64 bytes takes two or more."""
_LONG_LENGTH = 15
_MATCH_BYTES_MIN = 4


def inflate(data: bytes) -> bytes:
    """Undo deflate without a header."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = stream.decompress(data) + stream.flush()
    except zlib.error as error:
        raise DamagedFileError(f"has damaged deflate data: {error}") from error
    if not stream.eof:
        raise DamagedFileError("has truncated deflate data")
    return plain


def unsnap(data: bytes) -> bytes:
    """Undo raw snappy, whose first bytes are the size of what follows."""
    size = 0
    for position, byte in enumerate(data[:_SIZE_BYTES_MAX]):
        size |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            break
    if size > len(data) * _SNAPPY_RATIO_MAX:
        raise DamagedFileError("has damaged snappy data: its size cannot be as it says")
    return _with_codec("snappy", data, size)


def unlz4(data: bytes, size: int | None = None) -> bytes:
    """Undo an LZ4 block; without its size, that is counted first."""
    return _with_codec("lz4_raw", data, lz4_size(data) if size is None else size)


def unzstd(data: bytes) -> bytes:
    """Undo a zstd frame."""
    return unpack_stream("zstd", data)


def unbzip2(data: bytes) -> bytes:
    """Undo bzip2."""
    return unpack_stream("bz2", data)


def lz4_size(data: bytes) -> int:
    """How long an LZ4 block is when it is unpacked: its sequences are walked."""
    size = at = 0
    try:
        while at < len(data):
            token = data[at]
            literals, at = _length(data, at + 1, token >> 4)
            size += literals
            at += literals + 2  # the match's offset
            if at >= len(data):
                break
            match, at = _length(data, at, token & 15)
            size += match + _MATCH_BYTES_MIN
    except IndexError as error:
        raise DamagedFileError("has damaged lz4 data") from error
    return size


def unpack_stream(name: str, data: bytes) -> bytes:
    """Undo a compression that pyarrow reads as a stream."""
    try:
        with pa.CompressedInputStream(pa.BufferReader(data), name) as stream:
            return bytes(stream.read())
    except OSError as error:
        raise DamagedFileError(f"has damaged {name} data: {error}") from error


def _length(data: bytes, at: int, length: int) -> tuple[int, int]:
    if length == _LONG_LENGTH:
        while True:
            byte = data[at]
            at += 1
            length += byte
            if byte != 255:
                break
    return length, at


def _with_codec(name: str, data: bytes, size: int) -> bytes:
    try:
        return bytes(pa.Codec(name).decompress(data, size, asbytes=True))
    except (OSError, pa.ArrowException) as error:
        raise DamagedFileError(f"has damaged {name} data: {error}") from error
