"""The shared memory through which one query's bytes reach its worker."""

from __future__ import annotations

import fcntl
import mmap
import os
from bisect import bisect_left

_ALIGNMENT = 64
_F_SEAL_FUTURE_WRITE = 0x0010  # Linux 5.1; Python 3.11's fcntl does not name it


class Window:
    """A sealed memfd, writable here and only readable to whoever gets the descriptor.

    The seals keep a hostile worker from shrinking the file under the fetcher's feet (SIGBUS) and
    from writing into it. Room is given first-fit from the lowest address, so that a query that
    reads fast touches few pages.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.descriptor = os.memfd_create("querysvc-window", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.descriptor, size)
        self._map = mmap.mmap(self.descriptor, size, flags=mmap.MAP_SHARED)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | _F_SEAL_FUTURE_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, seals)
        self.view = memoryview(self._map)
        self._free: list[tuple[int, int]] = [(0, size)]
        """Disjoint free (start, end), ascending, never adjacent."""

    def allocate(self, length: int) -> int | None:
        """Reserve `length` bytes and return their position, or None if no room is large enough."""
        length = _aligned(length)
        for at, (start, end) in enumerate(self._free):
            if end - start >= length:
                if end - start == length:
                    del self._free[at]
                else:
                    self._free[at] = (start + length, end)
                return start
        return None

    def release(self, position: int, length: int) -> None:
        """Give back what `allocate(length)` returned."""
        start, end = position, position + _aligned(length)
        at = bisect_left(self._free, (start, end))
        if at < len(self._free) and self._free[at][0] == end:
            end = self._free.pop(at)[1]
        if at > 0 and self._free[at - 1][1] == start:
            at -= 1
            start = self._free.pop(at)[0]
        self._free.insert(at, (start, end))

    def close(self) -> None:
        """Unmap and close."""
        self.view.release()
        self._map.close()
        os.close(self.descriptor)


def _aligned(length: int) -> int:
    return -(-length // _ALIGNMENT) * _ALIGNMENT
