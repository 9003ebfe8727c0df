"""Partitions as rows: writing them with their shapes and filter texts, and reading them back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from querysvc_catalog import identity
from querysvc_catalog import tables as schema
from querysvc_catalog.documents import dump_partition, dump_shape, load_partition, load_shape
from querysvc_catalog.errors import CatalogError, EntityKind, EntityNotFoundError
from querysvc_catalog.model import Partition, PartitionValues, StorageDescriptor
from querysvc_catalog.names import check_partition_values
from querysvc_catalog.paging import chunked
from querysvc_catalog.partition_values import PartitionKey, partition_keys, stored_keys
from querysvc_catalog.repository import BatchError
from querysvc_catalog.sql_store import IN_LIST_MAX, TableEntry

_tables = schema.tables
_partitions = schema.partitions
_shapes = schema.storage_shapes
_statistics = schema.column_statistics

_INSERT_CHUNK: Final = 5_000


def of_table(entry: TableEntry) -> Select[Any]:
    """Select what a partition is read from."""
    return select(
        _partitions.c.identity,
        _partitions.c.values_json,
        _partitions.c.shape_hash,
        _partitions.c.document,
    ).where(_partitions.c.table_id == entry.table_id)


def walk(
    connection: Connection,
    query: Select[Any],
    after: str | None,
    chunk_size: int,
    *,
    few_match: bool,
) -> Iterator[Row[Any]]:
    """Read all rows of a query over partitions in their order, chunk by chunk.

    With `few_match` they are found by the keys' index and sorted; else both databases would walk
    all of the table's partitions in order, hoping to fill the chunk soon.
    """
    order = _partitions.c.identity.concat("") if few_match else _partitions.c.identity
    while True:
        chunk = query if after is None else query.where(_partitions.c.identity > after)
        rows = connection.execute(chunk.order_by(order).limit(chunk_size)).all()
        yield from rows
        if len(rows) < chunk_size:
            return
        after = rows[-1].identity


def filter_columns(
    keys: Sequence[PartitionKey], values: PartitionValues
) -> dict[str, str | int | None]:
    """Give the columns of a row that filters look at."""
    stored = stored_keys(keys, values)
    padding = (None,) * schema.LEADING_KEYS
    texts = (*stored.ordering_texts, *padding)[: schema.LEADING_KEYS]
    columns: dict[str, str | int | None] = {
        column.name: text for column, text in zip(schema.KEY_COLUMNS, texts, strict=True)
    }
    columns["is_malformed"] = int(stored.is_malformed)
    return columns


def existing_identities(
    connection: Connection, entry: TableEntry, identities: Iterable[str]
) -> set[str]:
    """Give those of some identities that exist."""
    if not entry.partition_count:
        return set()
    found: set[str] = set()
    for chunk in chunked(dict.fromkeys(identities), IN_LIST_MAX):
        query = select(_partitions.c.identity).where(
            _partitions.c.table_id == entry.table_id, _partitions.c.identity.in_(chunk)
        )
        found.update(connection.execute(query).scalars())
    return found


def delete_rows(connection: Connection, entry: TableEntry, identities: Sequence[str]) -> None:
    """Remove partitions with their statistics, and the shapes after the last partition."""
    for chunk in chunked(identities, IN_LIST_MAX):
        connection.execute(
            delete(_statistics).where(
                _statistics.c.table_id == entry.table_id,
                _statistics.c.partition_identity.in_(chunk),
            )
        )
        connection.execute(
            delete(_partitions).where(
                _partitions.c.table_id == entry.table_id, _partitions.c.identity.in_(chunk)
            )
        )
    add_to_count(connection, entry, -len(identities))
    if len(identities) == entry.partition_count:
        connection.execute(delete(_shapes).where(_shapes.c.table_id == entry.table_id))


def add_to_count(connection: Connection, entry: TableEntry, difference: int) -> None:
    """Keep the table's count of partitions; its row is locked by the caller."""
    connection.execute(
        update(_tables)
        .where(_tables.c.id == entry.table_id)
        .values(partition_count=_tables.c.partition_count + difference)
    )


def statistics_key(
    connection: Connection, entry: TableEntry, values: PartitionValues | None
) -> str:
    """Give the key under which statistics are kept: the partition's identity, or nothing."""
    if values is None:
        return ""
    key = identity.partition_identity(values)
    if not existing_identities(connection, entry, [key]):
        raise identity.partition_not_found(entry.table, values)
    return key


class PartitionReader:
    """Reads rows as partitions; partitions of one shape share its columns and SerDe."""

    def __init__(self, connection: Connection, entry: TableEntry) -> None:
        self._connection = connection
        self._entry = entry
        self._shapes: dict[str, StorageDescriptor | None] = {}

    def partition(self, row: Row[Any]) -> Partition:
        """Read one row."""
        values = identity.values_of(row.values_json)
        return load_partition(values, self._shape(row.shape_hash), row.document)

    def _shape(self, shape_hash: str) -> StorageDescriptor | None:
        if shape_hash not in self._shapes:
            query = select(_shapes.c.document).where(
                _shapes.c.table_id == self._entry.table_id, _shapes.c.hash == shape_hash
            )
            text = self._connection.execute(query).scalar()
            if text is None:  # the table was dropped since its row was read
                raise EntityNotFoundError(EntityKind.TABLE, str(self._entry.table.full_name))
            self._shapes[shape_hash] = load_shape(text)
        return self._shapes[shape_hash]


class PartitionWriter:
    """Writes partitions of one locked table."""

    def __init__(self, connection: Connection, entry: TableEntry) -> None:
        self._connection = connection
        self._entry = entry
        self._keys = partition_keys(entry.table.partition_keys)
        self._last_shape: StorageDescriptor | None = None
        self._last_hash: str | None = None
        self._shape_texts: dict[str, str] = {}
        self._rows: list[dict[str, object]] = []

    @property
    def added_count(self) -> int:
        """How many partitions `flush` will add."""
        return len(self._rows)

    def add(self, partitions: Sequence[Partition]) -> tuple[BatchError, ...]:
        """Prepare new partitions; those that exist or are wrong are left out and reported."""
        identities = [identity.partition_identity(item.values) for item in partitions]
        taken = existing_identities(self._connection, self._entry, identities)
        errors: list[BatchError] = []
        for index, (key, partition) in enumerate(zip(identities, partitions, strict=True)):
            try:
                if key in taken:
                    raise identity.partition_exists(self._entry.table, partition.values)
                self._rows.append(self._row(partition))
                taken.add(key)
            except CatalogError as error:
                errors.append(BatchError(index, partition.values, error))
        return tuple(errors)

    def flush(self) -> None:
        """Write the prepared partitions."""
        self._write_shapes()
        for chunk in chunked(self._rows, _INSERT_CHUNK):
            self._connection.execute(insert(_partitions), chunk)
        if self._rows:
            add_to_count(self._connection, self._entry, len(self._rows))
        self._rows = []

    def replace(self, values: PartitionValues, partition: Partition) -> None:
        """Replace one partition at once."""
        old = identity.partition_identity(values)
        new = identity.partition_identity(partition.values)
        is_old = (_partitions.c.table_id == self._entry.table_id) & (_partitions.c.identity == old)
        document = self._connection.execute(select(_partitions.c.document).where(is_old)).scalar()
        if document is None:
            raise identity.partition_not_found(self._entry.table, values)
        created = load_partition(values, None, document).creation_time
        row = self._row(dataclasses.replace(partition, creation_time=created))
        if new != old:
            if existing_identities(self._connection, self._entry, [new]):
                raise identity.partition_exists(self._entry.table, partition.values)
            self._connection.execute(
                delete(_statistics).where(
                    _statistics.c.table_id == self._entry.table_id,
                    _statistics.c.partition_identity == old,
                )
            )
        self._write_shapes()
        self._connection.execute(update(_partitions).where(is_old).values(**row))

    def _row(self, partition: Partition) -> dict[str, object]:
        values = check_partition_values(partition.values, len(self._keys))
        key = identity.partition_identity(values)
        return {
            "table_id": self._entry.table_id,
            "identity": key,
            "values_json": identity.values_text(values),
            "segment_hash": identity.segment_hash(key),
            "shape_hash": self._shape_hash(partition.storage_descriptor),
            "document": dump_partition(partition),
            **filter_columns(self._keys, values),
        }

    def _shape_hash(self, descriptor: StorageDescriptor | None) -> str:
        shape = None if descriptor is None else dataclasses.replace(descriptor, location=None)
        if self._last_hash is None or shape != self._last_shape:
            shape_hash, text = dump_shape(shape)
            self._shape_texts[shape_hash] = text
            self._last_shape, self._last_hash = shape, shape_hash
        return self._last_hash

    def _write_shapes(self) -> None:
        if not self._shape_texts:
            return
        query = select(_shapes.c.hash).where(_shapes.c.table_id == self._entry.table_id)
        existing = set(self._connection.execute(query).scalars())
        missing = [
            {"table_id": self._entry.table_id, "hash": key, "document": text}
            for key, text in self._shape_texts.items()
            if key not in existing
        ]
        if missing:
            self._connection.execute(insert(_shapes), missing)
        self._shape_texts.clear()
