"""An object of the plan as a Python file with random access, for libraries that read files."""

from __future__ import annotations

import io
from typing import Any

from querysvc.engines.duckdb.readers.base import File, PlanReader


class ObjectFile(io.RawIOBase):
    """Reads ranges of one object; for one thread."""

    def __init__(self, file: File, client: PlanReader) -> None:
        super().__init__()
        self._file = file
        self._client = client
        self._offset = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next read starts."""
        return self._offset

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Set where the next read starts."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: self._file.stored.size}
        self._offset = base[whence] + offset
        return self._offset

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes; fewer only at the end of the object."""
        left = max(self._file.stored.size - self._offset, 0)
        length = left if size is None or size < 0 else min(size, left)
        data = self._client.read(self._file.index, self._offset, length)
        self._offset += len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:  # the stub's buffer protocol type
        """Read into `buffer` (for `io.BufferedReader`)."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)
