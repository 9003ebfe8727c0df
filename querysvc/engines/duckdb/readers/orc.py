"""ORC: stripes pruned by their statistics, only the used columns' streams read, types checked.

pyarrow decodes a stripe at a time, fed by the plan's file system; the rows reach DuckDB as a
stream of Arrow batches. Columns are found by name; by index if `orc.column.index.access` is true,
or in files of an old Hive, which hold no names (ADR-0020).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final  # pyarrow and DuckDB's types are untyped

import pyarrow as pa
import pyarrow.orc as orc

from querysvc.engines.duckdb.footers import Footer, bad_file, longer_tail
from querysvc.engines.duckdb.readers.base import (
    File,
    FileGroup,
    Part,
    PlanReader,
    ReaderContext,
    used_columns,
)
from querysvc.engines.duckdb.readers.coercions import coerce
from querysvc.engines.duckdb.readers.damage import DamagedFileError
from querysvc.engines.duckdb.readers.domains import RawDomain, raw_domain
from querysvc.engines.duckdb.readers.object_file import ObjectFile
from querysvc.engines.duckdb.readers.orc_metadata import (
    OrcTail,
    Stripe,
    data_ranges,
    read_tail,
    tail_bytes,
)
from querysvc.engines.duckdb.readers.physical import Source, TypeMismatchError, convert, kind
from querysvc.engines.duckdb.readers.quarantine import select_rows
from querysvc.engines.duckdb.readers.rejects import NullSource, on_bad_record
from querysvc.engines.duckdb.readers.sqltext import quote_name, type_text
from querysvc.engines.duckdb.readers.streamed import (
    FILE,
    numbered_origin,
    place_arrays,
    place_fields,
)
from querysvc.engines.duckdb.readers.typed import options_of
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import TableColumn
from querysvc.types.algebra import TrinoType
from querysvc_catalog.serde_options import parse_orc_options

_BATCH_ROWS: Final = 122_880
"""DuckDB's threads take one batch at a time."""
_OUT_OF_RANGE: Final = "out of range for nanosecond resolution"


@dataclass(frozen=True, slots=True)
class _OrcFile:
    """A file with its tail."""

    file: File
    tail: OrcTail


@dataclass(frozen=True, slots=True)
class _Column:
    """A used column, and the file's column that holds it."""

    index: int
    column: TableColumn
    name: str
    """In the file, in its own case."""
    number: int
    """Of its type in the file."""


@dataclass(frozen=True, slots=True)
class _Work:
    """A file's stripes that are to be read; the file by its position in its part."""

    position: int
    file: File
    stripes: tuple[tuple[int, int], ...]
    """Their numbers and rows."""


def read_orc(group: FileGroup, context: ReaderContext) -> list[Part]:
    """Build one part for each schema among the files."""
    by_index = options_of(group, parse_orc_options).by_index
    footers = context.footers.read(group.files, context.client, _footer)
    by_schema: dict[tuple[Any, ...], list[_OrcFile]] = {}
    for file, footer in zip(group.files, footers, strict=True):
        by_schema.setdefault(footer.metadata.types, []).append(_OrcFile(file, footer.metadata))
    return [_part(group, files, by_index, context) for files in by_schema.values()]


def _footer(file: File, client: PlanReader, tail: bytes) -> Footer:
    try:
        length = tail_bytes(tail, file.stored.size)
        whole = longer_tail(file, client, tail, length)
        return Footer(read_tail(whole[len(whole) - length :]), length)
    except DamagedFileError as error:
        raise bad_file(file, str(error)) from error


def _part(
    group: FileGroup, files: Sequence[_OrcFile], by_index: bool | None, context: ReaderContext
) -> Part:
    first = files[0]
    columns = _columns(group, first, by_index)
    schema = _streamed_schema(group, first, context, [one.name for one in columns])
    types = context.connection.from_arrow(schema.empty_table()).types
    base = context.claim([one.file for one in files])
    data = {
        index: f"CAST(NULL AS {type_text(column.type)})"
        for index, column in used_columns(group.reference)
        if not (column.is_partition_key or column.is_hidden)
    }
    domains: dict[int, RawDomain] = {}
    source_type = on_bad_record(group, Source)
    for position, one in enumerate(columns):
        source = source_type(one.column.name, one.column.type, f"({base} + {FILE})")
        physical = types[position]
        try:
            data[one.index] = _value(f'"s{position}"', physical, one.column.type, source)
        except TypeMismatchError:
            raise _mismatch(first, one) from None
        # A value that becomes NULL would be lost to a domain that allows NULL.
        domain = group.reference.domains.get(one.index) if source_type is not NullSource else None
        raw = raw_domain(domain, _comparable(physical)) if domain is not None else None
        if raw is not None:
            domains[one.number] = raw
    return _assemble(group, files, columns, data, domains, schema=schema, context=context)


def _assemble(
    group: FileGroup,
    files: Sequence[_OrcFile],
    columns: Sequence[_Column],
    data: dict[int, str],
    domains: dict[int, RawDomain],
    *,
    schema: Any,
    context: ReaderContext,
) -> Part:
    tail = files[0].tail
    wanted = frozenset(number for one in columns for number in (0, *tail.below(one.number)))
    surviving = [_surviving(one.tail, domains) for one in files]
    ranges = _ranges(files, surviving, wanted, context) if columns else ()
    works = [
        _Work(position, one.file, tuple((number, stripe.rows) for number, stripe in stripes))
        for position, (one, stripes) in enumerate(zip(files, surviving, strict=True))
        if stripes
    ]
    table = f"orc{len(context.ordinals)}"
    names = [one.name for one in columns]
    context.feed(table, schema, lambda: _batches(works, names, schema, context.client))
    return Part(
        select_rows(
            group,
            [one.file for one in files],
            quote_name(table),
            data,
            context=context,
            raw={one.index: f'CAST("s{i}" AS VARCHAR)' for i, one in enumerate(columns)},
            origin=numbered_origin(group.reference),
        ),
        ranges,
        sum(length for _file, _offset, length in ranges),
        len(files),
        sum(map(len, surviving)),
        sum(len(one.tail.stripes) for one in files),
    )


def _columns(group: FileGroup, first: _OrcFile, by_index: bool | None) -> list[_Column]:
    """The used columns that the files have, in the order of the file."""
    fields = first.tail.fields
    has_names = not first.tail.has_only_placeholder_names
    if by_index is False and fields and not has_names:
        raise bad_file(first.file, "has no column names, and orc.column.index.access is false")
    if by_index is None and has_names:
        _check_names(group, first)
    by_index = not has_names if by_index is None else by_index
    by_name: dict[str, int] = {}
    for position, (name, _number) in enumerate(fields):
        by_name.setdefault(name.lower(), position)
    found = []
    for index, column in used_columns(group.reference):
        if column.is_partition_key or column.is_hidden:
            continue
        position = index if by_index else by_name.get(column.name.lower(), len(fields))
        if position < len(fields):
            found.append((position, _Column(index, column, *fields[position])))
    return [one for _position, one in sorted(found, key=lambda pair: pair[0])]


def _check_names(group: FileGroup, first: _OrcFile) -> None:
    """Athena finds columns by index: where no name fits, NULLs are not what was meant."""
    declared = {column.name.lower() for column in group.reference.table.columns}
    if declared and declared.isdisjoint(name.lower() for name, _number in first.tail.fields):
        raise bad_file(
            first.file,
            "has none of the table's columns; orc.column.index.access=true finds them by index",
        )


def _streamed_schema(
    group: FileGroup, first: _OrcFile, context: ReaderContext, names: Sequence[str]
) -> Any:
    """The columns as pyarrow will give them, and each row's place."""
    place = place_fields(group.reference)
    if not names:
        return pa.schema(place)
    try:
        schema = orc.ORCFile(pa.PythonFile(ObjectFile(first.file, context.client))).schema
        types = [schema.field(schema.names.index(name)).type for name in names]
        return pa.schema([*(pa.field(f"s{i}", type_) for i, type_ in enumerate(types)), *place])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise bad_file(first.file, f"cannot be read as ORC: {error}") from error


def _surviving(tail: OrcTail, domains: dict[int, RawDomain]) -> list[tuple[int, Stripe]]:
    return [
        (number, stripe)
        for number, stripe in enumerate(tail.stripes)
        if all(
            (found := tail.statistic(stripe, column)) is None or domain.may_hold(found)
            for column, domain in domains.items()
        )
    ]


def _ranges(
    files: Sequence[_OrcFile],
    surviving: Sequence[Sequence[tuple[int, Stripe]]],
    wanted: frozenset[int],
    context: ReaderContext,
) -> tuple[tuple[int, int, int], ...]:
    """The used columns' streams; the stripes' footers, which tell where they are, are read now."""
    stripes = [
        (one, stripe) for one, own in zip(files, surviving, strict=True) for _number, stripe in own
    ]
    context.client.prefetch(
        [(one.file.index, s.footer_offset, s.footer_bytes) for one, s in stripes], is_kept=True
    )
    ranges = []
    for one, stripe in stripes:
        footer = context.client.read(one.file.index, stripe.footer_offset, stripe.footer_bytes)
        try:
            ranges += [
                (one.file.index, offset, length)
                for offset, length in data_ranges(footer, stripe, one.tail.compression, wanted)
            ]
        except DamagedFileError as error:
            raise bad_file(one.file, str(error)) from error
    return tuple(ranges)


def _batches(
    works: Iterable[_Work], names: Sequence[str], schema: Any, client: PlanReader
) -> Iterator[Any]:
    for work in works:
        before = 0
        for rows, columns in _stripes(work, names, client):
            place = place_arrays(schema, work.position, rows, before)
            before += rows
            try:
                batch = pa.RecordBatch.from_arrays([*columns, *place], schema=schema)
            except pa.ArrowException as error:
                raise bad_file(work.file, f"is not as its footer says: {error}") from error
            for start in range(0, rows, _BATCH_ROWS):
                yield batch.slice(start, _BATCH_ROWS)


def _stripes(
    work: _Work, names: Sequence[str], client: PlanReader
) -> Iterator[tuple[int, list[Any]]]:
    """The rows and the columns of each stripe."""
    if not names:
        for _number, rows in work.stripes:
            yield rows, []
        return
    try:
        source = orc.ORCFile(pa.PythonFile(ObjectFile(work.file, client)))
        for number, _rows in work.stripes:
            stripe = source.read_stripe(number, columns=list(names))
            yield stripe.num_rows, [stripe.column(stripe.schema.names.index(n)) for n in names]
    except (pa.ArrowException, OSError) as error:
        if _OUT_OF_RANGE in str(error):
            raise QueryServiceError(
                ErrorCode.NOT_SUPPORTED,
                f"{work.file.stored.address}: reading ORC timestamps before 1677-09-21 or after"
                f" 2262-04-11 is not supported ({error})",
            ) from error
        raise bad_file(work.file, f"cannot be read as ORC: {error}") from error


def _value(value: str, physical: Any, target: TrinoType, source: Source) -> str:
    try:
        converted = convert(value, physical, target, source)
    except TypeMismatchError:
        coerced = coerce(value, physical, target, source)
        if coerced is None:
            raise
        return coerced
    if kind(physical) in ("float", "double") and converted == value:
        # Else DuckDB would have Arrow filter, to which NaN is greater than nothing.
        return f"CASE WHEN isnan({value}) THEN {value} ELSE {value} END"
    return converted


def _mismatch(first: _OrcFile, one: _Column) -> QueryServiceError:
    kind = first.tail.types[one.number].kind.name
    return QueryServiceError(
        ErrorCode.HIVE_BAD_DATA,
        f"Malformed ORC file. Cannot read SQL type '{one.column.type}' from ORC stream"
        f" '.{one.name}' of type {kind} [{first.file.stored.address}]",
    )


@dataclass(frozen=True, slots=True)
class _Plain:
    id: str


def _comparable(physical: Any) -> Any:
    """The type as which a column's statistics are compared: a timestamp's are milliseconds."""
    return _Plain("timestamp") if str(physical.id).lower() == "timestamp_ns" else physical
