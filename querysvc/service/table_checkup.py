"""`querysvc doctor table`: what is wrong with a table, and the statement that mends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from querysvc.errors import QueryServiceError
from querysvc.inference.hive_types import common
from querysvc.inference.layout import TableFolder, table_folders
from querysvc.model import Principal
from querysvc.plan import StoredObject
from querysvc.service.access import Access, denied, full_name
from querysvc.service.catalog_errors import catalog_errors
from querysvc.service.crawl import ARCHIVED_CLASSES, Crawler, SampleReader
from querysvc.storage.locations import parse_location
from querysvc_catalog.errors import UnsupportedFormatError
from querysvc_catalog.model import Column, Partition, StorageDescriptor, Table, TableName
from querysvc_catalog.names import partition_path
from querysvc_catalog.serdes import resolve_format
from querysvc_catalog.service import CatalogService

_SMALL_BYTES: Final = 16 << 20
_SMALL_FILES_MIN: Final = 100
_TOLD_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `statement` mends it, where a statement can."""

    problem: str
    detail: str
    statement: str | None = None


class TableCheckup:
    """Looks at a table's catalog entry, its objects, and a sample of their contents."""

    def __init__(
        self,
        storage: SampleReader,
        crawler: Crawler,
        catalog_of: Callable[[Principal], CatalogService],
        access_of: Callable[[Principal], Access],
    ) -> None:
        self._storage = storage
        self._crawler = crawler
        self._catalog_of = catalog_of
        self._access_of = access_of

    def check(self, name: TableName, principal: Principal) -> tuple[Finding, ...]:
        """What is wrong with the table; nothing for a table that is well.

        Findings tell of all its objects, so that only who may read all of it is answered.
        """
        if self._access_of(principal).visible(name) is not None:
            raise denied(f"Cannot check table {full_name(name)} without all of its cells")
        catalog = self._catalog_of(principal)
        with catalog_errors():
            table = catalog.get_table(name)
        descriptor = table.storage_descriptor
        if table.is_view or descriptor is None or not descriptor.location:
            return (Finding("no location", f"{name} is a view or names no place in S3"),)
        try:
            resolve_format(descriptor)
        except UnsupportedFormatError as error:
            return (Finding("unsupported format", error.message),)
        objects = self._storage.list_objects(descriptor.location)
        if not objects:
            return (Finding("no objects", f"nothing lies under {descriptor.location}"),)
        prefix = parse_location(descriptor.location).prefix
        (folder,) = table_folders(prefix, objects, is_one_table=True)
        partitions: tuple[Partition, ...] = ()
        if table.partition_keys and table.parameters.get("projection.enabled") != "true":
            with catalog_errors():
                partitions = tuple(catalog.iter_partitions(name))
        return (
            *_classes(table, objects, partitions),
            *_sizes(table, objects),
            *_registration(table, folder, partitions),
            *_drift(table, partitions),
            *self._schema(table, descriptor, folder, partitions),
        )

    def _schema(
        self,
        table: Table,
        descriptor: StorageDescriptor,
        folder: TableFolder,
        partitions: Sequence[Partition],
    ) -> Iterator[Finding]:
        readable = [
            one for one in folder.objects if one.size and one.storage_class not in ARCHIVED_CLASSES
        ]
        if not readable:
            return
        try:
            inferred = self._crawler.infer(readable)
        except QueryServiceError as error:
            yield Finding("unreadable objects", error.message)
            return
        for key, reason in inferred.unreadable:
            address = f"s3://{folder.bucket}/{key}"
            yield Finding(
                "unreadable objects",
                f"{address}: {reason}; write it anew, or take it away",
                _dropping(table, partitions, address),
            )
        told = {f"{key}: {reason}" for key, reason in inferred.unreadable}
        for note in inferred.disagreements:
            if note not in told:
                yield Finding("objects disagree", note)
        if inferred.schema.storage_format is not resolve_format(descriptor).storage_format:
            yield Finding(
                "another format",
                f"the objects look like {inferred.schema.storage_format},"
                f" the table says {resolve_format(descriptor).storage_format}",
            )
            return
        yield from _columns(table, dict(inferred.schema.columns))


def _registration(
    table: Table, folder: TableFolder, partitions: Sequence[Partition]
) -> Iterator[Finding]:
    """Where the folders and the registered partitions differ."""
    if not table.partition_keys or table.parameters.get("projection.enabled") == "true":
        return
    keys = tuple(column.name for column in table.partition_keys)
    known = {one.values: one for one in partitions}
    found = {values for values, _ in folder.partitions} if folder.keys == keys else set()
    missing = sorted(found - known.keys())
    if missing:
        yield Finding(
            "unregistered partitions",
            f"{len(missing)} folders are no partitions, such as {_paths(keys, missing)}",
            f"MSCK REPAIR TABLE {table.full_name}",
        )
    places = {one.address.rpartition("/")[0] for one in folder.objects}
    empty = [
        values
        for values, partition in sorted(known.items())
        if not _holds_any(partition.location, places)
    ]
    if empty and len(empty) < len(known):
        yield Finding(
            "partitions without objects",
            f"{len(empty)} registered partitions hold nothing: {_paths(keys, empty)}",
            f"ALTER TABLE {table.full_name} DROP {_spec(table, empty[0])}",
        )
    if folder.strays:
        yield Finding(
            "objects outside partitions",
            f"{len(folder.strays)} objects lie in no partition's folder:"
            f" {', '.join(folder.strays[:_TOLD_MAX])}",
        )


def _spec(table: Table, values: Sequence[str]) -> str:
    """PARTITION (key = 'value', …)."""
    pairs = zip(table.partition_keys, values, strict=True)
    told = ", ".join(f"{key.name} = '{_escaped(value)}'" for key, value in pairs)
    return f"PARTITION ({told})"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def _dropping(table: Table, partitions: Sequence[Partition], address: str) -> str | None:
    """The statement that takes an object's partition out of the table."""
    for one in partitions:
        if one.location and address.startswith(one.location.rstrip("/") + "/"):
            return f"ALTER TABLE {table.full_name} DROP {_spec(table, one.values)}"
    return None


def _drift(table: Table, partitions: Sequence[Partition]) -> Iterator[Finding]:
    """Partitions that declare other columns than the table, as it was when they were added."""
    listed = ", ".join(f"`{one.name}` {one.type or 'string'}" for one in table.columns)
    others = [
        one
        for one in partitions
        if one.storage_descriptor is not None
        and _differs(one.storage_descriptor.columns, table.columns)
    ]
    for one in others[:_TOLD_MAX]:
        yield Finding(
            "schema drift",
            f"{len(others)} partitions declare other columns than the table:"
            f" {_paths([key.name for key in table.partition_keys], [one.values])}",
            f"ALTER TABLE {table.full_name} {_spec(table, one.values)} REPLACE COLUMNS ({listed})",
        )


def _differs(earlier: Sequence[Column], now: Sequence[Column]) -> bool:
    """Whether a column has another name or type now; those that were added at the end are none."""
    pairs = zip(earlier, now, strict=False)
    return len(earlier) > len(now) or any((a.name, a.type) != (b.name, b.type) for a, b in pairs)


def _classes(
    table: Table, objects: Sequence[StoredObject], partitions: Sequence[Partition]
) -> Iterator[Finding]:
    classes = Counter(one.storage_class for one in objects)
    told = ", ".join(f"{count} {name}" for name, count in classes.most_common())
    archived = [one for one in objects if one.storage_class in ARCHIVED_CLASSES]
    if len(classes) > 1:
        usual = classes.most_common(1)[0][0]
        odd = next(one for one in objects if one.storage_class != usual)
        yield Finding(
            "mixed storage classes",
            f"{told}: the policy `strict` refuses them together; copy the others to {usual}"
            f" (first: {odd.address}), or take their partitions away",
            _dropping(table, partitions, odd.address),
        )
    if archived:
        yield Finding(
            "archived objects",
            f"{told}: restore them (first: {archived[0].address}), query with policy `athena`,"
            " or take their partitions away",
            _dropping(table, partitions, archived[0].address),
        )


def _sizes(table: Table, objects: Sequence[StoredObject]) -> Iterator[Finding]:
    mean = sum(one.size for one in objects) // len(objects)
    if len(objects) >= _SMALL_FILES_MIN and mean < _SMALL_BYTES:
        keys = ", ".join(f"'{key.name}'" for key in table.partition_keys)
        kept = f", partitioned_by = ARRAY[{keys}]" if keys else ""
        yield Finding(
            "small files",
            f"{len(objects)} objects of {mean:,} bytes on average: every one costs a request",
            f"CREATE TABLE {table.full_name}_compacted WITH (format = 'PARQUET'{kept})"
            f" AS TABLE {table.full_name}",
        )
    empty = sum(not one.size for one in objects)
    if empty:
        yield Finding("empty objects", f"{empty} objects have no bytes; they are read as no rows")


def _columns(table: Table, found: dict[str, str]) -> Iterator[Finding]:
    keys = {column.name for column in table.partition_keys}
    declared = {column.name: column.type or "string" for column in table.columns}
    if not any(name in found for name in declared):
        return  # a file without names, such as CSV: its columns go by position
    absent = [name for name in declared if name not in found]
    if absent:
        yield Finding("columns without data", f"no sampled object has {', '.join(absent)}")
    extra = {
        name: kind for name, kind in found.items() if name not in declared and name not in keys
    }
    if extra:
        columns = ", ".join(f"`{name}` {kind}" for name, kind in extra.items())
        yield Finding(
            "columns not declared",
            f"the objects have {', '.join(extra)} too",
            f"ALTER TABLE {table.full_name} ADD COLUMNS ({columns})",
        )
    for name, kind in declared.items():
        other = found.get(name, kind)
        wider = common(kind, other)
        if wider != kind:
            yield Finding(
                "another type",
                f"column {name} is declared {kind}, the objects hold {other}",
                f"ALTER TABLE {table.full_name} CHANGE COLUMN `{name}` `{name}` {wider}",
            )


def _paths(keys: Sequence[str], values: Sequence[Sequence[str]]) -> str:
    return ", ".join(partition_path(keys, one) for one in values[:_TOLD_MAX])


def _holds_any(location: str | None, places: set[str]) -> bool:
    home = (location or "").rstrip("/")
    return any(place == home or place.startswith(f"{home}/") for place in places)
