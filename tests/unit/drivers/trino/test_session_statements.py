"""Session, SHOW and EXECUTE statements: their headers, errors and rewritten queries."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.drivers.trino.conftest import Wire
from tests.unit.drivers.trino.test_statement_flow import Client

PREPARED = {"X-Trino-Prepared-Statement": "p=SELECT+%3F+AS+x,other=DELETE+FROM+t"}
NO_TRANSACTION = {"X-Trino-Transaction-Id": "NONE"}
OPEN = {"X-Trino-Transaction-Id": "5b2e"}
LAKE = {"X-Trino-Catalog": "lake", "X-Trino-Schema": "shop"}


def last(wire: Wire, sql: str, headers: dict[str, str] | None = None) -> tuple[Any, dict[str, str]]:
    """The last page's body and its session headers."""
    client = Client(wire, **(headers or {}))
    page, answer = client.post(sql), None
    while "nextUri" in page:
        answer = client.get(page["nextUri"])
        page = answer.json()
    own = {} if answer is None else answer.headers
    return page, {k: v for k, v in own.items() if k.startswith("x-trino-")}


@pytest.mark.parametrize(
    ("sql", "headers", "update", "expected"),
    [
        ("USE lake.shop", {}, "USE", ("set-catalog=lake", "set-schema=shop")),
        ('use "SHOP";', LAKE, "USE", ("set-schema=shop",)),
        (
            "SET SESSION query_max_run_time = '1.5m'",
            {},
            "SET SESSION",
            ("set-session=query_max_run_time=1.5m",),
        ),
        ("RESET SESSION work_group", {}, "RESET SESSION", ("clear-session=work_group",)),
        (
            "SET TIME ZONE 'Europe/Berlin'",
            {},
            "SET TIME ZONE",
            ("set-session=time_zone_id=Europe%2FBerlin",),
        ),
        (
            "SET TIME ZONE INTERVAL -'90' MINUTE",
            {},
            "SET TIME ZONE",
            ("set-session=time_zone_id=-01%3A30",),
        ),
        (
            "SET TIME ZONE INTERVAL -'08:30' HOUR TO MINUTE",
            {},
            "SET TIME ZONE",
            ("set-session=time_zone_id=-08%3A30",),
        ),
        ("SET TIME ZONE 'Etc/UTC'", {}, "SET TIME ZONE", ("set-session=time_zone_id=UTC",)),
        ("SET TIME ZONE LOCAL", {}, "SET TIME ZONE", ("clear-session=time_zone_id",)),
        (
            "SET SESSION join_distribution_type = 'BROADCAST'",
            {},
            "SET SESSION",
            ("set-session=join_distribution_type=BROADCAST",),
        ),
        ("SET SESSION query_priority = 5", {}, "SET SESSION", ("set-session=query_priority=5",)),
        (
            "SET SESSION AUTHORIZATION eve",
            {},
            "SET SESSION AUTHORIZATION",
            ("set-authorization-user=eve",),
        ),
        ("SET ROLE NONE", {}, "SET ROLE", ("set-role=system=NONE",)),
        ("PREPARE Q FROM SELECT ? /* x */ ;", {}, "PREPARE", ("added-prepare=q=SELECT+%3F",)),
        ('PREPARE "Q" FROM SHOW TABLES', {}, "PREPARE", ("added-prepare=Q=SHOW+TABLES",)),
        ("DEALLOCATE PREPARE p", PREPARED, "DEALLOCATE", ("deallocated-prepare=p",)),
        ("COMMIT", OPEN, "COMMIT", ("clear-transaction-id=true",)),
        ("ROLLBACK WORK", OPEN, "ROLLBACK", ("clear-transaction-id=true",)),
        (
            "RESET SESSION AUTHORIZATION",
            {},
            "RESET SESSION AUTHORIZATION",
            ("reset-authorization-user=true",),
        ),
    ],
)
def test_the_client_is_told_by_headers(
    wire: Wire, sql: str, headers: dict[str, str], update: str, expected: tuple[str, ...]
) -> None:
    page, told = last(wire, sql, headers)
    assert page["updateType"] == update
    assert page["columns"] == []
    assert sorted(f"{k.removeprefix('x-trino-')}={v}" for k, v in told.items()) == sorted(expected)


def test_a_transaction_gets_an_id(wire: Wire) -> None:
    sql = "START TRANSACTION READ ONLY, ISOLATION LEVEL READ COMMITTED"
    page, told = last(wire, sql, NO_TRANSACTION)
    assert page["updateType"] == "START TRANSACTION"
    assert len(told["x-trino-started-transaction-id"]) == 36


@pytest.mark.parametrize(
    ("sql", "headers", "name", "message"),
    [
        ("USE nope.shop", {}, "CATALOG_NOT_FOUND", "Catalog 'nope' not found"),
        ("USE lake.nope", {}, "NOT_FOUND", "Schema does not exist: lake.nope"),
        ("USE shop", {}, "MISSING_CATALOG_NAME", "line 1:1: Catalog must be specified"),
        ("USE a.b.c", {}, "SYNTAX_ERROR", "line 1:8: mismatched input '.'. Expecting: <EOF>"),
        (
            "SET SESSION nope = 1",
            {},
            "INVALID_SESSION_PROPERTY",
            "line 1:20: Session property 'nope' does not exist",
        ),
        (
            "SET SESSION query_max_run_time = '5'",
            {},
            "INVALID_SESSION_PROPERTY",
            "line 1:34: duration is not a valid data duration string: 5",
        ),
        (
            "RESET SESSION nope",
            {},
            "INVALID_SESSION_PROPERTY",
            "line 1:1: Session property 'nope' does not exist",
        ),
        ("SET TIME ZONE 'x/y'", {}, "NOT_SUPPORTED", "Time zone not supported: x/y"),
        ("PREPARE q FROM SELEC", {}, "SYNTAX_ERROR", "line 1:16: mismatched input 'SELEC'"),
        (
            "PREPARE q FROM EXECUTE p",
            {},
            "NOT_SUPPORTED",
            "Invalid statement type for prepared statement: EXECUTE",
        ),
        ("EXECUTE q", PREPARED, "NOT_FOUND", "Prepared statement not found: q"),
        ("DEALLOCATE PREPARE q", PREPARED, "NOT_FOUND", "Prepared statement not found: q"),
        ("START TRANSACTION", {}, "INCOMPATIBLE_CLIENT", "Client does not support transactions"),
        ("COMMIT", NO_TRANSACTION, "NOT_IN_TRANSACTION", "No transaction in progress"),
        ("DROP TABLE t", OPEN, "AUTOCOMMIT_WRITE_CONFLICT", "Catalog only supports writes"),
        ("EXECUTE other", PREPARED | OPEN, "AUTOCOMMIT_WRITE_CONFLICT", "Catalog only"),
        (
            "SET SESSION AUTHORIZATION bob",
            {},
            "PERMISSION_DENIED",
            "Access Denied: User eve cannot impersonate user bob",
        ),
        ("SET ROLE admin", {}, "ROLE_NOT_FOUND", "line 1:1: Role 'admin' does not exist"),
        (
            "SET ROLE x IN lake",
            {},
            "NOT_SUPPORTED",
            "line 1:1: Catalog 'lake' does not support role management",
        ),
        ("SET PATH a.b", {}, "NOT_SUPPORTED", "SET PATH not supported by client"),
        (
            "SET SESSION query_max_run_time = 5",
            {},
            "INVALID_SESSION_PROPERTY",
            "'query_max_run_time' to '5': Cannot cast type integer to varchar",
        ),
        (
            "SET SESSION query_priority = 1.5",
            {},
            "INVALID_SESSION_PROPERTY",
            "to 'DECIMAL '1.5'': Cannot cast type decimal(2,1) to integer",
        ),
        ("SET SESSION a.b = 1", {}, "CATALOG_NOT_FOUND", "line 1:19: Catalog 'a' not found"),
        (
            "SET TIME ZONE INTERVAL '15' HOUR",
            {},
            "INVALID_FUNCTION_ARGUMENT",
            "Invalid offset minutes 900",
        ),
        ("CALL system.runtime.kill_query('x')", {}, "NOT_FOUND", "Target query not found: x"),
        ("CALL nope('x')", LAKE, "PROCEDURE_NOT_FOUND", "not registered: shop.nope"),
        ("CALL system.runtime.kill_query()", {}, "INVALID_PROCEDURE_ARGUMENT", "QUERY_ID"),
        ("SHOW TABLES FROM nope", LAKE, "SCHEMA_NOT_FOUND", "line 1:1: Schema 'nope' does not"),
        ("SHOW TABLES", {}, "MISSING_CATALOG_NAME", "line 1:1: Catalog must be specified"),
        ("SHOW SCHEMAS FROM nope", {}, "CATALOG_NOT_FOUND", "Catalog 'nope' not found"),
        ("DESCRIBE nope", LAKE, "TABLE_NOT_FOUND", "Table 'lake.shop.nope' does not exist"),
    ],
)
def test_what_cannot_be_done_is_an_error_of_trinos(
    wire: Wire, sql: str, headers: dict[str, str], name: str, message: str
) -> None:
    page, _ = last(wire, sql, headers)
    assert page["error"]["errorName"] == name
    assert message in page["error"]["message"]


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("EXECUTE p USING 1", ("1",)),
        ("EXECUTE p USING ARRAY[1, 2], f(a, (b)), 'x,y' ;", ("ARRAY[1, 2]", "f(a, (b))", "'x,y'")),
        ("EXECUTE IMMEDIATE 'SELECT ''a'', ?' USING DATE '2020-01-01'", ("DATE '2020-01-01'",)),
        ("EXECUTE p", ()),
    ],
)
def test_parameters_reach_the_core_as_written(
    wire: Wire, sql: str, parameters: tuple[str, ...]
) -> None:
    last(wire, sql, PREPARED)
    assert wire.answers.parameters[-1] == parameters


@pytest.mark.parametrize(
    ("sql", "rewritten"),
    [
        (
            "SHOW CATALOGS LIKE 'l%'",
            (
                'SELECT catalog_name AS "Catalog" FROM system.metadata.catalogs'
                " WHERE catalog_name LIKE 'l%' ORDER BY 1"
            ),
        ),
        (
            "/* a tool's */ show schemas",
            'SELECT schema_name AS "Schema" FROM "lake".information_schema.schemata ORDER BY 1',
        ),
        (
            "SHOW TABLES IN lake.shop LIKE 'o''#_%' ESCAPE '#'",
            (
                'SELECT table_name AS "Table" FROM "lake".information_schema.tables'
                " WHERE table_schema = 'shop' AND table_name LIKE 'o''#_%' ESCAPE '#' ORDER BY 1"
            ),
        ),
        ("SHOW TABLES 'o*'", "SHOW TABLES 'o*'"),
        ("SHOW PARTITIONS orders", "SHOW PARTITIONS orders"),
        ("DESCRIBE FORMATTED orders", "DESCRIBE FORMATTED orders"),
    ],
)
def test_show_statements_become_queries_over_information_schema(
    wire: Wire, sql: str, rewritten: str
) -> None:
    client = Client(wire, **LAKE)
    execution = wire.harness.state.get(client.post(sql)["id"])
    assert execution is not None
    assert execution.sql == rewritten


@pytest.mark.parametrize(
    "arguments", ["'{}', 'enough'", "query_id => '{}', message => 'enough'", "'{}'"]
)
def test_a_query_is_killed_by_its_id(wire: Wire, arguments: str) -> None:
    wire.harness.engine.is_held = True
    client = Client(wire)
    page = client.post("SELECT n")
    assert wire.harness.engine.started.acquire(timeout=10)
    told, _ = last(wire, f"CALL system.runtime.kill_query({arguments.format(page['id'])})")
    assert told["updateType"] == "CALL"
    while "error" not in page:
        page = client.get(page["nextUri"]).json()
    assert page["error"]["errorName"] == "USER_CANCELED"


def test_nobody_has_a_named_role(wire: Wire) -> None:
    headers = {"X-Trino-User": "eve", "X-Trino-Role": "system=ROLE%7Banalyst%7D"}
    answer = wire.http.post("/v1/statement", content="SELECT n", headers=headers)
    assert (answer.status_code, answer.text) == (403, "Access Denied: Cannot set role analyst")
    assert Client(wire, **{"X-Trino-Role": "system=ALL"}).post("SELECT n")["nextUri"]


def test_functions_and_session_properties_are_listed(wire: Wire) -> None:
    client = Client(wire, **{"X-Trino-Session": "work_group=primary"})
    functions = client.rows("SHOW FUNCTIONS LIKE 'abs'")
    bigint = ["abs", "bigint", "bigint", "scalar", True, "Absolute value"]
    assert bigint in functions
    assert {row[0] for row in functions} == {"abs"}
    assert [row[:4] for row in client.rows("SHOW SESSION LIKE 'work%'")] == [
        ["work_group", "primary", "primary", "varchar"]
    ]
    assert client.rows("SHOW ROLES") == []


def test_prepared_statements_are_described(wire: Wire) -> None:
    client = Client(wire, **PREPARED)
    assert client.rows("DESCRIBE INPUT p") == [[0, "unknown"]]
    assert client.rows("DESCRIBE OUTPUT p") == [["x", "", "", "", "unknown", 1, True]]
