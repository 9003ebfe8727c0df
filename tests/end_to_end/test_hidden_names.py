"""Everything that can be asked, asked by somebody restricted: no answer holds a hidden thing.

Rows, columns, partitions, tables, databases, filters, bad records and others' statements each hold
a canary; the answer to each question may hold only those that the question itself named.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.support.office import REFUSALS, Office, open_office
from tests.support.s3 import S3Server

CANARIES: Final = (
    *("row_canary", "pay_canary", "cell_canary", "filter_canary", "part_canary", "reject_canary"),
    *("table_canary", "view_canary", "database_canary", "query_canary"),
)
CSV: Final = "ROW FORMAT DELIMITED FIELDS TERMINATED BY ','"
WORLD: Final = (
    "CREATE DATABASE open",
    "CREATE DATABASE database_canary",
    f"""CREATE EXTERNAL TABLE open.cases (id int, note string, pay_canary string) {CSV}
        LOCATION 's3://data/canaries/cases/'
        TBLPROPERTIES ('querysvc.on_bad_record'='quarantine')""",
    f"""CREATE EXTERNAL TABLE open.mixed (id int, note string, pay_canary string) {CSV}
        LOCATION 's3://data/canaries/mixed/'""",
    f"""CREATE EXTERNAL TABLE open.logs (v int) PARTITIONED BY (region string) {CSV}
        LOCATION 's3://data/canaries/logs/'""",
    "MSCK REPAIR TABLE open.logs",
    f"CREATE EXTERNAL TABLE open.table_canary (a int) {CSV} LOCATION 's3://data/canaries/x/'",
    f"CREATE EXTERNAL TABLE database_canary.t (a int) {CSV} LOCATION 's3://data/canaries/y/'",
    "CREATE VIEW open.view_canary AS SELECT pay_canary FROM open.cases",
    "CREATE VIEW open.shown AS SELECT id, note FROM open.cases",
    "SELECT 'query_canary'",
    "SELECT count(*) FROM open.cases WHERE pay_canary = 'query_canary'",
)
OBJECTS: Final = {
    "cases/a.csv": b"1,seen,cell_canary\n2,seen,cell_canary\nreject_canary,x,y\n99,row_canary,z\n",
    "logs/region=eu/a.csv": b"1\n",
    "logs/region=part_canary/a.csv": b"row_canary\n",
    "mixed/a.csv": b"1,seen,cell_canary\n99,row_canary,z\n",
    "logs2/a.csv": b"1,a\n2,b\n3,c\n",
}
STATEMENTS: Final = (
    "SELECT * FROM open.cases",
    "SELECT * FROM open.mixed",
    "SELECT * FROM open.shown",
    "SELECT pay_canary FROM open.cases",
    "SELECT pay_canar FROM open.cases",
    "SELECT pay FROM open.cases",
    "SELECT cases.* FROM open.cases JOIN open.cases b USING (id)",
    "SELECT count(*) FROM open.cases WHERE pay_canary = 'x'",
    "SELECT id FROM open.cases ORDER BY pay_canary",
    "SELECT id FROM open.cases GROUP BY id HAVING max(pay_canary) > ''",
    "SELECT CAST(note AS integer) FROM open.cases",
    "SELECT 1 / (id - 99) FROM open.cases",
    "SELECT json_parse(note) FROM open.cases",
    "SELECT max(note) FROM open.cases",
    "SELECT id, array_agg(note) OVER () FROM open.cases",
    "SELECT approx_distinct(note), count(*) FROM open.cases TABLESAMPLE BERNOULLI (100)",
    "SELECT * FROM open.logs",
    "SELECT DISTINCT region FROM open.logs",
    "SELECT * FROM open.cases CROSS JOIN open.logs",
    "SELECT count(*) FROM open.cases WHERE note LIKE 'row%' OR id = 99",
    "SELECT * FROM open.tabl_canary",
    "SELECT * FROM open.table_canar",
    "SELECT * FROM database_canar.t",
    "SELECT * FROM database_canary.u",
    "SELECT * FROM open.view_canar",
    "WITH c AS (SELECT * FROM open.cases) SELECT * FROM c",
    "(TABLE open.cases) UNION ALL (TABLE open.cases)",
    'SELECT "$path", "$file_size" FROM open.cases',
    'SELECT * FROM open."cases$partitions"',
    'SELECT * FROM open."cases$rejects"',
    'SELECT * FROM open."logs$partitions"',
    'SELECT * FROM open."logs$rejects"',
    'SELECT * FROM open."cases$properties"',
    "EXPLAIN SELECT * FROM open.cases WHERE id = 1",
    "EXPLAIN (TYPE IO, FORMAT JSON) SELECT * FROM open.cases",
    "EXPLAIN (TYPE DISTRIBUTED, FORMAT GRAPHVIZ) SELECT * FROM open.cases",
    "EXPLAIN ANALYZE VERBOSE SELECT * FROM open.cases",
    "EXPLAIN ANALYZE VERBOSE SELECT * FROM open.logs",
    "EXPLAIN SELECT * FROM open.mixed WHERE note > ''",
    "EXPLAIN (TYPE IO) SELECT * FROM open.mixed",
    "EXPLAIN SELECT m.* FROM open.mixed m JOIN open.cases c ON m.id = c.id AND c.note = m.note",
    "EXPLAIN SELECT * FROM open.logs WHERE region > 'a'",
    "EXPLAIN (FORMAT JSON) SELECT * FROM open.shown",
    "EXPLAIN SELECT pay_canary FROM open.cases",
    "SHOW DATABASES",
    "SHOW SCHEMAS",
    "SHOW TABLES",
    "SHOW TABLES IN open",
    "SHOW TABLES IN database_canary",
    "SHOW VIEWS",
    "SHOW COLUMNS IN open.cases",
    "SHOW CREATE TABLE open.cases",
    "SHOW CREATE TABLE open.table_canary",
    "SHOW CREATE VIEW open.view_canary",
    "SHOW CREATE VIEW open.shown",
    "SHOW PARTITIONS open.logs",
    "SHOW TBLPROPERTIES open.cases",
    "SHOW STATS FOR open.cases",
    "DESCRIBE open.cases",
    "DESCRIBE EXTENDED open.cases",
    "DESCRIBE FORMATTED open.cases",
    "DESCRIBE FORMATTED open.logs PARTITION (region = 'eu')",
    "DESCRIBE open.shown",
    "DESCRIBE database_canary.t",
    "SELECT * FROM information_schema.schemata",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM information_schema.columns",
    "SELECT * FROM information_schema.views",
    "SELECT * FROM system.jdbc.schemas",
    "SELECT * FROM system.jdbc.tables",
    "SELECT * FROM system.jdbc.columns",
    "SELECT * FROM system.metadata.table_comments",
    "SELECT * FROM system.runtime.queries",
    "CREATE TABLE open.stolen AS SELECT * FROM open.cases",
    "INSERT INTO open.cases SELECT * FROM open.table_canary",
    "CREATE VIEW v AS SELECT * FROM open.cases",
    "CREATE OR REPLACE VIEW open.shown AS SELECT 1 a",
    "UNLOAD (SELECT * FROM open.cases) TO 's3://data/canaries/z/' WITH (format = 'PARQUET')",
    "UNLOAD (SELECT * FROM open.cases) TO 's3://data/ann/z/' WITH (format = 'JSON')",
    "ALTER TABLE open.cases ADD COLUMNS (pay_canary2 int)",
    "ALTER TABLE open.cases SET TBLPROPERTIES ('querysvc.on_bad_record'='fail')",
    "MSCK REPAIR TABLE open.logs",
    "DROP TABLE open.table_canary",
    "PREPARE p FROM SELECT * FROM open.cases WHERE note = ?",
    "EXECUTE IMMEDIATE 'SELECT * FROM open.cases WHERE id > ?' USING 0",
)
CATALOG_STATEMENTS: Final = (
    "SELECT relname FROM pg_catalog.pg_class",
    "SELECT nspname FROM pg_catalog.pg_namespace",
    "SELECT attname FROM pg_catalog.pg_attribute",
    "SELECT * FROM pg_catalog.pg_views",
    "SELECT * FROM pg_catalog.pg_tables",
    "SELECT 'open.cases'::regclass::oid",
    "SELECT has_table_privilege('open.table_canary', 'select')",
)
REST: Final = (
    "/v1/queries?limit=1000",
    "/v1/queries?principal=root",
    "/v1/queries/{query}",
    "/v1/queries/{query}/results",
    "/v1/queries/{query}/events",
    "/v1/catalogs/awsdatacatalog/databases?limit=1",
    "/v1/catalogs/awsdatacatalog/databases/open/tables?limit=1",
    "/v1/catalogs/awsdatacatalog/databases/open/tables?pattern=*canary*",
    "/v1/catalogs/awsdatacatalog/databases/database_canary/tables",
    "/v1/catalogs/awsdatacatalog/databases/open/tables/cases",
    "/v1/catalogs/awsdatacatalog/databases/open/tables/shown",
    "/v1/catalogs/awsdatacatalog/databases/open/tables/table_canary",
    "/v1/catalogs/awsdatacatalog/databases/open/tables/logs/partitions",
    "/v1/catalogs/awsdatacatalog/databases/open/tables/cases/checkup",
    "/v1/catalogs/awsdatacatalog/databases/open/tables/logs/checkup",
    "/v1/catalogs/awsdatacatalog/databases/open/tables/table_canary/checkup",
    "/v1/work-groups",
    "/metrics",
    "/healthz",
    "/readyz",
    "/openapi.json",
)
POSTS: Final = (
    ("/v1/validate", {"sql": "SELECT * FROM cases", "database": "open"}),
    ("/v1/validate", {"sql": "SELECT pay_canar FROM cases", "database": "open"}),
    ("/v1/validate", {"sql": "SELECT * FROM table_canar", "database": "open"}),
    ("/v1/estimate", {"sql": "SELECT * FROM cases, logs", "database": "open"}),
    ("/v1/estimate", {"sql": "SELECT pay FROM cases", "database": "open"}),
    ("/v1/crawl", {"location": "s3://data/canaries/cases/"}),
    ("/v1/crawl", {"location": "s3://data/canaries/"}),
)
GLUE: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("get_databases", {}),
    ("get_tables", {"DatabaseName": "open"}),
    ("get_tables", {"DatabaseName": "open", "Expression": ".*canar.*"}),
    ("get_table", {"DatabaseName": "open", "Name": "cases"}),
    ("get_table", {"DatabaseName": "open", "Name": "table_canar"}),
    ("get_table_versions", {"DatabaseName": "open", "TableName": "cases"}),
    ("search_tables", {"SearchText": "canar"}),
    ("get_partitions", {"DatabaseName": "open", "TableName": "logs"}),
    ("get_user_defined_functions", {"DatabaseName": "open", "Pattern": "*"}),
)
ATHENA: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("list_databases", {"CatalogName": "AwsDataCatalog"}),
    ("list_table_metadata", {"CatalogName": "AwsDataCatalog", "DatabaseName": "open"}),
    ("list_query_executions", {}),
    ("get_query_execution", {"QueryExecutionId": "{query}"}),
    ("get_query_results", {"QueryExecutionId": "{query}"}),
    ("get_query_runtime_statistics", {"QueryExecutionId": "{query}"}),
    ("batch_get_query_execution", {"QueryExecutionIds": ["{query}"]}),
    ("list_named_queries", {}),
    ("list_prepared_statements", {"WorkGroup": "primary"}),
)


@pytest.fixture(scope="module")
def office(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    for key, body in OBJECTS.items():
        s3.client().put_object(Bucket="data", Key=f"canaries/{key}", Body=body)
    folder: Path = tmp_path_factory.mktemp("hidden")
    with open_office(s3, folder, WORLD, database="open") as office:
        rows = "id < 10 AND pay_canary <> 'filter_canary'"
        on = {"columns": ["id", "note"], "row_filter": rows}
        office.grant("user:ann", "select", "table:open.cases", **on)
        office.grant("user:ann", "select", "table:open.mixed", columns=["id"])
        office.grant("user:ann", "select", "table:open.mixed", **on)
        office.grant("user:ann", "select", "table:open.logs", row_filter="region = 'eu'")
        office.grant("user:ann", "select", "table:open.shown")
        office.grant("user:ann", "use", "location:s3://data/ann")
        yield office


@pytest.fixture(scope="module")
def others_query(office: Office) -> str:
    with office.client("root") as root:
        return str(root.get("/v1/queries")["queries"][0]["id"])


def leaks(asked: str, told: str) -> list[str]:
    """The canaries that the answer holds and the question does not; history holds all questions."""
    if "queries" in asked or "query_execution" in asked:
        asked += "".join(STATEMENTS)
    return [f"{asked}: {one}" for one in CANARIES if one in told and one not in asked]


def answer(run: Callable[[], object]) -> str:
    try:
        return repr(run())
    except REFUSALS as error:
        return f"{error} {getattr(error, 'response', '')}"


def wires(office: Office) -> list[Callable[[str], object]]:
    return [office.trino, office.athena, office.postgresql, office.flightsql]


def test_statements_tell_nothing_hidden(office: Office) -> None:
    found = []
    for number, sql in enumerate(STATEMENTS):
        other = wires(office)[number % 4]
        for ask in (office.rows, other):
            found += leaks(sql, answer(partial(ask, sql)))
    assert found == []
    assert office.rows("SELECT * FROM mixed ORDER BY id") == [[1, "seen"], [99, None]]
    assert all("seen" in repr(ask("SELECT * FROM open.cases")) for ask in wires(office))


def test_what_may_not_be_created_is_denied_whether_or_not_it_exists(office: Office) -> None:
    for name in ("nothing", "table_canary"):
        with pytest.raises(REFUSALS, match="Cannot create table") as caught:
            office.rows(f"CREATE TABLE {name} AS SELECT 1 AS a")
        assert "exists" not in str(caught.value)


def test_pg_catalog_tells_nothing_hidden(office: Office) -> None:
    told = {sql: answer(partial(office.postgresql, sql)) for sql in CATALOG_STATEMENTS}
    assert [leak for sql, text in told.items() for leak in leaks(sql, text)] == []
    assert "cases" in told["SELECT relname FROM pg_catalog.pg_class"]


def test_the_rest_api_tells_nothing_hidden(office: Office, others_query: str) -> None:
    headers = {"Authorization": f"Bearer {office.keys['ann']}"}
    found = []
    with httpx.Client(base_url=office.service.url, headers=headers, timeout=60) as client:
        for path in REST:
            response = client.get(path.format(query=others_query))
            found += leaks(path, f"{response.headers} {response.text}")
        for path, body in POSTS:
            response = client.post(path, json=body)
            found += leaks(json.dumps(body), f"{response.headers} {response.text}")
    assert found == []


@pytest.mark.parametrize(("api", "calls"), [("glue", GLUE), ("athena", ATHENA)])
def test_aws_apis_tell_nothing_hidden(
    office: Office, others_query: str, api: str, calls: tuple[tuple[str, dict[str, Any]], ...]
) -> None:
    client = office.aws(api)
    found = []
    for name, request in calls:
        filled = json.loads(json.dumps(request).replace("{query}", others_query))
        told = answer(partial(getattr(client, name), **filled))
        found += leaks(f"{name} {request}", told)
    assert found == []


def test_flight_s_metadata_tells_nothing_hidden(office: Office) -> None:
    with office.flight() as connection:
        told = connection.adbc_get_objects(depth="all").read_all().to_pylist()
        with contextlib.suppress(*REFUSALS):
            told.append(connection.adbc_get_table_schema("table_canary", db_schema_filter="open"))
    assert leaks("", repr(told)) == []
    assert "cases" in repr(told)


def test_what_hidden_rows_hold_moves_no_error(office: Office) -> None:
    for sql in ("SELECT 1 / (id - 99) FROM cases", "SELECT CAST(id AS tinyint) FROM cases"):
        assert len(office.rows(sql)) == 2
    with pytest.raises(REFUSALS, match="Access Denied"):
        office.rows('SELECT * FROM "cases$rejects"')


def test_a_result_is_never_reused_beyond_its_grants(office: Office) -> None:
    sql = "SELECT count(*) FROM open.logs2"
    office.rows(
        f"CREATE EXTERNAL TABLE open.logs2 (id int, note string) {CSV}"
        " LOCATION 's3://data/canaries/logs2/'",
        "root",
    )
    made = office.grant("user:ann", "select", "table:open.logs2", row_filter="id < 2")
    assert count(office, sql, "root") == (False, 3)
    assert count(office, sql, "root") == (True, 3)
    assert count(office, sql, "ann") == (False, 1)
    assert count(office, sql, "ann") == (True, 1)
    wider = office.grant("user:ann", "select", "table:open.logs2", row_filter="id < 3")
    assert count(office, sql, "ann") == (False, 2)
    office.revoke(wider)
    assert count(office, sql, "ann") == (True, 1)
    office.revoke(made)
    with pytest.raises(REFUSALS, match="Access Denied"):
        count(office, sql, "ann")


def count(office: Office, sql: str, who: str) -> tuple[bool, int]:
    """Whether an earlier result answered, and the count."""
    with office.client(who) as client:
        done = client.run(sql, result_reuse_age_max_minutes=60)
        return done["reused_previous_result"], next(iter(client.rows(done["id"])))[0]
