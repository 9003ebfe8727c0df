"""Lines that Python takes apart: a stream of texts "x<i>", one for each data column.

For SerDes that DuckDB has no reader for. Lines are decoded by `serialization.encoding`; a row
may be anything that `Split` makes of a line.
"""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final  # Arrow is untyped

import pyarrow as pa

from querysvc.engines.duckdb.readers.base import File, FileGroup, PlanReader, ReaderContext
from querysvc.engines.duckdb.readers.lines import read_lines
from querysvc.engines.duckdb.readers.typed import unsupported
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import TableReference
from querysvc_catalog.serde_options import LineOptions

Split = Callable[[str], Sequence[str | None]]
"""A line's texts, one for each data column."""
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
    encoding = check_encoding(group, lines)
    columns = data_columns(group.reference)
    schema = pa.schema(
        [*(pa.field(f"x{i}", pa.string()) for i in range(columns)), pa.field("file", pa.int64())]
    )

    def batches() -> Iterator[Any]:
        for position, file in enumerate(group.files):
            texts = decoded_lines(file, context.client, lines, encoding)
            rows = (split(text) for _number, text in texts)
            while chunk := list(islice(rows, _BATCH_ROWS)):
                arrays = [pa.array(values, pa.string()) for values in zip(*chunk, strict=True)]
                arrays.append(pa.repeat(pa.scalar(position, pa.int64()), len(chunk)))
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    context.feed(table, schema, batches)


def decoded_lines(
    file: File, client: PlanReader, options: LineOptions, encoding: str
) -> Iterator[tuple[int, str]]:
    """The file's lines with their numbers, without header and footer."""
    lines = islice(read_lines(file, client), options.header_lines, None)
    for number, line in without_footer(lines, options.footer_lines):
        try:
            yield number, line.decode(encoding)
        except UnicodeDecodeError as error:
            raise QueryServiceError(
                ErrorCode.HIVE_BAD_DATA,
                f"{file.stored.address}, line {number}: invalid {encoding}: {error.reason}",
            ) from error


def without_footer(lines: Iterable[tuple[int, bytes]], count: int) -> Iterator[tuple[int, bytes]]:
    """All but the last lines."""
    held: deque[tuple[int, bytes]] = deque()
    for line in lines:
        held.append(line)
        if len(held) > count:
            yield held.popleft()
