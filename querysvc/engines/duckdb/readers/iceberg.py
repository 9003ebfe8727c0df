"""Iceberg's data files: columns by field id, and the rows that delete files leave.

A file holds a field under its id, or, where its writer knew no ids, under a name of the table's
name mapping.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final  # DuckDB types are untyped

from querysvc.engines.duckdb.readers.base import (
    FILE_INDEX,
    File,
    FileGroup,
    IcebergFiles,
    Part,
    ReaderContext,
    used_columns,
)
from querysvc.engines.duckdb.readers.iceberg_deletes import Deleted, Deletes
from querysvc.engines.duckdb.readers.iceberg_fields import each, field_ids, matching, value_of
from querysvc.engines.duckdb.readers.parquet import SchemaGroup, by_schema, parquet_part
from querysvc.engines.duckdb.readers.physical import Source
from querysvc.engines.duckdb.readers.sqltext import literal_text, quote_name, quote_text
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import IcebergField, TableScan

POSITION: Final = "$pos"


def iceberg_groups(scan: TableScan, next_index: int) -> tuple[list[FileGroup], int]:
    """The scan's data files as a group, numbered as `plan_objects` does, delete files after."""
    assert scan.iceberg is not None, "the scan is an Iceberg table's"
    objects = [one for partition in scan.partitions for one in partition.objects]
    files = tuple(File(next_index + place, one, ()) for place, one in enumerate(objects))
    count = len(scan.iceberg.files)
    after = next_index + len(files)
    if not count:
        return [], after
    iceberg = IcebergFiles(scan.iceberg, next_index, files[count:])
    descriptor = scan.partitions[0].storage_descriptor
    return [FileGroup(scan.reference, descriptor, files[:count], iceberg)], after


def read_iceberg(group: FileGroup, context: ReaderContext) -> list[Part]:
    """Build one part for each physical schema among the data files."""
    files = group.iceberg
    assert files is not None, "the group is an Iceberg table's"
    deletes = Deletes(files, context)
    return [
        parquet_part(group, one, context, IcebergColumns(group, files, one, deletes))
        for one in by_schema(group.files, context, field_ids)
    ]


class IcebergColumns:
    """The columns of files of one schema (parquet.FileColumns)."""

    def __init__(
        self, group: FileGroup, files: IcebergFiles, schema: SchemaGroup, deletes: Deletes
    ) -> None:
        self._reference = group.reference
        self._columns = files.scan.columns
        self._about = [files.about(file) for file in schema.files]
        self._files = schema.files
        self._fields = list(schema.schema.to_arrow_schema())
        self._check_ids(schema)
        self._deletes, self._schema = deletes, schema
        self._deleted = Deleted()
        self._tells_positions = any(
            column.name == POSITION for _, column in used_columns(group.reference)
        )
        self._described: Sequence[tuple[str, Any]] = ()

    @property
    def row_numbers(self) -> bool:
        """Whether SQL refers to the rows' numbers in their file."""
        return self._tells_positions or self._deleted.row_numbers

    def _check_ids(self, schema: SchemaGroup) -> None:
        if any(number is not None for number in field_ids(schema.schema)):
            return
        if self._fields and not any(column.names for column in self._columns):
            raise QueryServiceError(
                ErrorCode.NOT_SUPPORTED,
                f"{schema.files[0].stored.address}: a data file without field ids is not supported"
                " where the table has no schema.name-mapping.default",
            )

    def found(self, fields: Sequence[tuple[str, Any]]) -> dict[int, tuple[str, Any]]:
        """The file's column of each id."""
        self._described = fields
        found: dict[int, tuple[str, Any]] = {}
        for index, column in enumerate(self._columns):
            place = matching(self._fields, column)
            if place is not None:
                found[index] = fields[place]
        self._deleted = self._deletes.of(self._schema, self)
        return found

    def value(self, index: int, sql: str, physical: Any, source: Source) -> str:
        """The value in the column's type, nested fields by their ids."""
        place = matching(self._fields, self._columns[index])
        assert place is not None, "it was found"
        return value_of(sql, physical, self._fields[place], self._columns[index], source)

    def equality(self, wanted: IcebergField) -> tuple[str, str | None]:
        """SQL of the value by which deletes are compared, and the file's column that it reads."""
        place = matching(self._fields, wanted)
        if place is None:
            return self._constant(wanted), None
        name, physical = self._described[place]
        source = Source(name, wanted.type, f"CAST(0 AS BIGINT) + {FILE_INDEX}")
        sql = f'"f".{quote_name(name)}'
        return value_of(sql, physical, self._fields[place], wanted, source), name

    def absent(self, index: int) -> str | None:
        """What files that lack a column have in its place; hidden columns."""
        column = self._reference.columns[index]
        if not column.is_hidden:
            return self._constant(self._columns[index])
        if column.name == POSITION:
            return '"f".file_row_number'
        if column.name == "$path":
            return each([quote_text(one.path) for one in self._about])
        if column.name == "$partition":
            return each([quote_text(one.partition) for one in self._about])
        return None

    def conditions(self) -> tuple[str, ...]:
        """The rows that are not deleted."""
        return self._deleted.conditions

    def others(self) -> tuple[str, ...]:
        """The columns by which rows are deleted."""
        return self._deleted.others

    def ranges(self) -> tuple[tuple[int, int, int], ...]:
        """The delete files' bytes."""
        return self._deleted.ranges

    def _constant(self, wanted: IcebergField) -> str:
        values = [dict(one.constants).get(wanted.id, wanted.default) for one in self._about]
        return each([literal_text(value, wanted.type) for value in values])
