"""Rows that `querysvc.on_bad_record=quarantine` sets aside, and `"t$rejects"`, which shows them.

A row in which any column's value is bad is no row of the table, whatever a query asks of it: so
all columns are read and judged. DuckDB's TRY tells whether a conversion failed; what Python found
amiss with a whole line comes as a reason. `"t$rejects"` reads the same objects the same way, with
each row's place and text, and keeps the bad ones: nothing is stored.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final  # Arrow is untyped

import pyarrow as pa
import pyarrow.compute as pc

from querysvc.engines.duckdb.functions.install import install_functions
from querysvc.engines.duckdb.functions.registry import PythonFunction
from querysvc.engines.duckdb.readers.base import (
    FILE_INDEX,
    File,
    FileGroup,
    ReaderContext,
    constant_column,
    select_list,
    used_columns,
)
from querysvc.engines.duckdb.readers.physical import Source
from querysvc.engines.duckdb.readers.sqltext import quote_name, quote_text
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import REJECT_COLUMNS, REJECTS, TableColumn, TableReference
from querysvc.types.algebra import BOOLEAN
from querysvc.types.hive import from_hive
from querysvc_catalog.types import parse_type

PROPERTY: Final = "querysvc.on_bad_record"
QUARANTINE: Final = "quarantine"
KEEPS: Final = "querysvc_keeps"
"""The SQL function that counts the rows that are set aside."""
_VALUE_CHARACTERS_MAX: Final = 1000
_RECORD_CHARACTERS_MAX: Final = 100_000
_EXTRAS: Final = (
    *(("line", pa.int64()), ("offset", pa.int64()), ("record", pa.string())),
    *(("reason", pa.string()), ("bad_column", pa.string()), ("bad_value", pa.string())),
    ("bad_type", pa.string()),
)


@dataclass(frozen=True, slots=True)
class QuarantineSource(Source):
    """A source whose bad values fail in a way that TRY sees (it refuses error(), as volatile)."""

    def failure(self, value: str) -> str:
        """SQL that fails; its type fits to any other branch."""
        text = f"coalesce(CAST({value} AS VARCHAR), '') || '?'"
        return f"CASE WHEN CAST(strlen({text}) || '?' AS BOOLEAN) THEN NULL END"


class BadRecordError(Exception):
    """A line, or a value in it, that Python found to be bad."""

    def __init__(
        self,
        reason: str,
        column: str | None = None,
        value: str | None = None,
        type_: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason, self.column, self.value, self.type = reason, column, value, type_

    def failure(self, where: str) -> QueryServiceError:
        """HIVE_BAD_DATA, for tables whose bad records fail."""
        return QueryServiceError(ErrorCode.HIVE_BAD_DATA, f"{where}: {self.reason}")


@dataclass(frozen=True, slots=True)
class Record:
    """A line as it was met: its number from 1, its offset in a plain file, what is wrong."""

    number: int
    text: str
    offset: int | None = None
    bad: BadRecordError | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """SQL of where a row comes from, and of what is wrong with it as a whole."""

    line: str = "NULL"
    offset: str = "NULL"
    record: str = "NULL"
    reason: str = "NULL"
    bad_column: str = "NULL"
    bad_value: str = "NULL"
    bad_type: str = "NULL"

    def names(self) -> tuple[str, ...]:
        """The columns that it takes from its relation."""
        return tuple(sql for name, _ in _EXTRAS if (sql := getattr(self, name)) != "NULL")

    def items(self) -> str:
        """The SELECT items that name each part as itself."""
        return ", ".join(f"{getattr(self, name)} AS {quote_name(name)}" for name, _ in _EXTRAS)


def streamed_origin(reference: TableReference) -> Origin | None:
    """The parts as columns of their own names, where `record_arrays` streams them."""
    if not is_quarantined(reference):
        return None
    return Origin(**{name: quote_name(name) for name, _type in _EXTRAS})


def is_quarantined(reference: TableReference) -> bool:
    """Whether bad rows are set aside, or shown."""
    chosen = reference.table.parameters.get(PROPERTY, "")
    return chosen.strip().lower() == QUARANTINE


def tells_rejects(reference: TableReference) -> bool:
    """Whether the rows that are set aside are asked for."""
    return reference.table.table_type == REJECTS


def judged(reference: TableReference) -> TableReference:
    """The reference with all data columns used, where all of them decide on a row."""
    if tells_rejects(reference):
        data = tuple(
            TableColumn(column.name, from_hive(parse_type(column.type or "string")))
            for column in reference.table.columns
        )
        keys = tuple(column for column in reference.columns if column.is_partition_key)
        columns = (*data, *keys)
        return replace(
            reference, columns=columns, used_columns=tuple(range(len(columns))), domains={}
        )
    if not is_quarantined(reference):
        return reference
    data_columns = {
        index
        for index, column in enumerate(reference.columns)
        if not (column.is_partition_key or column.is_hidden)
    }
    return replace(
        reference, used_columns=tuple(sorted(data_columns.union(reference.used_columns)))
    )


def record_fields(reference: TableReference) -> list[Any]:
    """The fields that streams of Python's add to their rows."""
    return [pa.field(*one) for one in _EXTRAS] if is_quarantined(reference) else []


def record_arrays(reference: TableReference, records: Sequence[Record]) -> list[Any]:
    """The values of `record_fields` for some rows."""
    if not is_quarantined(reference):
        return []
    shows = tells_rejects(reference)
    rows = [
        (
            record.number,
            record.offset,
            record.text[:_RECORD_CHARACTERS_MAX] if shows else None,
            *_told(record.bad),
        )
        for record in records
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(_EXTRAS)
    return [pa.array(values, type_) for values, (_n, type_) in zip(columns, _EXTRAS, strict=True)]


def _told(bad: BadRecordError | None) -> tuple[str | None, ...]:
    return (None,) * 4 if bad is None else (bad.reason, bad.column, bad.value, bad.type)


def select_rows(
    group: FileGroup,
    files: Sequence[File],
    relation: str,
    data: Mapping[int, str],
    *,
    context: ReaderContext,
    file: str = '"file"',
    raw: Mapping[int, str] | None = None,
    origin: Origin | None = None,
) -> str:
    """SELECT the used columns: of all rows, of the good ones, or what is to tell of the bad ones.

    `data` is SQL of the columns in the objects, `raw` of their texts, `file` of a row's file.
    """
    reference = group.reference
    if tells_rejects(reference):
        return _bad_rows(reference, files, relation, data, file=file, raw=raw or {}, origin=origin)
    if is_quarantined(reference):
        _count_rejects(context)
        return _good_rows(reference, files, relation, data, file=file, origin=origin)
    listed = select_list(reference, dict(data), files).replace(FILE_INDEX, file)
    return f"SELECT {listed} FROM {relation}"


def _count_rejects(context: ReaderContext) -> None:
    """Give the connection the function that tells which rows stay, and counts the others."""
    if context.counts_rejects:
        return
    lock = threading.Lock()

    def keeps(is_bad: pa.Array) -> pa.Array:
        with lock:
            context.rejected += is_bad.true_count
        return pc.invert(is_bad)

    install_functions(
        context.connection,
        [PythonFunction(KEEPS, ("BOOLEAN",), "BOOLEAN", BOOLEAN, keeps, is_deterministic=False)],
    )
    context.counts_rejects = True


def _good_rows(
    reference: TableReference,
    files: Sequence[File],
    relation: str,
    data: Mapping[int, str],
    *,
    file: str,
    origin: Origin | None,
) -> str:
    values = "".join(f", {quote_name(f'c{i}')} := {sql}" for i, sql in data.items())
    row = f'TRY(struct_pack("file" := {file}{values}))'
    reason = (origin or Origin()).reason
    found = {i: f'"row".{quote_name(f"c{i}")}' for i in data}
    listed = select_list(reference, found, files).replace(FILE_INDEX, '"row"."file"')
    # All columns come out of a function with effects: so DuckDB filters, and counts, above it.
    kept = f'CASE WHEN {KEEPS}("row" IS NULL OR "reason" IS NOT NULL) THEN "row" END'
    return (
        f'SELECT {listed} FROM (SELECT {kept} AS "row" FROM (SELECT {row} AS "row",'
        f' {reason} AS "reason" FROM {relation})) WHERE "row" IS NOT NULL'
    )


def _bad_rows(
    reference: TableReference,
    files: Sequence[File],
    relation: str,
    data: Mapping[int, str],
    *,
    file: str,
    raw: Mapping[int, str],
    origin: Origin | None,
) -> str:
    judged_items = [
        f'TRY(struct_pack(v := {sql})) IS NULL AS "b{i}", {raw.get(i, "NULL")} AS "r{i}"'
        for i, sql in data.items()
    ]
    inner = ", ".join([f'{file} AS "file"', (origin or Origin()).items(), *judged_items])
    characters = _VALUE_CHARACTERS_MAX
    told = {
        "path": f'([{", ".join(quote_text(one.stored.address) for one in files)}])["file" + 1]',
        "line": "CAST(line AS BIGINT)",
        "byte_offset": 'CAST("offset" AS BIGINT)',
        "column_name": _first(reference, data, "bad_column", lambda i, c: quote_text(c.name)),
        "value": _first(reference, data, "bad_value", lambda i, _c: f'left("r{i}", {characters})'),
        "wanted_type": _first(reference, data, "bad_type", lambda i, c: quote_text(str(c.type))),
        "reason": "coalesce(reason, 'the value does not fit')",
        "record": "CAST(record AS VARCHAR)",
    }
    items = [told[column.name] for column in REJECT_COLUMNS]
    items += [
        constant_column(reference, index, files).replace(FILE_INDEX, '"file"')
        for index, column in used_columns(reference)
        if column.is_partition_key
    ]
    listed = ", ".join(f"{item} AS {quote_name(f'c{i}')}" for i, item in enumerate(items))
    is_bad = " OR ".join(["reason IS NOT NULL", *(f'"b{i}"' for i in data)])
    return f"SELECT {listed} FROM (SELECT {inner} FROM {relation}) WHERE {is_bad}"


def _first(
    reference: TableReference,
    data: Mapping[int, str],
    told: str,
    tell: Callable[[int, TableColumn], str],
) -> str:
    """What Python told, else of the first bad column."""
    branches = " ".join(f'WHEN "b{i}" THEN {tell(i, reference.columns[i])}' for i in data)
    return f"CASE WHEN reason IS NOT NULL THEN {quote_name(told)} {branches} END"
