"""`querysvc.on_bad_record=quarantine` through the service: rows set aside, counted and shown."""

from __future__ import annotations

from typing import Any

import pytest

from querysvc.client import ServiceError
from tests.support.running_service import RunningService

TABLE = """CREATE EXTERNAL TABLE shop.odd (id int, name string)
    ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' LOCATION 's3://data/bad_csv/'
    TBLPROPERTIES ('querysvc.on_bad_record'='quarantine')"""


@pytest.fixture(scope="module")
def odd(service: RunningService) -> RunningService:
    service.client.run(TABLE)
    return service


def rows(service: RunningService, sql: str) -> tuple[list[Any], Any]:
    execution = service.client.run(sql)
    return list(service.client.rows(execution["id"])), execution["statistics"]


def test_rows_are_set_aside_and_counted_in_the_statistics(odd: RunningService) -> None:
    found, statistics = rows(odd, "SELECT count(*), sum(id) FROM shop.odd")
    assert (found, statistics["rejected_rows"]) == ([[5, 16]], 1)
    assert rows(odd, "SELECT count(*) FROM shop.people")[1]["rejected_rows"] == 0


def test_the_rows_are_queried_beside_the_table_they_are_not_in(odd: RunningService) -> None:
    found, statistics = rows(
        odd,
        "SELECT regexp_extract(r.path, '[^/]*$'), line, byte_offset, column_name, r.\"value\","
        " wanted_type, reason, record, (SELECT count(*) FROM shop.odd)"
        " FROM shop.\"odd$rejects\" r WHERE column_name = 'id'",
    )
    reason = "the value does not fit"
    assert found == [["rows.csv", 3, 8, "id", "five", "integer", reason, "five,e", 5]]
    assert statistics["rejected_rows"] == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM shop.odd a JOIN shop.odd b ON a.id = b.id",
        "SELECT count(*) FROM shop.odd WHERE id IN (SELECT id FROM shop.odd WHERE name > '')",
        "WITH o AS (SELECT * FROM shop.odd) SELECT count(*) FROM o a, o b WHERE a.id = b.id",
        "SELECT count(*) FROM shop.odd a WHERE EXISTS (SELECT 1 FROM shop.odd b WHERE b.id = a.id)",
    ],
)
def test_a_row_that_is_set_aside_counts_once_however_often_its_table_is_scanned(
    odd: RunningService, sql: str
) -> None:
    found, statistics = rows(odd, sql)
    assert (found, statistics["rejected_rows"]) == ([[5]], 1)


def test_rejects_are_described(odd: RunningService) -> None:
    names, _ = rows(odd, 'SHOW COLUMNS FROM shop."odd$rejects"')
    described, _ = rows(odd, "DESCRIBE shop.`odd$rejects`")
    selected = odd.client.run('SELECT * FROM shop."odd$rejects"')["columns"]
    assert [name for (name,) in names] == [column["name"] for column in selected]
    assert [row[:2] for row in described][:2] == [["path", "string"], ["line", "bigint"]]
    with pytest.raises(ServiceError, match=r"people\$rejects' does not exist"):
        odd.client.run("DESCRIBE shop.`people$rejects`")
    with pytest.raises(ServiceError, match=r"odd\$rejects' does not exist"):
        odd.client.run("ALTER TABLE shop.`odd$rejects` SET TBLPROPERTIES ('a' = 'b')")


def test_the_command_line_and_explain_analyze_tell_the_count(odd: RunningService) -> None:
    done = odd.cli("query", "SELECT max(name) FROM shop.odd")
    assert done.returncode == 0
    assert b"1 rejected" in done.stderr
    (text,), _statistics = rows(odd, "EXPLAIN ANALYZE SELECT max(name) FROM shop.odd")
    assert "Rejected: 1 row set aside" in "\n".join(map(str, text))


def test_reading_rejects_costs_what_reading_the_table_does(odd: RunningService) -> None:
    found = odd.client.post("/v1/estimate", {"sql": 'SELECT count(*) FROM shop."odd$rejects"'})
    statistics = rows(odd, 'SELECT count(*) FROM shop."odd$rejects"')[1]
    assert found["scanned_bytes"] == statistics["scanned_bytes"] == 27
    assert rows(odd, "SELECT count(*) FROM shop.odd")[1]["scanned_bytes"] == 27


def test_a_table_that_sets_nothing_aside_has_no_rejects(odd: RunningService) -> None:
    with pytest.raises(ServiceError, match=r"people\$rejects' does not exist"):
        odd.client.run('SELECT * FROM shop."people$rejects"')


def test_nothing_is_written_to_rejects(odd: RunningService) -> None:
    with pytest.raises(ServiceError, match="Inserting into rejects is not supported"):
        odd.client.run("INSERT INTO shop.\"odd$rejects\" VALUES ('a', 1, 1, '', '', '', '', '')")
