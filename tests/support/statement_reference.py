"""Every statement of Athena's SQL reference, with an example that tells whether it is supported.

The state is found by reading and analysing the example, and by running it when it is DDL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.service.ddl import kind_of
from querysvc.sql.prepared import read_execute
from tests.support.catalog_world import World
from tests.support.unsupported_statements import OF_ATHENA
from tests.support.unsupported_statements import OTHERS as OF_HIVE_AND_TRINO

YES: Final = "yes"


@dataclass(frozen=True, slots=True)
class ReferenceStatement:
    """A statement of the reference, an example, and what is to be known of it."""

    title: str
    example: str
    note: str = ""


_PART: Final = "PARTITION (day = DATE '2024-01-01')"
_DATA: Final = "s3://b/t/"
_ICEBERG: Final = "of Iceberg tables"

DML: Final = (
    ReferenceStatement("SELECT, WITH [RECURSIVE], TABLE, set operations", "SELECT a FROM t"),
    ReferenceStatement("VALUES", "VALUES (1, 'a')"),
    ReferenceStatement('SELECT … "t$partitions"', 'SELECT * FROM "t$partitions"'),
    ReferenceStatement(
        'SELECT "$path", "$file_size", "$file_modified_time", "$partition"',
        'SELECT "$path", "$file_size", "$file_modified_time", "$partition" FROM t',
    ),
    ReferenceStatement(
        "SELECT … FOR TIMESTAMP | VERSION AS OF",
        "SELECT * FROM i FOR VERSION AS OF 'main'",
        "of Iceberg tables; SYSTEM_TIME and SYSTEM_VERSION too",
    ),
    ReferenceStatement(
        "MATCH_RECOGNIZE", "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (x) DEFINE x AS true)"
    ),
    ReferenceStatement(
        "USING EXTERNAL FUNCTION",
        "USING EXTERNAL FUNCTION f(a int) RETURNS int LAMBDA 'l' SELECT f(1)",
    ),
    ReferenceStatement("SELECT … TABLESAMPLE", "SELECT a FROM t TABLESAMPLE BERNOULLI (50)"),
    ReferenceStatement("INSERT INTO … SELECT", "INSERT INTO t SELECT a, b, day FROM t"),
    ReferenceStatement("INSERT INTO … VALUES", "INSERT INTO t VALUES (1, 'x', DATE '2024-01-01')"),
    ReferenceStatement("DELETE", "DELETE FROM i WHERE a = 1", _ICEBERG),
    ReferenceStatement("UPDATE", "UPDATE i SET a = 1", _ICEBERG),
    ReferenceStatement(
        "MERGE INTO", "MERGE INTO i USING u ON i.a = u.a WHEN MATCHED THEN DELETE", _ICEBERG
    ),
    ReferenceStatement("OPTIMIZE", "OPTIMIZE i REWRITE DATA USING BIN_PACK", _ICEBERG),
    ReferenceStatement("VACUUM", "VACUUM i ", _ICEBERG),
    ReferenceStatement(
        "UNLOAD", "UNLOAD (SELECT a FROM t) TO 's3://b/u/' WITH (format = 'PARQUET')"
    ),
    ReferenceStatement("EXPLAIN", "EXPLAIN (TYPE IO, FORMAT JSON) SELECT a FROM t"),
    ReferenceStatement("EXPLAIN ANALYZE", "EXPLAIN ANALYZE VERBOSE SELECT a FROM t"),
    ReferenceStatement("PREPARE", "PREPARE p FROM SELECT a FROM t WHERE a = ?"),
    ReferenceStatement("EXECUTE … USING", "EXECUTE p USING 1"),
    ReferenceStatement("EXECUTE IMMEDIATE", "EXECUTE IMMEDIATE 'SELECT ?' USING 1"),
    ReferenceStatement("DEALLOCATE PREPARE", "DEALLOCATE PREPARE p"),
    ReferenceStatement("DESCRIBE INPUT | OUTPUT", "DESCRIBE OUTPUT p", "Trino's"),
)
"""Queries, writes, and what is told of them."""

DDL: Final = (
    ReferenceStatement(
        "ALTER DATABASE SET DBPROPERTIES", "ALTER DATABASE default SET DBPROPERTIES ('k' = 'v')"
    ),
    ReferenceStatement("ALTER TABLE ADD COLUMNS", "ALTER TABLE t ADD COLUMNS (c int)"),
    ReferenceStatement(
        "ALTER TABLE ADD COLUMN", "ALTER TABLE t ADD COLUMN c row(x integer)", "Trino's"
    ),
    ReferenceStatement(
        "ALTER TABLE ADD PARTITION", f"ALTER TABLE t ADD IF NOT EXISTS {_PART} LOCATION 's3://b/p/'"
    ),
    ReferenceStatement(
        "ALTER TABLE CHANGE COLUMN", "ALTER TABLE t CHANGE COLUMN a c bigint AFTER b"
    ),
    ReferenceStatement(
        "ALTER TABLE DROP COLUMN",
        "ALTER TABLE t DROP COLUMN a",
        "where columns are found by name; else of the last one",
    ),
    ReferenceStatement(
        "ALTER TABLE RENAME COLUMN", "ALTER TABLE t RENAME COLUMN a TO c", "Trino's"
    ),
    ReferenceStatement("ALTER TABLE DROP PARTITION", f"ALTER TABLE t DROP IF EXISTS {_PART}"),
    ReferenceStatement(
        "ALTER TABLE RENAME PARTITION",
        f"ALTER TABLE t {_PART} RENAME TO PARTITION (day = DATE '2024-01-02')",
    ),
    ReferenceStatement("ALTER TABLE RENAME TO", "ALTER TABLE t RENAME TO u2", "nor does Glue"),
    ReferenceStatement("ALTER TABLE REPLACE COLUMNS", "ALTER TABLE t REPLACE COLUMNS (c int)"),
    ReferenceStatement(
        "ALTER TABLE SET LOCATION", f"ALTER TABLE t {_PART} SET LOCATION 's3://b/q/'"
    ),
    ReferenceStatement(
        "ALTER TABLE SET TBLPROPERTIES", "ALTER TABLE t SET TBLPROPERTIES ('k' = 'v')"
    ),
    ReferenceStatement(
        "ALTER TABLE UNSET TBLPROPERTIES", "ALTER TABLE t UNSET TBLPROPERTIES ('EXTERNAL')"
    ),
    ReferenceStatement("ALTER VIEW DIALECT", "ALTER VIEW v ADD DIALECT"),
    ReferenceStatement(
        "CREATE DATABASE | SCHEMA", "CREATE DATABASE d COMMENT 'c' LOCATION 's3://b/'"
    ),
    ReferenceStatement(
        "CREATE EXTERNAL TABLE",
        f"CREATE EXTERNAL TABLE n (a int) ROW FORMAT DELIMITED LOCATION '{_DATA}'",
    ),
    ReferenceStatement(
        "CREATE TABLE … WITH (external_location = …)",
        f"CREATE TABLE n (a integer) WITH (external_location = '{_DATA}')",
        "Trino's",
    ),
    ReferenceStatement(
        "CREATE TABLE (Iceberg)",
        f"CREATE TABLE n (a int) LOCATION '{_DATA}' TBLPROPERTIES ('table_type' = 'ICEBERG')",
    ),
    ReferenceStatement(
        "CREATE TABLE AS", "CREATE TABLE n WITH (format = 'ORC') AS SELECT a FROM t"
    ),
    ReferenceStatement("CREATE [OR REPLACE] VIEW", "CREATE OR REPLACE VIEW v AS SELECT a FROM t"),
    ReferenceStatement(
        "CREATE PROTECTED MULTI DIALECT VIEW", "CREATE PROTECTED MULTI DIALECT VIEW v AS SELECT 1 x"
    ),
    ReferenceStatement("DESCRIBE", f"DESCRIBE FORMATTED t {_PART}", "EXTENDED, FORMATTED, columns"),
    ReferenceStatement("DESCRIBE VIEW", "DESCRIBE v"),
    ReferenceStatement("DROP DATABASE", "DROP DATABASE IF EXISTS d CASCADE"),
    ReferenceStatement("DROP TABLE", "DROP TABLE IF EXISTS t"),
    ReferenceStatement("DROP VIEW", "DROP VIEW IF EXISTS v"),
    ReferenceStatement("MSCK REPAIR TABLE", "MSCK REPAIR TABLE t"),
    ReferenceStatement("SHOW COLUMNS", "SHOW COLUMNS IN t"),
    ReferenceStatement("SHOW CREATE TABLE", "SHOW CREATE TABLE t"),
    ReferenceStatement("SHOW CREATE VIEW", "SHOW CREATE VIEW v"),
    ReferenceStatement("SHOW DATABASES | SCHEMAS", "SHOW DATABASES LIKE 'd*'"),
    ReferenceStatement("SHOW FUNCTIONS", "SHOW FUNCTIONS LIKE 'a*'", "Trino's"),
    ReferenceStatement("SHOW PARTITIONS", "SHOW PARTITIONS t"),
    ReferenceStatement("SHOW TABLES", "SHOW TABLES IN default 't*'"),
    ReferenceStatement("SHOW TBLPROPERTIES", "SHOW TBLPROPERTIES t"),
    ReferenceStatement("SHOW VIEWS", "SHOW VIEWS IN default"),
)
"""Statements on databases, tables, views and partitions."""


def _listed(lines: str) -> tuple[ReferenceStatement, ...]:
    pairs = (line.split(" | ") for line in lines.strip().splitlines())
    return tuple(ReferenceStatement(name, example) for name, example in pairs)


UNSUPPORTED: Final = _listed(OF_ATHENA)
"""Athena's list of DDL that it does not support."""
OTHERS: Final = _listed(OF_HIVE_AND_TRINO)
"""Other statements of Hive's and Trino's, which Athena's reference does not know."""


def states() -> dict[ReferenceStatement, str]:
    """Whether each statement is supported: `yes`, or the name of the error that refuses it."""
    every = (*DML, *DDL, *UNSUPPORTED, *OTHERS)
    return {statement: _state(statement.example) for statement in every}


def _make_iceberg_table(world: World) -> None:
    """The Iceberg table i, with a snapshot of nothing."""
    from querysvc.iceberg.commit import Committer, SnapshotChange
    from querysvc.iceberg.table import IcebergTables

    world.run("CREATE TABLE i (a int) LOCATION 's3://b/i/' TBLPROPERTIES ('table_type'='ICEBERG')")
    tables = IcebergTables(world.catalog, world.objects)
    table = tables.load(world.table("i"))
    Committer(tables).commit(table, SnapshotChange("append"), query_id="q", strict=True)


def refusal(sql: str) -> QueryServiceError | None:
    """What refuses the statement; None when it is supported."""
    world = World()
    world.run(
        "CREATE EXTERNAL TABLE t (a int, b string) PARTITIONED BY (day date)"
        f" STORED AS PARQUET LOCATION '{_DATA}'"
    )
    world.run("CREATE EXTERNAL TABLE u (a int) STORED AS PARQUET LOCATION 's3://b/u/'")
    world.run(f"ALTER TABLE t ADD {_PART}")
    world.run("CREATE VIEW v AS SELECT a FROM t")
    if " i " in sql:
        _make_iceberg_table(world)
    try:
        _try(world, sql)
    except QueryServiceError as error:
        return error
    return None


def _state(sql: str) -> str:
    error = refusal(sql)
    if error is None:
        return YES
    if error.code is not ErrorCode.NOT_SUPPORTED:
        raise AssertionError(f"{sql}: {error}") from error
    return error.code.name


def _try(world: World, sql: str) -> None:
    if sql.startswith("EXECUTE"):
        read_execute(sql)
        return
    statement = world.analyse(sql)
    try:
        kind_of(statement)
    except KeyError:
        return  # a query or another statement that is not the catalog's alone
    world.run(sql)
