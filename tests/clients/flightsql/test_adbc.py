"""The ADBC Flight SQL driver, unmodified."""

from __future__ import annotations

import contextlib
import datetime
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi as dbapi
import adbc_driver_manager
import pyarrow as pa
import pytest
from pyarrow import flight as arrow

from querysvc_drivers.flightsql.messages import new, packed, unpacked
from tests.clients.flightsql.conftest import BUCKET, FlightService

HEADER = adbc_driver_flightsql.DatabaseOptions.AUTHORIZATION_HEADER.value
ENDLESS = (
    "SELECT count(*) FROM shop.numbers a, shop.numbers b, shop.numbers c WHERE a.n + b.n = -c.n"
)


@pytest.fixture(scope="module")
def connection(flight: FlightService, people: None) -> Iterator[Any]:
    options = {"username": "ada", "password": flight.api_key}
    with dbapi.connect(flight.uri, db_kwargs=options, autocommit=True) as opened:
        yield opened


@pytest.fixture
def ask(connection: Any) -> Callable[..., list[tuple[Any, ...]]]:
    def run(sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    return run


def test_rows_come_with_arrows_types(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, name, born FROM shop.people ORDER BY id")
        table = cursor.fetch_arrow_table()
    assert [field.type for field in table.schema] == [pa.int32(), pa.string(), pa.date32()]
    assert table.to_pylist()[0] == {"id": 1, "name": "Ada", "born": datetime.date(1815, 12, 10)}
    assert table.to_pylist()[2] == {"id": 3, "name": None, "born": None}


def test_every_kind_of_value(ask: Callable[..., list[tuple[Any, ...]]]) -> None:
    (row,) = ask(
        """SELECT true, TINYINT '1', 9223372036854775807, 1e0, DECIMAL '1.50', 'x', X'00ff',
                  TIMESTAMP '2024-01-02 03:04:05.678', ARRAY[1, NULL], MAP(ARRAY['k'], ARRAY[2]),
                  CAST(ROW(1, 'a') AS row(n integer, s varchar)), NULL, INTERVAL '2' DAY"""
    )
    assert row[:8] == (
        *(True, 1, 2**63 - 1, 1.0, Decimal("1.50"), "x", b"\x00\xff"),
        datetime.datetime(2024, 1, 2, 3, 4, 5, 678000),
    )
    assert row[8:10] == ([1, None], [("k", 2)])
    assert row[10] == {"n": 1, "s": "a"}
    assert row[11] is None


def test_many_rows_stream(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT n FROM shop.numbers")
        batches = list(cursor.fetch_record_batch())
    assert sum(batch.num_rows for batch in batches) == 100_000
    assert len(batches) > 1


def test_parameters_of_every_type(ask: Callable[..., list[tuple[Any, ...]]]) -> None:
    values = (
        *(7, 1.5, "it's", True, Decimal("1.25"), b"\x01"),
        *(datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 1, 2, 3)),
    )
    assert ask("SELECT ?, ?, ?, ?, ?, ?, ?, ?", *values) == [values]
    assert ask("SELECT name FROM shop.people WHERE id = ?", 2) == [("Grace",)]


def test_a_prepared_statement_is_run_again(connection: Any) -> None:
    with connection.cursor() as cursor:
        for id_, name in ((1, "Ada"), (2, "Grace"), (1, "Ada")):
            cursor.execute("SELECT name FROM shop.people WHERE id = ?", (id_,))
            assert cursor.fetchall() == [(name,)]


def test_statements_that_write_tell_their_rows(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS shop.made")
        cursor.execute(
            f"CREATE TABLE shop.made WITH (external_location = 's3://{BUCKET}/made/') AS"
            " SELECT n FROM shop.numbers WHERE n < 10"
        )
        cursor.execute("SELECT count(*) FROM shop.made")
        assert cursor.fetchall() == [(10,)]
        cursor.execute("SHOW TABLES IN shop")
        assert ("made",) in cursor.fetchall()


def test_a_statement_that_writes_runs_once_for_each_row_of_parameters(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS shop.several")
        cursor.execute(
            f"CREATE TABLE shop.several WITH (external_location = 's3://{BUCKET}/several/') AS"
            " SELECT 0 AS n, 'zero' AS name"
        )
        cursor.executemany("INSERT INTO shop.several SELECT ?, ?", [(1, "one"), (2, "it's")])
        assert cursor.rowcount == 2
        cursor.execute("SELECT n, name FROM shop.several ORDER BY n")
        assert cursor.fetchall() == [(0, "zero"), (1, "one"), (2, "it's")]


def test_asking_for_a_schema_runs_nothing(connection: Any, flight: FlightService) -> None:
    with connection.cursor() as cursor:
        assert cursor.adbc_execute_schema("SELECT id, name FROM shop.people").names == [
            "id",
            "name",
        ]
    client = RawClient(flight)
    asked = client.descriptor("CommandStatementQuery", query="CREATE DATABASE made_by_a_schema")
    with pytest.raises(pa.ArrowException, match="known when it has run"):
        client.flight.get_schema(asked, client.options)
    with connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES")
        assert ("made_by_a_schema",) not in cursor.fetchall()


def test_a_ticket_keeps_its_parameters(flight: FlightService) -> None:
    client = RawClient(flight)
    request = packed(new("ActionCreatePreparedStatementRequest", query="SELECT ? AS n"))
    action = arrow.Action("CreatePreparedStatement", request)
    (answer,) = client.flight.do_action(action, client.options)
    handle = unpacked(answer.body.to_pybytes())[1].prepared_statement_handle
    command = client.descriptor("CommandPreparedStatementQuery", prepared_statement_handle=handle)
    tickets = []
    for number in (1, 2):
        bound = pa.table({"parameter_1": pa.array([number], pa.int64())})
        writer, reader = client.flight.do_put(command, bound.schema, client.options)
        writer.write_table(bound)
        writer.done_writing()
        reader.read()
        writer.close()
        tickets.append(client.ticket(command))
    assert [client.rows(one) for one in tickets] == [[{"n": 1}], [{"n": 2}]]


def test_who_fetches_twice_writes_once(flight: FlightService, people: None) -> None:
    client = RawClient(flight)
    made = f"WITH (external_location = 's3://{BUCKET}/once/') AS SELECT 1 AS n"
    client.run("DROP TABLE IF EXISTS shop.once")
    client.run(f"CREATE TABLE shop.once {made}")
    inserted = client.ticket(
        client.descriptor("CommandStatementQuery", query="INSERT INTO shop.once VALUES 2")
    )
    assert client.rows(inserted) == client.rows(inserted)
    assert client.run("SELECT count(*) AS n FROM shop.once") == [{"n": 2}]


class RawClient:
    """Flight's own client, without a driver between it and the messages."""

    def __init__(self, service: FlightService) -> None:
        self.flight = arrow.FlightClient(service.uri)
        self.options = arrow.FlightCallOptions(
            headers=[(b"authorization", f"Bearer {service.api_key}".encode())]
        )

    def descriptor(self, name: str, **fields: Any) -> Any:
        return arrow.FlightDescriptor.for_command(packed(new(name, **fields)))

    def ticket(self, descriptor: Any) -> Any:
        return self.flight.get_flight_info(descriptor, self.options).endpoints[0].ticket

    def rows(self, ticket: Any) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = (
            self.flight.do_get(ticket, self.options).read_all().to_pylist()
        )
        return answer

    def run(self, sql: str) -> list[dict[str, Any]]:
        return self.rows(self.ticket(self.descriptor("CommandStatementQuery", query=sql)))


def test_metadata(connection: Any) -> None:
    info = connection.adbc_get_info()
    assert info["vendor_name"] == "querysvc"
    assert set(connection.adbc_get_table_types()) == {"TABLE", "VIEW", "SYSTEM TABLE"}
    schema = connection.adbc_get_table_schema(
        "people", catalog_filter="awsdatacatalog", db_schema_filter="shop"
    )
    assert {field.name: field.type for field in schema} == {
        "id": pa.int32(),
        "name": pa.string(),
        "born": pa.date32(),
    }
    objects = connection.adbc_get_objects(
        depth="columns", catalog_filter="awsdatacatalog", db_schema_filter="sh_p"
    ).read_all()
    (catalog,) = objects.to_pylist()
    (found,) = catalog["catalog_db_schemas"]
    tables = {table["table_name"]: table for table in found["db_schema_tables"]}
    assert {"people", "numbers"} <= set(tables)
    columns = [column["column_name"] for column in tables["people"]["table_columns"]]
    assert columns == ["id", "name", "born"]


@pytest.mark.parametrize(
    ("sql", "kind", "text"),
    [
        ("SELECT nope FROM shop.people", adbc_driver_manager.Error, "COLUMN_NOT_FOUND"),
        ("SELEC 1", adbc_driver_manager.Error, "line 1:1"),
        ("SELECT 1/0", adbc_driver_manager.Error, "DIVISION_BY_ZERO"),
    ],
)
def test_errors_are_the_services_own(
    ask: Callable[..., list[tuple[Any, ...]]], sql: str, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text) as caught:
        ask(sql)
    assert "Traceback" not in str(caught.value)
    assert ask("SELECT 1") == [(1,)]


@pytest.mark.parametrize("password", ["", "qsvc_0000000000000000_wrong"])
def test_a_wrong_key_is_refused(flight: FlightService, password: str) -> None:
    options = {"username": "ada", "password": password} if password else {}
    with (
        pytest.raises(adbc_driver_manager.Error, match="AUTHENTICATION_FAILED"),
        dbapi.connect(flight.uri, db_kwargs=options, autocommit=True) as opened,
        opened.cursor() as cursor,
    ):
        cursor.execute("SELECT 1")


def test_a_bearer_token_is_taken(flight: FlightService) -> None:
    options = {HEADER: f"Bearer {flight.api_key}"}
    with (
        dbapi.connect(flight.uri, db_kwargs=options, autocommit=True) as opened,
        opened.cursor() as cursor,
    ):
        cursor.execute("SELECT current_user")
        assert cursor.fetchall() == [("ada",)]


def running(flight: FlightService) -> int:
    done = flight.service.cli("history", "--state", "RUNNING", "--api-key", flight.api_key)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().count("shop.numbers a")


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.1)


def test_cancelling_ends_the_query(connection: Any, flight: FlightService) -> None:
    with connection.cursor() as cursor:
        failures: list[BaseException] = []

        def run() -> None:
            try:
                cursor.execute(ENDLESS)
                cursor.fetchall()
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        until(lambda: running(flight) == 1, 30)
        cursor.adbc_cancel()
        thread.join(30)
    assert failures
    until(lambda: running(flight) == 0, 30)


def test_a_client_that_goes_away_ends_its_query(flight: FlightService) -> None:
    options = {"username": "ada", "password": flight.api_key}
    opened = dbapi.connect(flight.uri, db_kwargs=options, autocommit=True)
    cursor = opened.cursor()

    def run() -> None:
        with contextlib.suppress(adbc_driver_manager.Error):
            cursor.execute(ENDLESS)
            cursor.fetchall()

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: running(flight) == 1, 30)
    cursor.adbc_cancel()
    thread.join(30)
    cursor.close()
    opened.close()
    until(lambda: running(flight) == 0, 30)
