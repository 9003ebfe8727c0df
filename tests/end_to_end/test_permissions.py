"""Grants end to end: one service, one analyst, and what every wire shows and refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import psycopg
import pytest
from trino.dbapi import connect as trino_connect
from trino.exceptions import TrinoUserError

from querysvc.client import Client, ServiceError
from querysvc.server import open_authenticator
from querysvc.service.auth import KeyRequest
from querysvc.settings import load_settings
from tests.end_to_end.conftest import DDL
from tests.end_to_end.test_rejects import TABLE
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import REGION, S3Server, free_port

EU = "id < 10"
PEOPLE = "table:shop.people"
VIEW = "CREATE VIEW shop.notes AS SELECT id, note FROM shop.orders"
DENIED = "columns [amount] in table or view awsdatacatalog.shop.orders"


@dataclass
class Office:
    """A service with grants: the analyst may read some cells of some tables."""

    service: RunningService
    keys: dict[str, str]
    pair: tuple[str, str]
    pg_port: int

    def client(self, who: str) -> Client:
        return Client(self.service.url, api_key=self.keys[who], timeout_seconds=120)

    def rows(self, sql: str, who: str = "ann") -> list[list[Any]]:
        with self.client(who) as client:
            return list(client.rows(client.run(sql)["id"]))

    def grant(self, to: str, action: str, on: str, **parts: Any) -> str:
        with self.client("root") as client:
            made = client.post("/v1/grants", {"to": to, "actions": [action], "on": on, **parts})
        return str(made["id"])

    def trino(self, sql: str, who: str = "ann") -> list[list[Any]]:
        port = int(self.service.url.rpartition(":")[2])
        with trino_connect(  # type: ignore[no-untyped-call]
            host="127.0.0.1",
            port=port,
            http_scheme="http",
            catalog="awsdatacatalog",
            schema="shop",
            # The Python client sends secrets over TLS only, unless told as a bare header.
            http_headers={"Authorization": f"Bearer {self.keys[who]}"},
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            found: list[list[Any]] = cursor.fetchall()
            return found

    def postgresql(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(
            host="127.0.0.1",
            port=self.pg_port,
            user="ann",
            password=self.keys["ann"],
            dbname="awsdatacatalog",
            sslmode="disable",
            autocommit=True,
        ) as connection:
            return connection.execute(sql.encode()).fetchall()

    def aws(self, name: str) -> Any:
        return boto3.client(
            name,
            endpoint_url=self.service.url,
            region_name=REGION,
            aws_access_key_id=self.pair[0],
            aws_secret_access_key=self.pair[1],
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def athena(self, sql: str) -> list[list[str | None]]:
        athena = self.aws("athena")
        query_id = athena.start_query_execution(
            QueryString=sql, ResultConfiguration={"OutputLocation": "s3://data/ann/"}
        )["QueryExecutionId"]
        while True:
            status = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"][
                "Status"
            ]
            if status["State"] == "FAILED":
                raise ServiceError("FAILED", status["StateChangeReason"])
            if status["State"] == "SUCCEEDED":
                break
        found = athena.get_query_results(QueryExecutionId=query_id)["ResultSet"]["Rows"]
        return [[cell.get("VarCharValue") for cell in row["Data"]] for row in found[1:]]


@pytest.fixture(scope="module")
def office(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    pg_port = free_port()
    with running_service(s3.url, folder, auth="keys", pg_port=pg_port) as running:
        with open_authenticator(load_settings(None, {"state_dir": running.state_dir})) as keys:
            made = {
                "root": keys.create_key(KeyRequest("root", frozenset({"admin"}))).secret_text,
                "ann": keys.create_key(KeyRequest("ann", frozenset({"analyst"}))).secret_text,
                "eve": keys.create_key(KeyRequest("eve")).secret_text,
            }
            pair = keys.create_key_pair(KeyRequest("ann", frozenset({"analyst"})))
        aws = (pair.pair.access_key_id, pair.secret_access_key)
        office = Office(running, made, aws, pg_port)
        for statement in (*DDL, VIEW, "CREATE DATABASE secret"):
            office.rows(statement, "root")
        office.rows(
            "CREATE EXTERNAL TABLE secret.plans (id bigint) STORED AS PARQUET"
            " LOCATION 's3://data/orders/'",
            "root",
        )
        on = "table:shop.orders"
        office.grant("user:ann", "select", on, columns=["id", "note", "day"], row_filter=EU)
        office.grant("role:analyst", "select", "table:shop.notes")
        office.grant("role:analyst", "select", "table:shop.people")
        office.grant("user:ann", "use", "location:s3://data/ann")
        office.grant("user:eve", "select", "table:shop.bad_csv", row_filter="id < 3")
        yield office


@pytest.fixture(params=["rest", "trino", "athena", "postgresql"])
def ask(office: Office, request: pytest.FixtureRequest) -> Callable[[str], list[Any]]:
    """A statement of the analyst over some wire: rows of text."""
    wires: dict[str, Callable[[str], list[Any]]] = {
        "rest": office.rows,
        "trino": office.trino,
        "athena": office.athena,
        "postgresql": office.postgresql,
    }
    run = wires[request.param]
    return lambda sql: [[None if cell is None else str(cell) for cell in row] for row in run(sql)]


def refused(run: Callable[[str], object], sql: str) -> str:
    with pytest.raises(
        (ServiceError, TrinoUserError, botocore.exceptions.ClientError, psycopg.Error)
    ) as caught:
        run(sql)
    return str(caught.value)


def test_rows_and_columns_are_those_granted(ask: Callable[[str], list[Any]]) -> None:
    assert ask("SELECT count(*), max(id) FROM shop.orders") == [["20", "9"]]
    assert {len(row) for row in ask("SELECT * FROM shop.orders")} == {3}


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT amount FROM shop.orders", DENIED),
        ("SELECT count(*) FROM shop.orders WHERE amount > 5", DENIED),
        ("SELECT 1 FROM secret.plans", "Cannot select from table or view"),
        ("SELECT 1 FROM secret.nothing", "Cannot select from table or view"),
        ("SELECT 1 FROM nowhere.nothing", "Cannot select from table or view"),
        ("SELECT * FROM shop.events", "Cannot select from table or view"),
        ("DROP TABLE shop.orders", "Cannot drop table awsdatacatalog.shop.orders"),
        ("CREATE DATABASE mine", "Cannot create schema awsdatacatalog.mine"),
        (
            "CREATE EXTERNAL TABLE shop.copy (id bigint) LOCATION 's3://data/orders/'",
            "Cannot create table awsdatacatalog.shop.copy",
        ),
    ],
)
def test_what_is_not_granted_is_denied(
    ask: Callable[[str], list[Any]], sql: str, words: str
) -> None:
    message = refused(ask, sql)
    assert "Access Denied: " in message
    assert words in message


def test_a_view_shows_what_its_reader_may_read(ask: Callable[[str], list[Any]]) -> None:
    assert ask("SELECT count(*) FROM shop.notes") == [["20"]]


def test_listings_tell_of_what_is_granted(ask: Callable[[str], list[Any]]) -> None:
    schemas = ask("SELECT schema_name FROM information_schema.schemata ORDER BY 1")
    assert [row for row in schemas if row != ["pg_catalog"]] == [["information_schema"], ["shop"]]
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop'"
    assert sorted(ask(tables)) == [["notes"], ["orders"], ["people"]]
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'orders'"
    assert sorted(ask(columns)) == [["day"], ["id"], ["note"]]
    jdbc = "SELECT DISTINCT table_name FROM system.jdbc.columns WHERE table_schem = 'secret'"
    assert ask(jdbc) == []


def test_show_and_describe_tell_of_what_is_granted(office: Office) -> None:
    for run in (office.rows, office.trino):
        told = repr([run("SHOW TABLES IN shop"), run("DESCRIBE shop.orders")])
        assert "orders" in told
        assert "amount" not in told
        assert "bad_csv" not in told
    for sql in ("DESCRIBE secret.plans", "SHOW COLUMNS IN secret.plans"):
        assert "does not exist" in refused(office.rows, sql)
    for sql in ("SHOW SCHEMAS", "SHOW DATABASES"):
        assert "secret" not in repr(office.trino(sql))


def test_partitions_of_filtered_tables_are_not_told(office: Office) -> None:
    message = "Access Denied: Cannot show partitions of table awsdatacatalog.shop.orders"
    assert message in refused(office.rows, "SHOW PARTITIONS shop.orders")
    with office.client("ann") as client, pytest.raises(ServiceError, match="Cannot show part"):
        client.get("/v1/catalogs/awsdatacatalog/databases/shop/tables/orders/partitions")
    glue = office.aws("glue")
    with pytest.raises(glue.exceptions.ClientError, match="AccessDeniedException"):
        glue.get_partitions(DatabaseName="shop", TableName="orders")


@pytest.mark.parametrize(
    "cells", [{"columns": ["id", "name"]}, {"row_filter": "id < 100"}], ids=["columns", "rows"]
)
def test_rejects_are_for_those_who_may_read_the_whole_table(
    office: Office, cells: dict[str, Any]
) -> None:
    name = f"odd_{next(iter(cells))}"
    office.rows(TABLE.replace("shop.odd", f"shop.{name}"), "root")
    assert len(office.rows(f'SELECT * FROM shop."{name}$rejects"', "root")) == 1
    office.grant("user:eve", "select", f"table:shop.{name}", **cells)
    assert len(office.rows(f"SELECT id FROM shop.{name}", "eve")) == 5
    message = refused(lambda sql: office.rows(sql, "eve"), f'TABLE shop."{name}$rejects"')
    assert f"Cannot select from table or view awsdatacatalog.shop.{name}$rejects" in message
    office.grant("user:eve", "select", f"table:shop.{name}")
    assert len(office.rows(f'TABLE shop."{name}$rejects"', "eve")) == 1


def test_hidden_columns_are_granted_by_name_as_others(office: Office) -> None:
    message = refused(office.rows, 'SELECT "$path" FROM shop.orders')
    assert "Cannot select from columns [$path]" in message
    assert len(office.rows('SELECT "$path" FROM shop.people')) == 2


def test_bad_values_of_hidden_rows_are_not_told(office: Office) -> None:
    assert "five" in refused(lambda sql: office.rows(sql, "root"), "TABLE shop.bad_csv")
    message = refused(lambda sql: office.rows(sql, "eve"), "TABLE shop.bad_csv")
    assert "HIVE_BAD_DATA" in message
    assert "five" not in message
    assert "rows.csv" not in message


def test_results_go_where_the_work_group_or_a_grant_says(office: Office) -> None:
    athena = office.aws("athena")
    with pytest.raises(athena.exceptions.ClientError, match="Cannot use location s3://data/orders"):
        athena.start_query_execution(
            QueryString="SELECT 1", ResultConfiguration={"OutputLocation": "s3://data/orders/"}
        )


def test_the_rest_catalog_shows_what_is_granted(office: Office) -> None:
    with office.client("ann") as client:
        databases = client.get("/v1/catalogs/awsdatacatalog/databases")["databases"]
        assert [database["name"] for database in databases] == ["shop"]
        tables = client.get("/v1/catalogs/awsdatacatalog/databases/shop/tables")["tables"]
        assert [table["name"] for table in tables] == ["notes", "orders", "people"]
        assert [column["name"] for column in tables[1]["columns"]] == ["id", "note"]
        with pytest.raises(ServiceError) as caught:
            client.get("/v1/catalogs/awsdatacatalog/databases/secret/tables/plans")
        assert caught.value.code == "TABLE_NOT_FOUND"


def test_validate_and_estimate_hold_to_grants(office: Office) -> None:
    with office.client("ann") as client:
        for path in ("/v1/validate", "/v1/estimate"):
            client.post(path, {"sql": "SELECT id FROM shop.orders"})
            with pytest.raises(ServiceError, match="Access Denied"):
                client.post(path, {"sql": "SELECT amount FROM shop.orders"})


def test_glue_shows_and_changes_what_is_granted(office: Office) -> None:
    glue = office.aws("glue")
    assert [item["Name"] for item in glue.get_databases()["DatabaseList"]] == ["shop"]
    tables = glue.get_tables(DatabaseName="shop")["TableList"]
    assert [table["Name"] for table in tables] == ["notes", "orders", "people"]
    found = glue.get_table(DatabaseName="shop", Name="orders")["Table"]
    assert [column["Name"] for column in found["StorageDescriptor"]["Columns"]] == ["id", "note"]
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.get_table(DatabaseName="secret", Name="plans")
    assert glue.search_tables(SearchText="plans")["TableList"] == []
    changes: tuple[Callable[[], object], ...] = (
        lambda: glue.create_database(DatabaseInput={"Name": "mine"}),
        lambda: glue.delete_database(Name="shop"),
        lambda: glue.delete_table(DatabaseName="shop", Name="orders"),
        lambda: glue.create_table(DatabaseName="shop", TableInput={"Name": "mine"}),
        lambda: glue.update_table(DatabaseName="shop", TableInput={"Name": "orders"}),
        lambda: glue.create_partition(
            DatabaseName="shop", TableName="orders", PartitionInput={"Values": ["2024-01-09"]}
        ),
    )
    for change in changes:
        with pytest.raises(glue.exceptions.ClientError, match="AccessDeniedException"):
            change()


def test_athenas_metadata_shows_what_is_granted(office: Office) -> None:
    athena = office.aws("athena")
    tables = athena.list_table_metadata(CatalogName="AwsDataCatalog", DatabaseName="shop")
    names = [table["Name"] for table in tables["TableMetadataList"]]
    assert names == ["notes", "orders", "people"]
    assert "amount" not in repr(tables)
    with pytest.raises(athena.exceptions.MetadataException):
        athena.get_table_metadata(
            CatalogName="AwsDataCatalog", DatabaseName="secret", TableName="plans"
        )


def test_a_grant_holds_at_once_and_ends_at_once(office: Office) -> None:
    assert "Access Denied" in refused(lambda sql: office.rows(sql, "eve"), "TABLE shop.people")
    made = grants(office, "create", "--to", "user:eve", "--action", "select", "--on", PEOPLE)
    assert len(office.rows("TABLE shop.people", "eve")) == 2
    with office.client("root") as root:
        assert made in [one["id"] for one in root.get("/v1/grants")["grants"]]
    assert made in grants(office, "list")
    assert grants(office, "revoke", made) == f"revoked {made}"
    assert "Access Denied" in refused(lambda sql: office.rows(sql, "eve"), "TABLE shop.people")


def grants(office: Office, *arguments: str) -> str:
    state = ("--state-dir", str(office.service.state_dir))
    told = office.service.cli("grants", *arguments, *state)
    assert told.returncode == 0, told.stderr
    return told.stdout.decode().strip()


def test_only_admins_make_grants(office: Office) -> None:
    body = {"to": "user:ann", "actions": ["SELECT"], "on": "table:*"}
    with office.client("ann") as client:
        with pytest.raises(ServiceError, match="Access Denied: granting needs the role admin"):
            client.post("/v1/grants", body)
        assert {one["to"] for one in client.get("/v1/grants")["grants"]} == {
            "user:ann",
            "role:analyst",
        }


def test_a_wrong_grant_is_told(office: Office) -> None:
    with pytest.raises(ServiceError, match="'ann' is no grantee"):
        office.grant("ann", "select", PEOPLE)
