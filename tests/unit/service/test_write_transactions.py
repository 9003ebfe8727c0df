"""What a write takes back, and what it leaves to the sweeper or to others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import QueryState, ResultConfiguration
from querysvc.results.spool import LiveSpool
from querysvc.service.running import RunningQuery
from querysvc.service.watch import Watchers
from querysvc.service.write_sweeper import WriteSweeper
from querysvc.service.write_transaction import WRITER_PARAMETER, WriteParts, WriteTransaction
from querysvc.state.memory import MemoryState
from querysvc.state.repository import ClaimedQuery, Completion
from querysvc.storage.publish import StagedUpload
from querysvc_catalog.memory import MemoryCatalogRepository
from querysvc_catalog.model import Column, Database, Partition, StorageDescriptor, Table, TableName
from querysvc_catalog.service import CatalogService
from tests.contract.state.test_queries_contract import NOW, add, must_claim, query

TABLE = TableName("awsdatacatalog", "w", "t")
IDENTITY = ("awsdatacatalog", "w", "t")
PLACE = "s3://b/t/"


class Objects:
    """Objects and open uploads in memory."""

    def __init__(self) -> None:
        self.objects: set[str] = set()
        self.uploads: set[str] = set()
        self.is_down = False

    def stage_file(self, address: str, path: Path, options: ResultConfiguration) -> StagedUpload:
        bucket, _, key = address.removeprefix("s3://").partition("/")
        self.uploads.add(address)
        return StagedUpload(bucket, key, "u")

    def complete(self, uploads: Sequence[StagedUpload]) -> None:
        self._check()
        for upload in uploads:
            self.uploads.remove(upload.address)
            self.objects.add(upload.address)

    def abort(self, uploads: Sequence[StagedUpload]) -> None:
        self._check()
        self.uploads -= {upload.address for upload in uploads}

    def clear(self, location: str, name: str) -> int:
        self._check()
        found = {one for one in self.objects | self.uploads if one.startswith(location)}
        mine = {one for one in found if name in one}
        self.objects -= mine
        self.uploads -= mine
        return len(mine)

    def is_empty(self, location: str) -> bool:
        return not any(one.startswith(location) for one in self.objects)

    def delete(self, addresses: Sequence[str]) -> None:
        self._check()
        self.objects -= set(addresses)

    def _check(self) -> None:
        if self.is_down:
            raise QueryServiceError(ErrorCode.STORAGE_UNAVAILABLE, "down")


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def steady_seconds(self) -> float:
        return 0.0


class World:
    """A state, a catalog with a table, and objects."""

    def __init__(self) -> None:
        self.state, self.objects, self.clock = MemoryState(), Objects(), Clock()
        self.catalog = CatalogService(MemoryCatalogRepository(), lambda: datetime.now(UTC))
        self.catalog.ensure_defaults()
        self.catalog.create_database(Database("w"))
        self.parts = WriteParts(self.state, self.objects, self.catalog)
        self.sweeper = WriteSweeper(self.parts, self.clock, lease_seconds=30)

    def claimed(self) -> ClaimedQuery:
        add(self.state, query())
        return must_claim(self.state)

    def begin(self, tmp_path: Path) -> tuple[RunningQuery, WriteTransaction]:
        live = LiveSpool(tmp_path / "spool")
        running = RunningQuery(self.claimed(), live, Watchers(), deadline=0.0)
        return running, WriteTransaction(self.parts, running)

    def end(self, running: RunningQuery, state: QueryState) -> None:
        completion = Completion(state=state, completed_at=NOW)
        assert self.state.finish(running.id, running.claimed.fencing_token, completion)

    def make_table(self, query_id: str) -> None:
        descriptor = StorageDescriptor(columns=(Column("x", "int"),), location=PLACE)
        self.catalog.create_table(
            Table(
                name="t",
                database_name="w",
                storage_descriptor=descriptor,
                partition_keys=(Column("p", "string"),),
                parameters={WRITER_PARAMETER: query_id},
            )
        )

    def register(self, value: str, query_id: str) -> None:
        self.catalog.create_partition(
            TABLE,
            Partition(
                (value,),
                StorageDescriptor(location=f"{PLACE}p={value}"),
                {WRITER_PARAMETER: query_id},
            ),
        )


@pytest.fixture
def world() -> World:
    return World()


def test_a_failed_write_is_taken_back_and_forgotten(world: World, tmp_path: Path) -> None:
    running, write = world.begin(tmp_path)
    write.intend(locations=(PLACE,))
    write.stage(f"{PLACE}{running.id}_1", tmp_path, ResultConfiguration())
    running.undo()
    assert (world.objects.uploads, world.objects.objects) == (set(), set())
    assert world.state.open_writes() == []


def test_what_was_placed_is_hidden_until_the_sweeper_has_looked_again(
    world: World, tmp_path: Path
) -> None:
    running, write = world.begin(tmp_path)
    write.intend(locations=(PLACE,))
    write.stage(f"{PLACE}{running.id}_1", tmp_path, ResultConfiguration())
    write.place()
    running.undo()
    assert world.objects.objects == set()
    world.end(running, QueryState.FAILED)
    world.objects.objects.add(f"{PLACE}{running.id}_late")
    world.sweeper.sweep()
    assert world.objects.objects == set()
    assert world.state.hidden_writes(0) == {running.id}
    world.clock.time = NOW + timedelta(seconds=61)
    world.sweeper.sweep()
    assert world.state.hidden_writes(0) == frozenset()


def test_what_cannot_be_undone_is_swept_later(world: World, tmp_path: Path) -> None:
    running, write = world.begin(tmp_path)
    write.intend(locations=(PLACE,), result_objects=("s3://b/out/r.csv",))
    write.stage(f"{PLACE}{running.id}_1", tmp_path, ResultConfiguration())
    world.objects.objects |= {"s3://b/out/r.csv", f"{PLACE}other_1"}
    world.objects.is_down = True
    running.undo()
    world.end(running, QueryState.FAILED)
    world.sweeper.sweep()
    assert len(world.objects.uploads) == 1
    world.objects.is_down = False
    world.sweeper.sweep()
    assert (world.objects.uploads, world.objects.objects) == (set(), {f"{PLACE}other_1"})


def test_a_committed_write_is_left_alone(world: World, tmp_path: Path) -> None:
    running, write = world.begin(tmp_path)
    write.intend(locations=(PLACE,))
    write.stage(f"{PLACE}{running.id}_1", tmp_path, ResultConfiguration())
    write.place()
    world.end(running, QueryState.SUCCEEDED)
    world.sweeper.sweep()
    assert len(world.objects.objects) == 1


def test_only_the_table_that_the_write_made_is_dropped(world: World, tmp_path: Path) -> None:
    first, write = world.begin(tmp_path)
    write.intend(locations=(PLACE,), table=IDENTITY, creates_table=True)
    world.make_table("another")
    first.undo()
    assert world.catalog.find_table(TABLE) is not None
    world.catalog.delete_table(TABLE)
    second, write = world.begin(tmp_path)
    write.intend(locations=(PLACE,), table=IDENTITY, creates_table=True)
    world.make_table(second.id)
    second.undo()
    assert world.catalog.find_table(TABLE) is None


def test_a_partition_that_another_write_filled_stays(world: World, tmp_path: Path) -> None:
    world.make_table("earlier")
    running, write = world.begin(tmp_path)
    write.intend(locations=(PLACE,), table=IDENTITY, partitions=(("a",), ("b",)))
    for value in ("a", "b"):
        world.register(value, running.id)
    world.objects.objects.add(f"{PLACE}p=a/other_1")
    running.undo()
    assert [one.values for one in world.catalog.iter_partitions(TABLE)] == [("a",)]


def test_entries_wait_while_another_write_of_the_table_is_open(
    world: World, tmp_path: Path
) -> None:
    world.make_table("earlier")
    running, write = world.begin(tmp_path)
    write.intend(locations=(PLACE,), table=IDENTITY, partitions=(("a",),))
    world.register("a", running.id)
    other, others = world.begin(tmp_path)
    others.intend(locations=(PLACE,), table=IDENTITY)
    running.undo()
    assert len(list(world.catalog.iter_partitions(TABLE))) == 1
    world.end(running, QueryState.FAILED)
    other.undo()
    world.sweeper.sweep()
    assert list(world.catalog.iter_partitions(TABLE)) == []


def test_a_runner_that_lost_its_lease_begins_nothing_and_keeps_others_results(
    world: World, tmp_path: Path
) -> None:
    running, write = world.begin(tmp_path)
    write.intend(result_objects=("s3://b/out/r.csv",))
    world.objects.objects.add("s3://b/out/r.csv")
    assert world.state.release(running.id, running.claimed.fencing_token)
    assert must_claim(world.state).execution.id == running.id
    with pytest.raises(QueryServiceError) as caught:
        write.intend(locations=(PLACE,))
    assert caught.value.code is ErrorCode.SERVER_SHUTTING_DOWN
    running.undo()
    assert world.objects.objects == {"s3://b/out/r.csv"}
    assert len(world.state.open_writes()) == 1


@pytest.mark.parametrize("is_committed", [True, False])
def test_what_may_be_in_an_iceberg_table_is_kept_until_the_sweeper_has_looked(
    world: World, tmp_path: Path, *, is_committed: bool
) -> None:
    descriptor = StorageDescriptor(columns=(Column("x", "int"),), location=PLACE)
    iceberg = {"table_type": "ICEBERG"}
    world.catalog.create_table(Table("t", "w", storage_descriptor=descriptor, parameters=iceberg))
    parts = dataclasses.replace(world.parts, holds_commit=lambda _table, _id: is_committed)
    running, write = world.begin(tmp_path)
    address = f"{PLACE}data/{running.id}.parquet"
    write.intend(locations=(PLACE,), table=IDENTITY)
    write.stage(address, tmp_path, ResultConfiguration())
    write.place()
    write.committing()
    write.undo()
    assert world.objects.objects == {address}, "nobody knows yet whether the commit was done"
    world.end(running, QueryState.FAILED)
    sweeper = WriteSweeper(parts, world.clock, lease_seconds=30)
    sweeper.sweep()
    assert world.objects.objects == ({address} if is_committed else set())
    # A runner that was held up would swap the version that it read.
    assert world.catalog.get_table(TABLE).version_id == 1
    sweeper.sweep()
    assert world.catalog.get_table(TABLE).version_id == 1


def test_a_commit_that_was_surely_refused_is_undone_at_once(world: World, tmp_path: Path) -> None:
    running, write = world.begin(tmp_path)
    write.intend(locations=(PLACE,), table=IDENTITY)
    write.stage(f"{PLACE}data/{running.id}.parquet", tmp_path, ResultConfiguration())
    write.place()
    write.committing()
    write.not_committed()
    write.undo()
    assert world.objects.objects == set()
