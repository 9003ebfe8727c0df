"""What a format's writer is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from querysvc.errors import ErrorCode, QueryServiceError


class FileWriter(Protocol):
    """Writes one file."""

    def write(self, arrays: Sequence[pa.Array]) -> None:
        """Add rows: the data columns' values, fitted to their types."""
        ...

    @property
    def size(self) -> int:
        """Bytes that are in the file so far; what is held back does not count."""
        ...

    def close(self) -> None:
        """Write what is held back, and the file's end."""
        ...


class OpenFile(Protocol):
    """Begins a file."""

    def __call__(self, path: Path) -> FileWriter: ...


def unwritable(column: str, reason: str) -> QueryServiceError:
    """A value that the format cannot hold so that it is read back as it was."""
    return QueryServiceError(ErrorCode.HIVE_WRITER_DATA_ERROR, f"column '{column}': {reason}")
