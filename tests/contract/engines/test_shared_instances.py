"""Statements of one owner that read no table may share an instance; nothing passes between them.

Leaving a table of its own is what no generated SQL can do: here it tells instances apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from querysvc.engines.duckdb.engine import DuckDBEngine
from querysvc.engines.duckdb.instances import InstanceStock
from querysvc.engines.duckdb.settings import SupervisorSettings
from querysvc.errors import QueryServiceError
from querysvc.model import Session
from querysvc.plan import ExecutionPlan, ResourceLimits, TableScan
from querysvc.sql.analyser import analyse
from querysvc.sql.metadata import MemoryMetadata
from tests.support.engine_plans import RecordingControl, spooled
from tests.support.local_gateway import LocalGateway

OWNER = "primary alice"
_SETTINGS = "SELECT name, value FROM duckdb_settings() ORDER BY name"
_HARMLESS = {"streaming_buffer_size", "enable_progress_bar", "enable_progress_bar_print"}
"""A connection's own: how many rows wait for a reader, and what nobody prints."""


@pytest.fixture(name="stock")
def _stock(tmp_path: Path) -> InstanceStock:
    return InstanceStock(str(tmp_path), 1)


def plan(
    sql: str = "SELECT 1", owner: str = OWNER, limits: ResourceLimits | None = None
) -> ExecutionPlan:
    session = Session("c", "s", started_at=datetime.now(UTC), user="u")
    statement = analyse(sql, session, MemoryMetadata("c"))
    return ExecutionPlan(
        "q",
        statement.query,
        statement.columns,
        (),
        session,
        limits=limits or ResourceLimits(),
        owner=owner,
    )


def is_shared(stock: InstanceStock, first: ExecutionPlan, second: ExecutionPlan) -> bool:
    """Whether the second plan works on the instance that the first one worked on."""
    lent = stock.lend(first, may_share=True)
    lent.connection.execute("CREATE TABLE mark AS SELECT 1")
    stock.give_back(lent, is_as_new=True)
    again = stock.lend(second, may_share=True)
    tables = again.connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    stock.give_back(again, is_as_new=True)
    return tables == [("mark",)]


def test_one_owners_statements_share_an_instance(stock: InstanceStock) -> None:
    assert is_shared(stock, plan(), plan("SELECT 2"))


@pytest.mark.parametrize(
    "other",
    [
        plan(owner="primary bob"),
        plan(owner="second alice"),
        plan(owner=""),
        plan(limits=ResourceLimits(memory_bytes=1 << 30)),
        plan(limits=ResourceLimits(threads=1)),
        plan(limits=ResourceLimits(spill_bytes=0)),
    ],
    ids=["principal", "work group", "nobody", "memory", "threads", "spill"],
)
def test_others_get_another_instance(stock: InstanceStock, other: ExecutionPlan) -> None:
    assert not is_shared(stock, plan(), other)


def test_a_plan_with_a_table_shares_with_none(stock: InstanceStock) -> None:
    scan = TableScan(reference=None, partitions=())  # type: ignore[arg-type]  # nobody looks
    with_table = ExecutionPlan("q", plan().query, (), (scan,), Session(), owner=OWNER)
    assert not is_shared(stock, plan(), with_table)
    assert not is_shared(stock, with_table, plan())


def test_what_made_something_is_not_kept(stock: InstanceStock) -> None:
    lent = stock.lend(plan(), may_share=True)
    lent.connection.execute("CREATE TABLE mark AS SELECT 1")
    stock.give_back(lent, is_as_new=False)
    again = stock.lend(plan(), may_share=True)
    assert again.connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (0,)


def test_an_instance_serves_so_many_statements_and_no_more(stock: InstanceStock) -> None:
    marks = []
    for _ in range(101):
        lent = stock.lend(plan(), may_share=True)
        found = lent.connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone()
        marks.append(found)
        lent.connection.execute("CREATE TABLE IF NOT EXISTS mark AS SELECT 1")
        stock.give_back(lent, is_as_new=True)
    assert marks == [(0,), *[(1,)] * 99, (0,)]


def test_nothing_of_a_session_reaches_the_next(stock: InstanceStock) -> None:
    first = stock.lend(plan(), may_share=True)
    fresh = dict(first.connection.execute(_SETTINGS).fetchall())
    secret = "what the first one said"
    for statement in (
        f"CREATE TEMP TABLE left_table AS SELECT '{secret}' AS x",
        f"CREATE TEMP VIEW left_view AS SELECT '{secret}' AS x",
        f"CREATE TEMP MACRO left_macro() AS '{secret}'",
        "CREATE TEMP SEQUENCE left_sequence",
        f"PREPARE left_statement AS SELECT '{secret}'",
        "SELECT setseed(0.5)",
        "BEGIN TRANSACTION",
    ):
        first.connection.execute(statement)
    first_random = first.connection.execute("SELECT random() FROM range(3)").fetchall()
    stock.give_back(first, is_as_new=True)
    second = stock.lend(plan(), may_share=True)
    connection = second.connection
    for statement in (
        "SELECT * FROM left_table",
        "SELECT * FROM left_view",
        "SELECT left_macro()",
        "SELECT nextval('left_sequence')",
        "EXECUTE left_statement",
        "SELECT * FROM secret",  # a variable of this Python frame
        "ROLLBACK",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(statement)
    later = dict(connection.execute(_SETTINGS).fetchall())
    assert {name for name in fresh if fresh[name] != later[name]} <= _HARMLESS
    connection.execute("SELECT setseed(0.5)")
    assert connection.execute("SELECT random() FROM range(3)").fetchall() == first_random
    stock.give_back(second, is_as_new=True)
    third = stock.lend(plan(), may_share=True).connection
    assert third.execute("SELECT random() FROM range(3)").fetchall() != first_random


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY (SELECT 1) TO 'copied.csv'",
        "ATTACH 'other.db'",
        "LOAD httpfs",
        "SET threads = 4",
        "SET SESSION TimeZone = 'Europe/Paris'",
        "SET lock_configuration = false",
        "SET allowed_paths = ['/etc/passwd']",
    ],
)
def test_later_statements_are_as_locked_as_the_first(stock: InstanceStock, statement: str) -> None:
    for _ in range(2):
        lent = stock.lend(plan(), may_share=True)
        with pytest.raises(duckdb.Error):
            lent.connection.execute(statement)
        stock.give_back(lent, is_as_new=True)


@pytest.fixture(name="engine", scope="module")
def _engine() -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(LocalGateway(), SupervisorSettings(idle_workers=1))
    yield engine
    engine.close()


def answer(engine: DuckDBEngine, spool: Path, sql: str, owner: str = OWNER) -> object:
    try:
        engine.execute(plan(sql, owner), spool, RecordingControl())
    except QueryServiceError as error:
        return error.code.name
    ((value,),) = spooled(spool)
    return value


def test_workers_answer_one_owners_statements_rightly(engine: DuckDBEngine, tmp_path: Path) -> None:
    cases = (
        ("SELECT 1", 1),
        ("SELECT 1 / 0", "DIVISION_BY_ZERO"),
        ("SELECT word_stem('running')", "run"),
        ("SELECT word_stem('walking')", "walk"),
        ("SELECT date_diff('day', DATE '2024-01-01', DATE '2024-03-01')", 60),
        ("SELECT format_datetime(TIMESTAMP '2024-01-02 03:04:05', 'yyyy')", "2024"),
        ("SELECT count(*) FROM UNNEST(sequence(1, 10000)) AS t(x)", 10_000),
        ("SELECT 1", 1),
    )
    told = [answer(engine, tmp_path / "spool", sql) for _ in range(2) for sql, _ in cases]
    assert told == [expected for _, expected in cases] * 2


def test_random_differs_from_statement_to_statement(engine: DuckDBEngine, tmp_path: Path) -> None:
    told = [answer(engine, tmp_path / "spool", "SELECT random()") for _ in range(4)]
    assert len(set(map(str, told))) == 4
