"""An ORC file's tail and stripe footers: types, stripes with their statistics, streams.

pyarrow reads the data, but tells neither where a stripe's streams lie nor its statistics, and both
are needed before the read: to prune, to announce the ranges and to count them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import IntEnum
from typing import Any, Final  # statistics are of the column's own type

from querysvc.engines.duckdb.readers import raw_codecs
from querysvc.engines.duckdb.readers.damage import DamagedFileError
from querysvc.engines.duckdb.readers.protobuf import Message

MAGIC: Final = b"ORC"
_HEADER_BYTES: Final = 3
_NESTING_MAX: Final = 200
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_DATE_ORDINAL_MAX: Final = date.max.toordinal()
_ORIGINAL_WRITER: Final = 0
"""Hive before HIVE-8732, whose string statistics cannot be trusted (orc_proto.proto)."""


class Kind(IntEnum):
    """ORC's types (orc_proto.proto, Type.Kind)."""

    BOOLEAN = 0
    BYTE = 1
    SHORT = 2
    INT = 3
    LONG = 4
    FLOAT = 5
    DOUBLE = 6
    STRING = 7
    BINARY = 8
    TIMESTAMP = 9
    LIST = 10
    MAP = 11
    STRUCT = 12
    UNION = 13
    DECIMAL = 14
    DATE = 15
    VARCHAR = 16
    CHAR = 17
    TIMESTAMP_INSTANT = 18


class StreamKind(IntEnum):
    """The streams that are indexes, and not read with the data."""

    ROW_INDEX = 6
    BLOOM_FILTER = 7
    BLOOM_FILTER_UTF8 = 8


_INDEXES: Final = frozenset(StreamKind)


@dataclass(frozen=True, slots=True)
class OrcType:
    """A node of the type tree, which ORC numbers in pre-order from the root 0."""

    kind: Kind
    children: tuple[int, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statistic:
    """A column's statistics in one stripe, in the form in which `RawDomain` takes them."""

    min: Any
    max: Any
    null_count: int
    has_null_count: bool = True
    logical_type: str = "timeUnit=milliseconds"

    @property
    def has_min_max(self) -> bool:
        """Whether both bounds are known."""
        return self.min is not None and self.max is not None

    @property
    def min_raw(self) -> Any:
        """Of a timestamp: milliseconds since 1970."""
        return self.min

    @property
    def max_raw(self) -> Any:
        """Of a timestamp: milliseconds since 1970."""
        return self.max


@dataclass(frozen=True, slots=True)
class Stripe:
    """Where a stripe lies, and what is known of its columns (by type number)."""

    offset: int
    index_bytes: int
    data_bytes: int
    footer_bytes: int
    rows: int
    statistics: tuple[bytes, ...]

    @property
    def footer_offset(self) -> int:
        """Where its footer starts."""
        return self.offset + self.index_bytes + self.data_bytes


@dataclass(frozen=True, slots=True)
class OrcTail:
    """A file's metadata; `size` is that of the tail in bytes."""

    size: int
    compression: int
    writer_version: int
    types: tuple[OrcType, ...]
    stripes: tuple[Stripe, ...]

    @property
    def fields(self) -> list[tuple[str, int]]:
        """The top-level columns: name and type number."""
        root = self.types[0]
        return list(zip(root.names, root.children, strict=True))

    @property
    def has_only_placeholder_names(self) -> bool:
        """Whether an old Hive wrote it, whose columns are called _col0, _col1, …."""
        return all(name == f"_col{i}" for i, (name, _) in enumerate(self.fields))

    def below(self, number: int) -> Iterator[int]:
        """A type's number and those of all types below it."""
        yield number
        for child in self.types[number].children:
            yield from self.below(child)

    def statistic(self, stripe: Stripe, number: int) -> Statistic | None:
        """A column's statistics in a stripe; None when they tell nothing."""
        if number >= len(stripe.statistics):
            return None
        read = _STATISTICS.get(self.types[number].kind)
        is_text = self.types[number].kind in (Kind.STRING, Kind.VARCHAR)
        if read is None or (is_text and self.writer_version == _ORIGINAL_WRITER):
            return None
        message = Message(stripe.statistics[number])
        low, high = read(message)
        # hasNull is younger than the format: without it there may be NULLs.
        return Statistic(low, high, message.number(10, 1))


def tail_bytes(tail: bytes, file_size: int) -> int:
    """How long the tail is, from the last bytes of the file."""
    script, script_bytes = _post_script(tail)
    length = script_bytes + script.number(1) + script.number(5)
    if length + len(MAGIC) > file_size:
        raise DamagedFileError(f"claims a tail of {length} bytes, but has {file_size} bytes")
    return length


def read_tail(tail: bytes) -> OrcTail:
    """Decode the tail: post script, footer and stripe statistics."""
    script, script_bytes = _post_script(tail)
    compression = script.number(2)
    footer_end = len(tail) - script_bytes
    footer_start = footer_end - script.number(1)
    metadata_start = footer_start - script.number(5)
    footer = Message(decompress(tail[footer_start:footer_end], compression))
    metadata = Message(decompress(tail[metadata_start:footer_start], compression))
    if 10 in footer:
        raise DamagedFileError("has encrypted columns, which is not supported")
    types = tuple(_type(message) for message in footer.messages(4))
    _check_tree(types)
    if not types or types[0].kind is not Kind.STRUCT:
        raise DamagedFileError("has no columns: its root is no struct")
    statistics = [tuple(one.all_data(1)) for one in metadata.messages(1)]
    stripes = tuple(
        _stripe(one, statistics[i] if i < len(statistics) else ())
        for i, one in enumerate(footer.messages(3))
    )
    return OrcTail(len(tail), compression, script.number(6), types, stripes)


def data_ranges(
    footer: bytes, stripe: Stripe, compression: int, wanted: frozenset[int]
) -> Iterator[tuple[int, int]]:
    """(offset, length) of the data streams of these types in a stripe."""
    at = stripe.offset
    for stream in Message(decompress(footer, compression)).messages(1):
        length = stream.number(3)
        if stream.number(2) in wanted and stream.number(1) not in _INDEXES and length:
            yield at, length
        at += length


def decompress(data: bytes, compression: int) -> bytes:
    """Undo ORC's compression in chunks, each with a header of three bytes."""
    if compression == 0:
        return data
    unpack = _CODECS.get(compression)
    if unpack is None:
        raise DamagedFileError(f"has compression {compression}, which is not supported")
    pieces = []
    at = 0
    while at + _HEADER_BYTES <= len(data):
        header = int.from_bytes(data[at : at + _HEADER_BYTES], "little")
        at += _HEADER_BYTES
        chunk = data[at : at + (header >> 1)]
        at += header >> 1
        pieces.append(chunk if header & 1 else unpack(chunk))
    return b"".join(pieces)


def _post_script(tail: bytes) -> tuple[Message, int]:
    length = tail[-1] if tail else 0
    data = tail[-1 - length : -1]
    script = Message(data) if len(data) == length and length else Message(b"")
    if script.data(8000) != MAGIC:
        raise DamagedFileError("is not a valid ORC File")
    return script, length + 1


def _check_tree(types: tuple[OrcType, ...]) -> None:
    """Numbers in pre-order: each type but the root has one parent, which comes before it."""
    depths = dict.fromkeys((0,), 0)
    for number, one in enumerate(types):
        is_tree = number in depths and depths[number] <= _NESTING_MAX
        for child in one.children:
            is_tree = is_tree and number < child < len(types) and child not in depths
            depths[child] = depths.get(number, 0) + 1
        if not is_tree or (one.kind is Kind.STRUCT and len(one.names) != len(one.children)):
            raise DamagedFileError("has types that make no tree")


def _stripe(message: Message, statistics: tuple[bytes, ...]) -> Stripe:
    return Stripe(
        offset=message.number(1),
        index_bytes=message.number(2),
        data_bytes=message.number(3),
        footer_bytes=message.number(4),
        rows=message.number(5),
        statistics=statistics,
    )


def _type(message: Message) -> OrcType:
    try:
        kind = Kind(message.number(1))
    except ValueError as error:
        raise DamagedFileError(f"has a column of an unknown kind: {error}") from error
    names = tuple(name.decode(errors="replace") for name in message.all_data(3))
    return OrcType(kind, tuple(message.numbers(2)), names)


_CODECS: Final[dict[int, Callable[[bytes], bytes]]] = {
    1: raw_codecs.inflate,
    2: raw_codecs.unsnap,
    4: raw_codecs.unlz4,
    5: raw_codecs.unzstd,
}


def _bounds(number: int, read: Callable[[Message, int], Any]) -> Callable[[Message], Any]:
    def bounds(message: Message) -> tuple[Any, Any]:
        data = message.data(number)
        if data is None:
            return None, None
        own = Message(data)
        return read(own, 1), read(own, 2)

    return bounds


def _decimal(message: Message, number: int) -> Decimal | None:
    text = message.text(number)
    try:
        return Decimal(text) if text is not None else None
    except InvalidOperation:
        return None


def _date(message: Message, number: int) -> date | None:
    days = message.signed(number)
    if days is None or not 1 <= days + _EPOCH_ORDINAL <= _DATE_ORDINAL_MAX:
        return None
    return date.fromordinal(days + _EPOCH_ORDINAL)


def _milliseconds(message: Message, number: int) -> int | None:
    return message.signed(number + 2)  # minimumUtc and maximumUtc; the others are local times


_INTEGER = _bounds(2, Message.signed)
_FLOATING = _bounds(3, Message.double)
_TEXT = _bounds(4, Message.text)
_STATISTICS: Final[dict[Kind, Callable[[Message], Any]]] = {
    **dict.fromkeys((Kind.SHORT, Kind.INT, Kind.LONG), _INTEGER),
    **dict.fromkeys((Kind.FLOAT, Kind.DOUBLE), _FLOATING),
    **dict.fromkeys((Kind.STRING, Kind.VARCHAR), _TEXT),
    Kind.DECIMAL: _bounds(6, _decimal),
    Kind.DATE: _bounds(7, _date),
    Kind.TIMESTAMP: _bounds(9, _milliseconds),
}
