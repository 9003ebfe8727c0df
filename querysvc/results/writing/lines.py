"""Text files: a compressed stream of lines, each made of a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol  # pyarrow is untyped

import pyarrow as pa

from querysvc.write_plan import Compression

SUFFIXES: Final = {
    Compression.NONE: "",
    Compression.GZIP: ".gz",
    Compression.BZIP2: ".bz2",
    Compression.ZSTD: ".zst",
}
"""Readers tell a text file's codec by its name."""
_ARROW_NAMES: Final = {
    Compression.GZIP: "gzip",
    Compression.BZIP2: "bz2",
    Compression.ZSTD: "zstd",
}
_ROWS_AT_ONCE: Final = 4096


class LineEncoder(Protocol):
    """Makes lines of rows."""

    def lines(self, arrays: Sequence[pa.Array]) -> Iterator[bytes]:
        """The rows' lines, each with its line feed."""
        ...


class LineFile:
    """A text file."""

    def __init__(self, encoder: LineEncoder, compression: Compression, path: Path) -> None:
        self._encoder = encoder
        self._file = pa.OSFile(str(path), "wb")
        name = _ARROW_NAMES.get(compression)
        self._sink: Any = pa.CompressedOutputStream(self._file, name) if name else self._file

    @property
    def size(self) -> int:
        """Bytes that are in the file so far."""
        size: int = self._file.tell()
        return size

    def write(self, arrays: Sequence[pa.Array]) -> None:
        """Add rows."""
        rows = len(arrays[0])
        for start in range(0, rows, _ROWS_AT_ONCE):
            part = [array.slice(start, _ROWS_AT_ONCE) for array in arrays]
            self._sink.write(b"".join(self._encoder.lines(part)))

    def close(self) -> None:
        """Write the file's end."""
        self._sink.close()
        if self._sink is not self._file:
            self._file.close()
