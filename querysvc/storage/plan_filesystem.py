"""A read-only file system for DuckDB that knows the objects of one plan and nothing else."""

from __future__ import annotations

import io
import re
import threading
from datetime import UTC, datetime
from typing import Any  # fsspec's interface is untyped

from fsspec import AbstractFileSystem

from querysvc.storage.range_client import RangeClient

PROTOCOL = "plan"
_NAME = re.compile(r"(?:plan://)?/?([0-9]{1,9})(?:-([0-9a-f]{32}))?((?:\.[A-Za-z0-9]{1,12}){0,3})")
_NEVER_CHANGES = datetime(2000, 1, 1, tzinfo=UTC)


class PlanFile(io.RawIOBase):
    """One open object. DuckDB's threads share it, which the position rule below must survive.

    A positional read is `seek` then `read` on one thread, and another thread may come between; a
    sequential read has one position for all. So `seek` leaves a position that only its own thread
    takes up, once; without one, `read` goes on from the shared position. Reads set the shared one.

    A handle is read in one way or the other. Should a sequential read come while another thread's
    `seek` elsewhere is still to be taken up, either answer could be wrong: that is an error.
    """

    def __init__(self, client: RangeClient, object_index: int) -> None:
        super().__init__()
        self._client = client
        self._object_index = object_index
        self._size = client.size(object_index)
        self._shared = 0
        self._sought: dict[int, int] = {}
        """By thread: the position that its next read takes up."""
        self._lock = threading.Lock()

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Set where this thread's next read starts."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._size}[whence]
        position = base + offset
        if position < 0:
            raise ValueError(f"negative seek position {position}")
        with self._lock:
            self._sought[threading.get_ident()] = position
        return position

    def tell(self) -> int:
        """Where this thread's next read starts."""
        return self._sought.get(threading.get_ident(), self._shared)

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes; fewer only at the end of the object."""
        with self._lock:
            start = self._take_position()
            end = self._size if size is None or size < 0 else min(start + size, self._size)
            self._shared = max(start, end)
        return self._client.read(self._object_index, start, end - start)

    def _take_position(self) -> int:
        sought = self._sought.pop(threading.get_ident(), None)
        if sought is not None:
            return sought
        if any(position != self._shared for position in self._sought.values()):
            raise OSError("positional and sequential reads of one handle were mixed")
        self._sought.clear()
        return self._shared

    def readinto(self, buffer: Any, /) -> int:  # the stub's buffer protocol type
        """Read into `buffer` (for `io.BufferedReader`)."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Read all that follows."""
        return self.read()


class PlanFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec is untyped
    """Opens `plan://<n>`, n being an object's index in the plan; nothing else exists.

    A suffix may follow (`plan://7.csv.gz`: DuckDB tells the compression by it), and before it the
    object's identity (`plan://7-<digest>.parquet`), which must be right. `path` builds both: such
    a path names immutable bytes, so a cache of DuckDB's keyed by it is never stale.
    """

    protocol = PROTOCOL
    cachable = False  # fsspec would hand one query's file system to the next

    def __init__(self, client: RangeClient) -> None:
        super().__init__()
        self._client = client
        self._known: dict[str, int] = {}
        """Paths that were found: an engine asks four times about each file."""

    def path(self, object_index: int, suffix: str = "") -> str:
        """The path to give to DuckDB; `suffix` like `.parquet` or `.csv.gz`."""
        return f"{PROTOCOL}://{object_index}-{self._client.identity(object_index)}{suffix}"

    def open(self, path: str, mode: str = "rb", *_: Any, **__: Any) -> PlanFile:
        """Open an object of the plan for reading."""
        if set(mode) - set("rb"):
            raise PermissionError(f"{path}: read only")
        return PlanFile(self._client, self._resolve(path))

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Name, size and type, as fsspec wants them."""
        return {"name": path, "size": self._client.size(self._resolve(path)), "type": "file"}

    def size(self, path: str) -> int:
        """The object's size in bytes."""
        return self._client.size(self._resolve(path))

    def exists(self, path: str, **_: Any) -> bool:
        """Whether the path names an object of the plan."""
        return self._find(path) is not None

    def isfile(self, path: str) -> bool:
        """Whether the path names an object of the plan."""
        return self._find(path) is not None

    def isdir(self, path: str) -> bool:
        """Never: there are no directories."""
        return False

    def glob(self, path: str, **_: Any) -> list[str]:
        """The path itself if it exists: no character is a pattern."""
        return [path] if self.exists(path) else []

    def ls(self, path: str, **_: Any) -> list[str]:
        """Nothing is listed."""
        raise FileNotFoundError(path)

    def modified(self, path: str) -> datetime:
        """A constant: what a path names never changes."""
        self._resolve(path)
        return _NEVER_CHANGES

    def created(self, path: str) -> datetime:
        """A constant: what a path names never changes."""
        return self.modified(path)

    def _find(self, path: str) -> int | None:
        found = self._known.get(path)
        if found is None:
            found = self._look_up(path)
            if found is not None:
                self._known[path] = found
        return found

    def _look_up(self, path: str) -> int | None:
        match = _NAME.fullmatch(path)
        if match is None:
            return None
        object_index = int(match[1])
        if object_index >= len(self._client):
            return None
        if match[2] is not None and match[2] != self._client.identity(object_index):
            return None
        return object_index

    def _resolve(self, path: str) -> int:
        found = self._find(path)
        if found is None:
            raise FileNotFoundError(path)
        return found
