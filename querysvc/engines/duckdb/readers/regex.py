"""RegexSerDe and Grok: a pattern's groups become columns; a line that does not match is all NULL.

Hive matches RegexSerDe's pattern against the whole line, and reads a text that is no value of its
column's type as NULL. Grok looks for its pattern anywhere in the line, and its captures' names are
those of the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from querysvc.engines.duckdb.functions.java_regex import compile_pattern
from querysvc.engines.duckdb.functions.vectorised import FunctionError
from querysvc.engines.duckdb.lowering.errors import to_query_error
from querysvc.engines.duckdb.readers.base import (
    Diagnoser,
    File,
    FileGroup,
    Part,
    ReaderContext,
    read_in_order,
)
from querysvc.engines.duckdb.readers.failures import BadValue
from querysvc.engines.duckdb.readers.grok import expand
from querysvc.engines.duckdb.readers.hive_text import rolled_date
from querysvc.engines.duckdb.readers.physical import Source
from querysvc.engines.duckdb.readers.quarantine import (
    BadRecordError,
    is_quarantined,
    streamed_origin,
)
from querysvc.engines.duckdb.readers.rejects import NullSource, on_bad_record
from querysvc.engines.duckdb.readers.rows import (
    Split,
    check_encoding,
    data_columns,
    decoded_lines,
    feed_rows,
)
from querysvc.engines.duckdb.readers.sqltext import quote_name
from querysvc.engines.duckdb.readers.typed import options_of, select_typed
from querysvc.engines.duckdb.readers.values import parse_value, text_value
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc_catalog.serde_options import (
    LineOptions,
    parse_grok_options,
    parse_regex_options,
)


def read_regex(group: FileGroup, context: ReaderContext) -> list[Part]:
    """Read the groups of `input.regex`."""
    options = options_of(group, parse_regex_options)
    flags = "(?si)" if options.is_case_insensitive else "(?s)"
    pattern, groups = _compiled(group, flags + options.pattern)
    columns = data_columns(group.reference)
    missing = (None,) * max(columns - groups, 0)
    unmatched = _unmatched(group)

    def split(line: str) -> Sequence[str | None]:
        match = pattern.fullmatch(line)
        return unmatched() if match is None else (match.groups() + missing)[:columns]

    return [_part(group, context, options.lines, split, on_bad_record(group, NullSource))]


def read_grok(group: FileGroup, context: ReaderContext) -> list[Part]:
    """Read the captures of `input.format`."""
    options = options_of(group, parse_grok_options)
    try:
        expanded = expand(options.pattern, options.custom_patterns)
    except ValueError as error:
        raise _invalid(group, str(error)) from error
    pattern, _groups = _compiled(group, expanded.pattern)
    wanted = []
    for column in group.reference.columns[: data_columns(group.reference)]:
        captures = expanded.captures.get(column.name.lower())
        if captures is None:
            raise _invalid(group, f"input.format captures nothing called {column.name}")
        wanted.append(captures)
    unmatched = _unmatched(group)

    def split(line: str) -> Sequence[str | None]:
        match = pattern.search(line)
        if match is None:
            return unmatched()
        return [next(filter(None, match.group(*names, names[0])), None) for names in wanted]

    return [_part(group, context, options.lines, split, on_bad_record(group, Source))]


def _unmatched(group: FileGroup) -> Callable[[], Sequence[str | None]]:
    """What becomes of a line that does not match: a row of NULLs, or it is set aside."""
    nothing = (None,) * data_columns(group.reference)

    def refuse() -> Sequence[str | None]:
        raise BadRecordError("the line does not match the pattern")

    return refuse if is_quarantined(group.reference) else lambda: nothing


def _part(
    group: FileGroup,
    context: ReaderContext,
    lines: LineOptions,
    split: Split,
    source_type: type[Source],
) -> Part:
    base = context.claim(group.files, _diagnoser(group, context, lines, split))
    table = f"rows{len(context.ordinals)}"
    feed_rows(group, context, table, lines, split)
    sql = select_typed(
        group,
        group.files,
        quote_name(table),
        ordinal=f'({base} + "file")',
        null="{0} IS NULL",
        convert=_or_null if source_type is NullSource else _convert,
        context=context,
        source_type=source_type,
        origin=streamed_origin(group.reference),
    )
    size = sum(file.stored.size for file in group.files)
    return Part(sql, read_in_order(group.files), size, len(group.files))


def _compiled(group: FileGroup, text: str) -> tuple[Any, int]:
    try:
        pattern = compile_pattern(text)
    except FunctionError as error:
        told = to_query_error(error)
        if told.code is ErrorCode.NOT_SUPPORTED:
            name = group.reference.table.full_name
            raise QueryServiceError(told.code, f"table {name}: {told.message}") from error
        raise _invalid(group, f"the pattern is not valid: {told.message}") from error
    return pattern.compiled, pattern.groups


def _invalid(group: FileGroup, what: str) -> QueryServiceError:
    name = group.reference.table.full_name
    return QueryServiceError(ErrorCode.HIVE_INVALID_METADATA, f"table {name}: {what}")


def _or_null(text: str, type_: TrinoType, source: Source) -> str | None:
    """Java's valueOf: a boolean is true or false, and February's 30th the first of March."""
    as_text = text_value(text, type_)
    if as_text is not None:
        return as_text
    if type_ == algebra.BOOLEAN:
        return f"(lower({text}) = 'true')"
    if type_ == algebra.DATE:
        return rolled_date(text)
    lenient = NullSource(source.column, source.type, source.ordinal)
    return parse_value(text, type_, lenient, f"{text} IS NULL")


def _convert(text: str, type_: TrinoType, _source: Source) -> str | None:
    return text_value(text, type_)


def _diagnoser(
    group: FileGroup, context: ReaderContext, lines: LineOptions, split: Split
) -> Diagnoser:
    names = [column.name for column in group.reference.columns]
    encoding = check_encoding(group, lines)

    def find(file: File, bad: BadValue) -> int | None:
        index = names.index(bad.column)
        for number, line in decoded_lines(file, context.client, lines, encoding):
            value = split(line)[index]
            if value is not None and value.startswith(bad.value):
                return number
        return None

    return find
