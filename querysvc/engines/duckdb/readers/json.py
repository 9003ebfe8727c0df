"""JSON lines (openx's and hcatalog's SerDes): columns by key in any case, declared types strictly.

DuckDB splits and parses; keys are looked up by the spelling that the first objects use. First its
reader of columns is tried, which parses once and refuses equal keys in one object; a watch over the
bytes sees other spellings. It reads numbers and dates as such while all are written plainly
(`plain_json`), else again as texts. Where anything is odd the query runs again over whole objects:
there a row that lacks a wanted key is checked for other spellings of it; if it has one,
all spellings are collected and the query runs once more. Keys that are equal but for their case
are for the exact path, which takes the last. Numbers pass through doubles in DuckDB, so a decimal
with more digits than a double keeps fails rather than differ.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final  # parsed JSON

import orjson

from querysvc.engines.duckdb.readers.base import (
    FILE_INDEX,
    Diagnoser,
    File,
    FileGroup,
    Part,
    ReaderContext,
    read_in_order,
    used_columns,
)
from querysvc.engines.duckdb.readers.failures import BadValue
from querysvc.engines.duckdb.readers.lines import codec, read_lines
from querysvc.engines.duckdb.readers.nested_json import DOUBLE_DIGITS, json_value
from querysvc.engines.duckdb.readers.physical import Source
from querysvc.engines.duckdb.readers.plain_json import is_read_typed, odd_values
from querysvc.engines.duckdb.readers.spellings import is_plain, null_lines, other_spellings
from querysvc.engines.duckdb.readers.sqltext import quote_name, quote_text, type_text
from querysvc.engines.duckdb.readers.typed import options_of, select_typed, unsupported
from querysvc.engines.duckdb.readers.values import text_value
from querysvc.engines.duckdb.readers.watch import matches
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import TableColumn, TableReference
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc_catalog.serde_options import JsonOptions, parse_json_options
from querysvc_catalog.serdes import StorageFormat, resolve_format

SPELLING_MARK: Final = "\u2402querysvc other spelling"
DOUBT_MARK: Final = "\u2402querysvc whole objects needed"
_SAMPLE_BYTES: Final = 64 << 10
_OBJECT_BYTES: Final = 4 << 20
_OBJECT_BYTES_MAX: Final = 64 << 20
"""Buffers are twice as large, and the threads share a file by buffers: the largest come late."""
_TEXTS: Final = (algebra.Varchar, algebra.Char)
_NESTED: Final = (algebra.Array, algebra.Map, algebra.Row)


@dataclass(frozen=True, slots=True)
class _Key:
    """A used column and the spellings of its key, the likeliest first."""

    index: int
    column: TableColumn
    spellings: tuple[str, ...]

    @property
    def is_json(self) -> bool:
        """Whether the column is taken as JSON text rather than as a string."""
        return isinstance(self.column.type, (*_NESTED, algebra.Decimal))


class _JsonSource(Source):
    """A bad value, or an unusual form of a timestamp, is for the exact path to judge."""

    __slots__ = ()

    def pattern(self, type_: TrinoType, usual: str | None) -> str | None:
        """Timestamps have one plain form only."""
        return None if isinstance(type_, algebra.Timestamp) else usual


def read_json(group: FileGroup, context: ReaderContext) -> list[Part]:
    """Read objects, one a line."""
    options: JsonOptions = options_of(group, parse_json_options)
    if options.dots_in_keys:
        raise unsupported(group, "SerDe property dots.in.keys")
    if options.timestamp_formats:
        raise unsupported(group, "SerDe property timestamp.formats")
    if options.lines.header_lines or options.lines.footer_lines:
        raise unsupported(group, "header and footer lines of JSON")
    context.json_files.extend(group.files)
    by_codec: dict[str | None, list[File]] = {}
    for file in group.files:
        by_codec.setdefault(codec(file), []).append(file)
    parts = []
    for name, files in by_codec.items():
        if name == "bz2":
            raise unsupported(group, "bz2 compression of JSON")
        parts.append(_part(group, files, name, options, context))
    return parts


def find_malformed(files: Iterable[File], context: ReaderContext) -> str | None:
    """Where the first line is that is no JSON, and why."""
    for file in files:
        for number, line in read_lines(file, context.client):
            if not line.strip():
                continue
            try:
                orjson.loads(line)
            except orjson.JSONDecodeError as error:
                return f"{file.stored.address}, line {number}: malformed JSON: {error}"
    return None


def _part(
    group: FileGroup,
    files: Sequence[File],
    name: str | None,
    options: JsonOptions,
    context: ReaderContext,
) -> Part:
    paths = ", ".join(quote_text(context.path(file, "")) for file in files)
    compression = name or "uncompressed"
    # Where errors are ignored none would tell of a large object.
    is_large = context.has_large_objects or options.ignore_malformed
    object_bytes = _OBJECT_BYTES_MAX if is_large else _OBJECT_BYTES
    objects = (
        f"read_ndjson_objects([{paths}], compression = '{compression}',"
        f" maximum_object_size = {object_bytes},"
        f" ignore_errors = {str(options.ignore_malformed).lower()}, hive_partitioning = false)"
    )
    reference = group.reference
    keys = _keys(reference, files, name, objects, options=options, context=context)
    base = context.claim(files, _diagnoser(context, options))
    by_column = not context.reads_whole_objects and _can_be_columns(keys, options)
    typed = _typed(keys, files[0], name, context) if by_column else frozenset()
    expressions = _oddities(group, keys, options, typed) if by_column else ()
    for file in files:
        context.watch.watch(file.index, name, expressions=expressions)
    relation = (
        _column_relation(
            keys,
            f"[{paths}], compression = '{compression}', maximum_object_size = {object_bytes}",
            typed,
        )
        if by_column
        else _relation(keys, objects, base, options)
    )
    sql = select_typed(
        group,
        files,
        relation,
        ordinal=f'({base} + "file")',
        null="{0} IS NULL",
        convert=_converter(typed, decimals_are_texts=by_column),
        context=context,
        source_type=_JsonSource,
    )
    size = sum(file.stored.size for file in files)
    return Part(sql, read_in_order(files), size, len(files))


def _can_be_columns(keys: Sequence[_Key], options: JsonOptions) -> bool:
    """Whether DuckDB can be asked for the keys as columns: each has one spelling of its own."""
    names = {key.spellings[0].lower() for key in keys}
    has_one_each = all(len(key.spellings) == 1 for key in keys) and len(names) == len(keys)
    can_be_watched = not options.is_case_insensitive or all(map(is_plain, names))
    return bool(keys) and has_one_each and can_be_watched and not options.ignore_malformed


def _typed(
    keys: Sequence[_Key], file: File, name: str | None, context: ReaderContext
) -> frozenset[TrinoType]:
    """The types that DuckDB is to read by itself, if the first objects do not speak against it."""
    found = frozenset(key.column.type for key in keys if is_read_typed(key.column.type))
    if context.reads_json_texts or not found or not all(is_plain(key.spellings[0]) for key in keys):
        return frozenset()
    if matches(_head(file, name, context), _odd_values(keys)):
        return frozenset()
    context.reads_json_types = True
    return found


def _odd_values(keys: Sequence[_Key]) -> tuple[str, ...]:
    return odd_values((key.spellings[0], key.column.type) for key in keys)


def _oddities(
    group: FileGroup, keys: Sequence[_Key], options: JsonOptions, typed: frozenset[TrinoType]
) -> tuple[str, ...]:
    """What the reader of columns would hide: other spellings, bent values, rows that are null."""
    is_openx = resolve_format(group.descriptor).storage_format is StorageFormat.OPENX_JSON
    spellings = (
        other_spellings(key.spellings[0] for key in keys) if options.is_case_insensitive else ()
    )
    values = _odd_values(keys) if typed else ()
    by_key = "|".join((*spellings[:1], *values[:1]))  # one pass finds both
    return (
        *((by_key,) if by_key else ()),
        *(values[1:] or spellings[1:]),
        *(() if is_openx else null_lines()),
    )


def _column_relation(keys: Sequence[_Key], files: str, typed: frozenset[TrinoType]) -> str:
    """The same as `_relation`, where all is as it should be; else it fails with DOUBT_MARK.

    Columns of the types in `typed` are read as such.
    """
    doubt = f"error({quote_text(DOUBT_MARK)})"
    structure, fields = [], []
    for key in keys:
        spelling = key.spellings[0]
        name = quote_name(spelling)
        if key.column.type in typed:
            structure.append(f"{quote_text(spelling)}: '{type_text(key.column.type)}'")
            fields.append(f'{name} AS "x{key.index}"')
            continue
        is_nested = isinstance(key.column.type, _NESTED)
        structure.append(f"{quote_text(spelling)}: '{'JSON' if is_nested else 'VARCHAR'}'")
        field = name
        if isinstance(key.column.type, algebra.Decimal):
            # More digits may be a string's, which are exact, or what a double left of a number's.
            field = (
                f"CASE WHEN {name} IS NULL OR strlen({name}) <= {DOUBLE_DIGITS} THEN {name}"
                f" WHEN regexp_full_match({name}, '[+-]?[0-9]+') THEN {name} ELSE {doubt} END"
            )
        if isinstance(key.column.type, _TEXTS):
            field = f"CASE WHEN {_may_be_reprinted(name)} THEN {doubt} ELSE {field} END"
        fields.append(f'{field} AS "x{key.index}"')
    return (
        f'(SELECT {", ".join(fields)}, {FILE_INDEX} AS "file" FROM read_json({files},'
        f" columns = {{{', '.join(structure)}}}, format = 'newline_delimited', records = 'true',"
        " auto_detect = false, ignore_errors = false, hive_partitioning = false,"
        " union_by_name = false))"
    )


def _relation(keys: Sequence[_Key], objects: str, base: int, options: JsonOptions) -> str:
    """Texts of the used columns as "x<i>", and the file's position as "file"."""
    structure = json.dumps({key.spellings[0]: "JSON" if key.is_json else "VARCHAR" for key in keys})
    file = f'{FILE_INDEX} AS "file"'
    if not keys:
        return f"(SELECT {file} FROM {objects})"
    transformed = (
        f'(SELECT json, json_transform(json, {quote_text(structure)}) AS "j", {file}'
        f" FROM {objects})"
    )
    fields = {key.index: _field(key) for key in keys}
    columns = ", ".join(
        f'{_own_text(key, fields[key.index], base)} AS "x{key.index}"' for key in keys
    )
    bad = Source("(row)", algebra.JSON, f'({base} + "file")').failure("json")
    checked = (
        f"SELECT CASE WHEN NOT {_is_object(options)} THEN {bad}"
        f' WHEN {_has_known_keys(keys, fields, options)} THEN "j"'
        f' ELSE error({quote_text(SPELLING_MARK)}) END AS "j", json, "file" FROM {transformed}'
    )
    return f'(SELECT {columns}, "file" FROM ({checked}))'


def _is_object(options: JsonOptions) -> str:
    """A row is an object without equal keys."""
    keys = "json_keys(json)"
    if options.is_case_insensitive:
        keys = f"list_transform({keys}, lambda k: lower(k))"
    is_object = f"starts_with(ltrim(json), '{{') AND list_unique({keys}) = len({keys})"
    return f"({'json IS NULL OR ' if options.ignore_malformed else ''}({is_object}))"


def _has_known_keys(keys: Sequence[_Key], fields: dict[int, str], options: JsonOptions) -> str:
    """A row has all wanted keys, or no other spelling of one."""
    if not options.is_case_insensitive:
        return "true"
    present = " AND ".join(f"{sql} IS NOT NULL" for sql in fields.values())
    wanted = ", ".join(quote_text(key.spellings[0].lower()) for key in keys)
    known = ", ".join(quote_text(spelling) for key in keys for spelling in key.spellings)
    other = (
        f"list_filter(json_keys(json), lambda k: list_contains([{wanted}], lower(k))"
        f" AND NOT list_contains([{known}], k))"
    )
    return f"(({present}) OR json IS NULL OR len({other}) = 0)"


def _field(key: _Key) -> str:
    first, *others = key.spellings
    primary = f'"j".{quote_name(first)}'
    if not others:
        return primary
    function = "json_extract" if key.is_json else "json_extract_string"
    rest = ", ".join(f"{function}(json, {quote_text(_path(one))})" for one in others)
    return f"coalesce({primary}, {rest})"


def _own_text(key: _Key, field: str, base: int) -> str:
    """The field, failing where DuckDB printed a number anew, whose text is lost."""
    if not isinstance(key.column.type, _TEXTS):
        return field
    is_lost = _may_be_reprinted(field)
    if len(key.spellings) == 1 and '"' not in key.spellings[0]:
        is_lost += f" AND json_type(json, {quote_text(_path(key.spellings[0]))}) <> 'VARCHAR'"
    source = Source(key.column.name, key.column.type, f'({base} + "file")')
    return f"CASE WHEN {is_lost} THEN {source.failure(field)} ELSE {field} END"


def _may_be_reprinted(value: str) -> str:
    """Whether a text may be a number that DuckDB printed anew, other than a short whole one."""
    return (
        f"{value} >= '-' AND {value} < ':' AND NOT regexp_full_match({value}, '-?[0-9]{{1,15}}')"
        f" AND regexp_full_match({value}, '-?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?')"
    )


def _path(key: str) -> str:
    if '"' in key:
        raise QueryServiceError(ErrorCode.NOT_SUPPORTED, f"a JSON key with a quote: {key!r}")
    return f'$."{key}"'


def _keys(
    reference: TableReference,
    files: Sequence[File],
    name: str | None,
    objects: str,
    *,
    options: JsonOptions,
    context: ReaderContext,
) -> list[_Key]:
    wanted = {
        index: options.mapping.get(column.name.lower(), column.name)
        for index, column in used_columns(reference)
        if not (column.is_partition_key or column.is_hidden)
    }
    spellings: dict[str, list[str]] = {}
    if options.is_case_insensitive and wanted:
        found = (
            _all_keys(objects, context)
            if context.collects_spellings
            else _sampled_keys(files[0], name, context)
        )
        for key in found:
            spellings.setdefault(key.lower(), []).append(key)
    return [
        _Key(index, reference.columns[index], _ordered(key, spellings.get(key.lower(), ())))
        for index, key in wanted.items()
    ]


def _ordered(key: str, found: Iterable[str]) -> tuple[str, ...]:
    """The spellings that occur; the declared one when none does."""
    return tuple(dict.fromkeys(found)) or (key,)


def _sampled_keys(file: File, name: str | None, context: ReaderContext) -> list[str]:
    """The keys of the first objects of a plain file."""
    keys: dict[str, None] = {}
    for line in _head(file, name, context).splitlines()[:20]:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            break
        if isinstance(row, dict):
            keys.update(dict.fromkeys(row))
    return list(keys)


def _head(file: File, name: str | None, context: ReaderContext) -> bytes:
    """The first bytes of a plain file; none of one that is compressed."""
    if name is not None:
        return b""
    context.client.prefetch([(file.index, 0, _SAMPLE_BYTES)], is_kept=True)
    return context.client.read(file.index, 0, _SAMPLE_BYTES)


def _all_keys(objects: str, context: ReaderContext) -> list[str]:
    rows = context.connection.execute(
        f"SELECT DISTINCT k FROM (SELECT unnest(json_keys(json)) AS k FROM {objects})"
    ).fetchall()
    return sorted(row[0] for row in rows)


def _converter(
    typed: frozenset[TrinoType], *, decimals_are_texts: bool
) -> Callable[[str, TrinoType, Source], str | None]:
    def convert(text: str, type_: TrinoType, source: Source) -> str | None:
        if type_ in typed:
            return text
        if isinstance(type_, algebra.Decimal):
            return None if decimals_are_texts else json_value(text, type_, source)
        if isinstance(type_, _NESTED):
            return json_value(text, type_, source)
        if isinstance(type_, algebra.Timestamp):
            plain = f"regexp_replace({text}, '^([0-9-]+)T(.*?)Z?$', '\\1 \\2')"
            plain = f"CASE WHEN contains({text}, 'T') THEN {plain} ELSE {text} END"
            return json_value(f"({plain})", type_, source, is_text=True)
        return text_value(text, type_)

    return convert


def _diagnoser(context: ReaderContext, options: JsonOptions) -> Diagnoser:
    def find(file: File, bad: BadValue) -> int | None:
        wanted = options.mapping.get(bad.column.lower(), bad.column).lower()
        for number, line in read_lines(file, context.client):
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if not isinstance(row, dict):
                if bad.column == "(row)" and line.decode(errors="replace").strip():
                    return number
                continue
            values = (value for key, value in row.items() if key.lower() == wanted)
            if any(_is_in(bad.value, value) for value in values):
                return number
        return None

    return find


def _is_in(text: str, value: Any) -> bool:
    """Whether a value's text, or that of one of its parts, is the one that failed."""
    if isinstance(value, str):
        return value.startswith(text)
    if isinstance(value, dict):
        return any(_is_in(text, one) for one in value.values())
    if isinstance(value, list):
        return any(_is_in(text, one) for one in value)
    return json.dumps(value).startswith(text)
