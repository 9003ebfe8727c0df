"""New tables: schema, partition spec, properties, the first metadata file; and all of a table's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final  # transforms' own parameters

from pyiceberg.partitioning import PARTITION_FIELD_ID_START, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.serializers import ToOutputFile
from pyiceberg.table.metadata import TableMetadata, new_table_metadata
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.transforms import (
    BucketTransform,
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    Transform,
    TruncateTransform,
    YearTransform,
)
from pyiceberg.types import NestedField

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.iceberg.commit import new_metadata_location
from querysvc.iceberg.entries import table_entry
from querysvc.iceberg.table import IcebergTable, IcebergTables
from querysvc.iceberg.types import from_trino
from querysvc.types.algebra import TrinoType
from querysvc_catalog.model import Table

_FIELD: Final = re.compile(
    r"\s*(?:(?P<name>\w+)\s*\(\s*(?:(?P<first>[^,()]+?)\s*,\s*)?(?P<second>[^,()]+?)\s*\)"
    r"|(?P<column>[^()]+?))\s*",
)
_NO_PARAMETER: Final[dict[str, Callable[[], Transform[Any, Any]]]] = {
    "year": YearTransform,
    "month": MonthTransform,
    "day": DayTransform,
    "hour": HourTransform,
    "years": YearTransform,
    "months": MonthTransform,
    "days": DayTransform,
    "hours": HourTransform,
}
_ONE_PARAMETER: Final[dict[str, Callable[[int], Transform[Any, Any]]]] = {
    "bucket": BucketTransform,
    "truncate": TruncateTransform,
}
# Athena's own names of properties, and Iceberg's.
_PROPERTIES: Final = {
    "format": "write.format.default",
    "write_compression": "write.parquet.compression-codec",
    "compression_level": "write.parquet.compression-level",
    "write_target_data_file_size_bytes": "write.target-file-size-bytes",
    "vacuum_min_snapshots_to_keep": "history.expire.min-snapshots-to-keep",
}
_VACUUM_AGE: Final = "vacuum_max_snapshot_age_seconds"


@dataclass(frozen=True, slots=True)
class NewColumn:
    """A column of a new table."""

    name: str
    type: TrinoType
    comment: str | None = None


def planned_table(
    tables: IcebergTables,
    entry: Table,
    columns: Sequence[NewColumn],
    partitioning: Sequence[str],
    *,
    name: str = "",
) -> IcebergTable:
    """A new table that nobody knows yet: neither its metadata file nor its entry is stored.

    The entry's parameters are the statement's properties. `name` is told in the file's name.
    """
    assert entry.location is not None, "a new table has a location"
    schema = _schema(columns)
    spec = _spec(schema, partitioning)
    properties = {"write.format.default": "parquet", **iceberg_properties(entry.parameters)}
    metadata = new_table_metadata(
        location=entry.location.rstrip("/"),
        schema=schema,
        partition_spec=spec,
        sort_order=UNSORTED_SORT_ORDER,
        properties={"format-version": "2", **properties},
    )
    return planned_with(tables, entry, metadata, name=name)


def planned_with(
    tables: IcebergTables, entry: Table, metadata: TableMetadata, *, name: str = ""
) -> IcebergTable:
    """A new table with other metadata."""
    location = new_metadata_location(metadata, None, name)
    files = tables.files_of(entry)
    return IcebergTable(table_entry(entry, metadata, location, None), metadata, location, files)


def store_metadata(tables: IcebergTables, table: IcebergTable) -> None:
    """Write a new table's metadata file."""
    ToOutputFile.table_metadata(table.metadata, table.io.new_output(table.metadata_location))
    tables.keep(table.metadata_location, table.metadata)


def _schema(columns: Sequence[NewColumn]) -> Schema:
    numbers = count(1)

    def new_id() -> int:
        return next(numbers)

    own = [new_id() for _ in columns]
    return Schema(
        *(
            NestedField(
                number,
                column.name,
                from_trino(column.type, new_id),
                required=False,
                doc=column.comment,
            )
            for number, column in zip(own, columns, strict=True)
        )
    )


def _spec(schema: Schema, partitioning: Sequence[str]) -> PartitionSpec:
    fields: list[PartitionField] = []
    for place, text in enumerate(partitioning):
        source, transform, name = _partition_field(schema, text)
        if not transform.can_transform(source.field_type):
            raise _invalid(f"Invalid partition field '{text}': {source.field_type} has none such")
        if any(field.name == name for field in fields):
            raise _invalid(f"Partition field '{name}' is specified more than once")
        number = PARTITION_FIELD_ID_START + place
        fields.append(PartitionField(source.field_id, number, transform, name))
    return PartitionSpec(*fields)


def _partition_field(schema: Schema, text: str) -> tuple[NestedField, Transform[Any, Any], str]:
    """Read `col`, `day(ts)`, `bucket(16, id)` (Athena) or `bucket(id, 16)` (Trino)."""
    match = _FIELD.fullmatch(text)
    if match is None:
        raise _invalid(f"Invalid partition field declaration: {text}")
    if match["column"] is not None:
        field = _column(schema, match["column"])
        return field, IdentityTransform(), field.name
    function = match["name"].lower()
    if match["first"] is None:
        if function not in _NO_PARAMETER:
            raise _invalid(f"Invalid partition field declaration: {text}")
        field = _column(schema, match["second"])
        return field, _NO_PARAMETER[function](), f"{field.name}_{function.rstrip('s')}"
    first, second = match["first"], match["second"]
    number, column = (first, second) if first.isdigit() else (second, first)
    if function not in _ONE_PARAMETER or not number.isdigit() or int(number) < 1:
        raise _invalid(f"Invalid partition field declaration: {text}")
    field = _column(schema, column)
    suffix = "trunc" if function == "truncate" else function
    return field, _ONE_PARAMETER[function](int(number)), f"{field.name}_{suffix}"


def _column(schema: Schema, text: str) -> NestedField:
    name = text.strip().strip('"`').lower()
    for field in schema.fields:
        if field.name.lower() == name:
            return field
    raise _invalid(f"Column '{name}' of the partitioning is none of the table's")


def iceberg_properties(parameters: Mapping[str, str]) -> dict[str, str]:
    """Iceberg's properties of Athena's; what neither knows is kept under its own name."""
    found: dict[str, str] = {}
    for name, value in parameters.items():
        lowered = name.lower()
        if lowered in ("table_type", "external", "trino_query_id"):
            continue
        if lowered == _VACUUM_AGE and value.isdigit():
            found["history.expire.max-snapshot-age-ms"] = str(int(value) * 1000)
        elif lowered in ("format", "write_compression"):
            found[_PROPERTIES[lowered]] = value.lower()
        else:
            found[_PROPERTIES.get(lowered, name)] = value
    form = found.get("write.format.default", "parquet")
    if form not in ("parquet", "orc", "avro"):
        raise _invalid(f"Invalid value for table property 'format': {form}")
    if form != "parquet":
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED, f"Iceberg tables of format {form} are not supported"
        )
    return found


def all_files(table: IcebergTable) -> Iterator[str]:
    """The paths of all files that a table's metadata reach: of every snapshot, and their own."""
    metadata = table.metadata
    seen: set[str] = set()
    for snapshot in metadata.snapshots:
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path in seen:
                continue
            seen.add(manifest.manifest_path)
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
                yield entry.data_file.file_path
            yield manifest.manifest_path
        yield snapshot.manifest_list
    for logged in metadata.metadata_log:
        yield logged.metadata_file
    for statistics in metadata.statistics:
        yield statistics.statistics_path
    yield table.metadata_location


def _invalid(message: str) -> QueryServiceError:
    return QueryServiceError(ErrorCode.INVALID_TABLE_PROPERTY, message)
