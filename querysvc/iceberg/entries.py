"""The catalog's entry of an Iceberg table, as Athena's and Iceberg's own writers lay it out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from pyiceberg.schema import Schema
from pyiceberg.table.metadata import TableMetadata

from querysvc.iceberg.table import METADATA_LOCATION, PREVIOUS_METADATA_LOCATION
from querysvc.iceberg.types import glue_type
from querysvc_catalog.model import Column, StorageDescriptor, Table

_TABLE_TYPE: Final = "EXTERNAL_TABLE"


def table_entry(
    entry: Table, metadata: TableMetadata, location: str, previous: str | None
) -> Table:
    """The entry with a metadata file as its table's current one."""
    parameters = {
        **entry.parameters,
        "table_type": "ICEBERG",
        METADATA_LOCATION: location,
        **({PREVIOUS_METADATA_LOCATION: previous} if previous else {}),
    }
    descriptor = entry.storage_descriptor or StorageDescriptor()
    return replace(
        entry,
        parameters=parameters,
        storage_descriptor=replace(
            descriptor, columns=tuple(_columns(metadata)), location=metadata.location
        ),
        partition_keys=(),
        table_type=_TABLE_TYPE,
    )


def _columns(metadata: TableMetadata) -> Iterator[Column]:
    """The current columns, then those of older schemas whose names are no longer used."""
    current = metadata.schema()
    seen = {field.name.lower() for field in current.fields}
    yield from _of(current, is_current=True)
    for schema in metadata.schemas:
        for column in _of(schema, is_current=False):
            if column.name not in seen:
                seen.add(column.name)
                yield column


def _of(schema: Schema, *, is_current: bool) -> Iterator[Column]:
    for field in schema.fields:
        yield Column(
            field.name.lower(),
            glue_type(field.field_type),
            field.doc,
            {
                "iceberg.field.id": str(field.field_id),
                "iceberg.field.optional": str(field.optional).lower(),
                "iceberg.field.current": str(is_current).lower(),
            },
        )
