"""Grants end to end: one service, one analyst, and what every wire shows and refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from querysvc.client import ServiceError
from tests.end_to_end.conftest import DDL
from tests.end_to_end.test_rejects import TABLE
from tests.support.office import REFUSALS, Office, open_office
from tests.support.s3 import S3Server

EU = "id < 10"
PEOPLE = "table:shop.people"
VIEW = "CREATE VIEW shop.notes AS SELECT id, note FROM shop.orders"
ICEBERG = (
    "CREATE DATABASE lake LOCATION 's3://data/lake/'",
    *(
        f"CREATE TABLE lake.{name} (id int, a string) LOCATION 's3://data/lake/{name}/'"
        " TBLPROPERTIES ('table_type' = 'ICEBERG')"
        for name in ("renamed", "filtered", "open")
    ),
    *(
        f"INSERT INTO lake.{name} VALUES (1, 'one'), (2, 'two')"
        for name in ("renamed", "filtered", "open")
    ),
    "ALTER TABLE lake.renamed RENAME COLUMN a TO hidden",
    "ALTER TABLE lake.renamed ADD COLUMNS (a string)",
)
DENIED = "columns [amount] in table or view awsdatacatalog.shop.orders"


@pytest.fixture(scope="module")
def office(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    plans = (
        "CREATE EXTERNAL TABLE secret.plans (id bigint) STORED AS PARQUET"
        " LOCATION 's3://data/orders/'"
    )
    statements = (*DDL, VIEW, "CREATE DATABASE secret", plans, *ICEBERG)
    with open_office(s3, folder, statements) as office:
        on = "table:shop.orders"
        office.grant("user:ann", "select", on, columns=["id", "note", "day"], row_filter=EU)
        office.grant("role:analyst", "select", "table:shop.notes")
        office.grant("role:analyst", "select", "table:shop.people")
        office.grant("user:ann", "use", "location:s3://data/ann")
        office.grant("user:eve", "select", "table:shop.bad_csv", row_filter="id < 3")
        changes = ("insert", "update", "delete", "alter")
        for name in ("renamed", "filtered"):
            for action in changes:
                office.grant("user:ann", action, f"table:lake.{name}")
        office.grant("user:ann", "select", "table:lake.renamed", columns=["id", "a"])
        office.grant("user:ann", "select", "table:lake.filtered", row_filter="id < 2")
        office.grant("user:ann", "select", "table:lake.open")
        yield office


@pytest.fixture(params=["rest", "trino", "athena", "postgresql", "flightsql"])
def ask(office: Office, request: pytest.FixtureRequest) -> Callable[[str], list[Any]]:
    """A statement of the analyst over some wire: rows of text."""
    wires: dict[str, Callable[[str], list[Any]]] = {
        "rest": office.rows,
        "trino": office.trino,
        "athena": office.athena,
        "postgresql": office.postgresql,
        "flightsql": office.flightsql,
    }
    run = wires[request.param]
    return lambda sql: [[None if cell is None else str(cell) for cell in row] for row in run(sql)]


def refused(run: Callable[[str], object], sql: str) -> str:
    with pytest.raises(REFUSALS) as caught:
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
    seen = [row[0] for row in schemas if row != ["pg_catalog"]]
    assert seen == ["information_schema", "lake", "shop"]
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
        assert [database["name"] for database in databases] == ["lake", "shop"]
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
    assert [item["Name"] for item in glue.get_databases()["DatabaseList"]] == ["lake", "shop"]
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


def test_a_table_is_checked_for_who_may_read_all_of_it(office: Office) -> None:
    place = "/v1/catalogs/awsdatacatalog/databases/{}/checkup"
    with office.client("root") as root:
        assert "findings" in root.get(place.format("shop/tables/orders"))
    with office.client("ann") as client:
        assert "findings" in client.get(place.format("shop/tables/people"))
        for name in ("shop/tables/orders", "secret/tables/plans", "shop/tables/nothing"):
            with pytest.raises(ServiceError, match="without all of its cells"):
                client.get(place.format(name))


MERGE = "MERGE INTO lake.open t USING (VALUES 3) s(id) ON t.id = s.id"
SOME = "only some of its rows or columns may be read"


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("DELETE FROM lake.filtered", SOME),
        ("UPDATE lake.filtered SET a = 'x' WHERE id = 1", SOME),
        ("DELETE FROM lake.renamed WHERE id = 1", SOME),
        (
            "MERGE INTO lake.renamed t USING lake.open s ON t.id = s.id WHEN MATCHED THEN DELETE",
            SOME,
        ),
        ("OPTIMIZE lake.filtered REWRITE DATA USING BIN_PACK", SOME),
        ("ALTER TABLE lake.renamed CHANGE COLUMN hidden shown string", SOME),
        ("ALTER TABLE lake.filtered RENAME COLUMN id TO other", SOME),
        ("ALTER TABLE lake.filtered DROP COLUMN a", SOME),
        ("DELETE FROM lake.open WHERE id = 1", "Cannot delete from table"),
        ("UPDATE lake.open SET a = 'x'", "Cannot update table"),
        (f"{MERGE} WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)", "Cannot insert into table"),
        ("VACUUM lake.open", "Cannot alter table"),
        (
            "SELECT a FROM lake.renamed FOR TIMESTAMP AS OF current_timestamp",
            "whose columns had other names",
        ),
    ],
)
def test_icebergs_rows_are_changed_by_those_who_may(office: Office, sql: str, words: str) -> None:
    told = refused(office.rows, sql)
    assert "Access Denied" in told
    assert words in told


def test_earlier_versions_show_what_is_shown_of_a_table(office: Office) -> None:
    then = "lake.filtered FOR TIMESTAMP AS OF current_timestamp"
    assert office.rows(f"SELECT id, a FROM {then}") == [[1, "one"]]
    assert office.rows("SELECT a FROM lake.renamed WHERE id = 1") == [[None]]
    refused(office.rows, "SELECT hidden FROM lake.renamed")
