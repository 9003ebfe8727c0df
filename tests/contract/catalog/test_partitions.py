"""What every catalog store promises about partitions."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from querysvc_catalog.errors import (
    AlreadyExistsError,
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
    Partition,
    SerDeInfo,
    StorageDescriptor,
    Table,
    TableName,
)
from querysvc_catalog.paging import Page, all_items
from querysvc_catalog.partition_values import partition_keys
from querysvc_catalog.predicates import Comparison, Operator, PartitionFilter
from querysvc_catalog.repository import Segment
from querysvc_catalog.service import CatalogService

NAME = TableName("awsdatacatalog", "default", "events")
DEFAULT_VALUE = "__HIVE_DEFAULT_PARTITION__"
DESCRIPTOR = StorageDescriptor(
    columns=(Column("id", "bigint"), Column("name", "string")),
    location="s3://b/events/",
    input_format="org.example.In",
    serde_info=SerDeInfo(None, "org.example.SerDe", {"field.delim": ","}),
)


def make_table(service: CatalogService, *keys: tuple[str, str], name: str = "events") -> TableName:
    service.create_table(
        Table(
            name,
            "default",
            storage_descriptor=DESCRIPTOR,
            partition_keys=tuple(Column(key, hive_type) for key, hive_type in keys),
        )
    )
    return TableName("awsdatacatalog", "default", name)


def make_partition(*values: str, location: str | None = None) -> Partition:
    where = location or "s3://b/events/" + "/".join(values) + "/"
    return Partition(values, replace(DESCRIPTOR, location=where))


def add(service: CatalogService, *values: tuple[str, ...]) -> None:
    assert service.create_partitions(NAME, [make_partition(*item) for item in values]) == ()


def listed(
    service: CatalogService, expression: str | None = None, **options: Segment
) -> list[tuple[str, ...]]:
    items = all_items(
        lambda token: service.list_partitions(
            NAME, partition_filter=expression, page_size=3, token=token, **options
        )
    )
    return [partition.values for partition in items]


def test_a_partition_reads_back_with_its_own_location_and_serde(
    service: CatalogService,
) -> None:
    make_table(service, ("dt", "date"), ("hour", "int"))
    own = Partition(
        ("2024-01-01", "05"),
        StorageDescriptor(
            columns=(Column("ID", "int"),),
            location="s3://elsewhere/x",
            serde_info=SerDeInfo(None, "org.example.Other", {"a": "\x01"}),
        ),
        {"lastAccess": "0"},
    )
    bare = Partition(("2024-01-01", "06"))
    service.create_partitions(NAME, [own, bare, make_partition("2024-01-01", "07")])
    read = service.get_partition(NAME, ("2024-01-01", "05"))
    assert read.storage_descriptor is not None
    assert read.storage_descriptor.columns == (Column("id", "int"),)
    assert read.location == "s3://elsewhere/x"
    assert read.storage_descriptor.serde_info == own.storage_descriptor.serde_info  # type: ignore[union-attr]
    assert read.parameters == own.parameters
    assert read.creation_time is not None
    assert service.get_partition(NAME, bare.values).storage_descriptor is None
    assert service.get_partition(NAME, ("2024-01-01", "07")).storage_descriptor == (
        make_partition("2024-01-01", "07").storage_descriptor
    )


def test_values_are_text_so_spellings_of_one_number_are_different_partitions(
    service: CatalogService,
) -> None:
    make_table(service, ("n", "int"))
    add(service, ("5",), ("05",), ("+5",))
    assert sorted(listed(service, "n = 5")) == [("+5",), ("05",), ("5",)]
    with pytest.raises(EntityNotFoundError):
        service.get_partition(NAME, ("005",))


def test_partitions_that_exist_are_reported_and_the_others_added(
    service: CatalogService,
) -> None:
    make_table(service, ("k", "string"))
    add(service, ("b",))
    before = service.get_partition(NAME, ("b",))
    errors = service.create_partitions(
        NAME,
        [make_partition("a"), make_partition("b", location="s3://other/"), make_partition("a")],
    )
    assert [(error.index, error.values) for error in errors] == [(1, ("b",)), (2, ("a",))]
    assert all(isinstance(error.error, AlreadyExistsError) for error in errors)
    assert listed(service) == [("a",), ("b",)]
    assert service.get_partition(NAME, ("b",)) == before
    assert service.count_partitions(NAME) == 2
    with pytest.raises(AlreadyExistsError) as caught:
        service.create_partition(NAME, make_partition("a"))
    assert (caught.value.kind, caught.value.name) == (
        EntityKind.PARTITION,
        "default.events/k=a",
    )


@pytest.mark.parametrize("values", [(), ("a", "b"), ("x" * 1025,), ("a\x00",)])
def test_values_that_do_not_fit_the_keys_are_refused(
    service: CatalogService, values: tuple[str, ...]
) -> None:
    make_table(service, ("k", "string"))
    errors = service.create_partitions(NAME, [Partition(values), Partition(("good",))])
    assert [error.index for error in errors] == [0]
    assert isinstance(errors[0].error, InvalidInputError)
    assert listed(service) == [("good",)]


def test_a_value_that_is_not_unicode_is_refused(service: CatalogService) -> None:
    make_table(service, ("k", "string"))
    with pytest.raises(InvalidInputError):
        service.create_partition(NAME, Partition(("\ud800",)))


def test_long_values_are_kept_apart_and_found(service: CatalogService) -> None:
    keys = [(f"k{number}", "string") for number in range(6)]
    make_table(service, *keys)
    long = "ü" * 1023
    partitions = [(long + end, *[long] * 4, long + tail) for end in "ab" for tail in "xy"]
    add(service, *partitions)
    for values in partitions:
        assert service.get_partition(NAME, values).values == values
    assert sorted(listed(service)) == partitions
    typed_keys = partition_keys(service.get_table(NAME).partition_keys)

    def chosen(key_index: int, operator: Operator, literal: str) -> list[tuple[str, ...]]:
        predicate = Comparison(key_index, operator, literal)
        found = service.iter_partitions(NAME, PartitionFilter(typed_keys, predicate))
        return sorted(partition.values for partition in found)

    assert chosen(0, Operator.EQUAL, long + "a") == partitions[:2]
    assert chosen(0, Operator.NOT_EQUAL, long + "a") == partitions[2:]
    assert chosen(0, Operator.EQUAL, long) == []
    assert chosen(0, Operator.GREATER, long + "a") == partitions[2:]
    assert chosen(0, Operator.LESS, long + "b") == partitions[:2]
    assert chosen(5, Operator.GREATER, long + "x") == [partitions[1], partitions[3]]
    assert service.delete_partitions(NAME, [partitions[0]]) == ()
    assert sorted(listed(service)) == partitions[1:]


def test_partitions_are_got_in_the_order_asked_for_and_absent_ones_left_out(
    service: CatalogService,
) -> None:
    make_table(service, ("k", "string"))
    add(service, ("a",), ("b",), ("c",))
    found = service.get_partitions(NAME, [("c",), ("x",), ("a",)])
    assert [partition.values for partition in found] == [("c",), ("a",)]
    with pytest.raises(EntityNotFoundError) as caught:
        service.get_partition(NAME, ("x",))
    assert caught.value.kind is EntityKind.PARTITION


def test_deleting_reports_what_was_not_there(service: CatalogService) -> None:
    make_table(service, ("k", "string"))
    add(service, ("a",), ("b",))
    errors = service.delete_partitions(NAME, [("a",), ("x",), ("a",)])
    assert [(error.index, type(error.error)) for error in errors] == [
        (1, EntityNotFoundError),
        (2, EntityNotFoundError),
    ]
    assert service.count_partitions(NAME) == 1
    service.delete_partition(NAME, ("b",))
    assert service.count_partitions(NAME) == 0
    with pytest.raises(EntityNotFoundError):
        service.delete_partition(NAME, ("b",))
    add(service, ("b",))
    assert service.get_partition(NAME, ("b",)).storage_descriptor is not None


def test_an_update_may_move_a_partition_to_other_values(service: CatalogService) -> None:
    make_table(service, ("k", "int"))
    add(service, ("1",), ("2",))
    created = service.get_partition(NAME, ("1",)).creation_time
    service.update_partition(NAME, ("1",), make_partition("1", location="s3://new/"))
    assert service.get_partition(NAME, ("1",)).location == "s3://new/"
    assert service.get_partition(NAME, ("1",)).creation_time == created
    service.update_partition(NAME, ("1",), make_partition("3"))
    assert listed(service) == [("2",), ("3",)]
    assert listed(service, "k > 2") == [("3",)]
    errors = service.update_partitions(
        NAME,
        [
            (("9",), make_partition("9")),
            (("3",), make_partition("2")),
            (("2",), make_partition("2", location="s3://two/")),
            (("2",), Partition(())),
        ],
    )
    assert [(error.index, type(error.error)) for error in errors] == [
        (0, EntityNotFoundError),
        (1, AlreadyExistsError),
        (3, InvalidInputError),
    ]
    assert service.get_partition(NAME, ("2",)).location == "s3://two/"
    assert service.count_partitions(NAME) == 2


def test_partitions_are_paged_completely_and_in_one_order(service: CatalogService) -> None:
    make_table(service, ("a", "string"), ("b", "int"))
    values = [(letter, str(number)) for letter in "xyz" for number in range(7)]
    add(service, *reversed(values))
    for size in (1, 4, 20, 21, 22):
        pages: list[Page[Partition]] = []
        token: str | None = None
        while not pages or token:
            pages.append(service.list_partitions(NAME, page_size=size, token=token))
            token = pages[-1].next_token
        assert [partition.values for page in pages for partition in page.items] == values
        assert pages[-1].items
    assert list(service.iter_partition_values(NAME)) == values
    assert [partition.values for partition in service.iter_partitions(NAME)] == values


def test_segments_are_disjoint_and_complete(service: CatalogService) -> None:
    make_table(service, ("n", "int"))
    values = [(str(number),) for number in range(60)]
    add(service, *values)
    segments = [listed(service, segment=Segment(number, 5)) for number in range(5)]
    assert sorted(value for segment in segments for value in segment) == sorted(values)
    assert all(segments)
    assert listed(service, "n < 3", segment=Segment(0, 1)) == [("0",), ("1",), ("2",)]


@pytest.mark.parametrize(("number", "total"), [(0, 0), (0, 11), (-1, 2), (2, 2)])
def test_a_segment_that_cannot_be_is_refused(number: int, total: int) -> None:
    with pytest.raises(InvalidInputError):
        Segment(number, total)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("year = 2024", ["2024/1/us", "2024/10/US", "2024/2/eu"]),
        ("year = '2024' AND month >= 2", ["2024/10/US", "2024/2/eu"]),
        ("month > 6", ["2023/12/us", "2024/10/US"]),
        ("month IN (1, 2) and not year = 2023", ["2024/1/us", "2024/2/eu"]),
        ("month between '7' and '10' or month=2", ["2024/10/US", "2024/2/eu"]),
        ("month not between 2 and 10", ["2023/12/us", "2024/1/us"]),
        ("region like 'u%'", ["2023/12/us", "2024/1/us"]),
        ("region like '_S'", ["2024/10/US"]),
        ("region not like 'u%'", ["2024/10/US", "2024/2/eu"]),
        ("region = 'us' or month = 2", ["2023/12/us", "2024/1/us", "2024/2/eu"]),
        ("region is null", ["2023/6/" + DEFAULT_VALUE]),
        (f"(region = '{DEFAULT_VALUE}')", ["2023/6/" + DEFAULT_VALUE]),
        (f"(region <> '{DEFAULT_VALUE}') and year=2023", ["2023/12/us"]),
        (f"region in ('eu', '{DEFAULT_VALUE}')", ["2023/6/" + DEFAULT_VALUE, "2024/2/eu"]),
        (f"region not in ('eu', '{DEFAULT_VALUE}') and month < 11", ["2024/1/us", "2024/10/US"]),
        ("region <> 'us'", ["2024/10/US", "2024/2/eu"]),
        ("5 < month and 2024 > year", ["2023/12/us", "2023/6/" + DEFAULT_VALUE]),
        ("year = 1999", []),
    ],
)
def test_expressions_choose_by_the_keys_types(
    service: CatalogService, expression: str, expected: list[str]
) -> None:
    make_table(service, ("year", "int"), ("month", "tinyint"), ("region", "string"))
    add(
        service,
        ("2023", "12", "us"),
        ("2023", "6", DEFAULT_VALUE),
        ("2024", "1", "us"),
        ("2024", "2", "eu"),
        ("2024", "10", "US"),
    )
    found = ["/".join(values) for values in listed(service, expression)]
    assert found == sorted(expected)


def test_a_malformed_value_is_always_a_match_for_its_key_and_never_for_others(
    service: CatalogService,
) -> None:
    make_table(service, ("n", "int"), ("k", "string"))
    add(service, ("1", "a"), ("oops", "a"), ("2", "b"))
    assert listed(service, "n = 1") == [("1", "a"), ("oops", "a")]
    assert listed(service, "k = 'b'") == [("2", "b")]
    assert listed(service, "n is null") == [("oops", "a")]


@pytest.mark.parametrize(
    "expression",
    ["n =", "x = 1", "n = 'a'", "n = 1 n", "(" * 101 + "n=1" + ")" * 101, "n = 1" + " " * 2048],
)
def test_a_wrong_expression_is_refused(service: CatalogService, expression: str) -> None:
    make_table(service, ("n", "int"))
    with pytest.raises(InvalidInputError):
        service.list_partitions(NAME, partition_filter=expression)


def test_keys_beyond_the_stored_ones_still_filter(service: CatalogService) -> None:
    make_table(service, *((f"k{number}", "int") for number in range(6)))
    add(service, ("0", "0", "0", "0", "0", "1"), ("0", "0", "0", "0", "0", "2"))
    assert listed(service, "k5 = 2 and k0 = 0") == [("0", "0", "0", "0", "0", "2")]
    assert len(listed(service, "k5 = 2 or k0 = 0")) == 2


def test_a_change_of_a_keys_type_changes_what_filters_find(service: CatalogService) -> None:
    make_table(service, ("n", "string"))
    add(service, ("5",), ("05",), ("10",))
    assert listed(service, "n > '10'") == [("5",)]
    table = service.get_table(NAME)
    service.update_table(replace(table, partition_keys=(Column("n", "int"),)))
    assert listed(service, "n = 5") == [("05",), ("5",)]
    assert listed(service, "n > 5") == [("10",)]


def test_the_number_of_keys_is_fixed_while_there_are_partitions(
    service: CatalogService,
) -> None:
    make_table(service, ("n", "int"))
    add(service, ("1",))
    table = service.get_table(NAME)
    keys = (Column("n", "int"), Column("m", "int"))
    with pytest.raises(InvalidInputError, match="partition keys"):
        service.update_table(replace(table, partition_keys=keys))
    service.delete_partition(NAME, ("1",))
    service.update_table(replace(table, partition_keys=keys))
    add(service, ("1", "2"))


def test_writes_to_partitions_move_the_generation(service: CatalogService) -> None:
    make_table(service, ("k", "string"))
    stamps = [service.table_generation(NAME)]
    for write in (
        lambda: service.create_partition(NAME, make_partition("a")),
        lambda: service.update_partition(NAME, ("a",), make_partition("b")),
        lambda: service.delete_partition(NAME, ("b",)),
    ):
        write()
        stamps.append(service.table_generation(NAME))
    assert stamps == sorted(set(stamps))
    listed(service)
    assert service.table_generation(NAME) == stamps[-1]


def test_partitions_and_their_statistics_go_with_their_table(service: CatalogService) -> None:
    make_table(service, ("k", "string"))
    add(service, ("a",))
    statistics = ColumnStatistics("id", "bigint", ColumnStatisticsType.LONG, {"NumberOfNulls": 0})
    service.put_column_statistics(NAME, ("a",), [statistics])
    assert service.get_column_statistics(NAME, ("a",), ["id"]) == (statistics,)
    assert service.get_column_statistics(NAME, None, ["id"]) == ()
    with pytest.raises(EntityNotFoundError):
        service.put_column_statistics(NAME, ("b",), [statistics])
    service.delete_table(NAME)
    make_table(service, ("k", "string"))
    assert service.count_partitions(NAME) == 0
    assert listed(service) == []
    add(service, ("a",))
    assert service.get_column_statistics(NAME, ("a",), ["id"]) == ()


def test_a_partitions_statistics_go_with_it(service: CatalogService) -> None:
    make_table(service, ("k", "string"))
    statistics = ColumnStatistics("id", "bigint", ColumnStatisticsType.LONG, {"NumberOfNulls": 0})
    for remove in (
        lambda: service.delete_partition(NAME, ("a",)),
        lambda: service.update_partition(NAME, ("a",), make_partition("b")),
    ):
        add(service, ("a",))
        service.put_column_statistics(NAME, ("a",), [statistics])
        remove()
        add(service, ("a",))
        assert service.get_column_statistics(NAME, ("a",), ["id"]) == ()
        service.delete_partitions(NAME, list(service.iter_partition_values(NAME)))


def test_partitions_of_tables_do_not_mix(service: CatalogService) -> None:
    make_table(service, ("k", "string"))
    other = make_table(service, ("k", "string"), name="other")
    add(service, ("a",))
    service.create_partition(other, make_partition("b"))
    assert listed(service) == [("a",)]
    service.create_database(Database("d2"))
    service.delete_database(DatabaseName("awsdatacatalog", "d2"), cascade=True)
    service.delete_table(other)
    assert listed(service) == [("a",)]


def test_the_number_of_partitions_is_bounded(service: CatalogService) -> None:
    make_table(service, ("n", "int"))
    numbers = [make_partition(str(number)) for number in range(201)]
    with pytest.raises(ResourceNumberLimitExceededError):
        service.create_partitions(NAME, numbers)
    assert service.count_partitions(NAME) == 0
    assert listed(service) == []
    assert service.create_partitions(NAME, numbers[:200]) == ()
    with pytest.raises(ResourceNumberLimitExceededError):
        service.create_partition(NAME, numbers[200])
    service.delete_partition(NAME, ("0",))
    service.create_partition(NAME, numbers[200])


def test_concurrent_writers_add_each_partition_once(service: CatalogService) -> None:
    make_table(service, ("n", "int"))

    def write(writer: int) -> int:
        added = 0
        for start in range(0, 60, 10):
            numbers = [(start + offset + writer * 7) % 60 for offset in range(10)]
            partitions = [make_partition(str(number)) for number in numbers]
            added += len(partitions) - len(service.create_partitions(NAME, partitions))
        return added

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(write, range(4))) == 60
    assert service.count_partitions(NAME) == 60
    assert len(listed(service)) == 60


def test_adding_partitions_while_the_table_is_dropped_leaves_nothing_behind(
    service: CatalogService,
) -> None:
    for round_number in range(5):
        name = make_table(service, ("n", "int"), name=f"t{round_number}")

        def write(name: TableName = name) -> None:
            while True:
                try:
                    service.create_partition(name, make_partition("1"))
                    service.delete_partition(name, ("1",))
                except EntityNotFoundError:
                    return

        start = service.table_generation(name).generation
        with ThreadPoolExecutor(1) as pool:
            writer = pool.submit(write)
            while service.table_generation(name).generation < start + 4:
                time.sleep(0.001)
            service.delete_table(name)
            writer.result(timeout=30)
        make_table(service, ("n", "int"), name=f"t{round_number}")
        assert service.count_partitions(name) == 0
        assert list(service.iter_partitions(name)) == []
