"""`"t$snapshots"` and the others: Trino's columns, their rows, and who may read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from querysvc.iceberg.metadata_tables import columns_of_told, rows_of_told
from querysvc.planning.iceberg import IcebergReader
from querysvc.planning.metadata import CatalogMetadata
from querysvc.service.access import Access, Action, TableGrant
from querysvc.service.catalog_views import PermittedMetadata
from querysvc.sql.metadata import TableInfo
from querysvc.types.algebra import BIGINT, VARCHAR
from tests.support.iceberg_lake import DATABASE, Lake

SUFFIXES = (
    *("snapshots", "history", "files", "partitions", "manifests", "refs"),
    *("metadata_log_entries", "properties"),
)
# As Trino 476 describes them of a table partitioned by name.
TYPES = {
    "snapshots": "timestamp(3) with time zone|bigint|bigint|varchar|varchar|map(varchar, varchar)",
    "history": "timestamp(3) with time zone|bigint|bigint|boolean",
    "refs": "varchar|varchar|bigint|bigint|integer|bigint",
    "metadata_log_entries": "timestamp(3) with time zone|varchar|bigint|integer|bigint",
    "manifests": "varchar|bigint|integer|bigint|integer|bigint|integer|bigint|integer|bigint"
    "|array(row(contains_null boolean, contains_nan boolean, lower_bound varchar,"
    " upper_bound varchar))",
    # Trino has readable_metrics (json) at the end of files, and data of partitions.
    "files": "integer|varchar|varchar|integer|row(name varchar)|bigint|bigint|map(integer, bigint)"
    "|map(integer, bigint)|map(integer, bigint)|map(integer, bigint)|map(integer, varchar)"
    "|map(integer, varchar)|varbinary|array(bigint)|array(integer)|integer",
    "partitions": "row(name varchar)|bigint|bigint|bigint",
}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake("s3://lake", tmp_path)
    lake.create("t", {"id": BIGINT, "name": VARCHAR}, ["name"])
    first = lake.data_file("t", [{"id": n, "name": "a"} for n in range(3)], '["a"]')
    second = lake.data_file("t", [{"id": 9, "name": None}], "[null]")
    lake.append("t", first, second)
    lake.commit("t", "delete", added_deletes=(lake.positions("t", first, [0]),))
    return lake


@pytest.mark.parametrize(("suffix", "types"), TYPES.items())
def test_columns_have_trinos_types(lake: Lake, suffix: str, types: str) -> None:
    columns = columns_of_told(lake.table("t"), suffix)
    assert "|".join(str(column.type) for column in columns) == types


def test_rows_tell_of_the_table(lake: Lake) -> None:
    table = lake.table("t")
    told = {suffix: list(rows_of_told(table, suffix)) for suffix in TYPES}
    appended, deleted = (one.snapshot_id for one in table.metadata.snapshots)
    assert [row[1:4] for row in told["snapshots"]] == [
        (appended, None, "append"),
        (deleted, appended, "delete"),
    ]
    assert told["snapshots"][1][5]["total-position-deletes"] == "1"
    assert [row[1:] for row in told["history"]] == [
        (appended, None, True),
        (deleted, appended, True),
    ]
    assert told["refs"] == [("main", "BRANCH", deleted, None, None, None)]
    assert sorted(told["partitions"], key=str) == sorted(
        [
            (["a"], 3, 1, told["files"][0][6]),
            ([None], 1, 1, told["files"][1][6]),
        ],
        key=str,
    )
    assert [(row[0], row[4], row[5]) for row in told["files"]] == [
        (0, ["a"], 3),
        (0, [None], 1),
        (1, ["a"], 1),
    ]
    assert told["files"][0][11] == {1: "0", 2: "a"}
    assert [row[4:6] for row in told["manifests"]] == [(1, 1), (2, 4)]
    assert told["manifests"][1][10] == [[True, False, "a", "a"]]
    assert [row[2] for row in told["metadata_log_entries"]] == [None, appended, deleted]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("grant", "is_told"),
    [
        (TableGrant(frozenset({Action.SELECT}), ("*", "*", "*")), True),
        (TableGrant(frozenset({Action.SELECT}), ("*", "*", "*"), frozenset({"name"})), False),
        (TableGrant(frozenset({Action.SELECT}), ("*", "*", "*"), None, "id = 1"), False),
    ],
)
def test_who_may_not_read_all_of_a_table_is_not_told_of_it(
    lake: Lake, suffix: str, grant: TableGrant, is_told: bool
) -> None:
    reader = IcebergReader(lake.catalog, lake.objects)
    access = Access(is_unrestricted=False, tables=(grant,))
    metadata = PermittedMetadata(CatalogMetadata(lake.catalog, reader), access)
    found = metadata.relation("awsdatacatalog", DATABASE, f"t${suffix}")
    assert isinstance(found, TableInfo)
    assert found.visible == (None if is_told else ())
