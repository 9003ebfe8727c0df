"""Partitions that declare other column types than their table.

Their objects are read as the partition declares them, and the values coerced to the table's types
as Trino's Hive connector does; what cannot be coerced is HIVE_PARTITION_SCHEMA_MISMATCH. Athena
compares the columns by name where a format is read by name (Parquet and ORC, unless the table says
by index), else by position; only the columns that a query uses are compared.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from querysvc.engines.duckdb.readers.base import FileGroup, Part, Reader, ReaderContext
from querysvc.engines.duckdb.readers.coercions import coerce
from querysvc.engines.duckdb.readers.physical import Source, TypeMismatchError, convert
from querysvc.engines.duckdb.readers.quarantine import tells_rejects
from querysvc.engines.duckdb.readers.sqltext import quote_name, type_text
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.types.algebra import BIGINT, INTEGER, SMALLINT, TINYINT, Array, Map, Row, TrinoType
from querysvc.types.hive import from_hive
from querysvc_catalog.errors import CatalogError
from querysvc_catalog.model import Column
from querysvc_catalog.serde_options import parse_orc_options, parse_parquet_options
from querysvc_catalog.serdes import StorageFormat, resolve_format, serde_properties
from querysvc_catalog.types import parse_type

_WIDTHS: Final = {TINYINT: 1, SMALLINT: 2, INTEGER: 4, BIGINT: 8}
_NESTED: Final = (Array, Map, Row)


def read_partitions(reader: Reader, group: FileGroup, context: ReaderContext) -> list[Part]:
    """Read a group whose descriptor may be a partition's own."""
    differing = _differing(group)
    if not differing:
        return reader(group, context)
    reference = group.reference
    for index, own in differing.items():
        if not _can_coerce(own, reference.columns[index].type):
            raise _mismatch(group, index, own)
    columns = tuple(
        replace(column, type=differing.get(index, column.type))
        for index, column in enumerate(reference.columns)
    )
    domains = {i: domain for i, domain in reference.domains.items() if i not in differing}
    changed = replace(group, reference=replace(reference, columns=columns, domains=domains))
    if tells_rejects(reference):  # a row is judged by what its partition declares
        return reader(changed, context)
    return [
        replace(part, sql=_coerced(group, part, differing, context))
        for part in reader(changed, context)
    ]


def _differing(group: FileGroup) -> dict[int, TrinoType]:
    """The partition's types of the used columns whose texts differ from the table's."""
    own = group.descriptor.columns
    table = group.reference.table.columns
    if not own or own is table:
        return {}
    by_name = {column.name.lower(): column for column in own}
    is_by_name = _is_by_name(group)
    found: dict[int, TrinoType] = {}
    for index in group.reference.used_columns:
        if index >= len(table):
            continue
        declared = table[index]
        if is_by_name:
            partition = by_name.get(declared.name.lower())
        else:
            partition = own[index] if index < len(own) else None
        if partition is None or (partition.type or "") == (declared.type or ""):
            continue
        type_ = _type(partition)
        if type_ is not None and type_ != group.reference.columns[index].type:
            found[index] = type_
    return found


def _type(column: Column) -> TrinoType | None:
    try:
        return from_hive(parse_type(column.type)) if column.type else None
    except CatalogError:
        return None


def _is_by_name(group: FileGroup) -> bool:
    storage_format = resolve_format(group.descriptor).storage_format
    properties = serde_properties(group.descriptor, group.reference.table.parameters)
    if storage_format is StorageFormat.PARQUET:
        return not parse_parquet_options(properties).by_index
    if storage_format is StorageFormat.ORC:
        return not parse_orc_options(properties).by_index
    return False


def _can_coerce(own: TrinoType, declared: TrinoType) -> bool:
    """Trino's rule; struct fields may be added at the end, and widened as columns are."""
    if own == declared:
        return True
    if own in _WIDTHS and declared in _WIDTHS:
        return _WIDTHS[own] <= _WIDTHS[declared]
    if isinstance(own, Row) and isinstance(declared, Row):
        pairs = zip(own.fields, declared.fields, strict=False)
        return all(_can_coerce(first.type, second.type) for first, second in pairs)
    if isinstance(own, _NESTED) or isinstance(declared, _NESTED):
        pairs_of = zip(own.children, declared.children, strict=False)
        return type(own) is type(declared) and all(_can_coerce(*pair) for pair in pairs_of)
    return (_family(own), _family(declared)) in _COERCIBLE


def _family(type_: TrinoType) -> str:
    return "integer" if type_.is_integer else type_.base_name


_TEXTS: Final = ("varchar", "char")
_COERCIBLE: Final = frozenset(
    {
        *((first, second) for first in _TEXTS for second in _TEXTS),
        *((kind, "varchar") for kind in ("boolean", "integer", "real", "double", "decimal")),
        *((kind, "varchar") for kind in ("date", "timestamp", "varbinary")),
        *(("varchar", kind) for kind in ("boolean", "integer", "double", "date", "timestamp")),
        *(("integer", kind) for kind in ("real", "double", "decimal")),
        *((("real", "double")), ("double", "real"), ("real", "decimal"), ("double", "decimal")),
        *(("decimal", kind) for kind in ("decimal", "integer", "real", "double")),
        ("date", "timestamp"),
        ("timestamp", "date"),
    }
)


def _coerced(
    group: FileGroup, part: Part, differing: dict[int, TrinoType], context: ReaderContext
) -> str:
    items = []
    for index in sorted(group.reference.used_columns):
        name = quote_name(f"c{index}")
        if index in differing:
            items.append(f"{_value(group, index, differing[index], context)} AS {name}")
        else:
            items.append(name)
    return f"SELECT {', '.join(items)} FROM ({part.sql})"


def _value(group: FileGroup, index: int, own: TrinoType, context: ReaderContext) -> str:
    column = group.reference.columns[index]
    name = quote_name(f"c{index}")
    physical = context.connection.sql(f"SELECT CAST(NULL AS {type_text(own)})").types[0]
    source = Source(column.name, column.type, "NULL")
    if isinstance(own, _NESTED):
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED,
            f"table {group.reference.table.full_name}: column {column.name}: a partition's"
            f" {own} as {column.type} is not supported",
        )
    try:
        return convert(name, physical, column.type, source)
    except TypeMismatchError:
        coerced = coerce(name, physical, column.type, source)
    if coerced is None:
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED,
            f"table {group.reference.table.full_name}: column {column.name}: coercing a"
            f" partition's {own} to {column.type} is not supported",
        )
    return coerced


def _mismatch(group: FileGroup, index: int, own: TrinoType) -> QueryServiceError:
    table = group.reference.table
    keys = [column.name for column in group.reference.columns if column.is_partition_key]
    pairs = zip(keys, group.files[0].partition, strict=False)
    partition = "/".join(f"{key}={value!s}" for key, value in pairs)
    return QueryServiceError(
        ErrorCode.HIVE_PARTITION_SCHEMA_MISMATCH,
        "There is a mismatch between the table and partition schemas. The types are incompatible"
        f" and cannot be coerced. The column '{table.columns[index].name}' in table"
        f" '{table.database_name}.{table.name}' is declared as type"
        f" '{table.columns[index].type}', but partition '{partition}' declared it as type"
        f" '{own}'.",
    )
