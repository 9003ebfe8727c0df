"""Domains as catalog filters: never too narrow, whatever the values."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import Domain, Range
from querysvc.planning.partition_values import literal_of, predicate_of
from querysvc.types.hive import from_hive
from querysvc_catalog.model import Column
from querysvc_catalog.names import DEFAULT_PARTITION_VALUE
from querysvc_catalog.partition_values import PartitionKey
from querysvc_catalog.predicates import PartitionFilter
from querysvc_catalog.types import parse_type

DAYS = date(1970, 1, 1).toordinal()


def key_of(type_: str) -> PartitionKey:
    return PartitionKey.from_column(Column("k", type_))


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("string", "05", "05"),
        ("string", DEFAULT_PARTITION_VALUE, None),
        ("char(5)", "ab  ", "ab"),
        ("int", "05", 5),
        ("bigint", "-7", -7),
        ("decimal(5,2)", "1.5", Decimal("1.50")),
        ("date", "2024-02-29", date(2024, 2, 29).toordinal() - DAYS),
        ("timestamp", "1970-01-01 00:00:01", 10**12),
        ("timestamp", "1970-01-01 00:00:00.0015", 2 * 10**9),
        ("timestamp", "1969-12-31 23:59:59.999", -(10**9)),
        ("boolean", "TRUE", True),
        ("double", "1e3", 1000.0),
    ],
)
def test_partition_values_have_their_declared_type(type_: str, text: str, value: object) -> None:
    literal = literal_of(key_of(type_), from_hive(parse_type(type_)), text)
    assert (type(literal), literal) == (type(value), value)
    if isinstance(value, Decimal):
        assert str(literal) == str(value), "with the type's scale"


@pytest.mark.parametrize(
    ("type_", "text"), [("int", "x"), ("date", "2024-13-01"), ("tinyint", "128")]
)
def test_a_value_that_does_not_fit_its_type_is_told(type_: str, text: str) -> None:
    with pytest.raises(QueryServiceError, match=f"'{text}'") as caught:
        literal_of(key_of(type_), from_hive(parse_type(type_)), text)
    assert caught.value.code is ErrorCode.HIVE_INVALID_PARTITION_VALUE


VALUES = {
    "string": st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), max_size=3),
    "int": st.integers(-20, 20).map(str),
    "decimal(4,1)": st.decimals(-20, 20, places=1).map(str),
    "date": st.sampled_from([date.min, date(2024, 1, 1), date(2024, 1, 2), date.max]).map(str),
    "timestamp": st.datetimes(datetime(2024, 1, 1), datetime(2024, 1, 1, 0, 0, 1)).map(str),
    "boolean": st.sampled_from(["true", "false"]),
    "double": st.floats(-5, 5).map(repr),
    "float": st.sampled_from(["0.1", "0.5"]),
    "char(3)": st.text("ab ", max_size=3),
}


def literals(type_: str) -> st.SearchStrategy[object]:
    if type_ == "date":
        return st.integers(-800_000, 3_000_000) | st.sampled_from(
            [2932896, 2932897, -719162, -719163]
        )
    return VALUES[type_].map(
        lambda text: literal_of(key_of(type_), from_hive(parse_type(type_)), text)
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, str, Domain]:
    type_ = draw(st.sampled_from(sorted(VALUES)))
    bounds = draw(st.lists(literals(type_) | st.none(), min_size=2, max_size=6))
    ranges = []
    for low, high in zip(bounds[::2], bounds[1::2], strict=False):
        if low is not None and high is not None and low > high:  # type: ignore[operator]
            low, high = high, low
        ranges.append(Range(low, draw(st.booleans()), high, draw(st.booleans())))  # type: ignore[arg-type]
    if draw(st.booleans()) and bounds[0] is not None:
        ranges.append(Range(bounds[0], True, bounds[0], True))  # type: ignore[arg-type]
    domain = Domain(from_hive(parse_type(type_)), tuple(ranges), draw(st.booleans()))
    text = draw(VALUES[type_] | st.just(DEFAULT_PARTITION_VALUE))
    return type_, text, domain


def admits(domain: Domain, value: object) -> bool:
    if value is None:
        return domain.allows_null
    for one in domain.ranges:
        above = one.low is None or value > one.low or (one.low_inclusive and value == one.low)  # type: ignore[operator]
        below = one.high is None or value < one.high or (one.high_inclusive and value == one.high)  # type: ignore[operator]
        if above and below:
            return True
    return False


@given(cases())
def test_a_filter_never_loses_a_partition_that_the_domain_admits(
    case: tuple[str, str, Domain],
) -> None:
    type_, text, domain = case
    key = key_of(type_)
    predicate = predicate_of(key, 0, domain)
    is_kept = predicate is None or PartitionFilter((key,), predicate).matches([text])
    if admits(domain, literal_of(key, domain.type, text)):
        assert is_kept


@pytest.mark.parametrize(
    ("type_", "domain_range", "kept", "lost"),
    [
        ("string", Range("b", True, "b", True), ["b"], ["a", "c"]),
        ("int", Range(5, False, None), ["6", "10"], ["5", "-1"]),
        ("int", Range(5, True, 7, False), ["5", "6"], ["4", "7"]),
        ("date", Range(0, True, 0, True), ["1970-01-01"], ["1970-01-02"]),
        ("timestamp", Range(10**12, True, 10**12, True), ["1970-01-01 00:00:01"], ["1970-01-02"]),
        ("decimal(4,1)", Range(Decimal("1.5"), True, None), ["1.5"], ["1.4"]),
    ],
)
def test_a_filter_prunes(type_: str, domain_range: Range, kept: list[str], lost: list[str]) -> None:
    key = key_of(type_)
    predicate = predicate_of(key, 0, Domain(from_hive(parse_type(type_)), (domain_range,)))
    assert predicate is not None
    matches = PartitionFilter((key,), predicate).matches
    assert all(matches([text]) for text in kept)
    assert not any(matches([text]) for text in [*lost, DEFAULT_PARTITION_VALUE])
