"""Parquet: columns by name, types by the catalog, row groups pruned by their statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol  # pyarrow's metadata is untyped

from querysvc.engines.duckdb.readers.base import (
    FILE_INDEX,
    File,
    FileGroup,
    Part,
    ReaderContext,
    used_columns,
)
from querysvc.engines.duckdb.readers.coercions import PARQUET, coerce
from querysvc.engines.duckdb.readers.domains import RawDomain, raw_domain
from querysvc.engines.duckdb.readers.page_checksums import verifies_checksums
from querysvc.engines.duckdb.readers.physical import Source, TypeMismatchError, convert
from querysvc.engines.duckdb.readers.quarantine import Origin, select_rows, tells_rejects
from querysvc.engines.duckdb.readers.rejects import NullSource, on_bad_record
from querysvc.engines.duckdb.readers.sqltext import quote_name, quote_text, type_text
from querysvc.engines.duckdb.readers.typed import options_of
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import TableColumn, TableReference
from querysvc_catalog.serde_options import parse_parquet_options


@dataclass(slots=True)
class SchemaGroup:
    """Files whose Parquet schemas are equal."""

    schema: Any
    files: list[File]
    footers: list[Any]


class FileColumns(Protocol):
    """How a table's columns are found in files of one schema, and which of their rows count."""

    @property
    def row_numbers(self) -> bool:
        """Whether SQL refers to the rows' numbers in their file."""
        ...

    def found(self, fields: Sequence[tuple[str, Any]]) -> dict[int, tuple[str, Any]]:
        """By the column's index, the file's column: its name and its DuckDB type."""
        ...

    def value(self, index: int, sql: str, physical: Any, source: Source) -> str:
        """SQL of a column's value from the file's; TypeMismatchError where it has none."""
        ...

    def absent(self, index: int) -> str | None:
        """SQL of a column that is not in the files; None where it is told of the file itself."""
        ...

    def conditions(self) -> tuple[str, ...]:
        """SQL that is true of the rows that count."""
        ...

    def others(self) -> tuple[str, ...]:
        """The file's columns that the conditions read."""
        ...

    def ranges(self) -> tuple[tuple[int, int, int], ...]:
        """What the conditions read of other objects."""
        ...


class _HiveColumns:
    """Columns by name, or by index where the table says so; all rows count."""

    def __init__(self, reference: TableReference, *, by_index: bool, tells_rows: bool) -> None:
        self._reference = reference
        self._by_index = by_index
        self.row_numbers = tells_rows

    def found(self, fields: Sequence[tuple[str, Any]]) -> dict[int, tuple[str, Any]]:
        """The file's column for each of the table's; of names that differ in case, the first."""
        if self._by_index:
            return dict(enumerate(fields))
        by_name: dict[str, tuple[str, Any]] = {}
        for field in fields:
            by_name.setdefault(field[0].lower(), field)
        names = {index: column.name.lower() for index, column in self._columns()}
        return {index: by_name[name] for index, name in names.items() if name in by_name}

    def value(self, index: int, sql: str, physical: Any, source: Source) -> str:
        """The value in the declared type, as Trino coerces it."""
        target = self._reference.columns[index].type
        try:
            return convert(sql, physical, target, source)
        except TypeMismatchError:
            coerced = coerce(sql, physical, target, source, PARQUET)
            if coerced is None:
                raise
            return coerced

    def absent(self, index: int) -> str | None:
        """NULL, but of partition keys and hidden columns."""
        column = self._reference.columns[index]
        if column.is_partition_key or column.is_hidden:
            return None
        return f"CAST(NULL AS {type_text(column.type)})"

    def conditions(self) -> tuple[str, ...]:
        """None."""
        return ()

    def others(self) -> tuple[str, ...]:
        """None."""
        return ()

    def ranges(self) -> tuple[tuple[int, int, int], ...]:
        """None."""
        return ()

    def _columns(self) -> list[tuple[int, TableColumn]]:
        columns = enumerate(self._reference.columns)
        return [(i, c) for i, c in columns if not (c.is_partition_key or c.is_hidden)]


def read_parquet(group: FileGroup, context: ReaderContext) -> list[Part]:
    """Build one part for each physical schema among the files."""
    by_index = bool(options_of(group, parse_parquet_options).by_index)
    hive = _HiveColumns(
        group.reference, by_index=by_index, tells_rows=tells_rejects(group.reference)
    )
    return [
        parquet_part(group, schema_group, context, hive)
        for schema_group in by_schema(group.files, context)
    ]


def by_schema(
    files: Sequence[File],
    context: ReaderContext,
    key: Callable[[Any], object] = lambda schema: None,
) -> list[SchemaGroup]:
    """The files in groups of equal schemas, for which `key` is equal too."""
    groups: list[tuple[object, SchemaGroup]] = []
    for file, footer in zip(files, context.footers.read(files, context.client), strict=True):
        schema = footer.metadata.schema
        own = key(schema)
        for told, known in groups:
            if told == own and known.schema.equals(schema):
                known.files.append(file)
                known.footers.append(footer)
                break
        else:
            groups.append((own, SchemaGroup(schema, [file], [footer])))
    return [group for _, group in groups]


def parquet_part(
    table: FileGroup, group: SchemaGroup, context: ReaderContext, columns: FileColumns
) -> Part:
    """The part of files of one schema."""
    reference = table.reference
    source_type = on_bad_record(table, Source)
    paths = [context.path(file, ".parquet") for file in group.files]
    found = columns.found(describe(group.files[0], paths[0], context))
    base = context.claim(group.files)
    data: dict[int, str] = {}
    domains: dict[str, RawDomain] = {}
    names: list[str] = []
    raw_texts: dict[int, str] = {}
    for index, column in used_columns(reference):
        if index not in found:
            absent = columns.absent(index)
            if absent is not None:
                data[index] = absent
            continue
        name, physical = found[index]
        names.append(name)
        raw_texts[index] = f'CAST("f".{quote_name(name)} AS VARCHAR)'
        source = source_type(column.name, column.type, f"({base} + {FILE_INDEX})")
        try:
            data[index] = columns.value(index, f'"f".{quote_name(name)}', physical, source)
        except TypeMismatchError:
            raise _mismatch(group, name, column) from None
        # A value that becomes NULL would be lost to a domain that allows NULL.
        domain = reference.domains.get(index) if source_type is not NullSource else None
        raw = raw_domain(domain, physical) if domain is not None else None
        if raw is not None:
            domains[name] = raw
    pruning = _Pruning(names, domains, raw_texts)
    return _assemble(table, group, paths, data, pruning, columns=columns, context=context)


@dataclass(frozen=True, slots=True)
class _Pruning:
    """The file's columns that are read, and what is known of the values that count."""

    names: Sequence[str]
    domains: dict[str, RawDomain]
    texts: dict[int, str]
    """Of the raw values, by the column's index."""


def _assemble(
    table: FileGroup,
    group: SchemaGroup,
    paths: Sequence[str],
    data: dict[int, str],
    pruning: _Pruning,
    *,
    columns: FileColumns,
    context: ReaderContext,
) -> Part:
    leaves = leaves_of(group.schema)
    read = dict.fromkeys((*pruning.names, *columns.others()))
    used = [leaf for name in read for leaf in leaves[name]]
    bounded = {leaves[n][0]: d for n, d in pruning.domains.items() if len(leaves[n]) == 1}
    ranges: list[tuple[int, int, int]] = []
    kept = total = 0
    verifies = verifies_checksums(table.reference.table)
    for file, footer in zip(group.files, group.footers, strict=True):
        total += footer.metadata.num_row_groups
        for number, row_group in _surviving(footer.metadata, bounded):
            kept += 1
            ranges += sorted((file.index, *chunk_of(row_group.column(leaf))) for leaf in used)
            for column in map(row_group.column, used) if verifies else ():
                where = f"row group {number} (from 0), column {column.path_in_schema}"
                chunk = (file.index, *chunk_of(column), f"{file.stored.address}: {where}")
                context.checksums.expect(*chunk)
    listed = ", ".join(map(quote_text, paths))
    kept_by = [
        domain.predicate(f'"f".{quote_name(name)}') for name, domain in pruning.domains.items()
    ]
    where = " AND ".join((*kept_by, *columns.conditions()))
    numbers = ", file_row_number = true" if columns.row_numbers else ""
    options = f"hive_partitioning = false, union_by_name = false{numbers}"
    relation = f'read_parquet([{listed}], {options}) AS "f"' + (f" WHERE {where}" if where else "")
    sql = select_rows(
        table,
        group.files,
        relation,
        data,
        context=context,
        file=FILE_INDEX,
        raw=pruning.texts,
        origin=Origin(line='"f".file_row_number + 1') if numbers else None,
    )
    ranges += columns.ranges()
    size = sum(length for _file, _offset, length in ranges)
    return Part(sql, tuple(ranges), size, len(group.files), kept, total)


def _surviving(metadata: Any, bounded: dict[int, RawDomain]) -> Iterator[tuple[int, Any]]:
    for number in range(metadata.num_row_groups):
        row_group = metadata.row_group(number)
        if all(
            domain.may_hold(row_group.column(leaf).statistics) for leaf, domain in bounded.items()
        ):
            yield number, row_group


def chunk_of(column: Any) -> tuple[int, int]:
    """Where a column chunk lies: its offset and length."""
    start = column.data_page_offset
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < start:
        start = column.dictionary_page_offset
    return start, column.total_compressed_size


def leaves_of(schema: Any) -> dict[str, list[int]]:
    """The indexes of the leaf columns below each top-level column."""
    leaves: dict[str, list[int]] = {}
    for index in range(len(schema)):
        leaf = schema.column(index)
        # A leaf's path joins names with dots; a flat name may hold dots itself.
        top = leaf.name if leaf.path == leaf.name else _top_level(schema, leaf)
        leaves.setdefault(top, []).append(index)
    return leaves


def _top_level(schema: Any, leaf: Any) -> str:
    names = [field.name for field in schema.to_arrow_schema()]
    fitting = [name for name in names if leaf.path.startswith(name + ".")]
    return max(fitting, key=len) if fitting else str(leaf.path).split(".", 1)[0]


def describe(file: File, path: str, context: ReaderContext) -> list[tuple[str, Any]]:
    """The file's columns as DuckDB types them."""
    import duckdb  # not in the zygote

    try:
        relation = context.connection.sql(
            f"SELECT * FROM read_parquet([{quote_text(path)}], hive_partitioning = false)"
        )
    except duckdb.IOException as error:
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED,
            f"{file.stored.address}: its Parquet schema is not supported: {error}",
        ) from error
    return list(zip(relation.columns, relation.types, strict=True))


def _mismatch(group: SchemaGroup, name: str, column: TableColumn) -> QueryServiceError:
    leaves = leaves_of(group.schema)[name]
    physical = group.schema.column(leaves[0])
    is_nested = len(leaves) > 1 or physical.path != physical.name
    shown = "group" if is_nested else _physical_name(physical)
    return QueryServiceError(
        ErrorCode.HIVE_BAD_DATA,
        f"Field {column.name}'s type {shown} in parquet file {group.files[0].stored.address}"
        f" is incompatible with type {column.type} defined in table schema",
    )


def _physical_name(column: Any) -> str:
    logical = str(column.logical_type)
    return str(column.physical_type) + ("" if logical == "None" else f" ({logical})")
