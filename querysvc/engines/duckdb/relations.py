"""From a plan's scans to relations: which reader for which files, and what all will read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from querysvc.engines.duckdb.inexact import (
    READ_AGAIN,
    may_end_early,
    reasons,
    scanned_twice,
)
from querysvc.engines.duckdb.readers.avro import read_avro
from querysvc.engines.duckdb.readers.base import (
    File,
    FileGroup,
    Part,
    Reader,
    ReaderContext,
    used_columns,
)
from querysvc.engines.duckdb.readers.iceberg import iceberg_groups, read_iceberg
from querysvc.engines.duckdb.readers.json_paths import read_json_files
from querysvc.engines.duckdb.readers.json_rows import read_cloudtrail
from querysvc.engines.duckdb.readers.orc import read_orc
from querysvc.engines.duckdb.readers.parquet import read_parquet
from querysvc.engines.duckdb.readers.partition_schema import read_partitions
from querysvc.engines.duckdb.readers.quarantine import is_quarantined, judged, tells_rejects
from querysvc.engines.duckdb.readers.regex import read_grok, read_regex
from querysvc.engines.duckdb.readers.sqltext import literal_text, quote_name
from querysvc.engines.duckdb.readers.text import read_csv, read_text
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import ExecutionPlan, ReadEstimate, TableScan
from querysvc.types.algebra import TrinoType
from querysvc_catalog.errors import UnsupportedFormatError
from querysvc_catalog.model import StorageDescriptor
from querysvc_catalog.serdes import StorageFormat, resolve_format

READERS: Final[dict[StorageFormat, Reader]] = {
    StorageFormat.PARQUET: read_parquet,
    StorageFormat.ORC: read_orc,
    StorageFormat.AVRO: read_avro,
    StorageFormat.REGEX: read_regex,
    StorageFormat.GROK: read_grok,
    StorageFormat.TEXTFILE: read_text,
    StorageFormat.CSV: read_csv,
    StorageFormat.OPENX_JSON: read_json_files,
    StorageFormat.JSON: read_json_files,
    StorageFormat.CLOUDTRAIL: read_cloudtrail,
}
_READ_AGAIN: Final[tuple[Reader, ...]] = (read_text, read_csv, read_json_files)
KEPT_BYTES_MAX: Final = 32 << 20
"""What a plan may keep in its window after it was read: so much is never fetched twice. (Of larger
tables that are scanned twice DuckDB's file cache keeps it, at a tenth of all scans' time.)"""
_KEPT_TEXT_BYTES_MAX: Final = 8 << 20
"""Of text that may have to be read again: rarely it has, and what is kept is fetched less far
ahead."""


_PARQUET_READERS: Final = (read_parquet, read_iceberg)


@dataclass(frozen=True, slots=True)
class PlannedRelations:
    """A relation's SQL for each scan, by its index; what it reads is reserved in reading order."""

    sql: tuple[str, ...]
    estimate: ReadEstimate


def plan_relations(plan: ExecutionPlan, context: ReaderContext) -> PlannedRelations:
    """Build the relations of all scans; the smaller tables are announced first.

    DuckDB builds hash tables before it probes, and its optimizer puts the smaller side there.
    """
    relations: list[str] = []
    all_parts: list[list[Part]] = []
    all_groups = file_groups(plan)
    once = _to_read_once(plan)
    if once:  # what fills a table cannot be tried again by another path
        context.is_exact = context.reads_json_rows = True
    _announce_footers(all_groups, context)
    for index, (scan, groups) in enumerate(zip(plan.scans, all_groups, strict=True)):
        parts = [
            part for group in groups for part in read_partitions(_reader(group), group, context)
        ]
        made = _made(scan)
        sql = _union(made, parts)
        relations.append(
            _padded(scan, _kept_rows(index, scan, sql, context))
            if index in once
            else _padded(made, sql)
        )
        all_parts.append(parts)
    kept = _kept(plan, all_groups, all_parts)
    for index in sorted(range(len(all_parts)), key=lambda index: _data_bytes(all_parts[index])):
        ranges = tuple(one for part in all_parts[index] for one in part.ranges)
        context.client.reserve(ranges, is_kept=index in kept)
    reads_parquet = any(_reader(one) in _PARQUET_READERS for groups in all_groups for one in groups)
    told = reasons(plan.query, reads_parquet=reads_parquet)
    if any(_may_read_again(one) for index, one in enumerate(all_groups) if index not in kept):
        told = (*told, READ_AGAIN)
    flat = [part for parts in all_parts for part in parts]
    return PlannedRelations(
        sql=tuple(relations),
        estimate=ReadEstimate(
            scanned_bytes=context.client.planned_bytes,
            files=sum(part.files for part in flat),
            row_groups=sum(part.row_groups for part in flat),
            total_row_groups=sum(part.total_row_groups for part in flat),
            is_exact=not told,
            reason="; ".join(told),
            may_end_early=may_end_early(plan.query),
        ),
    )


def _to_read_once(plan: ExecutionPlan) -> set[int]:
    """The tables that set rows aside and are scanned twice: each such row counts once."""
    return {
        index
        for index in scanned_twice(plan.query)
        if is_quarantined(plan.scans[index].reference)
        and not tells_rejects(plan.scans[index].reference)
    }


def _kept_rows(index: int, scan: TableScan, sql: str, context: ReaderContext) -> str:
    """SQL over a temporary table of the rows, with the columns that the query uses."""
    table = quote_name(f"kept{index}")
    names = [quote_name(f"c{position}") for position, _ in used_columns(scan.reference)]
    listed = ", ".join(names) or 'NULL AS "none"'
    create = f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {listed} FROM ({sql})"
    context.loads.append(lambda: context.connection.execute(create))
    return f"SELECT * FROM {table}"


def _kept(
    plan: ExecutionPlan,
    all_groups: Sequence[Sequence[FileGroup]],
    all_parts: Sequence[Sequence[Part]],
) -> set[int]:
    """The tables that may be read twice, where their bytes can stay in the window meanwhile."""
    texts = {index for index, groups in enumerate(all_groups) if _may_read_again(groups)}
    limits = ((scanned_twice(plan.query), KEPT_BYTES_MAX), (texts, _KEPT_TEXT_BYTES_MAX))
    return {
        index
        for tables, limit in limits
        if sum(_data_bytes(all_parts[table]) for table in tables) <= limit
        for index in tables
    }


def _data_bytes(parts: Sequence[Part]) -> int:
    return sum(part.data_bytes for part in parts)


def _may_read_again(groups: Sequence[FileGroup]) -> bool:
    """Whether there is text that DuckDB may fail to read as its SerDe does."""
    return any(_reader(group) in _READ_AGAIN for group in groups)


def _made(scan: TableScan) -> TableScan:
    """The scan with the columns that its parts have: all, where all decide on a row."""
    reference = scan.reference
    if tells_rejects(reference):
        every = tuple(range(len(reference.columns)))
        return replace(scan, reference=replace(reference, used_columns=every))
    return replace(scan, reference=judged(reference))


def _announce_footers(all_groups: Sequence[Sequence[FileGroup]], context: ReaderContext) -> None:
    """One round trip for all tables' footers."""
    files = [
        file
        for groups in all_groups
        for group in groups
        if _reader(group) in _PARQUET_READERS
        for file in (*group.files, *(group.iceberg.deletes if group.iceberg else ()))
    ]
    context.footers.announce(files, context.client)


def file_groups(plan: ExecutionPlan) -> list[list[FileGroup]]:
    """Each scan's files that are read alike, in the order of the scans."""
    next_index = 0
    all_groups: list[list[FileGroup]] = []
    for scan in plan.scans:
        judging = replace(scan, reference=judged(scan.reference))
        groups, next_index = _groups(judging, next_index)
        all_groups.append(groups)
    return all_groups


def _groups(scan: TableScan, next_index: int) -> tuple[list[FileGroup], int]:
    """The scan's files by storage descriptor, numbered as `plan_objects` does."""
    if scan.iceberg is not None:
        return iceberg_groups(scan, next_index)
    by_descriptor: list[tuple[StorageDescriptor, list[File]]] = []
    for partition in scan.partitions:
        files = []
        for stored in partition.objects:
            files.append(File(next_index, stored, partition.values))
            next_index += 1
        _group_of(by_descriptor, partition.storage_descriptor).extend(files)
    return [
        FileGroup(scan.reference, descriptor, tuple(file for file in files if file.stored.size))
        for descriptor, files in by_descriptor
        if any(file.stored.size for file in files)
    ], next_index


def _group_of(
    groups: list[tuple[StorageDescriptor, list[File]]], descriptor: StorageDescriptor
) -> list[File]:
    for known, files in groups:
        if known is descriptor or _reads_alike(known, descriptor):
            return files
    groups.append((descriptor, []))
    return groups[-1][1]


def _reads_alike(first: StorageDescriptor, second: StorageDescriptor) -> bool:
    """Whether two descriptors differ at most in where their data lies."""
    return (
        first.serde_info == second.serde_info
        and first.input_format == second.input_format
        and first.columns == second.columns
        and first.parameters == second.parameters
    )


def _reader(group: FileGroup) -> Reader:
    if group.iceberg is not None:
        return read_iceberg
    table = group.reference.table
    try:
        found = resolve_format(group.descriptor)
    except UnsupportedFormatError as error:
        raise QueryServiceError(
            ErrorCode.HIVE_UNSUPPORTED_FORMAT, f"table {table.full_name}: {error.message}"
        ) from error
    reader = READERS.get(found.storage_format)
    if reader is None or found.is_symlink_manifest:
        what = "a symlink manifest" if found.is_symlink_manifest else found.storage_format
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED, f"table {table.full_name}: reading {what} is not supported"
        )
    return reader


def _padded(scan: TableScan, sql: str) -> str:
    """The relation with every column of the table: those that no scan refers to are NULL.

    The analyser's scans list all columns; DuckDB drops again what is not used.
    """
    used = {index for index, _ in used_columns(scan.reference)}
    nulls = ", ".join(
        f"{_null(column.type)} AS {quote_name(f'c{index}')}"
        for index, column in enumerate(scan.reference.columns)
        if index not in used
    )
    return f"SELECT *, {nulls} FROM ({sql}) AS scanned" if nulls else sql


def _null(type_: TrinoType) -> str:
    """A NULL that expressions over the column still bind to, whatever DuckDB then leaves out."""
    try:
        return literal_text(None, type_)
    except QueryServiceError:  # a type that no query of ours can read, either
        return "NULL"


def _union(scan: TableScan, parts: Sequence[Part]) -> str:
    if parts:
        return " UNION ALL ".join(part.sql for part in parts)
    items = [
        f"{literal_text(None, column.type)} AS {quote_name(f'c{index}')}"
        for index, column in used_columns(scan.reference)
    ]
    listed = ", ".join(items) or 'NULL AS "none"'
    return f"SELECT {listed} WHERE false"
