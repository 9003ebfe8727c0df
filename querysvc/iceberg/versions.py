"""Which snapshot a version of a table is, with Trino's errors where it is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pyiceberg.schema import Schema

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.iceberg.table import IcebergTable
from querysvc.plan import TableVersion, VersionKind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def snapshot_of(table: IcebergTable, version: TableVersion) -> int:
    """The snapshot's id."""
    if version.kind is VersionKind.SNAPSHOT:
        found = table.snapshot(int(version.value))
        assert found is not None, "one that is not there was refused"
        return found.snapshot_id
    if version.kind is VersionKind.REFERENCE:
        return _of_reference(table, str(version.value))
    return _of_moment(table, int(version.value))


def column_names(schema: Schema) -> set[tuple[int, str]]:
    """The columns by id and name."""
    return {(field.field_id, field.name.lower()) for field in schema.fields}


def _of_reference(table: IcebergTable, name: str) -> int:
    reference = table.metadata.refs.get(name)
    if reference is None:
        raise _invalid(f"Cannot find snapshot with reference name: {name}")
    return reference.snapshot_id


def _of_moment(table: IcebergTable, milliseconds: int) -> int:
    """What was the current snapshot then, as the table's history tells it."""
    before = [one for one in table.metadata.snapshot_log if one.timestamp_ms <= milliseconds]
    if not before:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
        text = moment.isoformat(timespec="milliseconds" if milliseconds % 1000 else "seconds")
        name = f"{table.name.database_name}.{table.name.name}"
        told = text.replace("+00:00", "Z")
        raise _invalid(f"No version history table {name} at or before {told}")
    return before[-1].snapshot_id


def _invalid(message: str) -> QueryServiceError:
    return QueryServiceError(ErrorCode.INVALID_ARGUMENTS, message)
