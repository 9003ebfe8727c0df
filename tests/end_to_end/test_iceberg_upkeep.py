"""OPTIMIZE, VACUUM, ALTER TABLE and versions of Iceberg tables."""

from __future__ import annotations

from typing import Any

import pytest

from querysvc.client import ServiceError
from tests.support.running_service import RunningService
from tests.support.s3 import S3Server

PROPERTIES = (
    "'table_type' = 'ICEBERG', 'optimize_rewrite_data_file_threshold' = '2',"
    " 'optimize_rewrite_delete_file_threshold' = '1', 'vacuum_max_snapshot_age_seconds' = '0'"
)


def run(service: RunningService, sql: str) -> Any:
    return service.client.run(sql)


def rows(service: RunningService, sql: str) -> list[list[Any]]:
    return list(service.client.rows(run(service, sql)["id"]))


@pytest.fixture(scope="module")
def database(service: RunningService) -> str:
    run(service, "CREATE DATABASE IF NOT EXISTS kept LOCATION 's3://data/kept/'")
    return "kept"


def make(service: RunningService, name: str) -> None:
    """Three rows, in files of two inserts, one of them changed since."""
    run(
        service,
        f"CREATE TABLE {name} (id int, name string, part int) PARTITIONED BY (part)"
        f" LOCATION 's3://data/{name.replace('.', '/')}/' TBLPROPERTIES ({PROPERTIES})",
    )
    run(service, f"INSERT INTO {name} VALUES (1, 'a', 0), (2, 'b', 0), (3, 'c', 1), (4, 'd', 1)")
    run(service, f"INSERT INTO {name} VALUES (5, 'e', 0)")
    run(service, f"UPDATE {name} SET name = 'cc' WHERE id = 3")


def keys(s3: S3Server, name: str) -> set[str]:
    listed = s3.client().list_objects_v2(Bucket="data", Prefix=f"{name.replace('.', '/')}/data/")
    return {one["Key"] for one in listed.get("Contents", [])}


ALL = [[1, "a", 0], [2, "b", 0], [3, "cc", 1], [4, "d", 1], [5, "e", 0]]


def test_optimize_and_vacuum_leave_the_rows_and_what_they_need(
    service: RunningService, s3: S3Server, database: str
) -> None:
    name = f"{database}.tidy"
    make(service, name)
    run(service, f"OPTIMIZE {name} REWRITE DATA USING BIN_PACK WHERE part = 1 AND id = 77")
    files = rows(service, f'SELECT part, count(DISTINCT "$path") FROM {name} GROUP BY 1 ORDER BY 1')
    assert files == [[0, 2], [1, 2]]
    run(service, f"OPTIMIZE {name} REWRITE DATA USING BIN_PACK WHERE part = 1")
    files = rows(service, f'SELECT part, count(DISTINCT "$path") FROM {name} GROUP BY 1 ORDER BY 1')
    assert files == [[0, 2], [1, 1]]
    run(service, f"OPTIMIZE {name} REWRITE DATA USING BIN_PACK")
    assert rows(service, f"SELECT * FROM {name} ORDER BY id") == ALL
    before = keys(s3, name)
    run(service, f"VACUUM {name}")
    assert rows(service, f"SELECT * FROM {name} ORDER BY id") == ALL
    left = {f"s3://data/{key}" for key in keys(s3, name)}
    assert left == {path for (path,) in rows(service, f'SELECT DISTINCT "$path" FROM {name}')}
    assert len(left) == 2 < len(before)
    assert len(rows(service, f'SELECT 1 FROM {database}."tidy$snapshots"')) == 1


def test_columns_are_altered_by_their_ids(service: RunningService, database: str) -> None:
    name = f"{database}.altered"
    make(service, name)
    for change in (
        "ADD COLUMNS (extra struct<x:int,y:string> COMMENT 'more')",
        "CHANGE COLUMN id number bigint",
        "CHANGE COLUMN name title string AFTER part",
        "RENAME COLUMN part TO shelf",
    ):
        run(service, f"ALTER TABLE {name} {change}")
    run(
        service,
        f"UPDATE {name} SET extra = CAST(ROW(1, 'q') AS ROW(x int, y varchar)) WHERE number = 1",
    )
    run(service, f"ALTER TABLE {name} DROP COLUMN title")
    run(service, f"ALTER TABLE {name} ADD COLUMNS (title string)")
    assert rows(service, f"SELECT * FROM {name} WHERE number < 3 ORDER BY 1") == [
        [1, 0, [1, "q"], None],
        [2, 0, None, None],
    ]
    assert rows(service, f"DESCRIBE {name}")[2:] == [
        ["number", "bigint", ""],
        ["shelf", "int", ""],
        ["extra", "struct<x:int,y:string>", "more"],
        ["title", "string", ""],
        ["", "", ""],
        ["# Partition spec:", "", ""],
        ["# field_name", "field_transform", "column_name"],
        ["part", "identity", "shelf"],
    ]
    assert rows(service, f"SHOW COLUMNS IN {name}") == [["number"], ["shelf"], ["extra"], ["title"]]
    run(service, f"ALTER TABLE {name} SET TBLPROPERTIES ('vacuum_min_snapshots_to_keep' = '3')")
    told = dict(rows(service, f"SHOW TBLPROPERTIES {name}"))
    assert told["history.expire.min-snapshots-to-keep"] == "3"
    assert told["table_type"] == "ICEBERG"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("CHANGE COLUMN name name int", "NOT_SUPPORTED: Cannot change column type: name: string"),
        ("CHANGE COLUMN id id smallint AFTER nope", "COLUMN_NOT_FOUND: Column 'nope' does not"),
        ("DROP COLUMN part", "NOT_SUPPORTED: Cannot drop partition field 'part'"),
        ("DROP COLUMN nope", "COLUMN_NOT_FOUND: Column 'nope' does not exist"),
        ("ADD COLUMNS (name string)", "COLUMN_ALREADY_EXISTS: Column 'name' already exists"),
        ("RENAME COLUMN id TO name", "COLUMN_ALREADY_EXISTS: Column 'name' already exists"),
        ("REPLACE COLUMNS (id int)", "NOT_SUPPORTED: line 1:1: ALTER TABLE REPLACE COLUMNS of the"),
        ("SET LOCATION 's3://data/x/'", "NOT_SUPPORTED: line 1:1: ALTER TABLE SET LOCATION of"),
        ("SET TBLPROPERTIES ('metadata_location' = 's3://b/x')", "INVALID_TABLE_PROPERTY"),
        ("UNSET TBLPROPERTIES ('nope')", "INVALID_TABLE_PROPERTY: Table kept.refused has no"),
        ("ADD PARTITION (part = 1)", "NOT_SUPPORTED: line 1:1: ALTER TABLE ADD PARTITION of the"),
    ],
)
def test_what_cannot_be_altered_is_refused(
    service: RunningService, database: str, change: str, error: str
) -> None:
    name = f"{database}.refused"
    if not rows(service, f"SHOW TABLES IN {database} 'refused'"):
        make(service, name)
    with pytest.raises(ServiceError) as caught:
        run(service, f"ALTER TABLE {name} {change}")
    assert str(caught.value).startswith(error)


def test_tables_are_read_as_they_were(service: RunningService, database: str) -> None:
    name = f"{database}.past"
    make(service, name)
    run(service, f"ALTER TABLE {name} RENAME COLUMN name TO title")
    run(service, f"DELETE FROM {name}")
    history = rows(
        service,
        f'SELECT snapshot_id, to_iso8601(committed_at) FROM "{database}"."past$snapshots"'
        " ORDER BY committed_at",
    )
    first, second = history[0][0], history[1]
    assert rows(service, f"SELECT name FROM {name} FOR VERSION AS OF {first} WHERE id = 3") == [
        ["c"]
    ]
    pointer = f"TIMESTAMP '{second[1].replace('T', ' ').replace('Z', ' UTC')}'"
    then = f"{name} FOR TIMESTAMP AS OF {pointer}"
    assert rows(service, f"SELECT count(*), max(name) FROM {then}") == [[5, "e"]]
    assert rows(service, f"SELECT count(*) FROM {name}") == [[0]]
    joined = f"SELECT count(*) FROM {name} n RIGHT JOIN {then} t ON n.id = t.id WHERE n.id IS NULL"
    assert rows(service, joined) == [[5]]
    for version, error in (
        ("VERSION AS OF BIGINT '1'", "Iceberg snapshot ID does not exists: 1"),
        ("VERSION AS OF 'nope'", "Cannot find snapshot with reference name: nope"),
        ("TIMESTAMP AS OF DATE '2020-01-01'", "at or before 2020-01-01T00:00:00Z"),
    ):
        with pytest.raises(ServiceError, match=error):
            run(service, f"SELECT * FROM {name} FOR {version}")
    assert rows(service, f"EXPLAIN (TYPE VALIDATE) DELETE FROM {name} WHERE id = 1") == [[True]]
