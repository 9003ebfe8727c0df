"""Parquet and ORC, by pyarrow: row groups and stripes of bounded size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final  # pyarrow is untyped

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.orc as orc
import pyarrow.parquet as pq

from querysvc.results.writing.arrays import file_batch, file_schema
from querysvc.results.writing.base import unwritable
from querysvc.write_plan import Compression, WriteLayout

_SECOND: Final = 1_000_000
_GROUP_ROWS: Final = 1 << 20
_GROUP_BYTES: Final = 64 << 20
_BUCKET_GROUP_BYTES: Final = 1 << 20
_PARQUET_CODECS: Final = {
    Compression.NONE: "none",
    Compression.GZIP: "gzip",
    Compression.SNAPPY: "snappy",
    Compression.ZSTD: "zstd",
}
_ORC_CODECS: Final = {
    Compression.NONE: "uncompressed",
    Compression.ZLIB: "zlib",
    Compression.SNAPPY: "snappy",
    Compression.ZSTD: "zstd",
    Compression.LZ4: "lz4",
}


class _GroupedFile:
    """Holds rows back until they are a row group's worth."""

    def __init__(self, layout: WriteLayout, path: Path) -> None:
        self._columns = layout.data_columns
        self._schema = self.schema_of(layout)
        self._sink = pa.OSFile(str(path), "wb")
        # Each bucket has a file open.
        files = layout.buckets.count if layout.buckets is not None else 1
        self._bytes_max = max(_GROUP_BYTES // files, _BUCKET_GROUP_BYTES)
        self._held: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def schema_of(self, layout: WriteLayout) -> pa.Schema:
        """The files' schema."""
        return file_schema(layout.data_columns)

    def batch_of(self, arrays: Sequence[pa.Array]) -> pa.RecordBatch:
        """Rows in the files' schema."""
        return file_batch(self._columns, self._schema, arrays)

    @property
    def size(self) -> int:
        """Bytes that are in the file so far."""
        size: int = self._sink.tell()
        return size

    @property
    def held_bytes(self) -> int:
        """Bytes that are held back."""
        return self._bytes

    def flush(self) -> None:
        """Write the rows that are held back."""
        if self._held:
            self._flush()

    def write(self, arrays: Sequence[pa.Array]) -> None:
        """Add rows."""
        batch = self.batch_of(arrays)
        self._held.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= _GROUP_ROWS or self._bytes >= self._bytes_max:
            self._flush()

    def close(self) -> None:
        """Write the rows that are held back, and the footer."""
        self.flush()
        self._end()
        self._sink.close()

    def _flush(self) -> None:
        self._write_group(pa.Table.from_batches(self._held, self._schema))
        self._held, self._rows, self._bytes = [], 0, 0

    def _write_group(self, table: Any) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        raise NotImplementedError


class ParquetFile(_GroupedFile):
    """A Parquet file."""

    def __init__(self, layout: WriteLayout, path: Path) -> None:
        super().__init__(layout, path)
        form = layout.format
        self._writer = pq.ParquetWriter(
            self._sink,
            self._schema,
            compression=_PARQUET_CODECS[form.compression],
            compression_level=form.compression_level,
            store_schema=False,
        )

    def _write_group(self, table: Any) -> None:
        self._writer.write_table(table, row_group_size=2**31 - 1)

    def _end(self) -> None:
        self._writer.close()


class OrcFile(_GroupedFile):
    """An ORC file."""

    def __init__(self, layout: WriteLayout, path: Path) -> None:
        super().__init__(layout, path)
        self._writer = orc.ORCWriter(self._sink, compression=_ORC_CODECS[layout.format.compression])

    def write(self, arrays: Sequence[pa.Array]) -> None:
        """Add rows."""
        for column, array in zip(self._columns, arrays, strict=True):
            _refuse_early_fractions(column.name, array)
        super().write(arrays)

    def _write_group(self, table: Any) -> None:
        self._writer.write(table)

    def _end(self) -> None:
        if self._sink.tell() == 0 and not self._held:
            self._writer.write(self._schema.empty_table())
        self._writer.close()


def _refuse_early_fractions(column: str, array: pa.Array) -> None:
    """Fractions of seconds before 1970, which pyarrow 25 writes as no ORC reader but it reads."""
    if pa.types.is_timestamp(array.type):
        micros = array.cast(pa.int64())
        fractions = pc.subtract(micros, pc.multiply(pc.divide(micros, _SECOND), _SECOND))
        if pc.any(pc.less(fractions, 0)).as_py():
            raise unwritable(
                column,
                "timestamps before 1970 with a fraction of a second cannot be written to ORC;"
                " use PARQUET",
            )
    elif pa.types.is_nested(array.type):
        for child in _children(array):
            _refuse_early_fractions(column, child)


def _children(array: pa.Array) -> list[pa.Array]:
    if pa.types.is_map(array.type):
        start, end = array.offsets[0].as_py(), array.offsets[-1].as_py()
        return [part.slice(start, end - start) for part in (array.keys, array.items)]
    found = array.flatten()
    return list(found) if isinstance(found, list) else [found]
