"""Conditions that DuckDB must be able to split into a join: bare, without guards around them."""

from __future__ import annotations

from tests.support.local_engine import LocalEngine

BRANCHES = """SELECT count(*) FROM (VALUES (1, DECIMAL '1234567890123.00'), (1, 1.00)) AS l (k, q),
    (VALUES (1, 2)) AS p (k, s)
    WHERE (p.k = l.k AND q >= 1 AND q <= 1 + 10 AND s BETWEEN 1 AND 5)
       OR (p.k = l.k AND q >= 10 AND q <= 10 + 10 AND s BETWEEN 1 AND 10)"""


def test_alternatives_that_share_an_equality_become_a_hash_join() -> None:
    engine = LocalEngine()
    try:
        lowered = engine.lower(engine.analyse(BRANCHES))
        assert "CASE" not in lowered.sql
        ((_, shown),) = engine.connection.execute(f"EXPLAIN {lowered.sql}").fetchall()
        assert "HASH_JOIN" in shown
        assert engine.ask(BRANCHES)["rows"] == [[1]]
    finally:
        engine.close()


def test_constants_that_overflow_still_fail() -> None:
    engine = LocalEngine()
    try:
        told = engine.ask("SELECT x > 2147483647 + 1 FROM (VALUES 1) AS t (x)")
        assert told["error_message"] == "integer addition overflow: 2147483647 + 1"
    finally:
        engine.close()
