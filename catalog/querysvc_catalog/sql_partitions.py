"""Partitions and column statistics in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, delete, insert, literal_column, or_, select

from querysvc_catalog import identity
from querysvc_catalog import tables as schema
from querysvc_catalog.documents import dump, load_column_statistics
from querysvc_catalog.errors import CatalogError, EntityKind
from querysvc_catalog.model import ColumnStatistics, Partition, PartitionValues, TableName
from querysvc_catalog.paging import Page, chunked, decode_text_token, make_page
from querysvc_catalog.predicates import PartitionFilter, pins_key
from querysvc_catalog.pushdown import Pushdown
from querysvc_catalog.repository import BatchError, Segment
from querysvc_catalog.sql_partition_rows import (
    PartitionReader,
    PartitionWriter,
    delete_rows,
    existing_identities,
    of_table,
    statistics_key,
    walk,
)
from querysvc_catalog.sql_store import IN_LIST_MAX, SqlStore, TableEntry

_partitions = schema.partitions
_statistics = schema.column_statistics

# A literal, not a parameter: only so can the partial index be chosen.
_IS_MALFORMED: Final = _partitions.c.is_malformed == literal_column("1")
_FILTERED_CHUNK_MIN: Final = 1_000


class SqlPartitions(SqlStore):
    """The part of the SQL store that holds partitions and statistics."""

    def create_partitions(
        self, table: TableName, partitions: Sequence[Partition]
    ) -> tuple[BatchError, ...]:
        """Add partitions; those that exist are left out and reported."""
        with self._engine.begin() as connection:
            entry = self._lock_table(connection, table)
            writer = PartitionWriter(connection, entry)
            errors = writer.add(partitions)
            identity.check_limit(
                EntityKind.PARTITION,
                f"of {table}",
                entry.partition_count + writer.added_count,
                self._limits.partitions_per_table_max,
            )
            writer.flush()
        return errors

    def get_partitions(
        self, table: TableName, values: Sequence[PartitionValues]
    ) -> tuple[Partition, ...]:
        """Give those of the named partitions that exist, in the order asked for."""
        wanted = [identity.partition_identity(item) for item in values]
        rows: dict[str, Row[Any]] = {}
        with self._engine.connect() as connection:
            entry = self._table_entry(connection, table)
            for chunk in chunked(dict.fromkeys(wanted), IN_LIST_MAX):
                query = of_table(entry).where(_partitions.c.identity.in_(chunk))
                rows.update({row.identity: row for row in connection.execute(query)})
            reader = PartitionReader(connection, entry)
            return tuple(reader.partition(rows[key]) for key in wanted if key in rows)

    def list_partitions(
        self,
        table: TableName,
        *,
        partition_filter: PartitionFilter | None,
        segment: Segment | None,
        page_size: int,
        token: str | None,
    ) -> Page[Partition]:
        """List the partitions that match."""
        after = decode_text_token("partitions", token)
        with self._engine.connect() as connection:
            entry = self._table_entry(connection, table)
            query = of_table(entry)
            if segment is not None and segment.total > 1:
                query = query.where(_partitions.c.segment_hash % segment.total == segment.number)
            chunk_size = page_size + 1
            few_match = False
            if partition_filter is not None:
                query = self._filtered(connection, entry, query, partition_filter)
                chunk_size = max(chunk_size, _FILTERED_CHUNK_MIN)
                few_match = pins_key(partition_filter.predicate, 0)
            found: list[Row[Any]] = []
            for row in walk(connection, query, after, chunk_size, few_match=few_match):
                values = identity.values_of(row.values_json)
                if partition_filter is None or partition_filter.matches(values):
                    found.append(row)
                    if len(found) > page_size:
                        break
            page = make_page("partitions", found, page_size, lambda row: str(row.identity))
            reader = PartitionReader(connection, entry)
            return Page(tuple(map(reader.partition, page.items)), page.next_token)

    def _filtered(
        self,
        connection: Connection,
        entry: TableEntry,
        query: Select[Any],
        partition_filter: PartitionFilter,
    ) -> Select[Any]:
        pushdown = Pushdown(partition_filter.keys, schema.KEY_COLUMNS)
        condition = pushdown.condition(partition_filter.predicate)
        if condition is None:
            return query
        malformed = select(_partitions.c.identity).where(
            _partitions.c.table_id == entry.table_id, _IS_MALFORMED
        )
        if connection.execute(malformed.limit(1)).first() is not None:
            condition = or_(condition, _IS_MALFORMED)
        return query.where(condition)

    def list_partition_values(
        self, table: TableName, *, page_size: int, token: str | None
    ) -> Page[PartitionValues]:
        """List the values alone."""
        after = decode_text_token("values", token)
        with self._engine.connect() as connection:
            entry = self._table_entry(connection, table)
            query = select(_partitions.c.identity, _partitions.c.values_json).where(
                _partitions.c.table_id == entry.table_id
            )
            if after is not None:
                query = query.where(_partitions.c.identity > after)
            query = query.order_by(_partitions.c.identity).limit(page_size + 1)
            rows = connection.execute(query).all()
        page = make_page("values", rows, page_size, lambda row: str(row.identity))
        return Page(
            tuple(identity.values_of(row.values_json) for row in page.items), page.next_token
        )

    def count_partitions(self, table: TableName) -> int:
        """Count all partitions."""
        with self._engine.connect() as connection:
            return self._table_entry(connection, table).partition_count

    def update_partitions(
        self, table: TableName, changes: Sequence[tuple[PartitionValues, Partition]]
    ) -> tuple[BatchError, ...]:
        """Replace partitions, which may change their values."""
        errors: list[BatchError] = []
        with self._engine.begin() as connection:
            entry = self._lock_table(connection, table)
            writer = PartitionWriter(connection, entry)
            for index, (values, partition) in enumerate(changes):
                try:
                    writer.replace(values, partition)
                except CatalogError as error:
                    errors.append(BatchError(index, values, error))
        return tuple(errors)

    def delete_partitions(
        self, table: TableName, values: Sequence[PartitionValues]
    ) -> tuple[BatchError, ...]:
        """Remove partitions; those that do not exist are reported."""
        errors: list[BatchError] = []
        with self._engine.begin() as connection:
            entry = self._lock_table(connection, table)
            keys = [identity.partition_identity(item) for item in values]
            existing = existing_identities(connection, entry, keys)
            remaining = set(existing)
            for index, (key, item) in enumerate(zip(keys, values, strict=True)):
                if key in remaining:
                    remaining.remove(key)
                else:
                    error = identity.partition_not_found(entry.table, item)
                    errors.append(BatchError(index, item, error))
            delete_rows(connection, entry, sorted(existing))
        return tuple(errors)

    def get_column_statistics(
        self, table: TableName, values: PartitionValues | None, columns: Sequence[str]
    ) -> tuple[ColumnStatistics, ...]:
        """Give the statistics that exist of a table's, or a partition's, columns."""
        found: dict[str, str] = {}
        with self._engine.connect() as connection:
            entry = self._table_entry(connection, table)
            key = statistics_key(connection, entry, values)
            for chunk in chunked(columns, IN_LIST_MAX):
                query = select(_statistics.c.column_name, _statistics.c.document).where(
                    _statistics.c.table_id == entry.table_id,
                    _statistics.c.partition_identity == key,
                    _statistics.c.column_name.in_(chunk),
                )
                found.update({row.column_name: row.document for row in connection.execute(query)})
        return tuple(load_column_statistics(found[name]) for name in columns if name in found)

    def put_column_statistics(
        self,
        table: TableName,
        values: PartitionValues | None,
        statistics: Sequence[ColumnStatistics],
    ) -> None:
        """Set statistics of columns."""
        by_column = {item.column_name: item for item in statistics}
        with self._engine.begin() as connection:
            entry = self._lock_table(connection, table)
            key = statistics_key(connection, entry, values)
            for chunk in chunked(by_column, IN_LIST_MAX):
                connection.execute(
                    delete(_statistics).where(
                        _statistics.c.table_id == entry.table_id,
                        _statistics.c.partition_identity == key,
                        _statistics.c.column_name.in_(chunk),
                    )
                )
                connection.execute(
                    insert(_statistics),
                    [
                        {
                            "table_id": entry.table_id,
                            "partition_identity": key,
                            "column_name": name,
                            "document": dump(by_column[name]),
                        }
                        for name in chunk
                    ],
                )

    def delete_column_statistics(
        self, table: TableName, values: PartitionValues | None, column: str
    ) -> None:
        """Remove one column's statistics."""
        with self._engine.begin() as connection:
            entry = self._lock_table(connection, table)
            key = statistics_key(connection, entry, values)
            result = connection.execute(
                delete(_statistics).where(
                    _statistics.c.table_id == entry.table_id,
                    _statistics.c.partition_identity == key,
                    _statistics.c.column_name == column,
                )
            )
            if not result.rowcount:
                raise identity.statistics_not_found(table, column)
