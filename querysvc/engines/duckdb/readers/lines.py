"""Text objects line by line, as Hadoop's text input splits them: for the exact path and for errors.

Lines end with LF, CR LF or CR; a byte order mark at the start is none of the first line's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from querysvc.engines.duckdb.readers.base import File, PlanReader
from querysvc.errors import ErrorCode, QueryServiceError

_CHUNK_BYTES: Final = 4 << 20
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
CODECS: Final = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".bz2": "bz2"}
_UNREADABLE: Final = (".snappy", ".lz4", ".lzo", ".deflate", ".xz", ".br", ".zip")


def codec(file: File) -> str | None:
    """The compression that the key's extension tells, as Hadoop does; None for plain text."""
    key = file.stored.key.lower()
    for extension in _UNREADABLE:
        if key.endswith(extension):
            raise QueryServiceError(
                ErrorCode.NOT_SUPPORTED, f"{file.stored.address}: compression {extension[1:]}"
            )
    return next((name for end, name in CODECS.items() if key.endswith(end)), None)


def read_lines(file: File, client: PlanReader) -> Iterator[tuple[int, bytes]]:
    """The file's lines with their numbers, from 1."""
    number = 0
    pending = b""
    for chunk in _chunks(file, client):
        text = pending + chunk if number or pending else chunk.removeprefix(_BYTE_ORDER_MARK)
        # What does not end with LF may go on: a CR at the end may be half of a CR LF.
        lines = text.splitlines(keepends=True)
        pending = b"" if lines[-1].endswith(b"\n") else lines.pop()
        for line in lines:
            number += 1
            yield number, line.removesuffix(b"\n").removesuffix(b"\r")
    for line in pending.splitlines():
        number += 1
        yield number, line


def _chunks(file: File, client: PlanReader) -> Iterator[bytes]:
    name = codec(file)
    if name is None:
        for offset in range(0, file.stored.size, _CHUNK_BYTES):
            yield client.read(file.index, offset, _CHUNK_BYTES)
        return
    source = pa.PythonFile(_ObjectFile(file, client), mode="r")
    try:
        with pa.CompressedInputStream(source, name) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise QueryServiceError(
            ErrorCode.HIVE_BAD_DATA, f"{file.stored.address}: damaged {name} data: {error}"
        ) from error


class _ObjectFile:
    """A sequential reader over an object, in Python's file form."""

    def __init__(self, file: File, client: PlanReader) -> None:
        self._file = file
        self._client = client
        self._offset = 0
        self.closed = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def writable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        length = size if size >= 0 else self._file.stored.size
        data = self._client.read(self._file.index, self._offset, length)
        self._offset += len(data)
        return data

    def close(self) -> None:
        self.closed = True
