"""Footers: one tail request a file, kept across queries by what they were read from."""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final  # pyarrow is untyped

import pyarrow as pa
import pyarrow.parquet as pq

from querysvc.engines.duckdb.readers.base import File, PlanReader
from querysvc.errors import ErrorCode, QueryServiceError

TAIL_BYTES: Final = 64 << 10
"""Read of every file, also where the footer's size is known: DuckDB itself begins with the last
16 KiB, and what a query reads should not depend on what its worker happens to remember."""
_TAIL_BYTES_MAX: Final = 256 << 10
_FILE_SHARE: Final = 1024
_ANNOUNCED_BYTES_MAX: Final = 64 << 20
_MAGIC: Final = b"PAR1"
_ENCRYPTED_MAGIC: Final = b"PARE"
_SUFFIX_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Footer:
    """A file's metadata; `size` is that of the footer with its suffix."""

    metadata: Any
    size: int


ParseFooter = Callable[[File, PlanReader, bytes], Footer]
"""From a file's last bytes (`TAIL_BYTES`, or the whole file) to its footer."""
_Key = tuple[ParseFooter, str]


class FooterReader:
    """Reads footers, many at a time, and remembers the latest ones."""

    def __init__(self, cache_bytes_max: int) -> None:
        self._cache: OrderedDict[_Key, Footer] = OrderedDict()
        self._cached_bytes = 0
        self._cache_bytes_max = cache_bytes_max

    def read(
        self, files: Sequence[File], client: PlanReader, parse: ParseFooter | None = None
    ) -> list[Footer]:
        """The files' footers (Parquet's unless `parse` knows better), in order.

        Their bytes stay in the window for the engine to read again.
        """
        parse = parse or parquet_footer
        self._announce(files, client, parse)
        return [self._one(file, client, parse) for file in files]

    def announce(self, files: Sequence[File], client: PlanReader) -> None:
        """Start to fetch Parquet footers that will be read table by table, all at one time."""
        if sum(_tail_bytes(file) for file in files) <= _ANNOUNCED_BYTES_MAX:
            self._announce(files, client, parquet_footer)

    def _announce(self, files: Sequence[File], client: PlanReader, parse: ParseFooter) -> None:
        wanted = []
        for file in files:
            known = self._cache.get((parse, client.identity(file.index)))
            tail = max(known.size if known else 0, _tail_bytes(file))
            tail = min(tail, file.stored.size)
            wanted.append((file.index, file.stored.size - tail, tail))
        client.prefetch(wanted, is_kept=True)

    def _one(self, file: File, client: PlanReader, parse: ParseFooter) -> Footer:
        identity = (parse, client.identity(file.index))
        footer = self._cache.get(identity)
        if footer is not None:
            self._cache.move_to_end(identity)
            return footer
        length = _tail_bytes(file)
        tail = client.read(file.index, file.stored.size - length, length)
        footer = parse(file, client, tail)
        self._remember(identity, footer)
        return footer

    def _remember(self, identity: _Key, footer: Footer) -> None:
        self._cache[identity] = footer
        self._cached_bytes += footer.size
        while self._cached_bytes > self._cache_bytes_max and len(self._cache) > 1:
            _identity, oldest = self._cache.popitem(last=False)
            self._cached_bytes -= oldest.size


def _tail_bytes(file: File) -> int:
    """What to read of a file's end: as DuckDB does, the larger the file the more."""
    share = 1 << max(file.stored.size // _FILE_SHARE - 1, 0).bit_length()
    return min(file.stored.size, max(TAIL_BYTES, min(share, _TAIL_BYTES_MAX)))


def parquet_footer(file: File, client: PlanReader, tail: bytes) -> Footer:
    """Read a Parquet footer."""
    size = file.stored.size
    if len(tail) < _SUFFIX_BYTES + len(_MAGIC) or tail[-4:] not in (_MAGIC, _ENCRYPTED_MAGIC):
        raise bad_file(file, "is not a valid Parquet File")
    if tail[-4:] == _ENCRYPTED_MAGIC:
        raise bad_file(file, "has an encrypted footer, which is not supported")
    length = struct.unpack("<I", tail[-8:-4])[0] + _SUFFIX_BYTES
    if length > size - len(_MAGIC):
        raise bad_file(file, f"claims a footer of {length} bytes, but has {size} bytes")
    tail = longer_tail(file, client, tail, length)
    try:
        metadata = pq.read_metadata(pa.BufferReader(tail[-length:]))
    except (pa.ArrowException, OSError) as error:
        raise bad_file(file, f"has a damaged footer: {error}") from error
    return Footer(metadata, length)


def longer_tail(file: File, client: PlanReader, tail: bytes, length: int) -> bytes:
    """The last bytes of a file that are at least `length`, given those that were read."""
    if length <= len(tail):
        return tail
    start = file.stored.size - length
    client.prefetch([(file.index, start, length - len(tail))], is_kept=True)
    return client.read(file.index, start, length)


def bad_file(file: File, what: str) -> QueryServiceError:
    """HIVE_BAD_DATA about a whole file."""
    return QueryServiceError(ErrorCode.HIVE_BAD_DATA, f"{file.stored.address} {what}")
