"""Filters pushed into a store find what evaluating them partition by partition finds."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from querysvc_catalog.model import Column, Partition, PartitionValues, Table, TableName
from querysvc_catalog.partition_values import TypedValue, partition_keys
from querysvc_catalog.predicates import (
    And,
    Comparison,
    Like,
    Membership,
    NullTest,
    Operator,
    Or,
    PartitionFilter,
    Predicate,
)
from querysvc_catalog.pushdown import Pushdown
from querysvc_catalog.service import CatalogService
from querysvc_catalog.sql import SqlCatalogRepository
from querysvc_catalog.tables import KEY_COLUMNS, partitions, tables

NULL = "__HIVE_DEFAULT_PARTITION__"
_names = itertools.count()
_long = "x" * 99

_texts = st.sampled_from(
    ["", "a", "A", "ab", "b", "é", "\U0001f600", "%", _long, _long + "yz", _long + "yzz"]
)
_integers = st.integers(-12, 12)
_decimals = st.integers(-1500, 1500).map(lambda number: Decimal(number) / 100)
_dates = st.integers(0, 40).map(lambda days: date(2024, 1, 15) + timedelta(days))
_times = _dates.map(lambda day: datetime(day.year, day.month, day.day, 5))
_doubles = st.sampled_from([-1.5, -0.0, 0.0, 0.1, 2.0, 1e300, float("-inf")])
# One key beyond those that the store keeps texts of.
TYPES: list[tuple[str, st.SearchStrategy[TypedValue]]] = [
    ("string", _texts),
    ("int", _integers),
    ("decimal(6,2)", _decimals),
    ("date", _dates),
    ("int", _integers),
]
OTHER_TYPES: list[tuple[str, st.SearchStrategy[TypedValue]]] = [
    ("timestamp", _times),
    ("double", _doubles),
    ("boolean", st.booleans()),
    ("char(4)", _texts.map(lambda text: text[:4])),
]


def _spelling(value: TypedValue) -> st.SearchStrategy[str]:
    if isinstance(value, bool):
        return st.just(str(value).lower())
    if isinstance(value, int) and value >= 0:
        return st.sampled_from([str(value), f"{value:03d}", f"+{value}"])
    return st.just(str(value))


def _row(
    types: list[tuple[str, st.SearchStrategy[TypedValue]]], odd: list[str]
) -> st.SearchStrategy[PartitionValues]:
    return st.tuples(
        *(
            st.one_of(values.flatmap(_spelling), st.sampled_from([NULL, *odd]))
            for _, values in types
        )
    )


def _leaf(
    index: int, hive_type: str, values: st.SearchStrategy[TypedValue]
) -> st.SearchStrategy[Predicate]:
    choices: list[st.SearchStrategy[Predicate]] = [
        st.builds(Comparison, st.just(index), st.sampled_from(Operator), values),
        st.builds(
            Membership,
            st.just(index),
            st.frozensets(values, max_size=3),
            includes_null=st.booleans(),
            is_negated=st.booleans(),
        ),
        st.builds(NullTest, st.just(index), is_negated=st.booleans()),
    ]
    if hive_type in ("string", "char(4)"):
        patterns = st.text("aAbx%_é", max_size=4)
        choices.append(st.builds(Like, st.just(index), patterns, is_negated=st.booleans()))
    return st.one_of(choices)


def _predicates(
    types: list[tuple[str, st.SearchStrategy[TypedValue]]],
) -> st.SearchStrategy[Predicate]:
    leaf = st.one_of(_leaf(index, name, values) for index, (name, values) in enumerate(types))
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda found: And(tuple(found))),
            st.lists(inner, max_size=3).map(lambda found: Or(tuple(found))),
        ),
        max_leaves=6,
    )


def _comparisons() -> st.SearchStrategy[Predicate]:
    """Comparisons of the keys whose texts are stored with literals that are stored whole."""
    leaf = st.one_of(
        st.builds(
            Comparison,
            st.just(index),
            st.sampled_from(Operator),
            values.filter(lambda value: len(str(value)) < 100),
        )
        for index, (_, values) in enumerate(TYPES[: len(KEY_COLUMNS)])
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda found: And(tuple(found))),
            st.lists(inner, min_size=1, max_size=3).map(lambda found: Or(tuple(found))),
        ),
        max_leaves=5,
    )


def _cases(
    types: list[tuple[str, st.SearchStrategy[TypedValue]]],
    odd: list[str],
    predicates: st.SearchStrategy[Predicate] | None = None,
) -> st.SearchStrategy[tuple[list[PartitionValues], list[Predicate]]]:
    chosen = _predicates(types) if predicates is None else predicates
    return st.tuples(
        st.lists(_row(types, odd), min_size=1, max_size=25, unique=True),
        st.lists(chosen, min_size=1, max_size=6),
    )


@pytest.fixture(params=["keys", "other-keys"])
def types(
    request: pytest.FixtureRequest,
) -> list[tuple[str, st.SearchStrategy[TypedValue]]]:
    return TYPES if request.param == "keys" else OTHER_TYPES


@pytest.fixture
def make_table(engine: Engine) -> Callable[..., TableName]:
    service = CatalogService(SqlCatalogRepository(engine), lambda: datetime.now(UTC))
    service.ensure_defaults()

    def make(key_types: list[str], rows: list[PartitionValues]) -> TableName:
        name = TableName("awsdatacatalog", "default", f"t{next(_names)}")
        keys = tuple(Column(f"k{n}", hive_type) for n, hive_type in enumerate(key_types))
        service.create_table(Table(name.name, "default", partition_keys=keys))
        assert service.create_partitions(name, [Partition(values) for values in rows]) == ()
        return name

    return make


def test_pushed_filters_find_what_evaluation_finds(
    engine: Engine,
    make_table: Callable[..., TableName],
    types: list[tuple[str, st.SearchStrategy[TypedValue]]],
) -> None:
    service = CatalogService(SqlCatalogRepository(engine), lambda: datetime.now(UTC))

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(_cases(types, ["oops", ""]))
    def check(case: tuple[list[PartitionValues], list[Predicate]]) -> None:
        rows, predicates = case
        name = make_table([hive_type for hive_type, _ in types], rows)
        keys = partition_keys(service.get_table(name).partition_keys)
        for predicate in predicates:
            chosen = PartitionFilter(keys, predicate)
            found = [item.values for item in service.iter_partitions(name, chosen)]
            assert sorted(found) == sorted(values for values in rows if chosen.matches(values))

    check()


def test_the_store_alone_is_exact_where_nothing_had_to_be_weakened(
    engine: Engine, make_table: Callable[..., TableName]
) -> None:
    """Without this, a push-down that narrows nothing would pass the test above."""

    service = CatalogService(SqlCatalogRepository(engine), lambda: datetime.now(UTC))

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(_cases(TYPES, [], _comparisons()))
    def check(case: tuple[list[PartitionValues], list[Predicate]]) -> None:
        rows, predicates = case
        name = make_table([hive_type for hive_type, _ in TYPES], rows)
        keys = partition_keys(service.get_table(name).partition_keys)
        for predicate in predicates:
            condition = Pushdown(keys, KEY_COLUMNS).condition(predicate)
            assert condition is not None
            query = select(partitions.c.values_json).join(tables).where(tables.c.name == name.name)
            with engine.connect() as connection:
                found = connection.execute(query.where(condition)).scalars().all()
            chosen = PartitionFilter(keys, predicate)
            assert len(found) == sum(chosen.matches(values) for values in rows)

    check()
