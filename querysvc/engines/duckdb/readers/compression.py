"""Compressed text objects, unpacked piece by piece: what DuckDB's readers cannot open themselves.

Hadoop's own framing of snappy and lz4 is a sequence of blocks: the block's size, then compressed
chunks, each with its size, until they fill the block; sizes are big-endian numbers of four bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from io import RawIOBase
from typing import Final

import pyarrow as pa

from querysvc.engines.duckdb.readers import raw_codecs
from querysvc.engines.duckdb.readers.damage import DamagedFileError

CODECS: Final = {
    ".gz": "gzip",
    ".gzip": "gzip",
    ".zst": "zstd",
    ".bz2": "bz2",
    ".snappy": "snappy",
    ".lz4": "lz4",
    ".deflate": "deflate",
}
"""By the key's extension, as Hadoop tells them."""
UNREADABLE: Final = (".lzo", ".lzo_deflate", ".xz", ".br", ".zip")
_PIECE_BYTES: Final = 4 << 20
_BLOCK_BYTES_MAX: Final = 256 << 20
_LZ4_FRAME: Final = b"\x04\x22\x4d\x18"
_SNAPPY_FRAME: Final = b"\xff\x06\x00\x00sNaPpY"


def unpacked(name: str, source: RawIOBase) -> Iterator[bytes]:
    """The plain bytes of a compressed object; raises DamagedFileError."""
    special = _SPECIAL.get(name)
    pieces = _streamed(name, source) if special is None else special(source)
    yield from filter(None, pieces)


def _streamed(name: str, source: RawIOBase) -> Iterator[bytes]:
    try:
        with pa.CompressedInputStream(pa.PythonFile(source, mode="r"), name) as stream:
            while chunk := stream.read(_PIECE_BYTES):
                yield chunk
    except OSError as error:
        raise DamagedFileError(f"damaged {name} data: {error}") from error


def _deflate(source: RawIOBase) -> Iterator[bytes]:
    """Hadoop's DefaultCodec: zlib's format."""
    stream = zlib.decompressobj()
    try:
        while data := source.read(_PIECE_BYTES):
            while data:
                yield stream.decompress(data, _PIECE_BYTES)
                data = stream.unconsumed_tail
        yield stream.flush()
    except zlib.error as error:
        raise DamagedFileError(f"damaged deflate data: {error}") from error
    if not stream.eof:
        raise DamagedFileError("truncated deflate data")


def _lz4(source: RawIOBase) -> Iterator[bytes]:
    head = source.read(len(_LZ4_FRAME))
    source.seek(0)
    if head == _LZ4_FRAME:
        yield from _streamed("lz4", source)
    else:
        yield from _hadoop_blocks("lz4", source, raw_codecs.unlz4)


def _snappy(source: RawIOBase) -> Iterator[bytes]:
    head = source.read(len(_SNAPPY_FRAME))
    source.seek(0)
    if head == _SNAPPY_FRAME:
        raise DamagedFileError("snappy's own framing, where Hadoop's is expected")
    yield from _hadoop_blocks("snappy", source, raw_codecs.unsnap)


def _hadoop_blocks(
    name: str, source: RawIOBase, unpack: Callable[[bytes], bytes]
) -> Iterator[bytes]:
    while head := source.read(4) or b"":
        left = _size(name, head)
        while left > 0:
            packed = _size(name, source.read(4) or b"")
            data = source.read(packed) or b""
            if len(data) != packed:
                raise DamagedFileError(f"truncated {name} data")
            plain = unpack(data)
            left -= len(plain)
            if left < 0 or not plain:
                raise DamagedFileError(
                    f"damaged {name} data: a block has another size than it says"
                )
            yield plain


def _size(name: str, head: bytes) -> int:
    size = int.from_bytes(head, "big")
    if len(head) != 4 or size > _BLOCK_BYTES_MAX:
        raise DamagedFileError(f"damaged {name} data: it is not in Hadoop's blocks")
    return size


_SPECIAL: Final[dict[str, Callable[[RawIOBase], Iterator[bytes]]]] = {
    "deflate": _deflate,
    "lz4": _lz4,
    "snappy": _snappy,
}
