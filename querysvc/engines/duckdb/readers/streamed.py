"""Relations over streams of Arrow batches: columns "s<i>" and the file's position as "file"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from querysvc.engines.duckdb.readers.base import FILE_INDEX, File, select_list
from querysvc.plan import TableReference

FILE: Final = '"file"'


def select_streamed(
    reference: TableReference, data: dict[int, str], files: Sequence[File], table: str
) -> str:
    """SELECT the used columns from a stream, given the SQL of its data columns."""
    listed = select_list(reference, data, files).replace(FILE_INDEX, FILE)
    return f"SELECT {listed} FROM {table}"
