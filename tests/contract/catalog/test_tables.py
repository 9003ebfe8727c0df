"""What every catalog store promises about data catalogs, databases, tables and versions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from querysvc_catalog.errors import (
    AlreadyExistsError,
    ConcurrentModificationError,
    EntityKind,
    EntityNotFoundError,
    InvalidInputError,
    ResourceNumberLimitExceededError,
)
from querysvc_catalog.model import (
    Column,
    ColumnStatistics,
    ColumnStatisticsType,
    Database,
    DatabaseName,
    DataCatalog,
    DataCatalogType,
    PartitionIndex,
    SerDeInfo,
    SortColumn,
    StorageDescriptor,
    Table,
    TableName,
    UserDefinedFunction,
)
from querysvc_catalog.paging import Page, all_items
from querysvc_catalog.service import CatalogService

DEFAULT = DatabaseName("awsdatacatalog", "default")


def table_name(name: str) -> TableName:
    return TableName("awsdatacatalog", "default", name)


FULL_TABLE = Table(
    name="orders",
    database_name="default",
    owner="hadoop",
    description="Ürün ☃ 'quoted'",
    storage_descriptor=StorageDescriptor(
        columns=(
            Column("id", "bigint", "the id", {"iceberg.field.id": "1"}),
            Column("items", "array<struct<sku:string,n:int>>"),
            Column("untyped"),
        ),
        location="s3://bucket/orders/",
        input_format="org.example.In",
        output_format="org.example.Out",
        compressed=True,
        number_of_buckets=4,
        serde_info=SerDeInfo("serde", "org.example.SerDe", {"field.delim": "\x01"}),
        bucket_columns=("id",),
        sort_columns=(SortColumn("id", is_ascending=False),),
        parameters={"a": ""},
        stored_as_sub_directories=True,
    ),
    partition_keys=(Column("dt", "date", "day"), Column("hour", "int")),
    parameters={"classification": "parquet", "empty": ""},
    table_type="EXTERNAL_TABLE",
    view_original_text="",
    view_expanded_text="/* Presto View */",
    retention=7,
    created_by="arn:aws:iam::1:user/x",
    partition_indexes=(PartitionIndex("by_day", ("dt",)),),
)


def test_the_defaults_exist_and_ensuring_them_again_changes_nothing(
    service: CatalogService,
) -> None:
    before = service.get_database(DEFAULT)
    service.ensure_defaults()
    assert service.get_database(DatabaseName("AwsDataCatalog", "DEFAULT")) == before
    assert [catalog.name for catalog in service.list_data_catalogs().items] == ["awsdatacatalog"]


def test_data_catalogs_are_created_replaced_and_deleted(service: CatalogService) -> None:
    service.create_data_catalog(DataCatalog("Lake", DataCatalogType.HIVE, "d", {"k": "v"}))
    assert service.get_data_catalog("LAKE").type is DataCatalogType.HIVE
    with pytest.raises(AlreadyExistsError):
        service.create_data_catalog(DataCatalog("lake"))
    service.update_data_catalog(DataCatalog("lake", description="new"))
    assert service.get_data_catalog("lake").description == "new"
    service.create_database(Database("d", "lake"))
    with pytest.raises(InvalidInputError, match="not empty"):
        service.delete_data_catalog("lake")
    service.delete_database(DatabaseName("lake", "d"), cascade=False)
    service.delete_data_catalog("lake")
    for attempt in (
        lambda: service.get_data_catalog("lake"),
        lambda: service.delete_data_catalog("lake"),
        lambda: service.update_data_catalog(DataCatalog("lake")),
        lambda: service.create_database(Database("d", "lake")),
        lambda: service.list_databases("lake"),
    ):
        with pytest.raises(EntityNotFoundError) as caught:
            attempt()
        assert caught.value.kind is EntityKind.DATA_CATALOG
    with pytest.raises(InvalidInputError):
        service.delete_data_catalog("AwsDataCatalog")


def test_a_database_reads_back_as_written_and_keeps_its_creation_time(
    service: CatalogService,
) -> None:
    created = service.create_database(
        Database("Sales", description="d", location_uri="s3://b/", parameters={"a": "1"})
    )
    assert created.name == "sales"
    name = DatabaseName("awsdatacatalog", "sales")
    assert service.get_database(name) == created
    service.update_database(Database("SALES", description="new"))
    updated = service.get_database(name)
    assert (updated.description, updated.parameters) == ("new", {})
    assert updated.create_time == created.create_time
    with pytest.raises(AlreadyExistsError) as caught:
        service.create_database(Database("SALES"))
    assert (caught.value.kind, caught.value.name) == (EntityKind.DATABASE, "sales")


def test_a_database_with_tables_goes_only_by_cascade(service: CatalogService) -> None:
    service.create_database(Database("d"))
    name = DatabaseName("awsdatacatalog", "d")
    table = service.create_table(replace(FULL_TABLE, database_name="d"))
    service.update_table(table)
    with pytest.raises(InvalidInputError, match="not empty"):
        service.delete_database(name, cascade=False)
    service.create_function(UserDefinedFunction("f", "d"))
    service.delete_database(name, cascade=True)
    with pytest.raises(EntityNotFoundError):
        service.get_database(name)
    with pytest.raises(EntityNotFoundError) as caught:
        service.get_table(table.full_name)
    assert caught.value.kind is EntityKind.DATABASE
    with pytest.raises(EntityNotFoundError):
        service.delete_database(name, cascade=True)
    service.create_database(Database("d"))
    assert service.list_table_names(name) == ()


def test_a_table_reads_back_member_by_member(service: CatalogService) -> None:
    created = service.create_table(FULL_TABLE)
    read = service.get_table(table_name("orders"))
    assert read == created
    assert replace(read, create_time=None, update_time=None) == FULL_TABLE
    assert read.create_time is not None
    assert read.create_time == read.update_time


def test_a_minimal_table_reads_back_without_inventions(service: CatalogService) -> None:
    service.create_table(Table("t", "default"))
    read = service.get_table(table_name("t"))
    assert read.storage_descriptor is None
    assert read.table_type is None
    assert read.version_id == 0
    assert replace(read, create_time=None, update_time=None) == Table("t", "default")


def test_names_are_lower_cased_on_write_and_found_in_any_case(service: CatalogService) -> None:
    service.create_table(
        Table(
            "MyTable",
            "DEFAULT",
            "AwsDataCatalog",
            storage_descriptor=StorageDescriptor(columns=(Column("UserId", "string"),)),
            partition_keys=(Column("DT", "string"),),
        )
    )
    table = service.get_table(TableName("AWSDATACATALOG", "Default", "MYTABLE"))
    assert table.name == "mytable"
    assert table.columns == (Column("userid", "string"),)
    assert table.partition_keys == (Column("dt", "string"),)
    assert service.find_table(table_name("absent")) is None


@pytest.mark.parametrize("name", ["", "x" * 256, "a\nb", "a\x00b", "\ud800"])
def test_names_that_glue_refuses_are_refused(service: CatalogService, name: str) -> None:
    with pytest.raises(InvalidInputError):
        service.create_table(Table(name, "default"))
    with pytest.raises(InvalidInputError):
        service.create_database(Database(name))


def test_a_text_that_is_not_unicode_is_refused(service: CatalogService) -> None:
    with pytest.raises(InvalidInputError):
        service.create_table(replace(FULL_TABLE, description="\ud800"))


def test_errors_name_what_is_missing(service: CatalogService) -> None:
    service.create_table(FULL_TABLE)
    with pytest.raises(AlreadyExistsError) as exists:
        service.create_table(replace(FULL_TABLE, name="ORDERS"))
    assert exists.value.name == "default.orders"
    for attempt in (
        lambda: service.get_table(table_name("none")),
        lambda: service.update_table(Table("none", "default")),
        lambda: service.delete_table(table_name("none")),
        lambda: service.table_generation(table_name("none")),
        lambda: service.list_table_versions(table_name("none")),
        lambda: service.list_partitions(table_name("none")),
        lambda: service.create_partitions(table_name("none"), []),
        lambda: service.count_partitions(table_name("none")),
    ):
        with pytest.raises(EntityNotFoundError) as caught:
            attempt()
        assert (caught.value.kind, caught.value.name) == (EntityKind.TABLE, "default.none")
    with pytest.raises(EntityNotFoundError) as absent:
        service.create_table(Table("t", "nowhere"))
    assert (absent.value.kind, absent.value.name) == (EntityKind.DATABASE, "nowhere")
    with pytest.raises(EntityNotFoundError):
        service.list_tables(DatabaseName("awsdatacatalog", "nowhere"))


def test_listing_pages_through_everything_in_order(service: CatalogService) -> None:
    names = sorted(f"t{number:02d}" for number in range(23))
    for name in reversed(names):
        service.create_table(Table(name, "default"))
    for size in (1, 7, 22, 23, 24):
        pages: list[Page[Table]] = []
        token: str | None = None
        while not pages or token:
            pages.append(service.list_tables(DEFAULT, page_size=size, token=token))
            token = pages[-1].next_token
        assert [table.name for page in pages for table in page.items] == names
        assert all(len(page.items) == size for page in pages[:-1])
        assert pages[-1].items
    assert service.list_table_names(DEFAULT) == tuple(names)
    assert [table.name for table in service.iter_tables(DEFAULT)] == names


def test_a_listing_stays_whole_while_others_write(service: CatalogService) -> None:
    for name in ("a", "c", "e"):
        service.create_table(Table(name, "default"))
    page = service.list_tables(DEFAULT, page_size=2)
    service.delete_table(table_name("c"))
    service.create_table(Table("b", "default"))
    service.create_table(Table("d", "default"))
    rest = service.list_tables(DEFAULT, page_size=9, token=page.next_token)
    assert [table.name for table in (*page.items, *rest.items)] == ["a", "c", "d", "e"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("sales*", ["sales", "sales_2024"]),
        ("*2024", ["orders_2024", "sales_2024"]),
        ("s*4", ["sales_2024"]),
        ("SALES|orders_*", ["orders_2024", "sales"]),
        (".*_2024", ["orders_2024", "sales_2024"]),
        ("*", ["orders_2024", "sales", "sales_2024"]),
        ("nothing", []),
    ],
)
def test_tables_are_listed_by_pattern(
    service: CatalogService, expression: str, expected: list[str]
) -> None:
    for name in ("sales", "sales_2024", "orders_2024"):
        service.create_table(Table(name, "default"))
    listed = all_items(
        lambda token: service.list_tables(DEFAULT, expression=expression, page_size=1, token=token)
    )
    assert [table.name for table in listed] == expected


def test_tables_are_searched_across_databases(service: CatalogService) -> None:
    for database in ("b", "a", "sales"):
        service.create_database(Database(database))
    columns = StorageDescriptor(columns=(Column("SaleDate", "date"),))
    service.create_table(Table("orders", "b", storage_descriptor=columns))
    service.create_table(Table("x", "b"))
    service.create_table(Table("y", "b", description="all SALES"))
    service.create_table(Table("z", "a", partition_keys=(Column("p", "int", "of sale"),)))
    service.create_table(Table("t", "sales"))
    service.create_table(Table("wholesale", "default"))
    expected = ["a.z", "b.orders", "b.y", "default.wholesale", "sales.t"]
    for size in (1, 2, 5, 9):
        found = all_items(
            lambda token, size=size: service.search_tables(  # type: ignore[misc]
                "sale", page_size=size, token=token
            )
        )
        assert [str(table.full_name) for table in found] == expected
    assert service.search_tables("nowhere").items == ()


@pytest.mark.parametrize("token", ["", "x", "!!!!", "WyJ0YWJsZXMiLDVd", "WyJ4IiwiYSJd", "é"])
def test_a_foreign_token_is_refused(service: CatalogService, token: str) -> None:
    with pytest.raises(InvalidInputError, match="token"):
        service.list_tables(DEFAULT, token=token)


@pytest.mark.parametrize("page_size", [0, -1, 10_001])
def test_a_page_size_out_of_bounds_is_refused(service: CatalogService, page_size: int) -> None:
    with pytest.raises(InvalidInputError, match="page size"):
        service.list_databases(page_size=page_size)


def test_databases_are_paged_per_catalog(service: CatalogService) -> None:
    service.create_data_catalog(DataCatalog("other"))
    service.create_database(Database("zzz", "other"))
    for name in ("b", "a", "c"):
        service.create_database(Database(name))
    first = service.list_databases(page_size=3)
    assert [database.name for database in first.items] == ["a", "b", "c"]
    rest = service.list_databases(page_size=3, token=first.next_token)
    assert [database.name for database in rest.items] == ["default"]
    assert rest.next_token is None
    assert [database.name for database in service.iter_databases("other")] == ["zzz"]


def test_an_update_archives_the_version_it_replaces(service: CatalogService) -> None:
    created = service.create_table(FULL_TABLE)
    updated = service.update_table(replace(FULL_TABLE, description="two", created_by="another"))
    assert updated.version_id == 1
    assert (updated.create_time, updated.created_by) == (created.create_time, created.created_by)
    assert updated.update_time != created.update_time
    assert service.get_table(table_name("orders")) == updated
    assert service.get_table_version(table_name("orders"), 0).table == created
    assert service.get_table_version(table_name("orders"), 1).table == updated
    versions = service.list_table_versions(table_name("orders")).items
    assert [version.version_id for version in versions] == [1, 0]
    with pytest.raises(EntityNotFoundError):
        service.get_table_version(table_name("orders"), 2)


def test_skip_archive_moves_the_version_on_without_keeping_the_old(
    service: CatalogService,
) -> None:
    service.create_table(FULL_TABLE)
    assert service.update_table(FULL_TABLE, skip_archive=True).version_id == 1
    assert service.update_table(FULL_TABLE).version_id == 2
    versions = service.list_table_versions(table_name("orders")).items
    assert [version.version_id for version in versions] == [2, 1]


def test_versions_are_paged_newest_first_and_deleted_one_by_one(
    service: CatalogService,
) -> None:
    name = table_name("orders")
    service.create_table(FULL_TABLE)
    for _ in range(4):
        service.update_table(FULL_TABLE)
    listed = all_items(lambda token: service.list_table_versions(name, page_size=2, token=token))
    assert [version.version_id for version in listed] == [4, 3, 2, 1, 0]
    service.delete_table_version(name, 2)
    with pytest.raises(EntityNotFoundError):
        service.delete_table_version(name, 2)
    with pytest.raises(InvalidInputError, match="current"):
        service.delete_table_version(name, 4)
    versions = service.list_table_versions(name).items
    assert [version.version_id for version in versions] == [4, 3, 1, 0]


def test_the_number_of_archived_versions_is_bounded(service: CatalogService) -> None:
    service.create_table(FULL_TABLE)
    for _ in range(5):
        service.update_table(FULL_TABLE)
    with pytest.raises(ResourceNumberLimitExceededError):
        service.update_table(FULL_TABLE)
    assert service.get_table(table_name("orders")).version_id == 5
    assert service.update_table(FULL_TABLE, skip_archive=True).version_id == 6


def test_an_update_with_another_expected_version_changes_nothing(
    service: CatalogService,
) -> None:
    service.create_table(FULL_TABLE)
    service.update_table(FULL_TABLE, expected_version=0)
    before = service.get_table(table_name("orders"))
    stamp = service.table_generation(table_name("orders"))
    for version in (0, 2):
        with pytest.raises(ConcurrentModificationError):
            service.update_table(replace(FULL_TABLE, owner="x"), expected_version=version)
    assert service.get_table(table_name("orders")) == before
    assert service.table_generation(table_name("orders")) == stamp


def test_a_dropped_table_leaves_nothing_to_its_successor(service: CatalogService) -> None:
    name = table_name("orders")
    service.create_table(FULL_TABLE)
    service.update_table(FULL_TABLE)
    statistics = ColumnStatistics("id", "bigint", ColumnStatisticsType.LONG, {"NumberOfNulls": 0})
    service.put_column_statistics(name, None, [statistics])
    old = service.table_generation(name)
    service.delete_table(name)
    with pytest.raises(EntityNotFoundError):
        service.get_table(name)
    service.create_table(FULL_TABLE)
    assert service.get_table(name).version_id == 0
    assert len(service.list_table_versions(name).items) == 1
    assert service.get_column_statistics(name, None, ["id"]) == ()
    assert service.table_generation(name) > old


def test_every_write_to_a_table_moves_its_generation(service: CatalogService) -> None:
    name = table_name("orders")
    service.create_table(FULL_TABLE)
    stamps = [service.table_generation(name)]
    service.update_table(FULL_TABLE)
    stamps.append(service.table_generation(name))
    service.update_table(FULL_TABLE, skip_archive=True)
    stamps.append(service.table_generation(name))
    service.put_column_statistics(
        name, None, [ColumnStatistics("id", "bigint", ColumnStatisticsType.LONG, {})]
    )
    stamps.append(service.table_generation(name))
    assert stamps == sorted(set(stamps))
    service.get_table(name)
    assert service.table_generation(name) == stamps[-1]


def test_column_statistics_are_set_read_and_deleted(service: CatalogService) -> None:
    name = table_name("orders")
    service.create_table(FULL_TABLE)
    long = ColumnStatistics(
        "ID", "bigint", ColumnStatisticsType.LONG, {"MinimumValue": -(2**63), "NumberOfNulls": 1}
    )
    decimal = ColumnStatistics(
        "price",
        "decimal(5,2)",
        ColumnStatisticsType.DECIMAL,
        {"MaximumValue": {"UnscaledValue": "AQ==", "Scale": 2}},
    )
    service.put_column_statistics(name, None, [long, decimal])
    found = service.get_column_statistics(name, None, ["price", "absent", "id"])
    assert found == (decimal, replace(long, column_name="id"))
    newer = replace(decimal, data={"NumberOfNulls": 3})
    service.put_column_statistics(name, None, [newer])
    assert service.get_column_statistics(name, None, ["PRICE"]) == (newer,)
    service.delete_column_statistics(name, None, "Price")
    assert service.get_column_statistics(name, None, ["price"]) == ()
    with pytest.raises(EntityNotFoundError):
        service.delete_column_statistics(name, None, "price")


def test_functions_are_kept_per_database(service: CatalogService) -> None:
    function = UserDefinedFunction(
        "Trino__F",
        "default",
        class_name="TrinoFunction",
        owner_name="me",
        owner_type="USER",
        resource_uris=(("FILE", "x"),),
    )
    created = service.create_function(function)
    assert service.get_function(DEFAULT, "trino__f") == created
    with pytest.raises(AlreadyExistsError):
        service.create_function(function)
    service.update_function(replace(function, owner_name="you"))
    listed = service.list_functions(DEFAULT, pattern="trino__.*").items
    assert [item.owner_name for item in listed] == ["you"]
    assert service.list_functions(DEFAULT, pattern="x*").items == ()
    service.delete_function(DEFAULT, "TRINO__F")
    for attempt in (
        lambda: service.get_function(DEFAULT, "trino__f"),
        lambda: service.update_function(function),
        lambda: service.delete_function(DEFAULT, "trino__f"),
    ):
        with pytest.raises(EntityNotFoundError):
            attempt()


def test_two_writers_by_compare_and_swap_lose_no_update(service: CatalogService) -> None:
    name = table_name("counter")
    service.create_table(Table("counter", "default", parameters={"n": "0"}))

    def increment(_: int) -> int:
        conflicts = 0
        while True:
            table = service.get_table(name)
            counted = replace(table, parameters={"n": str(int(table.parameters["n"]) + 1)})
            try:
                service.update_table(counted, expected_version=table.version_id, skip_archive=True)
            except ConcurrentModificationError:
                conflicts += 1
            else:
                return conflicts

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(increment, range(40)))
    final = service.get_table(name)
    assert (final.parameters["n"], final.version_id) == ("40", 40)


def test_of_many_creators_one_wins(service: CatalogService) -> None:
    def create(_: int) -> bool:
        try:
            service.create_database(Database("d"))
        except AlreadyExistsError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(create, range(8))) == [False] * 7 + [True]


def test_the_number_of_databases_and_tables_is_bounded(service: CatalogService) -> None:
    for number in range(9):
        service.create_database(Database(f"d{number}"))
    with pytest.raises(ResourceNumberLimitExceededError):
        service.create_database(Database("d9"))
    for number in range(100):
        service.create_table(Table(f"t{number}", "d0"))
    with pytest.raises(ResourceNumberLimitExceededError):
        service.create_table(Table("t100", "d0"))
    service.create_table(Table("t100", "d1"))
