"""An Iceberg table's data files: Parquet with field ids, a file for each partition at least.

Rows of a partition need not come together: each open file holds rows back, and of too many open
files the one that has waited longest is finished. Values of partitions are told as JSON.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final  # pyarrow is untyped

import numpy as np
import orjson
import pyarrow as pa

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import ResultColumn
from querysvc.results.arrow_values import public_batch, public_schema
from querysvc.results.writing.arrays import fitted
from querysvc.results.writing.columnar import ParquetFile
from querysvc.results.writing.files import WriteJob, WrittenFile
from querysvc.write_plan import IcebergLayout, IcebergPartition, WriteLayout

_OPEN_MAX: Final = 100
_HELD_BYTES_MAX: Final = 128 << 20
_SUFFIX: Final = ".parquet"

Key = tuple[Any, ...]
"""A partition's values, as JSON has them."""


class IcebergParquetFile(ParquetFile):
    """A data file: columns under their field ids, timestamps in microseconds."""

    def schema_of(self, layout: WriteLayout) -> pa.Schema:
        """The table's schema in Arrow's terms."""
        assert layout.iceberg is not None, "the layout is an Iceberg table's"
        return pa.ipc.read_schema(pa.py_buffer(layout.iceberg.schema))

    def batch_of(self, arrays: Sequence[pa.Array]) -> pa.RecordBatch:
        """Rows whose columns are in the files' types already."""
        return pa.RecordBatch.from_arrays(list(arrays), schema=self._schema)


@dataclass(slots=True)
class _OpenFile:
    name: str
    writer: IcebergParquetFile
    rows: int = 0


class IcebergFileSet:
    """The files of one write to an Iceberg table."""

    def __init__(self, job: WriteJob, finished: Callable[[WrittenFile], None]) -> None:
        assert job.layout.iceberg is not None, "the layout is an Iceberg table's"
        self._job = job
        self._iceberg: IcebergLayout = job.layout.iceberg
        self._finished = finished
        self._schema = pa.ipc.read_schema(pa.py_buffer(self._iceberg.schema))
        self._files: OrderedDict[Key, _OpenFile] = OrderedDict()
        self._partitions: set[Key] = set()

    def write(self, batch: pa.RecordBatch) -> int:
        """Add a spooled batch; how many of its rows are written."""
        if self._iceberg.marker is not None:
            batch = batch.filter(batch.column(self._iceberg.marker))
        rows: int = batch.num_rows
        if rows:
            arrays = self._arrays(batch)
            for key, indices in _parts(self._iceberg.partitions, arrays):
                taken = arrays if indices is None else [array.take(indices) for array in arrays]
                self._add(key, taken)
        return rows

    def close(self) -> None:
        """Finish the files that are open."""
        for key in list(self._files):
            self._finish(key)

    def _arrays(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The table's columns in its files' types."""
        columns = self._job.layout.columns
        result = tuple(ResultColumn(column.name, column.type) for column in columns)
        arrays = [
            fitted(column, array) for column, array in zip(columns, batch.columns, strict=False)
        ]
        names = [str(index) for index in range(len(arrays))]
        public = public_batch(
            result, public_schema(result), pa.RecordBatch.from_arrays(arrays, names=names)
        )
        return [
            _stored(array, field) for array, field in zip(public.columns, self._schema, strict=True)
        ]

    def _add(self, key: Key, arrays: Sequence[pa.Array]) -> None:
        file = self._files.get(key)
        if file is None:
            file = self._open(key)
        self._files.move_to_end(key)
        file.writer.write(arrays)
        file.rows += len(arrays[0])
        if file.writer.size >= self._job.file_bytes:
            self._finish(key)
        if sum(one.writer.held_bytes for one in self._files.values()) > _HELD_BYTES_MAX:
            max(self._files.values(), key=lambda one: one.writer.held_bytes).writer.flush()

    def _open(self, key: Key) -> _OpenFile:
        self._partitions.add(key)
        if len(self._partitions) > self._job.partitions_max:
            raise QueryServiceError(
                ErrorCode.ICEBERG_TOO_MANY_OPEN_PARTITIONS,
                f"Exceeded limit of {self._job.partitions_max} partitions for one write; the"
                " setting write_partitions_max raises it",
            )
        if len(self._files) >= _OPEN_MAX:
            self._finish(next(iter(self._files)))
        name = f"{self._job.query_id}_{uuid.uuid4()}{_SUFFIX}"
        writer = IcebergParquetFile(self._job.layout, self._job.directory / name)
        opened = self._files[key] = _OpenFile(name, writer)
        return opened

    def _finish(self, key: Key) -> None:
        file = self._files.pop(key)
        file.writer.close()
        size = (self._job.directory / file.name).stat().st_size
        told = orjson.dumps(key).decode()
        self._finished(WrittenFile(file.name, (told,), file.rows, size))


def _stored(array: pa.Array, field: Any) -> pa.Array:
    """The values in the file's type; UUIDs come as text."""
    if not field.nullable and array.null_count:
        raise _null_in(field.name)
    if isinstance(field.type, pa.UuidType):
        values = [None if one is None else uuid.UUID(one).bytes for one in array.to_pylist()]
        return pa.ExtensionArray.from_storage(field.type, pa.array(values, pa.binary(16)))
    try:
        return array.cast(field.type)
    except pa.ArrowInvalid as error:
        if "non-nullable" not in str(error):
            raise
        raise _null_in(field.name) from error


def _null_in(name: str) -> QueryServiceError:
    return QueryServiceError(
        ErrorCode.CONSTRAINT_VIOLATION, f"NULL value not allowed for NOT NULL column: {name}"
    )


def _parts(
    partitions: Sequence[IcebergPartition], arrays: Sequence[pa.Array]
) -> Iterator[tuple[Key, Any]]:
    """Each partition's values with the indexes of its rows; None: all rows are of one."""
    if not partitions:
        yield (), None
        return
    codes = np.zeros(len(arrays[0]), dtype=np.int64)
    values: list[list[Any]] = []
    for partition in partitions:
        made = _transformed(partition.transform, arrays[partition.column])
        encoded = made.dictionary_encode(null_encoding="encode")
        values.append([_told(one) for one in encoded.dictionary.to_pylist()])
        codes = codes * len(values[-1]) + encoded.indices.to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    for start, end in zip(starts, [*starts[1:], len(ordered)], strict=True):
        yield _key(int(ordered[start]), values), pa.array(order[start:end])


def _key(code: int, values: Sequence[Sequence[Any]]) -> Key:
    found = []
    for own in reversed(values):
        code, place = divmod(code, len(own))
        found.append(own[place])
    return tuple(reversed(found))


def _transformed(transform: str, array: pa.Array) -> pa.Array:
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    name, _, parameter = transform.rstrip("]").partition("[")
    if name == "identity":
        return array
    if name == "void":
        return pa.nulls(len(array))
    # Only writes need it: it is loaded with the first.
    from pyiceberg_core import transform as transforms

    function = getattr(transforms, name)
    return function(array, int(parameter)) if parameter else function(array)


_EPOCH: Final = datetime(1970, 1, 1)
_TOLD: Final[Mapping[type, Callable[[Any], Any]]] = {
    date: lambda value: value.toordinal() - date(1970, 1, 1).toordinal(),
    datetime: lambda value: _microseconds(value),
    time: lambda value: _microseconds(datetime.combine(_EPOCH, value)),
    Decimal: str,
    float: repr,
    bytes: bytes.hex,
}


def _microseconds(value: datetime) -> int:
    delta = value.replace(tzinfo=None) - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _told(value: Any) -> Any:
    convert = _TOLD.get(type(value))
    return value if convert is None else convert(value)
