"""Any order of creating, changing and deleting: every store answers as a model of a few lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from querysvc_catalog.errors import (
    AlreadyExistsError,
    CatalogError,
    ConcurrentModificationError,
    EntityNotFoundError,
)
from querysvc_catalog.model import (
    Column,
    Database,
    DatabaseName,
    Partition,
    StorageDescriptor,
    Table,
    TableName,
    TableVersion,
)
from querysvc_catalog.paging import Page, all_items
from querysvc_catalog.repository import CatalogRepository
from querysvc_catalog.service import CatalogService

CATALOG = "awsdatacatalog"
NAMES = st.sampled_from(["a", "b"])
VALUES = st.tuples(st.sampled_from(["1", "2", "x y", "__HIVE_DEFAULT_PARTITION__", "ü/%"]))
TAGS = st.integers(0, 9)
_numbers = count()


@dataclass
class Known:
    """What a table should be."""

    tag: int
    version: int = 0
    archived: dict[int, int] = field(default_factory=dict)
    partitions: dict[tuple[str, ...], int] = field(default_factory=dict)


def refusal(action: object) -> type[CatalogError] | None:
    try:
        action()  # type: ignore[operator]
    except CatalogError as error:
        return type(error)
    return None


class CatalogMachine(RuleBasedStateMachine):
    """A store beside its model."""

    def __init__(self, store: CatalogRepository) -> None:
        super().__init__()
        self.store = store
        self.database = DatabaseName(CATALOG, f"machine{next(_numbers)}")
        store.create_database(Database(self.database.name, CATALOG))
        self.known: dict[str, Known] = {}

    def name(self, table: str) -> TableName:
        return TableName(CATALOG, self.database.name, table)

    def table(self, table: str, tag: int) -> Table:
        return Table(
            table,
            self.database.name,
            CATALOG,
            storage_descriptor=descriptor(tag),
            partition_keys=(Column("p", "string"),),
            parameters={"tag": str(tag)},
        )

    def expected(self, table: str, *, is_wrong: bool = False) -> type[CatalogError] | None:
        if table not in self.known:
            return EntityNotFoundError
        return ConcurrentModificationError if is_wrong else None

    @rule(table=NAMES, tag=TAGS)
    def create(self, table: str, tag: int) -> None:
        found = refusal(lambda: self.store.create_table(self.table(table, tag)))
        assert found is (AlreadyExistsError if table in self.known else None)
        self.known.setdefault(table, Known(tag))

    @rule(
        table=NAMES, tag=TAGS, off_by=st.sampled_from([None, 0, 0, -1, 1]), archives=st.booleans()
    )
    def update(self, table: str, tag: int, off_by: int | None, *, archives: bool) -> None:
        known = self.known.get(table)
        expected = None if off_by is None else (known.version if known else 0) + off_by
        found = refusal(
            lambda: self.store.update_table(
                self.table(table, tag), expected_version=expected, archive_previous=archives
            )
        )
        assert found is self.expected(table, is_wrong=off_by not in (None, 0))
        if found is None and known is not None:
            if archives:
                known.archived[known.version] = known.tag
            known.version, known.tag = known.version + 1, tag

    @rule(table=NAMES)
    def delete(self, table: str) -> None:
        assert refusal(lambda: self.store.delete_table(self.name(table))) is self.expected(table)
        self.known.pop(table, None)

    @rule(table=NAMES, added=st.dictionaries(VALUES, TAGS, max_size=4))
    def add_partitions(self, table: str, added: dict[tuple[str, ...], int]) -> None:
        told = [Partition(values, descriptor(tag)) for values, tag in added.items()]
        if table not in self.known:
            found = refusal(lambda: self.store.create_partitions(self.name(table), told))
            assert found is (EntityNotFoundError if told else found)
            return
        errors = self.store.create_partitions(self.name(table), told)
        there = self.known[table].partitions
        assert {error.values for error in errors} == {one for one in added if one in there}
        self.known[table].partitions = {**added, **there}

    @rule(table=NAMES, old=VALUES, new=VALUES, tag=TAGS)
    def change_partition(
        self, table: str, old: tuple[str, ...], new: tuple[str, ...], tag: int
    ) -> None:
        if table not in self.known:
            return
        there = self.known[table].partitions
        errors = self.store.update_partitions(
            self.name(table), [(old, Partition(new, descriptor(tag)))]
        )
        is_possible = old in there and (new == old or new not in there)
        assert bool(errors) is not is_possible
        if is_possible:
            del there[old]
            there[new] = tag

    @rule(table=NAMES, gone=st.lists(VALUES, max_size=3, unique=True))
    def delete_partitions(self, table: str, gone: list[tuple[str, ...]]) -> None:
        if table not in self.known:
            return
        there = self.known[table].partitions
        errors = self.store.delete_partitions(self.name(table), gone)
        assert {error.values for error in errors} == {one for one in gone if one not in there}
        self.known[table].partitions = {k: v for k, v in there.items() if k not in gone}

    @invariant()
    def tables_are_as_known(self) -> None:
        assert set(self.store.list_table_names(self.database)) == set(self.known)
        for table, known in self.known.items():
            found = self.store.get_table(self.name(table))
            assert (found.version_id, found.parameters["tag"]) == (known.version, str(known.tag))
            versions = all_items(partial(self.versions, self.name(table)))
            told = {one.version_id: int(one.table.parameters["tag"]) for one in versions}
            newest = dict(sorted(known.archived.items())[-ARCHIVED_MAX:])
            assert told == {**newest, known.version: known.tag}

    @invariant()
    def partitions_are_as_known(self) -> None:
        for table, known in self.known.items():
            name = self.name(table)
            assert self.store.count_partitions(name) == len(known.partitions)
            listed = all_items(partial(self.partitions, name))
            told = {one.values: one.storage_descriptor for one in listed}
            assert told == {v: descriptor(tag) for v, tag in known.partitions.items()}

    def versions(self, name: TableName, token: str | None) -> Page[TableVersion]:
        return self.store.list_table_versions(name, page_size=2, token=token)

    def partitions(self, name: TableName, token: str | None) -> Page[Partition]:
        return self.store.list_partitions(
            name, partition_filter=None, segment=None, page_size=2, token=token
        )

    def teardown(self) -> None:
        self.store.delete_database(self.database, cascade=True)


ARCHIVED_MAX = 5


def descriptor(tag: int) -> StorageDescriptor:
    return StorageDescriptor(columns=(Column("n", "int"),), location=f"s3://b/{tag}/")


def test_every_order_of_changes_is_the_models(
    repository: CatalogRepository, service: CatalogService
) -> None:
    run_state_machine_as_test(
        lambda: CatalogMachine(repository),
        settings=settings(
            max_examples=20, stateful_step_count=20, derandomize=True, deadline=None, database=None
        ),
    )
