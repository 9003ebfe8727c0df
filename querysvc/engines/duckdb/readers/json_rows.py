"""JSON read in Python, to the letter of openx's and hcatalog's SerDes, and CloudTrail's records.

The exact path: for compressions and properties that DuckDB's readers do not know, and for whatever
they found amiss. Each line's first JSON value is a row; openx reads an array by position, and
anything else as NULLs. A CloudTrail object is one document whose `Records` are the rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final  # parsed JSON

import pyarrow as pa

from querysvc.engines.duckdb.functions.arrow_types import arrow_type
from querysvc.engines.duckdb.readers.base import (
    File,
    FileGroup,
    Part,
    PlanReader,
    ReaderContext,
    read_in_order,
    used_columns,
)
from querysvc.engines.duckdb.readers.json_values import (
    Convert,
    JsonRules,
    Number,
    converter,
    key_of,
    text_of,
)
from querysvc.engines.duckdb.readers.lines import read_lines
from querysvc.engines.duckdb.readers.physical import Source
from querysvc.engines.duckdb.readers.quarantine import (
    BadRecordError,
    QuarantineSource,
    Record,
    is_quarantined,
    record_arrays,
    record_fields,
    select_rows,
    streamed_origin,
)
from querysvc.engines.duckdb.readers.rejects import NullSource, on_bad_record
from querysvc.engines.duckdb.readers.rows import check_encoding, decoded_records
from querysvc.engines.duckdb.readers.sqltext import quote_name
from querysvc.engines.duckdb.readers.timestamp_formats import timestamp_parser
from querysvc.engines.duckdb.readers.typed import options_of, unsupported
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import TableColumn
from querysvc_catalog.serde_options import parse_json_options
from querysvc_catalog.serdes import StorageFormat, resolve_format

_BATCH_ROWS: Final = 5_000
_DOCUMENT_BYTES_MAX: Final = 256 << 20
_VALUE_CHARACTERS_MAX: Final = 200
Values = Callable[[File, PlanReader], Iterator[tuple[Record, Any]]]
"""A file's rows as parsed values, with their lines."""


@dataclass(frozen=True, slots=True)
class _Column:
    index: int
    column: TableColumn
    key: str
    position: int
    convert: Convert


@dataclass(frozen=True, slots=True)
class _RowReader:
    """How values become rows: by key, and for openx by position too."""

    columns: tuple[_Column, ...]
    rules: JsonRules
    is_nullable: bool
    """A value that fails is NULL (`querysvc.on_bad_record=null`)."""
    what: str = "line"

    def row(self, value: Any) -> list[Any]:
        """The used columns of one row; raises BadRecordError."""
        if isinstance(value, dict):
            found = {key_of(name, self.rules): one for name, one in value.items()}
            values = [found.get(one.key) for one in self.columns]
        elif isinstance(value, list) and self.rules.is_lenient:
            values = [
                value[one.position] if one.position < len(value) else None for one in self.columns
            ]
        elif self.rules.is_lenient:
            values = [None] * len(self.columns)
        else:
            raise _bad("(row)", text_of(value), "object")
        return [self._value(one, given) for one, given in zip(self.columns, values, strict=True)]

    def _value(self, one: _Column, given: Any) -> Any:
        try:
            return one.convert(given)
        except (ValueError, ArithmeticError):
            if self.is_nullable:
                return None
            column = one.column
            raise _bad(column.name, text_of(given), str(column.type)) from None


def _bad(column: str, value: str, type_: str) -> BadRecordError:
    shown = value[:_VALUE_CHARACTERS_MAX]
    reason = f"column {column}: value {shown!r} is not a valid {type_}"
    return BadRecordError(reason, column, shown, type_)


def read_json_rows(group: FileGroup, context: ReaderContext) -> list[Part]:
    """Read lines of JSON."""
    options = options_of(group, parse_json_options)
    is_openx = resolve_format(group.descriptor).storage_format is StorageFormat.OPENX_JSON
    choice = on_bad_record(group, None)
    rules = JsonRules(
        is_lenient=is_openx,
        ignores_case=options.is_case_insensitive or not is_openx,
        dots_in_keys=options.dots_in_keys and is_openx,
        is_failing=choice in (Source, QuarantineSource),
        parse_timestamp=timestamp_parser(group, options.timestamp_formats),
    )
    mapping = options.mapping if is_openx else {}
    columns = _columns(group, rules, mapping)
    encoding = check_encoding(group, options.lines)
    parse = _parser(is_openx=is_openx)
    is_skipping = options.ignore_malformed and is_openx

    is_forgiving = is_quarantined(group.reference)

    def values(file: File, client: PlanReader) -> Iterator[tuple[Record, Any]]:
        for record in decoded_records(
            file, client, options.lines, encoding, is_forgiving=is_forgiving
        ):
            try:
                value = _parsed(record.text, parse, is_skipping=is_skipping, is_openx=is_openx)
                yield record, value
            except BadRecordError as bad:
                if not is_forgiving:
                    place = f"{file.stored.address}, line {record.number}"
                    raise bad.failure(place) from bad.__cause__
                yield (record if record.bad else replace(record, bad=bad)), None

    return [_part(group, context, _RowReader(columns, rules, choice is NullSource), values)]


def read_cloudtrail(group: FileGroup, context: ReaderContext) -> list[Part]:
    """Read CloudTrail's log files: `{"Records": […]}`, or records one a line."""
    choice = on_bad_record(group, None)
    rules = JsonRules(is_lenient=True, is_failing=choice in (Source, QuarantineSource))
    columns = _columns(group, rules, {})
    reader = _RowReader(columns, rules, choice is NullSource, "record")
    return [_part(group, context, reader, _records)]


def _part(group: FileGroup, context: ReaderContext, reader: _RowReader, values: Values) -> Part:
    schema = pa.schema(
        [
            *(pa.field(f"s{one.index}", arrow_type(one.column.type)) for one in reader.columns),
            pa.field("file", pa.int64()),
            *record_fields(group.reference),
        ]
    )
    context.claim(group.files)
    table = f"json{len(context.ordinals)}"
    client = context.client

    def batches() -> Iterator[Any]:
        for position, file in enumerate(group.files):
            rows = _rows(group, file, reader, values(file, client))
            while chunk := list(islice(rows, _BATCH_ROWS)):
                columns = zip(*(row for _record, row in chunk), strict=True)
                arrays = [
                    pa.array(column, schema.field(i).type) for i, column in enumerate(columns)
                ]
                arrays.append(pa.repeat(pa.scalar(position, pa.int64()), len(chunk)))
                arrays += record_arrays(group.reference, [record for record, _row in chunk])
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    context.feed(table, schema, batches)
    data = {one.index: quote_name(f"s{one.index}") for one in reader.columns}
    origin = streamed_origin(group.reference)
    sql = select_rows(group, group.files, quote_name(table), data, context=context, origin=origin)
    size = sum(file.stored.size for file in group.files)
    return Part(sql, read_in_order(group.files), size, len(group.files))


def _rows(
    group: FileGroup, file: File, reader: _RowReader, values: Iterator[tuple[Record, Any]]
) -> Iterator[tuple[Record, list[Any]]]:
    """The rows with their lines; a bad one fails, or is all NULL and told of as bad."""
    nothing = [None] * len(reader.columns)
    is_forgiving = is_quarantined(group.reference)
    for record, value in values:
        if record.bad is not None:
            yield record, nothing
            continue
        try:
            yield record, reader.row(value)
        except BadRecordError as bad:
            if not is_forgiving:
                place = f"{file.stored.address}, {reader.what} {record.number}"
                raise bad.failure(place) from None
            yield replace(record, bad=bad), nothing


def _columns(group: FileGroup, rules: JsonRules, mapping: Any) -> tuple[_Column, ...]:
    found = []
    for index, column in used_columns(group.reference):
        if column.is_partition_key or column.is_hidden:
            continue
        key = mapping.get(column.name.lower(), column.name)
        try:
            convert = converter(column.type, rules)
        except ValueError as error:
            raise unsupported(group, str(error)) from error
        found.append(
            _Column(index, column, key.lower() if rules.ignores_case else key, index, convert)
        )
    return tuple(found)


def _parser(*, is_openx: bool) -> json.JSONDecoder:
    """Numbers keep their texts; hcatalog's parser refuses a key that comes twice."""

    def constant(name: str) -> Any:
        raise ValueError(f"{name} is no JSON")

    def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len({key.lower() for key in found}) != len(pairs):
            raise ValueError("a key comes twice")
        return found

    return json.JSONDecoder(
        parse_float=Number,
        parse_int=Number,
        parse_constant=constant,
        object_pairs_hook=None if is_openx else unique,
    )


def _parsed(line: str, parser: json.JSONDecoder, *, is_skipping: bool, is_openx: bool) -> Any:
    text = line.lstrip()
    if not text and is_openx:
        return None
    try:
        return parser.raw_decode(text)[0]  # what follows the first value is not looked at
    except (ValueError, RecursionError) as error:
        if is_skipping:
            return None
        raise BadRecordError(f"malformed JSON: {error}") from error


def _records(file: File, client: PlanReader) -> Iterator[tuple[Record, Any]]:
    text = bytearray()
    for _number, line in read_lines(file, client):
        text += line
        text += b"\n"
        if len(text) > _DOCUMENT_BYTES_MAX:
            raise QueryServiceError(
                ErrorCode.HIVE_BAD_DATA,
                f"{file.stored.address}: a CloudTrail document of more than"
                f" {_DOCUMENT_BYTES_MAX} bytes",
            )
    parser = _parser(is_openx=True)
    try:
        document = parser.decode(text.decode())
        records = document["Records"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise QueryServiceError(
            ErrorCode.HIVE_BAD_DATA,
            f"{file.stored.address}: no CloudTrail document with Records: {error}",
        ) from error
    found = records if isinstance(records, list) else [records]
    for number, record in enumerate(found, 1):
        yield Record(number, text_of(record)), record
