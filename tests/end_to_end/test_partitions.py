"""Partitions of a running service: which are read, what is told of them."""

from __future__ import annotations

import pytest

from querysvc.client import ServiceError
from tests.support.running_service import RunningService


def scanned(service: RunningService, sql: str) -> tuple[object, int, int]:
    execution = service.client.run(sql, database="shop")
    ((value,),) = service.client.rows(execution["id"])
    statistics = execution["statistics"]
    return value, statistics["scanned_partitions"], statistics["total_partitions"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("day_of_month(day) = 2 AND year(day) = 2024", (1000, 1, 2)),
        ("CAST(day AS varchar) LIKE '%-01'", (1000, 1, 2)),
        ("day = DATE '2024-01-01' + INTERVAL '1' DAY", (1000, 1, 2)),
        ("date_trunc('month', day) = DATE '2024-02-01'", (0, 0, 2)),
        ("day = DATE '2024-01-01' OR day_of_week(day) = 7", (1000, 1, 2)),
        ("date_format(day, '%d') IN ('01', '02')", (2000, 2, 2)),
        ("day < current_date", (2000, 2, 2)),
        ("1 / (day_of_month(day) - 3) < 0", (1000, 1, 2)),
        ("try(1 / (day_of_month(day) - 2)) IS NULL", (1000, 1, 2)),
    ],
)
def test_predicates_over_keys_are_evaluated_before_anything_is_listed(
    service: RunningService, condition: str, expected: tuple[object, int, int]
) -> None:
    assert scanned(service, f"SELECT count(*) FROM orders WHERE {condition}") == expected


def test_a_predicate_that_fails_on_a_partition_fails_the_query(service: RunningService) -> None:
    with pytest.raises(ServiceError, match="DIVISION_BY_ZERO"):
        scanned(service, "SELECT count(*) FROM orders WHERE 1 / (day_of_month(day) - 2) < 0")
