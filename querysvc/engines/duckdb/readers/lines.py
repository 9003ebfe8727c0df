"""Text objects line by line, as Hadoop's text input splits them: for the exact path and for errors.

Lines end with LF, CR LF or CR; a byte order mark at the start is none of the first line's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from querysvc.engines.duckdb.readers.base import File, PlanReader
from querysvc.engines.duckdb.readers.compression import CODECS, UNREADABLE, unpacked
from querysvc.engines.duckdb.readers.damage import DamagedFileError
from querysvc.engines.duckdb.readers.object_file import ObjectFile
from querysvc.errors import ErrorCode, QueryServiceError

_CHUNK_BYTES: Final = 4 << 20
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def codec(file: File) -> str | None:
    """The compression that the key's extension tells, as Hadoop does; None for plain text."""
    key = file.stored.key.lower()
    for extension in UNREADABLE:
        if key.endswith(extension):
            raise QueryServiceError(
                ErrorCode.NOT_SUPPORTED, f"{file.stored.address}: compression {extension[1:]}"
            )
    return next((name for end, name in CODECS.items() if key.endswith(end)), None)


def read_lines(file: File, client: PlanReader) -> Iterator[tuple[int, bytes]]:
    """The file's lines with their numbers, from 1."""
    for number, _offset, line in read_placed_lines(file, client):
        yield number, line


def read_placed_lines(file: File, client: PlanReader) -> Iterator[tuple[int, int, bytes]]:
    """The file's lines with their numbers, from 1, and their offsets in the text."""
    number = offset = 0
    pending = b""
    for chunk in _chunks(file, client):
        text = pending + chunk
        if not number and not pending and text.startswith(_BYTE_ORDER_MARK):
            offset = len(_BYTE_ORDER_MARK)
            text = text[offset:]
        # What does not end with LF may go on: a CR at the end may be half of a CR LF.
        lines = text.splitlines(keepends=True)
        pending = b"" if not lines or lines[-1].endswith(b"\n") else lines.pop()
        for line in lines:
            number += 1
            yield number, offset, line.removesuffix(b"\n").removesuffix(b"\r")
            offset += len(line)
    for line in pending.splitlines(keepends=True):
        number += 1
        yield number, offset, line.removesuffix(b"\n").removesuffix(b"\r")
        offset += len(line)


def _chunks(file: File, client: PlanReader) -> Iterator[bytes]:
    name = codec(file)
    if name is None:
        for offset in range(0, file.stored.size, _CHUNK_BYTES):
            yield client.read(file.index, offset, _CHUNK_BYTES)
        return
    try:
        yield from unpacked(name, ObjectFile(file, client))
    except DamagedFileError as error:
        raise QueryServiceError(
            ErrorCode.HIVE_BAD_DATA, f"{file.stored.address}: {error}"
        ) from error
