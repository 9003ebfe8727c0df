"""The files of a snapshot: data files that a filter leaves, each with the deletes that apply."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from pyiceberg.conversions import from_bytes
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.expressions.visitors import (
    _InclusiveMetricsEvaluator,
    expression_evaluator,
    inclusive_projection,
    manifest_evaluator,
)
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    ManifestContent,
    ManifestEntry,
    ManifestFile,
)
from pyiceberg.schema import Schema
from pyiceberg.typedef import Record
from pyiceberg.types import StringType

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.iceberg.table import IcebergTable

ALL: Final = AlwaysTrue()
FILE_PATH_ID: Final = 2147483546
"""The reserved field id of `file_path` in position delete files."""
FILES_MAX: Final = 500_000
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class ScanFile:
    """A live data file; `deletes` are indexes into its scan's deletes."""

    file: DataFile
    sequence_number: int
    deletes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FileScan:
    """The data files of a snapshot that a filter leaves, out of `total`, and their deletes."""

    files: tuple[ScanFile, ...]
    deletes: tuple[DataFile, ...]
    total: int = 0


def data_files(
    table: IcebergTable,
    snapshot_id: int | None = None,
    row_filter: BooleanExpression = ALL,
    *,
    only: frozenset[str] | None = None,
) -> FileScan:
    """Read a snapshot's manifests; the filter keeps too much, never too little.

    `only` are the paths of files to keep, where they are known.
    """
    snapshot = table.snapshot(snapshot_id)
    if snapshot is None:
        return FileScan((), ())
    manifests = snapshot.manifests(table.io)
    filters = _Filters(table, table.schema_of(snapshot_id), row_filter)
    data = [one for one in manifests if one.content == ManifestContent.DATA]
    kept = [one for one in data if filters.keeps_manifest(one)]
    deletes = [one for one in manifests if one.content == ManifestContent.DELETES] if kept else []
    index = _DeleteIndex()
    for entry in _entries(table, deletes):
        index.add(entry)
    index.sort()
    files = [
        ScanFile(entry.data_file, _sequence(entry), index.of(entry))
        for entry in _entries(table, kept)
        if (only is None or entry.data_file.file_path in only)
        and filters.keeps_file(entry.data_file)
    ]
    used = sorted({one for file in files for one in file.deletes})
    places = {old: new for new, old in enumerate(used)}
    return FileScan(
        tuple(
            ScanFile(f.file, f.sequence_number, tuple(places[one] for one in f.deletes))
            for f in files
        ),
        tuple(index.files[one] for one in used),
        sum((one.added_files_count or 0) + (one.existing_files_count or 0) for one in data),
    )


def _entries(table: IcebergTable, manifests: Iterable[ManifestFile]) -> Iterator[ManifestEntry]:
    """The live entries of manifests, a few manifests read at a time."""

    def read(manifest: ManifestFile) -> list[ManifestEntry]:
        return manifest.fetch_manifest_entry(table.io, discard_deleted=True)

    wanted = list(manifests)
    if len(wanted) == 1:
        yield from read(wanted[0])
        return
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="manifests") as pool:
        for entries in pool.map(read, wanted):
            yield from entries


class _Filters:
    """The filter as it applies to manifests' summaries, to partitions and to columns' bounds."""

    def __init__(self, table: IcebergTable, schema: Schema, row_filter: BooleanExpression) -> None:
        self._schema = schema
        self._specs = table.metadata.specs()
        self._filter = row_filter
        self._metrics = _InclusiveMetricsEvaluator(schema, row_filter, case_sensitive=True)
        self._manifests: dict[int, Callable[[ManifestFile], bool]] = {}
        self._partitions: dict[int, Callable[[Record], bool]] = {}

    def keeps_manifest(self, manifest: ManifestFile) -> bool:
        """Whether a manifest may list files that are asked for."""
        if isinstance(self._filter, AlwaysTrue):
            return True
        spec_id = manifest.partition_spec_id
        if spec_id not in self._manifests:
            spec = self._specs[spec_id]
            self._manifests[spec_id] = manifest_evaluator(
                spec, self._schema, self._projected(spec_id), case_sensitive=True
            )
        return self._manifests[spec_id](manifest)

    def keeps_file(self, file: DataFile) -> bool:
        """Whether a file may hold rows that are asked for."""
        if isinstance(self._filter, AlwaysTrue):
            return True
        if file.spec_id not in self._partitions:
            spec = self._specs[file.spec_id]
            own = Schema(*spec.partition_type(self._schema).fields)
            self._partitions[file.spec_id] = expression_evaluator(
                own, self._projected(file.spec_id), case_sensitive=True
            )
        return self._partitions[file.spec_id](file.partition) and self._metrics.eval(file)

    def _projected(self, spec_id: int) -> BooleanExpression:
        spec = self._specs[spec_id]
        return inclusive_projection(self._schema, spec, case_sensitive=True)(self._filter)


@dataclass(slots=True)
class _Ordered:
    """Delete files of one partition or path by their sequence numbers."""

    entries: list[tuple[int, int]] = field(default_factory=list)
    """(sequence number, number of the file)"""

    def since(self, sequence_number: int) -> list[int]:
        start = bisect_left(self.entries, (sequence_number, -1))
        return [number for _, number in self.entries[start:]]


class _DeleteIndex:
    """Which delete files apply to a data file, as the specification's «Scan Planning» says.

    A position delete applies to files that are as old or older, an equality delete to files that
    are older, of the same partition; one of an unpartitioned spec is global.
    """

    def __init__(self) -> None:
        self.files: list[DataFile] = []
        self._by_path: dict[str, _Ordered] = defaultdict(_Ordered)
        self._positions: dict[tuple[int, Record], _Ordered] = defaultdict(_Ordered)
        self._equalities: dict[tuple[int, Record], _Ordered] = defaultdict(_Ordered)
        self._global: _Ordered = _Ordered()

    def add(self, entry: ManifestEntry) -> None:
        """Add a delete file."""
        file, number = entry.data_file, len(self.files)
        self.files.append(file)
        place = (_sequence(entry), number)
        if file.content == DataFileContent.POSITION_DELETES:
            path = referenced_path(file)
            if path is not None:
                self._by_path[path].entries.append(place)
            else:
                self._positions[_partition(file)].entries.append(place)
        elif len(file.partition) == 0:
            self._global.entries.append(place)
        else:
            self._equalities[_partition(file)].entries.append(place)

    def sort(self) -> None:
        """Make it ready to be asked."""
        groups = (self._by_path, self._positions, self._equalities)
        for ordered in (*(one for group in groups for one in group.values()), self._global):
            ordered.entries.sort()

    def of(self, entry: ManifestEntry) -> tuple[int, ...]:
        """The numbers of the delete files that may hold deletes of a data file's rows."""
        if not self.files:
            return ()
        file, sequence = entry.data_file, _sequence(entry)
        found = list(self._global.since(sequence + 1))
        if (paths := self._by_path.get(file.file_path)) is not None:
            found += paths.since(sequence)
        if (positions := self._positions.get(_partition(file))) is not None:
            found += [one for one in positions.since(sequence) if self._names(one, file)]
        if (equalities := self._equalities.get(_partition(file))) is not None:
            found += equalities.since(sequence + 1)
        return tuple(sorted(found))

    def _names(self, number: int, file: DataFile) -> bool:
        """Whether a position delete file's bounds admit a data file's path."""
        bounds = _path_bounds(self.files[number])
        # Bounds may be cut off: a prefix is a lower bound, and an upper one was raised to be one.
        return bounds is None or bounds[0] <= file.file_path <= bounds[1]


def referenced_path(file: DataFile) -> str | None:
    """The data file that a position delete file is about, where that is one alone."""
    bounds = _path_bounds(file)
    if bounds is None or bounds[0] != bounds[1]:
        return None
    return bounds[0]


def _path_bounds(file: DataFile) -> tuple[str, str] | None:
    lower, upper = (file.lower_bounds or {}), (file.upper_bounds or {})
    if FILE_PATH_ID not in lower or FILE_PATH_ID not in upper:
        return None
    return (
        str(from_bytes(StringType(), lower[FILE_PATH_ID])),
        str(from_bytes(StringType(), upper[FILE_PATH_ID])),
    )


def _partition(file: DataFile) -> tuple[int, Record]:
    return file.spec_id, file.partition


def _sequence(entry: ManifestEntry) -> int:
    if entry.sequence_number is None:
        raise QueryServiceError(
            ErrorCode.ICEBERG_INVALID_METADATA,
            f"a manifest does not tell the sequence number of {entry.data_file.file_path}",
        )
    return entry.sequence_number
