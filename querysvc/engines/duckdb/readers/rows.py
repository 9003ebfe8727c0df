"""Lines that Python takes apart: a stream of texts "x<i>", one for each data column.

For SerDes that DuckDB has no reader for. Lines are decoded by `serialization.encoding`; a row
may be anything that `Split` makes of a line.
"""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final, TypeVar  # Arrow is untyped

import pyarrow as pa

from querysvc.engines.duckdb.readers.base import File, FileGroup, PlanReader, ReaderContext
from querysvc.engines.duckdb.readers.lines import codec, read_placed_lines
from querysvc.engines.duckdb.readers.quarantine import (
    BadRecordError,
    Record,
    is_quarantined,
    record_arrays,
    record_fields,
)
from querysvc.engines.duckdb.readers.typed import unsupported
from querysvc.plan import TableReference
from querysvc_catalog.serde_options import LineOptions

Split = Callable[[str], Sequence[str | None]]
"""A line's texts, one for each data column."""
Line = TypeVar("Line")
_BATCH_ROWS: Final = 10_000


def data_columns(reference: TableReference) -> int:
    """How many columns the objects hold."""
    return sum(not (one.is_partition_key or one.is_hidden) for one in reference.columns)


def check_encoding(group: FileGroup, lines: LineOptions) -> str:
    """Python's name of the encoding, which must end its lines as ASCII does."""
    try:
        name = codecs.lookup(lines.encoding).name
    except LookupError:
        raise unsupported(group, f"encoding {lines.encoding}") from None
    if "\n".encode(name) != b"\n":
        raise unsupported(group, f"encoding {lines.encoding}, whose line ends are not one byte,")
    return name


def feed_rows(
    group: FileGroup, context: ReaderContext, table: str, lines: LineOptions, split: Split
) -> None:
    """Let SQL read the files' rows by this name: columns "x<i>" and the file's position."""
    schema = text_schema(group.reference, data_columns(group.reference))

    def batches() -> Iterator[Any]:
        for position, file in enumerate(group.files):
            rows = split_records(group, context, file, lines, split)
            yield from text_batches(group.reference, rows, position, schema)

    context.feed(table, schema, batches)


def text_schema(reference: TableReference, columns: int) -> Any:
    """The schema of streams of texts."""
    texts = (pa.field(f"x{i}", pa.string()) for i in range(columns))
    return pa.schema([*texts, pa.field("file", pa.int64()), *record_fields(reference)])


def text_batches(
    reference: TableReference,
    rows: Iterator[tuple[Record, Sequence[str | None]]],
    position: int,
    schema: Any,
) -> Iterator[Any]:
    """Arrow batches of a file's rows; short rows end with NULLs."""
    columns = schema.get_field_index("file")
    while chunk := list(islice(rows, _BATCH_ROWS)):
        padded = [(*fields, *(None,) * (columns - len(fields))) for _record, fields in chunk]
        arrays = [pa.array(values, pa.string()) for values in zip(*padded, strict=True)]
        arrays.append(pa.repeat(pa.scalar(position, pa.int64()), len(chunk)))
        arrays += record_arrays(reference, [record for record, _fields in chunk])
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def split_records(
    group: FileGroup, context: ReaderContext, file: File, lines: LineOptions, split: Split
) -> Iterator[tuple[Record, Sequence[str | None]]]:
    """A file's rows, taken apart; a line that cannot be, where bad ones are set aside, has none."""
    is_forgiving = is_quarantined(group.reference)
    encoding = check_encoding(group, lines)
    for record in decoded_records(file, context.client, lines, encoding, is_forgiving=is_forgiving):
        if record.bad is not None:
            yield record, ()
            continue
        try:
            yield record, split(record.text)
        except BadRecordError as bad:
            yield replace(record, bad=bad), ()


def decoded_lines(
    file: File, client: PlanReader, options: LineOptions, encoding: str
) -> Iterator[tuple[int, str]]:
    """The file's lines with their numbers, without header and footer."""
    for record in decoded_records(file, client, options, encoding, is_forgiving=False):
        yield record.number, record.text


def decoded_records(
    file: File, client: PlanReader, options: LineOptions, encoding: str, *, is_forgiving: bool
) -> Iterator[Record]:
    """The file's lines, without header and footer; what cannot be decoded fails or is told."""
    is_plain = codec(file) is None
    lines = islice(read_placed_lines(file, client), options.header_lines, None)
    for number, offset, line in without_footer(lines, options.footer_lines):
        place = offset if is_plain else None
        try:
            yield Record(number, line.decode(encoding), place)
        except UnicodeDecodeError as error:
            bad = BadRecordError(f"invalid {encoding}: {error.reason}")
            if not is_forgiving:
                raise bad.failure(f"{file.stored.address}, line {number}") from error
            yield Record(number, line.decode(encoding, "replace"), place, bad)


def without_footer(lines: Iterable[Line], count: int) -> Iterator[Line]:
    """All but the last lines."""
    held: deque[Line] = deque()
    for line in lines:
        held.append(line)
        if len(held) > count:
            yield held.popleft()
