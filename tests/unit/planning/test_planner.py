"""The planner over a real catalog in memory and a store of objects in memory."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from querysvc import tree
from querysvc.errors import ErrorCode, QueryServiceError, StorageRuleError
from querysvc.model import Session
from querysvc.plan import (
    AnalysedStatement,
    Domain,
    Range,
    ResourceLimits,
    StoredObject,
    TableReference,
)
from querysvc.planning.listing import distribute
from querysvc.planning.metadata import CatalogMetadata
from querysvc.planning.partitions import PartitionSelector
from querysvc.planning.planner import Planner, storage_policy
from querysvc.planning.request import PlannedQuery, PlanRequest
from querysvc.sql.metadata import TableInfo, ViewInfo
from querysvc.state.values import GuardPolicy, GuardPolicyName, StorageClassScope
from querysvc.storage.configuration import BucketAccess
from querysvc.storage.guard import GuardedTable, GuardReport
from querysvc.storage.guard_policy import GuardPolicy as StoragePolicy
from querysvc.storage.guard_rules import split_archived
from querysvc.storage.locations import is_hidden, parse_location
from querysvc.types.algebra import INTEGER, VARCHAR
from querysvc_catalog.memory import MemoryCatalogRepository
from querysvc_catalog.model import (
    Column,
    Database,
    Partition,
    StorageDescriptor,
    Table,
    TableName,
)
from querysvc_catalog.service import CatalogService

NOW = datetime(2024, 5, 6, tzinfo=UTC)
QUERY = tree.Query(output=(), body=tree.ValuesBody(()))


class Store:
    """Lists and guards objects in memory."""

    def __init__(self) -> None:
        self.objects: list[StoredObject] = []
        self.listings: list[str] = []
        self.policies: list[StoragePolicy] = []
        self.locations: list[tuple[str, ...]] = []

    def put(self, *keys: str, bucket: str = "b", storage_class: str = "STANDARD") -> None:
        self.objects += [StoredObject(bucket, key, 10, "e", NOW, storage_class) for key in keys]

    def list_locations(
        self, locations: Sequence[str], *, includes_hidden: bool = False
    ) -> list[list[StoredObject]]:
        self.listings += locations
        return [
            [
                one
                for one in self.objects
                if one.bucket == where.bucket
                and one.key.startswith(where.prefix)
                and (includes_hidden or not is_hidden(one.key, where.prefix))
            ]
            for where in map(parse_location, locations)
        ]

    def check(self, tables: Sequence[GuardedTable], policy: StoragePolicy) -> GuardReport:
        self.policies.append(policy)
        self.locations += [table.locations for table in tables]
        split = [split_archived(table.objects, frozenset()) for table in tables]
        archived = [one for _, gone in split for one in gone]
        if archived and not policy.skips_archived_objects:
            raise StorageRuleError(ErrorCode.OBJECT_ARCHIVED, archived[0].address)
        return GuardReport(
            tuple(tuple(kept) for kept, _ in split),
            {"b": BucketAccess(region="eu-west-1")},
            len(archived),
            sum(one.size for one in archived),
        )


class World:
    """A catalog, a store, and a planner over them."""

    def __init__(self) -> None:
        self.catalog = CatalogService(MemoryCatalogRepository(), lambda: NOW)
        self.catalog.ensure_defaults()
        self.catalog.create_database(Database("d"))
        self.store = Store()
        self.access: dict[str, object] = {}
        self.metadata = CatalogMetadata(self.catalog)
        self.planner = Planner(
            PartitionSelector(self.catalog), self.store, self.store, self.access.__setitem__
        )

    def table(self, name: str = "t", keys: Sequence[Column] = (), **extra: object) -> None:
        descriptor = StorageDescriptor(columns=(Column("a", "int"),), location=f"s3://b/{name}")
        self.catalog.create_table(
            Table(
                name,
                "d",
                storage_descriptor=descriptor,
                partition_keys=tuple(keys),
                **extra,  # type: ignore[arg-type]
            )
        )

    def partition(self, *values: str, location: str | None = None, table: str = "t") -> None:
        descriptor = None if location is None else StorageDescriptor(location=location)
        self.catalog.create_partition(
            TableName("awsdatacatalog", "d", table), Partition(values, descriptor)
        )

    def reference(self, name: str = "t", **domains: Domain) -> TableReference:
        info = self.metadata.relation("awsdatacatalog", "d", name)
        assert isinstance(info, TableInfo)
        indexes = {column.name: index for index, column in enumerate(info.columns)}
        return TableReference(
            "awsdatacatalog",
            "d",
            info.table,
            info.columns,
            (0,),
            {indexes[name]: domain for name, domain in domains.items()},
        )

    def plan(self, *references: TableReference, guard: GuardPolicy | None = None) -> PlannedQuery:
        request = PlanRequest(
            "q",
            AnalysedStatement(QUERY, references, ()),
            Session(started_at=NOW),
            guard or GuardPolicy(),
            ResourceLimits(),
        )
        return self.planner.plan(request)


@pytest.fixture
def world() -> World:
    return World()


def keys_of(planned: PlannedQuery, scan: int = 0) -> list[tuple[tuple[object, ...], list[str]]]:
    return [
        (partition.values, [one.key for one in partition.objects])
        for partition in planned.plan.scans[scan].partitions
    ]


def equal(value: object) -> Domain:
    type_ = INTEGER if isinstance(value, int) else VARCHAR
    return Domain(type_, (Range(value, True, value, True),))  # type: ignore[arg-type]


def test_an_unpartitioned_table_is_its_location(world: World) -> None:
    world.table()
    world.store.put("t/1", "t/_x", "t/.y", "t/sub/2", "t-other/3", "t")
    assert keys_of(world.plan(world.reference())) == [((), ["t/1", "t/sub/2"])]
    assert world.access == {"q": {"b": BucketAccess(region="eu-west-1")}}


def test_a_query_without_tables_lists_and_asks_nothing(world: World) -> None:
    assert world.plan().plan.scans == ()
    assert world.store.listings == []
    assert world.store.policies == []


def test_partitions_are_pruned_before_anything_is_listed(world: World) -> None:
    world.table(keys=[Column("y", "int"), Column("c", "string")])
    for year in ("2023", "2024"):
        for city in ("x", "y"):
            world.partition(year, city, location=f"s3://b/t/{year}/{city}")
            world.store.put(f"t/{year}/{city}/1")
    planned = world.plan(world.reference(y=equal(2024), c=equal("x")))
    assert keys_of(planned) == [((2024, "x"), ["t/2024/x/1"])]
    assert world.store.listings == ["s3://b/t/2024/x/"]
    assert planned.plan.scans[0].total_partitions == 4


def test_a_partition_without_a_location_lies_where_hive_puts_it(world: World) -> None:
    world.table(keys=[Column("c", "string")])
    world.partition("a b")
    world.store.put("t/c=a b/1", "t/c=a%20b/2")
    assert keys_of(world.plan(world.reference())) == [(("a b",), ["t/c=a b/1"])]


def test_partitions_may_lie_elsewhere_share_a_place_and_nest(world: World) -> None:
    world.table(keys=[Column("c", "string")])
    world.partition("a", location="s3://other/p/")
    world.partition("b", location="s3://b/t/x/")
    world.partition("c", location="s3://b/t/x/")
    world.partition("d", location="s3://b/t/x/y/")
    world.store.put("p/1", bucket="other")
    world.store.put("t/x/2", "t/x/y/3")
    assert keys_of(world.plan(world.reference())) == [
        (("a",), ["p/1"]),
        (("b",), ["t/x/2", "t/x/y/3"]),
        (("c",), ["t/x/2", "t/x/y/3"]),
        (("d",), ["t/x/y/3"]),
    ]
    assert len(world.store.listings) == 3


@pytest.mark.parametrize("count", [15, 16])
def test_one_pass_gives_what_single_listings_give(world: World, count: int) -> None:
    world.table(keys=[Column("c", "int")])
    for number in range(count):
        prefix = "t/_hidden/" if number == 3 else "t/"
        world.partition(str(number), location=f"s3://b/{prefix}{number}/")
        world.store.put(f"{prefix}{number}/1", f"{prefix}{number}/_x", f"{prefix}{number}/s/2")
    world.store.put("t/stray", "t/99/1")
    planned = world.plan(world.reference())
    assert sorted(keys_of(planned)) == [
        ((n,), [f"{prefix}{n}/1", f"{prefix}{n}/s/2"])
        for n in range(count)
        for prefix in ["t/_hidden/" if n == 3 else "t/"]
    ]
    assert len(world.store.listings) == (1 if count == 16 else 15)


def test_few_of_many_partitions_are_listed_one_by_one(world: World) -> None:
    world.table(keys=[Column("c", "int")])
    for number in range(100):
        world.partition(str(number), location=f"s3://b/t/{number}/")
    some = Domain(INTEGER, (Range(0, True, 20, False),))
    world.plan(world.reference(c=some))
    assert len(world.store.listings) == 20


def test_projected_partitions_come_from_the_tables_properties(world: World) -> None:
    properties = {
        "projection.enabled": "true",
        "projection.y.type": "integer",
        "projection.y.range": "2000,2030",
        "storage.location.template": "s3://b/p/${y}/",
    }
    world.table(keys=[Column("y", "int")], parameters=properties)
    world.store.put("p/2024/1")
    assert keys_of(world.plan(world.reference(y=equal(2024)))) == [((2024,), ["p/2024/1"])]


def test_a_wrong_projection_is_told_by_its_name(world: World) -> None:
    world.table(keys=[Column("y", "int")], parameters={"projection.enabled": "true"})
    with pytest.raises(QueryServiceError) as caught:
        world.plan(world.reference())
    assert caught.value.code is ErrorCode.INVALID_TABLE_PROPERTY


def test_a_partition_value_of_the_wrong_type_fails_the_query(world: World) -> None:
    world.table(keys=[Column("y", "int")])
    world.partition("x")
    with pytest.raises(QueryServiceError, match="Invalid partition value 'x'") as caught:
        world.plan(world.reference(y=equal(1)))
    assert caught.value.code is ErrorCode.HIVE_INVALID_PARTITION_VALUE


@pytest.mark.parametrize(
    ("parameters", "name"),
    [({"table_type": "ICEBERG"}, "Iceberg"), ({"transactional": "TRUE"}, "Hive ACID")],
)
def test_tables_of_other_kinds_are_refused_by_name(
    world: World, parameters: dict[str, str], name: str
) -> None:
    world.table(parameters=parameters)
    with pytest.raises(QueryServiceError, match=name) as caught:
        world.plan(world.reference())
    assert caught.value.code is ErrorCode.NOT_SUPPORTED


def test_archived_objects_fail_or_are_left_out_and_reported(world: World) -> None:
    world.table(keys=[Column("c", "int")])
    world.partition("1", location="s3://b/t/1")
    world.store.put("t/1/a")
    world.store.put("t/1/b", storage_class="GLACIER")
    with pytest.raises(StorageRuleError):
        world.plan(world.reference())
    planned = world.plan(world.reference(), guard=GuardPolicy(GuardPolicyName.ATHENA))
    assert keys_of(planned) == [((1,), ["t/1/a"])]
    assert (planned.skipped_archived_objects, planned.skipped_archived_bytes) == (1, 10)
    assert "1 archived objects" in planned.warnings[0]


def test_a_table_read_twice_is_listed_once(world: World) -> None:
    world.table()
    world.store.put("t/1")
    planned = world.plan(world.reference(), world.reference())
    assert keys_of(planned, 0) == keys_of(planned, 1) == [((), ["t/1"])]
    assert world.store.listings == ["s3://b/t/"]


def test_the_table_scope_looks_at_every_location(world: World) -> None:
    world.table(keys=[Column("c", "int")])
    world.partition("1", location="s3://x/1/")
    world.partition("2", location="s3://x/2/")
    scope = GuardPolicy(storage_class_scope=StorageClassScope.TABLE)
    world.plan(world.reference(c=equal(1)), guard=scope)
    assert world.store.locations == [("s3://b/t", "s3://x/1/", "s3://x/2/")]


def test_policies_reach_the_guard_switch_by_switch() -> None:
    strict = GuardPolicy(
        storage_class_scope=StorageClassScope.BUCKET,
        allows_requester_pays=True,
        counts_sse_s3_as_unencrypted=True,
    )
    policy = storage_policy(strict)
    assert policy.storage_class_scope.value == "bucket"
    assert policy.allows_requester_pays
    assert policy.counts_sse_s3_as_unencrypted
    assert not policy.skips_archived_objects
    assert storage_policy(GuardPolicy()) == StoragePolicy()
    athena = GuardPolicy(GuardPolicyName.ATHENA, read_restored_glacier_objects=True)
    assert storage_policy(athena) == StoragePolicy.athena(read_restored_glacier_objects=True)


def test_planning_five_thousand_files_takes_less_than_a_second(world: World) -> None:
    world.table(keys=[Column("c", "int")])
    for number in range(1000):
        world.partition(str(number), location=f"s3://b/t/c={number}/")
        world.store.put(*(f"t/c={number}/{file}.parquet" for file in range(5)))
    reference = world.reference()
    began = time.perf_counter()
    planned = world.plan(reference)
    seconds = time.perf_counter() - began
    assert sum(len(keys) for _, keys in keys_of(planned)) == 5000
    assert seconds < 1.0


def test_distribution_knows_only_whole_folders() -> None:
    store = Store()
    store.put("t/1/a", "t/10/b", "t/1")
    found = distribute(store.objects, [parse_location("s3://b/t/1")])
    assert [one.key for objects in found.values() for one in objects] == ["t/1/a"]


def test_metadata_tells_columns_with_trinos_types(world: World) -> None:
    world.table(keys=[Column("y", "string")])
    info = world.metadata.relation("awsdatacatalog", "d", "t")
    assert isinstance(info, TableInfo)
    assert [(c.name, str(c.type), c.is_partition_key, c.is_hidden) for c in info.columns] == [
        ("a", "integer", False, False),
        ("y", "varchar", True, False),
        ("$path", "varchar", False, True),
        ("$file_size", "bigint", False, True),
        ("$file_modified_time", "timestamp(3) with time zone", False, True),
        ("$partition", "varchar", False, True),
    ]
    again = world.metadata.relation("awsdatacatalog", "d", "t")
    assert again == info
    world.partition("x")
    changed = world.metadata.relation("awsdatacatalog", "d", "t")
    assert isinstance(changed, TableInfo)
    assert changed.generation != info.generation
    assert world.metadata.relation("awsdatacatalog", "d", "none") is None
    assert world.metadata.relation("awsdatacatalog", "none", "t") is None
    assert world.metadata.catalog_exists("awsdatacatalog")
    assert not world.metadata.catalog_exists("other")
    assert world.metadata.schema_exists("awsdatacatalog", "d")
    assert not world.metadata.schema_exists("awsdatacatalog", "none")


def view(text: str) -> Table:
    return Table("v", "d", table_type="VIRTUAL_VIEW", view_original_text=text)


def test_views_are_read_as_athena_stores_them(world: World) -> None:
    document = {
        "originalSql": "SELECT 1 x",
        "catalog": "awsdatacatalog",
        "schema": "d",
        "columns": [{"name": "x", "type": "row(a integer)"}],
    }
    encoded = base64.b64encode(json.dumps(document).encode()).decode()
    world.catalog.create_table(view(f"/* Presto View: {encoded} */"))
    info = world.metadata.relation("awsdatacatalog", "d", "v")
    assert isinstance(info, ViewInfo)
    assert (info.sql, info.catalog, info.database) == ("SELECT 1 x", "awsdatacatalog", "d")
    assert str(info.columns[0].type) == "row(a integer)"


@pytest.mark.parametrize(
    "text", ["", "SELECT 1", "/* Presto View: e30= */", "/* Presto View: ! */"]
)
def test_a_view_of_another_make_is_refused(world: World, text: str) -> None:
    world.catalog.create_table(view(text))
    with pytest.raises(QueryServiceError) as caught:
        world.metadata.relation("awsdatacatalog", "d", "v")
    assert caught.value.code is ErrorCode.HIVE_INVALID_VIEW_DATA


def test_a_column_of_an_unsupported_type_is_told(world: World) -> None:
    descriptor = StorageDescriptor(
        columns=(Column("u", "uniontype<int,string>"),), location="s3://b"
    )
    world.catalog.create_table(Table("u", "d", storage_descriptor=descriptor))
    with pytest.raises(QueryServiceError, match=r"'u' of table d\.u") as caught:
        world.metadata.relation("awsdatacatalog", "d", "u")
    assert caught.value.code is ErrorCode.NOT_SUPPORTED
