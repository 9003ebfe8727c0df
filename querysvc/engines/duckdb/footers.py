"""Parquet footers: one tail request a file, kept across queries by what they were read from."""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final  # pyarrow is untyped

import pyarrow as pa
import pyarrow.parquet as pq

from querysvc.engines.duckdb.readers.base import File, PlanReader
from querysvc.errors import ErrorCode, QueryServiceError

TAIL_BYTES: Final = 64 << 10
"""Read of every file, also where the footer's size is known: DuckDB itself begins with the last
16 KiB, and what a query reads should not depend on what its worker happens to remember."""
_MAGIC: Final = b"PAR1"
_ENCRYPTED_MAGIC: Final = b"PARE"
_SUFFIX_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Footer:
    """A file's metadata; `size` is that of the footer with its suffix."""

    metadata: Any
    size: int


class FooterReader:
    """Reads footers, many at a time, and remembers the latest ones."""

    def __init__(self, cache_bytes_max: int) -> None:
        self._cache: OrderedDict[str, Footer] = OrderedDict()
        self._cached_bytes = 0
        self._cache_bytes_max = cache_bytes_max

    def read(self, files: Sequence[File], client: PlanReader) -> list[Footer]:
        """The files' footers, in order; they stay in the window for the engine to read again."""
        wanted = []
        for file in files:
            known = self._cache.get(client.identity(file.index))
            tail = min(file.stored.size, max(known.size if known else 0, TAIL_BYTES))
            wanted.append((file.index, file.stored.size - tail, tail))
        client.prefetch(wanted, is_kept=True)
        return [self._one(file, client) for file in files]

    def _one(self, file: File, client: PlanReader) -> Footer:
        identity = client.identity(file.index)
        footer = self._cache.get(identity)
        if footer is not None:
            self._cache.move_to_end(identity)
            return footer
        footer = _read(file, client)
        self._remember(identity, footer)
        return footer

    def _remember(self, identity: str, footer: Footer) -> None:
        self._cache[identity] = footer
        self._cached_bytes += footer.size
        while self._cached_bytes > self._cache_bytes_max and len(self._cache) > 1:
            _identity, oldest = self._cache.popitem(last=False)
            self._cached_bytes -= oldest.size


def _read(file: File, client: PlanReader) -> Footer:
    size = file.stored.size
    tail = client.read(file.index, max(size - TAIL_BYTES, 0), TAIL_BYTES)
    if len(tail) < _SUFFIX_BYTES + len(_MAGIC) or tail[-4:] not in (_MAGIC, _ENCRYPTED_MAGIC):
        raise _bad(file, "is not a valid Parquet File")
    if tail[-4:] == _ENCRYPTED_MAGIC:
        raise _bad(file, "has an encrypted footer, which is not supported")
    length = struct.unpack("<I", tail[-8:-4])[0] + _SUFFIX_BYTES
    if length > size - len(_MAGIC):
        raise _bad(file, f"claims a footer of {length} bytes, but has {size} bytes")
    if length > len(tail):
        client.prefetch([(file.index, size - length, length - len(tail))], is_kept=True)
        tail = client.read(file.index, size - length, length)
    try:
        metadata = pq.read_metadata(pa.BufferReader(tail[-length:]))
    except (pa.ArrowException, OSError) as error:
        raise _bad(file, f"has a damaged footer: {error}") from error
    return Footer(metadata, length)


def _bad(file: File, what: str) -> QueryServiceError:
    return QueryServiceError(ErrorCode.HIVE_BAD_DATA, f"{file.stored.address} {what}")
