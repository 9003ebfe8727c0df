"""Where a bad value lies in a binary file: its row, and Parquet's row group.

The file is read once more as `"t$rejects"` would read it, but for the one column's first bad row.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from querysvc.engines.duckdb.readers.base import File, FileGroup, ReaderContext
from querysvc.engines.duckdb.readers.failures import BadValue
from querysvc.engines.duckdb.readers.partition_schema import read_partitions
from querysvc.engines.duckdb.readers.quarantine import PROPERTY, QUARANTINE
from querysvc.engines.duckdb.readers.sqltext import quote_text
from querysvc.engines.duckdb.relations import READERS, file_groups
from querysvc.errors import QueryServiceError
from querysvc.plan import REJECT_COLUMNS, REJECTS
from querysvc_catalog.serdes import StorageFormat, resolve_format

if TYPE_CHECKING:
    from querysvc.engines.duckdb.execution import Execution

_BINARY: Final = (StorageFormat.PARQUET, StorageFormat.ORC, StorageFormat.AVRO)
_PLACES: Final = {column.name: f'"c{index}"' for index, column in enumerate(REJECT_COLUMNS)}
_VALUE_CHARACTERS: Final = 200
"""As many as the error tells."""


def place_of(bad: BadValue, file: File, execution: Execution) -> str | None:
    """`row 7 (row group 0)`; None where it cannot be told."""
    import duckdb  # not in the zygote

    group = _group(file, bad.column, execution)
    if group is None:
        return None
    used = execution.context
    context = ReaderContext(used.connection, used.files, used.client, used.footers)
    try:
        row = _row(bad, group, context)
    except (duckdb.Error, pa.ArrowException, QueryServiceError):
        return None  # what is known without it is told
    if row is None:
        return None
    row_group = _row_group(row, group, context)
    return f"row {row}" if row_group is None else f"row {row} (row group {row_group}, from 0)"


def _group(file: File, column: str, execution: Execution) -> FileGroup | None:
    """The file alone, to be read for its bad rows; None where rows have no numbers."""
    for groups in file_groups(execution.plan):
        for group in groups:
            names = [one.name for one in group.reference.columns]
            if file.index not in {one.index for one in group.files} or column not in names:
                continue
            if group.iceberg or resolve_format(group.descriptor).storage_format not in _BINARY:
                return None
            table = group.reference.table
            properties = {**table.parameters, PROPERTY: QUARANTINE}
            rejects = replace(table, table_type=REJECTS, parameters=properties)
            reference = replace(
                group.reference, table=rejects, used_columns=(names.index(column),), domains={}
            )
            return replace(group, reference=reference, files=(file,))
    return None


def _row(bad: BadValue, group: FileGroup, context: ReaderContext) -> int | None:
    reader = READERS[resolve_format(group.descriptor).storage_format]
    parts = read_partitions(reader, group, context)
    for load in context.loads:
        load()
    rows = " UNION ALL ".join(part.sql for part in parts)
    value = f"left({_PLACES['value']}, {_VALUE_CHARACTERS}) = {quote_text(bad.value)}"
    found = context.connection.execute(
        f"SELECT {_PLACES['line']} FROM ({rows})"
        f" WHERE {_PLACES['column_name']} = {quote_text(bad.column)}"
        f" ORDER BY {value} DESC NULLS LAST, 1 LIMIT 1"
    ).fetchone()
    return None if found is None else found[0]


def _row_group(row: int, group: FileGroup, context: ReaderContext) -> int | None:
    """The Parquet row group that holds the row, which is counted from 1."""
    if resolve_format(group.descriptor).storage_format is not StorageFormat.PARQUET:
        return None
    (footer,) = context.footers.read(group.files, context.client)
    metadata = footer.metadata
    ends = accumulate(metadata.row_group(n).num_rows for n in range(metadata.num_row_groups))
    return next((number for number, end in enumerate(ends) if row <= end), None)
