"""Which data files a snapshot has, which a filter leaves, and which deletes apply to them."""

from __future__ import annotations

import decimal
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.iceberg.commit import CommitConflictError, SnapshotChange, holds_commit
from querysvc.iceberg.filters import row_filter
from querysvc.iceberg.plan import columns_of
from querysvc.iceberg.scan import data_files
from querysvc.iceberg.table import IcebergTable
from querysvc.plan import Domain, Range
from querysvc.types.algebra import BIGINT, DATE, VARCHAR, Decimal, Timestamp, TrinoType
from tests.support.iceberg_lake import Lake

EPOCH, MICROSECOND = datetime(1970, 1, 1), timedelta(microseconds=1)
COLUMNS = {"id": BIGINT, "name": VARCHAR}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake("s3://lake", tmp_path)


def found(table: IcebergTable, **domains: Domain) -> list[int]:
    """The record counts of the files that are left."""
    columns = columns_of(table.metadata.schema())
    names = [column.name for column in columns]
    by_index = {names.index(name): domain for name, domain in domains.items()}
    wanted = row_filter(by_index, columns, table.metadata.schema())
    scan = data_files(table, row_filter=wanted)
    return sorted(one.file.record_count for one in scan.files)


def between(type_: object, low: object, high: object, *, allows_null: bool = False) -> Domain:
    ranges = (Range(low, True, high, True),)  # type: ignore[arg-type]  # values of the type
    return Domain(type_, ranges, allows_null)  # type: ignore[arg-type]  # a Trino type


def test_bounds_of_columns_leave_the_files_that_may_hold_rows(lake: Lake) -> None:
    lake.create("t", COLUMNS)
    ones = lake.data_file("t", [{"id": n, "name": "a"} for n in range(1)])
    twos = lake.data_file("t", [{"id": n, "name": "b"} for n in range(10, 12)])
    none = lake.data_file("t", [{"id": None, "name": "c"}] * 3)
    table = lake.append("t", ones, twos, none)
    assert found(table) == [1, 2, 3]
    assert found(table, id=between(BIGINT, 0, 9)) == [1]
    assert found(table, id=between(BIGINT, 1, 10)) == [2]
    assert found(table, id=between(BIGINT, 12, None)) == []
    assert found(table, id=between(BIGINT, 12, None, allows_null=True)) == [3]
    assert found(table, id=Domain(BIGINT, (), True)) == [3]
    assert found(table, name=between(VARCHAR, "b", "bz")) == [2]
    assert found(table, id=between(BIGINT, 10**30, 10**30)) == []
    assert found(table, id=between(BIGINT, -(10**30), 10**30)) == [1, 2]


def test_bounds_between_two_values_of_the_column_leave_both(lake: Lake) -> None:
    """As `d < 1.255` and `ts < timestamp '….0000015'` give them, of finer types."""
    lake.create("t", {"d": Decimal(9, 2), "ts": Timestamp(6)})
    rows = [{"d": decimal.Decimal(n) / 100, "ts": EPOCH + n * MICROSECOND} for n in (125, 126)]
    table = lake.append("t", *(lake.data_file("t", [row] * n) for n, row in enumerate(rows, 1)))

    def left(name: str, type_: TrinoType, **bounds: object) -> list[int]:
        return found(table, **{name: Domain(type_, (Range(**bounds),))})  # type: ignore[arg-type]  # a range's members

    between_them = decimal.Decimal("1.255")
    assert left("d", Decimal(9, 2), high=between_them) == [1, 2]
    assert left("d", Decimal(9, 2), high=decimal.Decimal("1.254")) == [1, 2]
    assert left("d", Decimal(9, 2), high=decimal.Decimal("1.25")) == []
    assert left("d", Decimal(9, 2), low=decimal.Decimal("1.260"), low_inclusive=True) == [2]
    assert left("d", Decimal(9, 2), low=decimal.Decimal("1.2601")) == [2]
    assert left("d", Decimal(9, 2), low=decimal.Decimal(2), low_inclusive=True) == []
    assert found(table, d=between(Decimal(9, 2), between_them, between_them)) == []
    exact = decimal.Decimal("1.2500")
    assert found(table, d=between(Decimal(9, 2), exact, exact)) == [1]
    assert left("ts", Timestamp(6), high=125_500_000) == [1, 2]
    assert left("ts", Timestamp(6), high=125_000_000) == []
    assert left("ts", Timestamp(6), low=125_500_000) == [1, 2]
    assert left("ts", Timestamp(6), low=126_000_000, low_inclusive=True) == [2]


@pytest.mark.parametrize(
    ("partitioning", "partition_of", "wanted", "left"),
    [
        (["name"], lambda n: f'["{"ab"[n]}"]', {"name": between(VARCHAR, "a", "a")}, 1),
        (["day(ts)"], lambda n: f"[{n}]", {"ts": between(Timestamp(6), 0, 86_399 * 10**12)}, 1),
        (["month(d)"], lambda n: f"[{n}]", {"d": between(DATE, 31, 40)}, 1),
        (["bucket(16, id)"], lambda n: f"[{(3, 4)[n]}]", {"id": between(BIGINT, 34, 34)}, 1),
    ],
)
def test_partitions_are_left_out_by_their_transforms(
    lake: Lake, partitioning: list[str], partition_of: object, wanted: dict[str, Domain], left: int
) -> None:
    lake.create("t", {**COLUMNS, "ts": Timestamp(6), "d": DATE}, partitioning)
    # Without values there are no bounds: only the partition can tell.
    files = [lake.data_file("t", [{"id": None}], partition_of(n)) for n in range(2)]  # type: ignore[operator]  # a function
    for file in files:
        file.value_counts.clear()
        file.null_value_counts.clear()
    table = lake.append("t", *files)
    assert len(found(table, **wanted)) == left


def test_deletes_apply_by_sequence_number_partition_and_path(lake: Lake) -> None:
    lake.create("t", COLUMNS, ["name"])
    first = lake.data_file("t", [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}], '["a"]')
    other = lake.data_file("t", [{"id": 1, "name": "b"}], '["b"]')
    lake.append("t", first, other)
    position = lake.positions("t", first, [1])
    equality = lake.equal("t", ["id"], [{"id": 1}], like=first)
    same = lake.data_file("t", [{"id": 1, "name": "a"}], '["a"]')
    lake.commit("t", "overwrite", added=(same,), added_deletes=(position, equality))
    later = lake.data_file("t", [{"id": 1, "name": "a"}], '["a"]')
    table = lake.append("t", later)
    scan = data_files(table)
    applying = {
        one.file.file_path: {scan.deletes[index].file_path for index in one.deletes}
        for one in scan.files
    }
    assert applying == {
        first.file_path: {position.file_path, equality.file_path},
        other.file_path: set(),
        # Of its own snapshot: a position delete may be about it, an equality delete never is.
        same.file_path: {position.file_path},
        later.file_path: set(),
    }


def test_an_equality_delete_without_partition_applies_to_all_older_files(lake: Lake) -> None:
    lake.create("t", COLUMNS)
    file = lake.data_file("t", [{"id": 1, "name": "a"}])
    lake.append("t", file)
    delete = lake.equal("t", ["id"], [{"id": 1}], like=file)
    table = lake.commit("t", "delete", added_deletes=(delete,))
    assert [one.deletes for one in data_files(table).files] == [(0,)]


def test_a_snapshot_keeps_its_files_when_later_ones_remove_them(lake: Lake) -> None:
    lake.create("t", COLUMNS)
    file = lake.data_file("t", [{"id": 1, "name": "a"}])
    kept = lake.data_file("t", [{"id": 2, "name": "a"}])
    before = lake.append("t", file, kept).metadata.current_snapshot_id
    table = lake.commit("t", "delete", removed=frozenset({file.file_path}))
    assert [one.file.file_path for one in data_files(table).files] == [kept.file_path]
    assert len(data_files(table, before).files) == 2
    summary = table.metadata.current_snapshot()
    assert summary is not None
    assert summary.summary is not None
    assert summary.summary["total-records"] == "1"


def test_a_strict_commit_fails_when_another_came_first_and_another_is_made_anew(
    lake: Lake,
) -> None:
    base = lake.create("t", COLUMNS)
    files = [lake.data_file("t", [{"id": n, "name": "a"}]) for n in range(3)]
    lake.append("t", files[0])
    with pytest.raises(CommitConflictError):
        lake.committer.commit(
            base, SnapshotChange("append", (files[1],)), query_id="x", strict=True
        )
    table = lake.committer.commit(
        base, SnapshotChange("append", (files[2],)), query_id="y", strict=False
    )
    assert len(data_files(table).files) == 2
    assert not any("_x" in address for address in lake.objects), "the failed commit left objects"
    assert holds_commit(table, "y")
    assert not holds_commit(table, "x")


def test_a_commit_rests_on_the_schema_that_its_files_have(lake: Lake) -> None:
    base = lake.create("t", COLUMNS)
    file = lake.data_file("t", [{"id": 1, "name": "a"}])

    def add_column(table: IcebergTable) -> tuple[object, ...]:
        from pyiceberg.table.update import AddSchemaUpdate, SetCurrentSchemaUpdate
        from pyiceberg.types import IntegerType, NestedField

        schema = table.metadata.schema()
        field = NestedField(9, "more", IntegerType(), required=False)
        new = schema.model_copy(update={"fields": (*schema.fields, field), "schema_id": 1})
        return (
            AddSchemaUpdate.model_validate({"schema": new}),
            SetCurrentSchemaUpdate.model_validate({"schema-id": -1}),
        )

    lake.committer.change_metadata(base.name, add_column)  # type: ignore[arg-type]  # updates of pyiceberg's
    with pytest.raises(CommitConflictError, match="schema"):
        lake.committer.commit(base, SnapshotChange("append", (file,)), query_id="x", strict=False)


def test_metadata_may_not_name_objects_outside_of_the_tables_location(lake: Lake) -> None:
    lake.create("t", COLUMNS)
    lake.create("u", COLUMNS)
    foreign = lake.data_file("u", [{"id": 1, "name": "a"}])
    table = lake.append("t", foreign)
    with pytest.raises(QueryServiceError) as caught:
        table.io.require(data_files(table).files[0].file.file_path)
    assert caught.value.code is ErrorCode.PERMISSION_DENIED
    with pytest.raises(QueryServiceError):
        table.io.new_input("s3://lake/t-other/metadata/x.avro")
    with pytest.raises(QueryServiceError):
        table.io.new_output("s3://other/t/data/x.parquet")
