"""Parquet: columns by name, types by the catalog, row groups pruned by their statistics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any  # pyarrow's metadata is untyped

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
from querysvc.types.algebra import TrinoType
from querysvc_catalog.serde_options import parse_parquet_options


@dataclass(slots=True)
class _SchemaGroup:
    """Files whose Parquet schemas are equal."""

    schema: Any
    files: list[File]
    footers: list[Any]


def read_parquet(group: FileGroup, context: ReaderContext) -> list[Part]:
    """Build one part for each physical schema among the files."""
    by_index = bool(options_of(group, parse_parquet_options).by_index)
    source_type = on_bad_record(group, Source)
    return [
        _part(group, schema_group, context, by_index=by_index, source_type=source_type)
        for schema_group in _by_schema(group.files, context)
    ]


def _by_schema(files: Sequence[File], context: ReaderContext) -> list[_SchemaGroup]:
    groups: list[_SchemaGroup] = []
    for file, footer in zip(files, context.footers.read(files, context.client), strict=True):
        schema = footer.metadata.schema
        for known in groups:
            if known.schema.equals(schema):
                known.files.append(file)
                known.footers.append(footer)
                break
        else:
            groups.append(_SchemaGroup(schema, [file], [footer]))
    return groups


def _part(
    table: FileGroup,
    group: _SchemaGroup,
    context: ReaderContext,
    *,
    by_index: bool,
    source_type: type[Source],
) -> Part:
    reference = table.reference
    paths = [context.path(file, ".parquet") for file in group.files]
    found = _found(reference, _describe(group.files[0], paths[0], context), by_index=by_index)
    base = context.claim(group.files)
    data: dict[int, str] = {}
    domains: dict[str, RawDomain] = {}
    names: list[str] = []
    raw_texts: dict[int, str] = {}
    for index, column in used_columns(reference):
        if column.is_partition_key or column.is_hidden:
            continue
        if index not in found:
            data[index] = f"CAST(NULL AS {type_text(column.type)})"
            continue
        name, physical = found[index]
        names.append(name)
        raw_texts[index] = f'CAST("f".{quote_name(name)} AS VARCHAR)'
        source = source_type(column.name, column.type, f"({base} + {FILE_INDEX})")
        try:
            data[index] = _value(f'"f".{quote_name(name)}', physical, column.type, source)
        except TypeMismatchError:
            raise _mismatch(group, name, column) from None
        # A value that becomes NULL would be lost to a domain that allows NULL.
        domain = reference.domains.get(index) if source_type is not NullSource else None
        raw = raw_domain(domain, physical) if domain is not None else None
        if raw is not None:
            domains[name] = raw
    return _assemble(
        table, group, paths, data, _Pruning(names, domains, raw_texts), context=context
    )


@dataclass(frozen=True, slots=True)
class _Pruning:
    """The file's columns that are read, and what is known of the values that count."""

    names: Sequence[str]
    domains: dict[str, RawDomain]
    texts: dict[int, str]
    """Of the raw values, by the column's index."""


def _assemble(
    table: FileGroup,
    group: _SchemaGroup,
    paths: Sequence[str],
    data: dict[int, str],
    pruning: _Pruning,
    *,
    context: ReaderContext,
) -> Part:
    leaves = _leaves(group.schema)
    used = [leaf for name in pruning.names for leaf in leaves[name]]
    bounded = {leaves[n][0]: d for n, d in pruning.domains.items() if len(leaves[n]) == 1}
    ranges: list[tuple[int, int, int]] = []
    kept = total = 0
    verifies = verifies_checksums(table.reference.table)
    for file, footer in zip(group.files, group.footers, strict=True):
        total += footer.metadata.num_row_groups
        for number, row_group in _surviving(footer.metadata, bounded):
            kept += 1
            ranges += sorted((file.index, *_chunk(row_group.column(leaf))) for leaf in used)
            for column in map(row_group.column, used) if verifies else ():
                where = f"row group {number} (from 0), column {column.path_in_schema}"
                chunk = (file.index, *_chunk(column), f"{file.stored.address}: {where}")
                context.checksums.expect(*chunk)
    listed = ", ".join(map(quote_text, paths))
    where = " AND ".join(
        domain.predicate(f'"f".{quote_name(name)}') for name, domain in pruning.domains.items()
    )
    numbers = ", file_row_number = true" if tells_rejects(table.reference) else ""
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
    size = sum(length for _file, _offset, length in ranges)
    return Part(sql, tuple(ranges), size, len(group.files), kept, total)


def _surviving(metadata: Any, bounded: dict[int, RawDomain]) -> Iterator[tuple[int, Any]]:
    for number in range(metadata.num_row_groups):
        row_group = metadata.row_group(number)
        if all(
            domain.may_hold(row_group.column(leaf).statistics) for leaf, domain in bounded.items()
        ):
            yield number, row_group


def _chunk(column: Any) -> tuple[int, int]:
    start = column.data_page_offset
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < start:
        start = column.dictionary_page_offset
    return start, column.total_compressed_size


def _leaves(schema: Any) -> dict[str, list[int]]:
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


def _describe(file: File, path: str, context: ReaderContext) -> list[tuple[str, Any]]:
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


def _found(
    reference: TableReference, fields: list[tuple[str, Any]], *, by_index: bool
) -> dict[int, tuple[str, Any]]:
    """The file's column for each of the table's; of names that differ in case, the first."""
    if by_index:
        return dict(enumerate(fields))
    by_name: dict[str, tuple[str, Any]] = {}
    for field in fields:
        by_name.setdefault(field[0].lower(), field)
    names = {index: column.name.lower() for index, column in enumerate(reference.columns)}
    return {index: by_name[name] for index, name in names.items() if name in by_name}


def _value(value: str, physical: Any, target: TrinoType, source: Source) -> str:
    try:
        return convert(value, physical, target, source)
    except TypeMismatchError:
        coerced = coerce(value, physical, target, source, PARQUET)
        if coerced is None:
            raise
        return coerced


def _mismatch(group: _SchemaGroup, name: str, column: TableColumn) -> QueryServiceError:
    leaves = _leaves(group.schema)[name]
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
