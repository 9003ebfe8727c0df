"""LazySimpleSerDe and OpenCSVSerde: columns by position, every option of DuckDB's reader explicit.

The fast path is DuckDB's CSV reader giving texts, which `values` turns into declared types. Where
that reader would differ from the SerDe (empty lines, escapes, broken quotes) a `LineWatch` sees it
or it fails, and the query runs again on the exact path: Python splits the lines (`splitting`) into
a temporary table. Errors' lines are found by reading the file once more.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final  # Arrow is untyped

from querysvc.engines.duckdb.readers.base import (
    FILE_INDEX,
    Diagnoser,
    File,
    FileGroup,
    Part,
    ReaderContext,
    read_in_order,
)
from querysvc.engines.duckdb.readers.failures import BadValue
from querysvc.engines.duckdb.readers.hive_text import HiveTextSource
from querysvc.engines.duckdb.readers.lines import codec
from querysvc.engines.duckdb.readers.nested_text import nested_value
from querysvc.engines.duckdb.readers.physical import Source
from querysvc.engines.duckdb.readers.quarantine import streamed_origin, tells_rejects
from querysvc.engines.duckdb.readers.rejects import on_bad_record
from querysvc.engines.duckdb.readers.rows import (
    check_encoding,
    decoded_lines,
    split_records,
    text_batches,
    text_schema,
)
from querysvc.engines.duckdb.readers.splitting import Splitter, csv_splitter, text_splitter
from querysvc.engines.duckdb.readers.sqltext import quote_name, quote_text
from querysvc.engines.duckdb.readers.timestamp_formats import timestamp_parser
from querysvc.engines.duckdb.readers.typed import options_of, select_typed, unsupported
from querysvc.engines.duckdb.readers.values import text_value
from querysvc.plan import TableReference
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc_catalog.serde_options import (
    LineOptions,
    TextOptions,
    parse_csv_options,
    parse_multi_delimit_options,
    parse_text_options,
)
from querysvc_catalog.serdes import MULTI_DELIMIT

_NO_NULL: Final = "\x01querysvc: no text is NULL\x02"
_LINE_BYTES_MAX: Final = 4 << 20
"""Of the fast path; a longer line is the exact path's."""
_BUFFER_BYTES: Final = 8 << 20
_NESTED: Final = (algebra.Array, algebra.Map, algebra.Row)


@dataclass(frozen=True, slots=True)
class TextFormat:
    """One of the two SerDes with its options, as both paths need them."""

    lines: LineOptions
    reader_options: str
    """Of DuckDB's read_csv."""
    suspicious: tuple[bytes, ...]
    """Bytes at whose sight the exact path must be taken."""
    always_exact: bool
    splitter: Splitter
    columns: int
    null_texts: str
    """SQL condition under which a text that is not of a character type is NULL; {0} is the text."""
    convert: Callable[[str, TrinoType, Source], str | None]
    """The converter of types that `values` does not know; None leaves them to it."""
    source_type: type[Source] = Source
    """What becomes of a value that does not fit."""


def read_text(group: FileGroup, context: ReaderContext) -> list[Part]:
    """Read LazySimpleSerDe's and MultiDelimitSerDe's delimited text."""
    parse = parse_multi_delimit_options if _is_multi_delimit(group) else parse_text_options
    options = options_of(group, parse)
    _refuse_text_options(group, options)
    columns = _file_columns(group.reference)
    nested = {
        index
        for index, column in enumerate(group.reference.columns)
        if isinstance(column.type, _NESTED)
    }

    def convert(text: str, type_: TrinoType, source: Source) -> str | None:
        if isinstance(type_, _NESTED):
            return nested_value(text, type_, source, options)
        return text_value(text, type_)

    delimiter = quote_text(options.field_delimiter)
    text_format = TextFormat(
        lines=options.lines,
        reader_options=(
            f"delim = {delimiter}, quote = '', escape = '',"
            f" nullstr = {quote_text(options.null_format)}, strict_mode = false"
        ),
        suspicious=(),
        always_exact=options.escape is not None
        or options.last_column_takes_rest
        or options.field_delimiter in "\r\n\x00"
        or bool(options.timestamp_formats),
        splitter=_formatted(group, options, text_splitter(options, columns, nested)),
        columns=columns,
        null_texts="({0} IS NULL OR {0} = '')",
        convert=convert,
        source_type=on_bad_record(group, HiveTextSource),
    )
    return _parts(group, context, text_format)


def _formatted(group: FileGroup, options: TextOptions, split: Splitter) -> Splitter:
    """The splitter with timestamps of `timestamp.formats` in the usual form."""
    if not options.timestamp_formats:
        return split
    parse = timestamp_parser(group, options.timestamp_formats)
    moments = [
        index
        for index, column in enumerate(group.reference.columns)
        if isinstance(column.type, algebra.Timestamp)
    ]

    def fields(line: str) -> list[str | None]:
        found = split(line)
        for index in moments:
            text = found[index] if index < len(found) else None
            moment = None if text is None else parse(text)
            if moment is not None:
                found[index] = str(moment)
        return found

    return fields


def read_csv(group: FileGroup, context: ReaderContext) -> list[Part]:
    """Read OpenCSVSerde's quoted text."""
    options = options_of(group, parse_csv_options)
    columns = _file_columns(group.reference)
    quote = options.quote or ""
    suspicious = [(options.escape or "").encode()] if options.escape != quote else []
    if quote:
        suspicious += [f"{options.separator} {quote}".encode(), f"\n {quote}".encode()]
    text_format = TextFormat(
        lines=options.lines,
        reader_options=(
            f"delim = {quote_text(options.separator)}, quote = {quote_text(quote)},"
            f" escape = {quote_text(quote)}, nullstr = {quote_text(_NO_NULL)}, strict_mode = true"
        ),
        suspicious=tuple(pattern for pattern in suspicious if pattern),
        always_exact=False,
        splitter=csv_splitter(options, columns),
        columns=columns,
        null_texts="{0} IS NULL",
        convert=_csv_value,
        source_type=on_bad_record(group, Source),
    )
    return _parts(group, context, text_format)


def _parts(group: FileGroup, context: ReaderContext, text_format: TextFormat) -> list[Part]:
    encoding = check_encoding(group, text_format.lines)
    by_codec: dict[str | None, list[File]] = {}
    for file in group.files:
        by_codec.setdefault(codec(file), []).append(file)
    needs_exact = (
        context.is_exact
        or text_format.always_exact
        or text_format.lines.footer_lines
        or tells_rejects(group.reference)
        or encoding not in ("utf-8", "ascii")
    )
    parts = []
    for name, files in by_codec.items():
        is_exact = bool(needs_exact) or name not in (None, "gzip")
        relation = (
            _exact_source(group, files, context, text_format)
            if is_exact
            else _fast_source(files, name, context, text_format)
        )
        base = context.claim(files, _diagnoser(group.reference, context, text_format))
        sql = select_typed(
            group,
            files,
            relation,
            ordinal=f'({base} + "file")',
            null=text_format.null_texts,
            convert=text_format.convert,
            context=context,
            source_type=text_format.source_type,
            origin=streamed_origin(group.reference) if is_exact else None,
        )
        size = sum(file.stored.size for file in files)
        parts.append(Part(sql, read_in_order(files), size, len(files)))
    return parts


def _fast_source(
    files: Sequence[File], name: str | None, context: ReaderContext, text_format: TextFormat
) -> str:
    for file in files:
        context.watch.watch(file.index, name, text_format.suspicious)
    paths = ", ".join(quote_text(context.path(file, "")) for file in files)
    columns = ", ".join(f"'x{i}': 'VARCHAR'" for i in range(max(text_format.columns, 1)))
    reader = (
        f"read_csv([{paths}], auto_detect = false, header = false,"
        f" skip = {text_format.lines.header_lines}, comment = '', thousands = '',"
        f" compression = '{name or 'none'}', columns = {{{columns}}}, null_padding = true,"
        f" ignore_errors = false, hive_partitioning = false, union_by_name = false,"
        f" parallel = {str(not context.is_serial).lower()},"
        f" max_line_size = {_LINE_BYTES_MAX}, buffer_size = {_BUFFER_BYTES},"
        f" {text_format.reader_options})"
    )
    return f'(SELECT *, {FILE_INDEX} AS "file" FROM {reader})'


def _exact_source(
    group: FileGroup, files: Sequence[File], context: ReaderContext, text_format: TextFormat
) -> str:
    """A temporary table, to be filled with the rows, split by ourselves."""
    table = f"lines{len(context.ordinals)}"
    schema = text_schema(group.reference, max(text_format.columns, 1))

    def batches() -> Iterator[Any]:
        for position, file in enumerate(files):
            rows = split_records(group, context, file, text_format.lines, text_format.splitter)
            yield from text_batches(group.reference, rows, position, schema)

    context.loads.append(lambda: context.load(table, schema, batches()))
    return quote_name(table)


def split_rows(
    file: File, context: ReaderContext, text_format: TextFormat
) -> Iterator[tuple[int, list[str | None]]]:
    """The file's rows with their line numbers, without header and footer."""
    encoding = codecs.lookup(text_format.lines.encoding).name
    for number, text in decoded_lines(file, context.client, text_format.lines, encoding):
        yield number, text_format.splitter(text)


def _diagnoser(
    reference: TableReference, context: ReaderContext, text_format: TextFormat
) -> Diagnoser:
    names = [column.name for column in reference.columns]

    def find(file: File, bad: BadValue) -> int | None:
        index = names.index(bad.column)
        for number, fields in split_rows(file, context, text_format):
            value = fields[index] if index < len(fields) else None
            if value is not None and bad.value in (value[: len(bad.value)], value):
                return number
        return None

    return find


def _csv_value(text: str, type_: TrinoType, source: Source) -> str | None:
    """OpenCSVSerde's types: dates are days and timestamps milliseconds since 1970."""
    number = f"TRY_CAST({text} AS BIGINT)"
    units = {
        algebra.DATE: f"DATE '1970-01-01' + CAST({number} AS INTEGER)",
        algebra.Timestamp(3): f"make_timestamp({number} * 1000)",
    }
    made = units.get(type_)
    if made is None:
        return text_value(text, type_)
    return (
        f"CASE WHEN {text} IS NULL THEN NULL WHEN regexp_full_match({text}, '[+-]?[0-9]{{1,15}}')"
        f" THEN {made} ELSE {source.failure(text)} END"
    )


def _file_columns(reference: TableReference) -> int:
    return sum(not (c.is_partition_key or c.is_hidden) for c in reference.columns)


def _is_multi_delimit(group: FileGroup) -> bool:
    serde = group.descriptor.serde_info
    return serde is not None and serde.serialization_library in MULTI_DELIMIT


def _refuse_text_options(group: FileGroup, options: TextOptions) -> None:
    if options.line_delimiter not in (None, "\n"):
        raise unsupported(group, "a line delimiter other than LF")
