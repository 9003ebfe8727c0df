"""Crawling: what tables lie under a location, found from a sample; made only when that is asked.

The bytes are read here and understood in the gate, whose processes are limited.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.inference.exclusions import excluding
from querysvc.inference.layout import TableFolder, key_types, projection, table_folders
from querysvc.inference.model import Inferred, Sample
from querysvc.model import Principal
from querysvc.plan import StoredObject
from querysvc.service.access import Access
from querysvc.service.audit import AuditLog
from querysvc.service.catalog_errors import catalog_errors
from querysvc.service.gate import GatePool
from querysvc.service.show_create import create_table_lines
from querysvc.storage.locations import parse_location
from querysvc_catalog.model import (
    DEFAULT_CATALOG,
    Column,
    Partition,
    SerDeInfo,
    StorageDescriptor,
    Table,
)
from querysvc_catalog.serdes import CLASSES, StorageFormat
from querysvc_catalog.service import CatalogService

GATE_OPERATIONS: Final = {"infer": "querysvc.inference.infer:infer"}

_SAMPLES_MAX: Final = 8
_SAMPLE_BYTES: Final = 1 << 20
_BATCH: Final = 1000
# Glue's words for formats, where they are not Athena's.
_CLASSIFICATIONS: Final = {StorageFormat.TEXTFILE: "csv", StorageFormat.OPENX_JSON: "json"}
ARCHIVED_CLASSES: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})


@dataclass(frozen=True, slots=True)
class CrawlRequest:
    """Where to look, and what to call what is found."""

    location: str
    database: str = "default"
    table: str | None = None
    """Makes all that lies under the location one table of this name."""
    is_one_table: bool = False
    """Makes it one table that is named after its folder."""
    exclusions: tuple[str, ...] = ()
    """Glob patterns of objects to pass over, relative to the location."""


@dataclass(frozen=True, slots=True)
class CrawledTable:
    """A table that would be, with what is doubtful about it."""

    table: Table
    partitions: tuple[Partition, ...]
    objects: int
    bytes: int
    disagreements: tuple[str, ...] = ()
    projection: tuple[tuple[str, str], ...] = ()
    """Table properties that would spare registering the partitions."""

    @property
    def statement(self) -> str:
        """The CREATE EXTERNAL TABLE that makes it."""
        return "\n".join(line.rstrip() for line in create_table_lines(self.table))


class SampleReader(Protocol):
    """Lists and reads objects (storage.client.StorageClient)."""

    def list_objects(self, location: str) -> list[StoredObject]: ...

    def read_ranges(self, ranges: Sequence[tuple[StoredObject, int, int]]) -> list[bytes]: ...


class Crawler:
    """Finds tables, and makes them."""

    def __init__(
        self,
        storage: SampleReader,
        gate: GatePool,
        catalog_of: Callable[[Principal], CatalogService],
        access_of: Callable[[Principal], Access],
        audit: AuditLog,
    ) -> None:
        self._storage = storage
        self._gate = gate
        self.catalog_of = catalog_of
        self._access_of = access_of
        self._audit = audit

    def crawl(self, request: CrawlRequest, principal: Principal) -> tuple[CrawledTable, ...]:
        """The tables under the location; INVALID_REQUEST when nothing there can be read."""
        found = tuple(self.find(request, principal))
        if not found:
            raise QueryServiceError(
                ErrorCode.INVALID_REQUEST, f"No object with data lies under {request.location}"
            )
        return found

    def find(self, request: CrawlRequest, principal: Principal) -> Iterator[CrawledTable]:
        """The tables under the location, one after the other; none where no data lies."""
        self._access_of(principal).require_location(request.location)
        prefix = parse_location(request.location).prefix
        is_excluded = excluding(request.exclusions)
        objects = [
            one
            for one in self._storage.list_objects(request.location)
            if one.size and not is_excluded(one.key.removeprefix(prefix))
        ]
        is_one_table = request.is_one_table or request.table is not None
        folders = table_folders(prefix, objects, is_one_table=is_one_table)
        for folder in folders:
            yield self._table(folder, request, principal)

    def apply(self, found: Sequence[CrawledTable], principal: Principal) -> None:
        """Make the tables and their partitions; ALREADY_EXISTS when a table does."""
        catalog = self.catalog_of(principal)
        for one in found:
            with catalog_errors():
                catalog.create_table(one.table)
                for start in range(0, len(one.partitions), _BATCH):
                    batch = one.partitions[start : start + _BATCH]
                    catalog.create_partitions(one.table.full_name, batch)
            self._audit.record(principal, "crawl", str(one.table.full_name))

    def _table(
        self, folder: TableFolder, request: CrawlRequest, principal: Principal
    ) -> CrawledTable:
        readable = [one for one in folder.objects if one.storage_class not in ARCHIVED_CLASSES]
        if not readable:
            raise QueryServiceError(
                ErrorCode.OBJECT_ARCHIVED,
                f"All objects under {folder.location} are archived; restore one to sample it",
            )
        inferred = self.infer(readable)
        descriptor = _descriptor(folder, inferred)
        form = inferred.schema.storage_format
        keys = tuple(Column(name, kind) for name, kind in key_types(folder))
        table = Table(
            name=request.table or folder.name,
            database_name=request.database,
            catalog_name=DEFAULT_CATALOG,
            owner=principal.name,
            storage_descriptor=descriptor,
            partition_keys=keys,
            parameters={
                "classification": _CLASSIFICATIONS.get(form, form.value.lower()),
                **dict(inferred.schema.table_parameters),
            },
            table_type="EXTERNAL_TABLE",
        )
        partitions = tuple(
            Partition(values, dataclasses.replace(descriptor, location=location))
            for values, location in folder.partitions
        )
        strays = tuple(f"{one}: is in no partition's folder" for one in folder.strays)
        return CrawledTable(
            table,
            partitions,
            len(folder.objects),
            sum(one.size for one in folder.objects),
            (*inferred.disagreements, *strays),
            projection(folder),
        )

    def infer(self, candidates: Sequence[StoredObject]) -> Inferred:
        """The schema of a few of these objects, read here and understood in the gate."""
        objects = _spread(candidates)
        heads = self._storage.read_ranges(
            [(one, 0, min(one.size, _SAMPLE_BYTES)) for one in objects]
        )
        tails = self._storage.read_ranges(
            [
                (one, max(0, one.size - _SAMPLE_BYTES), _SAMPLE_BYTES)
                for one in objects
                if one.size > _SAMPLE_BYTES
            ]
        )
        rest = iter(tails)
        samples = tuple(
            Sample(one.key, one.size, head, next(rest) if one.size > _SAMPLE_BYTES else head)
            for one, head in zip(objects, heads, strict=True)
        )
        found: Inferred = self._gate.call("infer", samples)
        return found


def _spread(objects: Sequence[StoredObject]) -> list[StoredObject]:
    """A few objects from begin to end: old partitions and new ones."""
    count = min(_SAMPLES_MAX, len(objects))
    return [objects[index * (len(objects) - 1) // max(1, count - 1)] for index in range(count)]


def _descriptor(folder: TableFolder, inferred: Inferred) -> StorageDescriptor:
    schema = inferred.schema
    classes = CLASSES[schema.storage_format]
    keys = set(folder.keys)
    return StorageDescriptor(
        # What lies in the folders' names wins over what lies in the files.
        columns=tuple(Column(name, kind) for name, kind in schema.columns if name not in keys),
        location=folder.location,
        input_format=classes.input_format,
        output_format=classes.output_format,
        serde_info=SerDeInfo(
            serialization_library=classes.serialization_library,
            parameters=dict(schema.serde_parameters),
        ),
    )
