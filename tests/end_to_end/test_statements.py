"""Views and prepared statements on a running service, over REST."""

from __future__ import annotations

import json

import pytest

from querysvc.client import ServiceError
from tests.support.running_service import RunningService


def run(service: RunningService, sql: str, **options: object) -> list[list[object]]:
    execution = service.client.run(sql, database="shop", **options)
    return list(service.client.rows(execution["id"])) if execution["columns"] else []


def test_a_view_reads_its_tables_and_prunes_their_partitions(service: RunningService) -> None:
    run(service, "CREATE OR REPLACE VIEW big AS SELECT id, day AS d FROM orders WHERE id >= 990")
    run(service, "CREATE OR REPLACE VIEW bigger AS SELECT id FROM big WHERE d = DATE '2024-01-01'")
    execution = service.client.run("SELECT count(*), min(id) FROM bigger", database="shop")
    assert list(service.client.rows(execution["id"])) == [[10, 990]]
    assert execution["statistics"]["scanned_partitions"] == 1
    assert run(service, "SELECT table_name FROM information_schema.views ORDER BY 1") == [
        ["big"],
        ["bigger"],
    ]
    run(service, "DROP VIEW bigger")
    run(service, "DROP VIEW big")


def test_a_prepared_statement_is_executed_with_its_parameters(service: RunningService) -> None:
    run(service, "PREPARE pick FROM SELECT id, ? AS tag FROM orders WHERE id < ? AND day = ?")
    assert run(service, "EXECUTE pick USING 'it''s, x', 1 + 0, DATE '2024-01-02'") == [
        [0, "it's, x"]
    ]
    given = ["'a'", "1", "DATE '2024-01-01'"]
    assert run(service, "EXECUTE pick", parameters=given) == [[0, "a"]]
    assert run(service, "DESCRIBE INPUT pick") == [[0, "unknown"], [1, "unknown"], [2, "unknown"]]
    assert run(service, "DESCRIBE OUTPUT pick")[0] == ["id", "", "", "", "bigint", 8, False]
    run(service, "DEALLOCATE PREPARE pick")
    with pytest.raises(ServiceError, match="Prepared statement not found: pick"):
        run(service, "EXECUTE pick")


def test_execute_immediate_tells_errors_at_their_place(service: RunningService) -> None:
    sql = "EXECUTE IMMEDIATE 'SELECT id FROM orders WHERE id = ? AND day = ?' USING 7, ?"
    with pytest.raises(ServiceError, match="INVALID_PARAMETER_USAGE"):
        run(service, sql)
    ours = "EXECUTE IMMEDIATE 'SELECT count(*) FROM orders WHERE id = ?' USING 7"
    assert run(service, ours) == [[2]]
    with pytest.raises(ServiceError, match="line 1:27: Column 'nope' cannot be resolved"):
        run(service, "EXECUTE IMMEDIATE 'SELECT nope FROM orders'")


def test_explain_tells_what_would_be_read_without_reading(service: RunningService) -> None:
    sql = "SELECT max(id) FROM orders WHERE id < 50 AND day = DATE '2024-01-01'"
    ((text,),) = run(service, f"EXPLAIN {sql}")
    assert "Row groups: 1/10" in str(text)
    assert "Partitions: 1/2, Files: 1" in str(text)
    ((told,),) = run(service, f"EXPLAIN (TYPE IO, FORMAT JSON) {sql}")
    scanned = json.loads(str(told))["scanned"]
    execution = service.client.run(sql, database="shop")
    assert scanned["bytes"] == execution["statistics"]["scanned_bytes"]
    assert run(service, f"EXPLAIN (TYPE VALIDATE) {sql}") == [[True]]


def test_explain_analyze_runs_the_query_and_drops_its_rows(service: RunningService) -> None:
    sql = "EXPLAIN ANALYZE VERBOSE SELECT * FROM orders WHERE day = DATE '2024-01-01'"
    execution = service.client.run(sql, database="shop")
    ((text,),) = service.client.rows(execution["id"])
    assert "Output: 1000 rows" in text
    assert "Partitions: 1/2, Files: 1/1, Row groups: 10/10" in text
    assert "Object: s3://data/orders/day=2024-01-01/part.parquet" in text
    assert "X-Amz" not in text
    assert execution["statistics"]["scanned_bytes"] > 0
    assert execution["columns"] == [{"name": "Query Plan", "type": "varchar"}]
