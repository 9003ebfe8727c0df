"""trino-jdbc 476 against the wire: its answers are those that it has of a real Trino 476."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

jaydebeapi = pytest.importorskip("jaydebeapi")

from tests.clients.trino import jdbc, jdbc_values  # noqa: E402 - they need jaydebeapi
from tests.support.trino_stack import Stack  # noqa: E402

RECORDED = Path(__file__).parents[2] / "data" / "trino-jdbc-answers.jsonl"
ANSWERS = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]
CROSS_JOIN = "SELECT count(*) FROM lineitem a, lineitem b WHERE a.comment < b.comment || 'x'"

pytestmark = pytest.mark.filterwarnings("ignore")  # jaydebeapi uses what JPype deprecates


@pytest.fixture(scope="module")
def connection(stack: Stack) -> Iterator[Any]:
    with jdbc.connect(stack.url) as connection:
        yield connection


@pytest.fixture(scope="module")
def answers(connection: Any) -> dict[tuple[str, str], Any]:
    found = {
        "metadata": jdbc.metadata_answers(connection, "tpch"),
        "values": jdbc.value_answers(connection),
    }
    return {(kind, call): a for kind, calls in found.items() for call, a in calls.items()}


@pytest.mark.parametrize("recorded", ANSWERS, ids=lambda a: f"{a['kind']}-{a['call']}")
def test_answers_equal_a_real_trinos(
    answers: dict[tuple[str, str], Any], recorded: dict[str, Any]
) -> None:
    ours = answers[recorded["kind"], recorded["call"]]
    assert ours["names"] == recorded["names"]
    # Where the driver orders by a column that is not unique, the rest is as it comes.
    assert sorted(ours["rows"], key=repr) == sorted(recorded["rows"], key=repr)
    if recorded["kind"] == "values":
        assert ours["types"] == recorded["types"]


def test_getters_and_setters_give_what_they_give_of_a_real_trino(connection: Any) -> None:
    lines = RECORDED.with_name("trino-jdbc-values.jsonl").read_text(encoding="utf-8").splitlines()
    recorded = {(line := json.loads(text))["call"]: line["answer"] for text in lines}
    ours = dict(jdbc_values.answers(connection, recorded))
    different = {call for call in recorded if ours[call] != recorded[call]}
    assert (different, len(ours)) == (set(), len(recorded))


def test_a_prepared_statement_runs_with_new_parameters_each_time(connection: Any) -> None:
    sql = "SELECT nationkey + ?, name FROM nation WHERE name = ? AND regionkey = ?"
    statement = connection.jconn.prepareStatement(sql)
    for number in range(7):
        statement.setLong(1, number)
        statement.setString(2, "CANADA")
        statement.setInt(3, 1)
        assert jdbc.fetch(statement.executeQuery())["rows"] == [[str(3 + number), "CANADA"]]
    metadata = statement.getMetaData()
    assert [str(metadata.getColumnTypeName(i)) for i in (1, 2)] == ["bigint", "varchar(25)"]
    assert statement.getParameterMetaData().getParameterCount() == 3
    statement.close()


def test_many_rows_come_complete_and_in_order(
    connection: Any, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    spooled, put = [], stack.segments.put
    monkeypatch.setattr(
        stack.segments, "put", lambda body: spooled.append(put(body)) or spooled[-1]
    )
    statement = connection.jconn.createStatement()
    rows = statement.executeQuery(
        "SELECT orderkey, linenumber, comment FROM lineitem ORDER BY orderkey, linenumber"
    )
    seen, last = 0, (0, 0)
    while rows.next():
        key = (rows.getLong(1), rows.getLong(2))
        assert key > last
        seen, last = seen + 1, key
    assert seen == 60_175
    assert len([segment for segment in spooled if segment]) >= 1
    _until(lambda: not any(stack.segments.get(segment) for segment in spooled))


def test_a_query_timeout_ends_the_query_and_frees_the_engine(connection: Any, stack: Stack) -> None:
    statement = connection.jconn.createStatement()
    statement.setQueryTimeout(1)
    began = time.monotonic()
    with pytest.raises(Exception, match="maximum"):
        statement.executeQuery(CROSS_JOIN).next()
    assert time.monotonic() - began < 3
    _until(lambda: stack.engine.running == 0)


def test_cancel_from_another_thread_ends_the_query(connection: Any, stack: Stack) -> None:
    import threading

    import jpype

    statement = connection.jconn.createStatement()
    cancelled_at: list[float] = []
    ended = threading.Event()

    def cancel() -> None:
        jpype.java.lang.Thread.attachAsDaemon()
        _until(lambda: stack.engine.running > 0)
        cancelled_at.append(time.monotonic())
        # The driver forgets a cancel that comes before the first answer to its statement.
        while not ended.wait(0.1):
            statement.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(jpype.JClass("java.sql.SQLException")):
        statement.executeQuery(CROSS_JOIN).next()
    ended.set()
    assert time.monotonic() - cancelled_at[0] < 1
    thread.join()
    _until(lambda: stack.engine.running == 0)


def test_an_error_has_trinos_message_code_and_state(connection: Any) -> None:
    import jpype

    statement = connection.jconn.createStatement()
    with pytest.raises(jpype.JClass("java.sql.SQLException")) as raised:
        statement.executeQuery("SELECT * FROM nope")
    assert raised.value.getErrorCode() == 46
    assert "line 1:15: Table 'tpch.tiny.nope' does not exist" in str(raised.value.getMessage())


def test_transactions_and_session_statements_keep_the_connection_well(stack: Stack) -> None:
    with jdbc.connect(stack.url) as own:
        own.jconn.setAutoCommit(False)
        statement = own.jconn.createStatement()
        assert jdbc.fetch(statement.executeQuery("SELECT 1"))["rows"] == [["1"]]
        own.jconn.commit()
        own.jconn.setAutoCommit(True)
        assert not statement.execute("SET SESSION query_max_run_time = '90s'")
        shown = jdbc.fetch(statement.executeQuery("SHOW SESSION LIKE 'query_max_run_time'"))
        assert shown["rows"][0][1] == "90s"
        assert own.jconn.isValid(5)
        own.jconn.setSchema("information_schema")
        assert not statement.execute("USE tpch.tiny")
        assert (own.jconn.getCatalog(), own.jconn.getSchema()) == ("tpch", "tiny")


def test_the_product_is_the_version_whose_answers_ours_equal(connection: Any) -> None:
    metadata = connection.jconn.getMetaData()
    assert str(metadata.getDatabaseProductName()) == "Trino"
    assert str(metadata.getDatabaseProductVersion()) == "476"


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
