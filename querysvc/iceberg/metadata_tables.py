"""`"t$snapshots"` and the other tables that tell of an Iceberg table, as Trino has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final  # rows of any type

from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile, ManifestFile
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.table.snapshots import ancestors_of
from pyiceberg.transforms import IdentityTransform, Transform
from pyiceberg.types import IcebergType, PrimitiveType

from querysvc.iceberg.plan import literal_of, schema_of_spec
from querysvc.iceberg.scan import data_files
from querysvc.iceberg.table import IcebergTable
from querysvc.iceberg.types import to_trino
from querysvc.plan import TableColumn
from querysvc.types.algebra import (
    BIGINT,
    BOOLEAN,
    INTEGER,
    VARBINARY,
    VARCHAR,
    Array,
    Map,
    Row,
    RowField,
    TimestampTz,
    TrinoType,
)

Values = tuple[Any, ...]
_TIME: Final = TimestampTz(3)
_SUMMARY: Final = Row(
    (
        RowField("contains_null", BOOLEAN),
        RowField("contains_nan", BOOLEAN),
        RowField("lower_bound", VARCHAR),
        RowField("upper_bound", VARCHAR),
    )
)
_COUNTS: Final = Map(INTEGER, BIGINT)
_BOUNDS: Final = Map(INTEGER, VARCHAR)
_PICOSECONDS_PER_MILLISECOND: Final = 10**9


@dataclass(frozen=True, slots=True)
class _Told:
    """A table's columns, and what makes its rows; both may depend on the table told of."""

    columns: Callable[[IcebergTable], tuple[tuple[str, TrinoType], ...]]
    rows: Callable[[IcebergTable], Iterator[Values]]


def columns_of_told(table: IcebergTable, suffix: str) -> tuple[TableColumn, ...]:
    """The columns of `"t$<suffix>"`."""
    return tuple(TableColumn(*one) for one in _TOLD[suffix].columns(table))


def rows_of_told(table: IcebergTable, suffix: str) -> Iterator[Values]:
    """The rows of `"t$<suffix>"`: literal values, lists for arrays and rows, dicts for maps."""
    return _TOLD[suffix].rows(table)


def _time(milliseconds: int) -> tuple[int, str]:
    return milliseconds * _PICOSECONDS_PER_MILLISECOND, "UTC"


def _snapshots(table: IcebergTable) -> Iterator[Values]:
    for one in table.metadata.snapshots:
        summary = one.summary
        operation = None if summary is None else str(summary.operation.value)
        told = {} if summary is None else dict(summary.additional_properties)
        yield (
            _time(one.timestamp_ms),
            one.snapshot_id,
            one.parent_snapshot_id,
            operation,
            one.manifest_list,
            told,
        )


def _history(table: IcebergTable) -> Iterator[Values]:
    metadata = table.metadata
    ancestors = {one.snapshot_id for one in ancestors_of(metadata.current_snapshot(), metadata)}
    for entry in metadata.snapshot_log:
        snapshot = metadata.snapshot_by_id(entry.snapshot_id)
        parent = None if snapshot is None else snapshot.parent_snapshot_id
        is_ancestor = entry.snapshot_id in ancestors
        yield _time(entry.timestamp_ms), entry.snapshot_id, parent, is_ancestor


def _refs(table: IcebergTable) -> Iterator[Values]:
    for name, one in table.metadata.refs.items():
        yield (
            name,
            str(one.snapshot_ref_type.value).upper(),
            one.snapshot_id,
            one.max_ref_age_ms,
            one.min_snapshots_to_keep,
            one.max_snapshot_age_ms,
        )


def _metadata_log(table: IcebergTable) -> Iterator[Values]:
    metadata = table.metadata
    logged = [(one.timestamp_ms, one.metadata_file) for one in metadata.metadata_log]
    for moment, file in (*logged, (metadata.last_updated_ms, table.metadata_location)):
        latest = None
        for entry in metadata.snapshot_log:
            if entry.timestamp_ms <= moment:
                latest = metadata.snapshot_by_id(entry.snapshot_id)
        told: Values = (None, None, None)
        if latest is not None:
            told = (latest.snapshot_id, latest.schema_id, latest.sequence_number)
        yield _time(moment), file, *told


def _manifests(table: IcebergTable) -> Iterator[Values]:
    snapshot = table.snapshot()
    for one in snapshot.manifests(table.io) if snapshot else ():
        yield (
            one.manifest_path,
            one.manifest_length,
            one.partition_spec_id,
            one.added_snapshot_id,
            one.added_files_count,
            one.added_rows_count,
            one.existing_files_count,
            one.existing_rows_count,
            one.deleted_files_count,
            one.deleted_rows_count,
            _partition_summaries(table, one),
        )


def _partition_summaries(table: IcebergTable, manifest: ManifestFile) -> list[list[Any]]:
    spec = table.metadata.specs()[manifest.partition_spec_id]
    types = spec.partition_type(schema_of_spec(table, spec)).fields
    found = []
    for index, one in enumerate(manifest.partitions or []):
        transform, type_ = spec.fields[index].transform, types[index].field_type
        bounds = [_human(transform, type_, bound) for bound in (one.lower_bound, one.upper_bound)]
        found.append([one.contains_null, one.contains_nan, *bounds])
    return found


def _human(transform: Transform[Any, Any], type_: IcebergType, bound: bytes | None) -> str | None:
    if bound is None or not isinstance(type_, PrimitiveType):
        return None
    return transform.to_human_string(type_, from_bytes(type_, bound))


def _files(table: IcebergTable) -> Iterator[Values]:
    scan = data_files(table)
    for file in (*(one.file for one in scan.files), *scan.deletes):
        yield (
            int(file.content),
            file.file_path,
            str(file.file_format.value),
            file.spec_id,
            *([_partition_row(table, file)] if _partition_type(table) is not None else []),
            file.record_count,
            file.file_size_in_bytes,
            *(file.column_sizes, file.value_counts, file.null_value_counts, file.nan_value_counts),
            _bounds(table, file.lower_bounds),
            _bounds(table, file.upper_bounds),
            file.key_metadata,
            file.split_offsets,
            file.equality_ids,
            file.sort_order_id,
        )


def _bounds(table: IcebergTable, bounds: dict[int, bytes] | None) -> dict[int, str] | None:
    """Bounds as texts, as Trino prints them: by the newest schema's types."""
    if bounds is None:
        return None
    schema, found = table.metadata.schema(), {}
    for number, value in bounds.items():
        if number not in schema.field_ids:
            continue
        type_ = schema.find_type(number)
        text = _human(IdentityTransform(), type_, value)
        if text is not None:
            found[number] = text
    return found


def _partition_fields(table: IcebergTable) -> dict[int, tuple[str, IcebergType]]:
    """All fields of all specs, by their ids, as Trino shows them together."""
    found: dict[int, tuple[str, IcebergType]] = {}
    for spec in table.metadata.specs().values():
        fields = spec.partition_type(schema_of_spec(table, spec)).fields
        found |= {one.field_id: (one.name, one.field_type) for one in fields}
    return dict(sorted(found.items()))


def _partition_type(table: IcebergTable) -> Row | None:
    fields = _partition_fields(table).values()
    if not fields:
        return None
    return Row(tuple(RowField(name, to_trino(type_)) for name, type_ in fields))


def _partition_row(table: IcebergTable, file: DataFile) -> list[Any]:
    spec: PartitionSpec = table.metadata.specs()[file.spec_id]
    places = {field.field_id: index for index, field in enumerate(spec.fields)}
    return [
        literal_of(type_, file.partition[places[number]]) if number in places else None
        for number, (_, type_) in _partition_fields(table).items()
    ]


def _partitions(table: IcebergTable) -> Iterator[Values]:
    """Trino's, without the column `data`, whose statistics every file's metrics tell."""
    totals: dict[tuple[Any, ...], list[int]] = {}
    for one in data_files(table).files:
        own = totals.setdefault(tuple(_partition_row(table, one.file)), [0, 0, 0])
        own[0] += one.file.record_count
        own[1] += 1
        own[2] += one.file.file_size_in_bytes
    for values, counts in totals.items():
        yield (*([list(values)] if values else []), *counts)


def _partition_columns(table: IcebergTable) -> tuple[tuple[str, TrinoType], ...]:
    type_ = _partition_type(table)
    return () if type_ is None else (("partition", type_),)


def _fixed(
    *columns: tuple[str, TrinoType],
) -> Callable[[IcebergTable], tuple[tuple[str, TrinoType], ...]]:
    return lambda _: columns


_TOLD: Final[dict[str, _Told]] = {
    "snapshots": _Told(
        _fixed(
            ("committed_at", _TIME),
            ("snapshot_id", BIGINT),
            ("parent_id", BIGINT),
            ("operation", VARCHAR),
            ("manifest_list", VARCHAR),
            ("summary", Map(VARCHAR, VARCHAR)),
        ),
        _snapshots,
    ),
    "history": _Told(
        _fixed(
            ("made_current_at", _TIME),
            ("snapshot_id", BIGINT),
            ("parent_id", BIGINT),
            ("is_current_ancestor", BOOLEAN),
        ),
        _history,
    ),
    "refs": _Told(
        _fixed(
            ("name", VARCHAR),
            ("type", VARCHAR),
            ("snapshot_id", BIGINT),
            ("max_reference_age_in_ms", BIGINT),
            ("min_snapshots_to_keep", INTEGER),
            ("max_snapshot_age_in_ms", BIGINT),
        ),
        _refs,
    ),
    "metadata_log_entries": _Told(
        _fixed(
            ("timestamp", _TIME),
            ("file", VARCHAR),
            ("latest_snapshot_id", BIGINT),
            ("latest_schema_id", INTEGER),
            ("latest_sequence_number", BIGINT),
        ),
        _metadata_log,
    ),
    "manifests": _Told(
        _fixed(
            ("path", VARCHAR),
            ("length", BIGINT),
            ("partition_spec_id", INTEGER),
            ("added_snapshot_id", BIGINT),
            ("added_data_files_count", INTEGER),
            ("added_rows_count", BIGINT),
            ("existing_data_files_count", INTEGER),
            ("existing_rows_count", BIGINT),
            ("deleted_data_files_count", INTEGER),
            ("deleted_rows_count", BIGINT),
            ("partition_summaries", Array(_SUMMARY)),
        ),
        _manifests,
    ),
    "files": _Told(
        lambda table: (
            ("content", INTEGER),
            ("file_path", VARCHAR),
            ("file_format", VARCHAR),
            ("spec_id", INTEGER),
            *_partition_columns(table),
            ("record_count", BIGINT),
            ("file_size_in_bytes", BIGINT),
            ("column_sizes", _COUNTS),
            ("value_counts", _COUNTS),
            ("null_value_counts", _COUNTS),
            ("nan_value_counts", _COUNTS),
            ("lower_bounds", _BOUNDS),
            ("upper_bounds", _BOUNDS),
            ("key_metadata", VARBINARY),
            ("split_offsets", Array(BIGINT)),
            ("equality_ids", Array(INTEGER)),
            ("sort_order_id", INTEGER),
        ),
        _files,
    ),
    "partitions": _Told(
        lambda table: (
            *_partition_columns(table),
            ("record_count", BIGINT),
            ("file_count", BIGINT),
            ("total_size", BIGINT),
        ),
        _partitions,
    ),
}
