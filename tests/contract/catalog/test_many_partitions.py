"""100,000 partitions in one table stay usable."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine

from querysvc_catalog.model import Column, Partition, SerDeInfo, StorageDescriptor, Table, TableName
from querysvc_catalog.repository import Segment
from querysvc_catalog.service import CatalogService
from querysvc_catalog.sql import SqlCatalogRepository
from querysvc_catalog.tables import metadata

NAME = TableName("awsdatacatalog", "default", "big")
DAYS, HOURS, REGIONS = 500, 20, 10


def _fill(service: CatalogService) -> None:
    descriptor = StorageDescriptor(
        columns=tuple(Column(f"column_{number}", "string") for number in range(50)),
        input_format="org.example.In",
        serde_info=SerDeInfo(None, "org.example.SerDe", {"field.delim": ","}),
    )
    service.create_table(
        Table(
            "big",
            "default",
            storage_descriptor=descriptor,
            partition_keys=(Column("dt", "date"), Column("hour", "int"), Column("r", "string")),
        )
    )
    partitions = [
        Partition(values, replace(descriptor, location="s3://b/big/" + "/".join(values)))
        for day in range(DAYS)
        for hour in range(HOURS)
        for region in range(REGIONS)
        for values in [(str(date(2024, 1, 1) + timedelta(day)), str(hour), f"r{region}")]
    ]
    assert len(partitions) == 100_000
    assert service.create_partitions(NAME, partitions) == ()


def _seconds(action: Callable[[], object]) -> float:
    """Time the best of three."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def test_a_hundred_thousand_partitions_are_looked_up_by_any_key_quickly(engine: Engine) -> None:
    service = CatalogService(SqlCatalogRepository(engine), lambda: datetime.now(UTC))
    service.ensure_defaults()
    _fill(service)

    def count(expression: str) -> int:
        page = service.list_partitions(NAME, partition_filter=expression, page_size=1_000)
        assert page.next_token is None
        return len(page.items)

    assert service.count_partitions(NAME) == 100_000
    # Generous: an idle machine takes a few milliseconds for the first four.
    for expression, expected, seconds_max in (
        ("dt = '2024-03-01'", 200, 0.1),
        ("dt = '2024-03-01' and hour = 5 and r = 'r3'", 1, 0.1),
        ("dt between '2024-03-01' and '2024-03-03' and hour = 5", 30, 0.1),
        ("dt in ('2024-03-01', '2025-01-01') and r = 'r1'", 40, 0.1),
        ("hour = 5 and r = 'r3'", 500, 0.5),
        ("dt = '2030-01-01'", 0, 0.1),
    ):
        assert count(expression) == expected
        took = _seconds(lambda expression=expression: count(expression))  # type: ignore[misc]
        assert took < seconds_max, f"{expression} took {took * 1_000:.1f} ms"
    values = ("2024-03-01", "5", "r3")
    assert _seconds(lambda: service.get_partition(NAME, values)) < 0.1
    assert sum(1 for _ in service.iter_partition_values(NAME)) == 100_000
    segment = service.list_partitions(NAME, segment=Segment(1, 5), page_size=1_000)
    assert len(segment.items) == 1_000


def test_alembic_sees_no_difference_between_the_metadata_and_a_created_database(
    engine: Engine,
) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize("count", [1, 499, 500, 501])
def test_batches_around_the_size_of_one_statement_are_written_and_removed(
    engine: Engine, count: int
) -> None:
    service = CatalogService(SqlCatalogRepository(engine), lambda: datetime.now(UTC))
    service.ensure_defaults()
    service.create_table(Table("big", "default", partition_keys=(Column("n", "int"),)))
    values = [(str(number),) for number in range(count)]
    assert service.create_partitions(NAME, [Partition(item) for item in values]) == ()
    assert len(service.create_partitions(NAME, [Partition(item) for item in values])) == count
    assert [item.values for item in service.get_partitions(NAME, values)] == values
    assert service.delete_partitions(NAME, values) == ()
    assert service.count_partitions(NAME) == 0
