"""Partition expressions, typed values and predicates."""

from __future__ import annotations

import pickle
import re
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querysvc_catalog import errors
from querysvc_catalog.errors import ExpressionSyntaxError, InvalidInputError
from querysvc_catalog.expression import parse_expression
from querysvc_catalog.key_domains import EMPTY, EVERYTHING, KeyDomain, domain_of
from querysvc_catalog.model import Column
from querysvc_catalog.partition_values import (
    KeyKind,
    MalformedPartitionValueError,
    PartitionKey,
    TypedValue,
    ordering_text,
    stored_keys,
)
from querysvc_catalog.predicates import (
    And,
    Comparison,
    Like,
    Membership,
    NullTest,
    Operator,
    Or,
    Predicate,
    like_prefix,
    negate,
    pins_key,
)
from querysvc_catalog.pushdown import text_after_prefix

KEYS = [
    Column("dt", "date"),
    Column("n", "int"),
    Column("s", "string"),
    Column("ts", "timestamp"),
    Column("d", "decimal(5,2)"),
    Column("date", "string"),
    Column("b", "boolean"),
    Column("f", "double"),
    Column("c", "char(3)"),
]
NULL = "__HIVE_DEFAULT_PARTITION__"
ROW = ("2024-01-02", "7", "it's", "2024-01-02 03:04:05", "1.50", "x", "true", "0.5", "a")


def parse(text: str) -> Predicate:
    return parse_expression(text, KEYS).predicate


@pytest.mark.parametrize(
    ("text", "predicate"),
    [
        ("n = 7", Comparison(1, Operator.EQUAL, 7)),
        ("N = '007'", Comparison(1, Operator.EQUAL, 7)),
        ("`n` != -7", Comparison(1, Operator.NOT_EQUAL, -7)),
        ('"n" <> 7', Comparison(1, Operator.NOT_EQUAL, 7)),
        ("7 < n", Comparison(1, Operator.GREATER, 7)),
        ("dt >= 2024-01-02", Comparison(0, Operator.GREATER_OR_EQUAL, date(2024, 1, 2))),
        ("dt = date '2024-1-2'", Comparison(0, Operator.EQUAL, date(2024, 1, 2))),
        ("date = 'x'", Comparison(5, Operator.EQUAL, "x")),
        ("ts < timestamp '2024-01-02 03:04'", Comparison(
            3, Operator.LESS, datetime(2024, 1, 2, 3, 4))),
        ("d <= 1.5", Comparison(4, Operator.LESS_OR_EQUAL, Decimal("1.5"))),
        ("b = TRUE", Comparison(6, Operator.EQUAL, True)),
        ("f > 1e-3", Comparison(7, Operator.GREATER, 0.001)),
        ("s = 'it''s'", Comparison(2, Operator.EQUAL, "it's")),
        ('s = "x"', Comparison(2, Operator.EQUAL, "x")),
        ("s = 5", Comparison(2, Operator.EQUAL, "5")),
        ("c = 'a  '", Comparison(8, Operator.EQUAL, "a")),
        (f"s = '{NULL}'", NullTest(2)),
        (f"n <> '{NULL}'", NullTest(1, is_negated=True)),
        ("n is not null", NullTest(1, is_negated=True)),
        ("n IN (1, '2')", Membership(1, frozenset({1, 2}))),
        (f"n in ({NULL!r}, 1)", Membership(1, frozenset({1}), includes_null=True)),
        ("n not in (1)", Membership(1, frozenset({1}), is_negated=True)),
        ("s like 'a%'", Like(2, "a%")),
        ("not s like 'a!%' escape '!'", Like(2, "a!%", "!", is_negated=True)),
        ("not not n = 1", Comparison(1, Operator.EQUAL, 1)),
        ("not n > 1", Comparison(1, Operator.LESS_OR_EQUAL, 1)),
        (
            "((n = 1)) or s = 'a' AND b = false",
            Or(
                (
                    Comparison(1, Operator.EQUAL, 1),
                    And((Comparison(2, Operator.EQUAL, "a"), Comparison(6, Operator.EQUAL, False))),
                )
            ),
        ),
        (
            "n between 1 and 2 and b = true",
            And(
                (
                    And(
                        (
                            Comparison(1, Operator.GREATER_OR_EQUAL, 1),
                            Comparison(1, Operator.LESS_OR_EQUAL, 2),
                        )
                    ),
                    Comparison(6, Operator.EQUAL, True),
                )
            ),
        ),
        (
            "n not between 1 and 2",
            Or((Comparison(1, Operator.LESS, 1), Comparison(1, Operator.GREATER, 2))),
        ),
    ],
)  # fmt: skip
def test_expressions_are_parsed_and_typed(text: str, predicate: Predicate) -> None:
    assert parse(text) == predicate


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 1),
        ("  ", 3),
        ("n", 2),
        ("n =", 4),
        ("n = = 1", 5),
        ("n == 1", 4),
        ("x = 1", 1),
        ("n = s", 5),
        ('n = "s"', 5),
        ("n = 1 s = 'a'", 7),
        ("(n = 1", 7),
        ("n = 1)", 6),
        ("n in ()", 7),
        ("n in (1,)", 9),
        ("n not = 1", 7),
        ("n not", 6),
        ("n is 1", 6),
        ("n between 1 or 2", 13),
        ("n like 'a%'", 8),
        ("s like 5", 8),
        ("s like 'a' escape 'xx'", 23),
        ("s = 'open", 5),
        ("n = 1;", 6),
        ("n + 1 = 2", 3),
        ("lower(s) = 'a'", 1),
        ("and = 1", 1),
        ("n = 5x", 5),
        ("'(' = '('", 7),
    ],
)
def test_a_wrong_expression_is_refused_at_its_position(text: str, position: int) -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse(text)
    assert caught.value.position == position


@pytest.mark.parametrize(
    "text",
    [
        "n = 'a'",
        "n = 1.5",
        "n = 2147483648",
        "dt = '2024-02-30'",
        "dt = '2024-01-01 05:00'",
        "ts = 'noon'",
        "b = 1",
        "d = 1000.5",
        "d = 1.505",
        f"n < '{NULL}'",
        f"n between 1 and '{NULL}'",
    ],
)
def test_a_literal_that_is_not_of_the_keys_type_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse(text)


def test_nesting_and_length_are_bounded() -> None:
    parse("(" * 100 + "n=1" + ")" * 100)
    parse("not " * 500 + "n=1")
    parse("n=1" + " " * 2045)
    for text in ("(" * 101 + "n=1" + ")" * 101, "n=1" + " " * 2046):
        with pytest.raises(InvalidInputError):
            parse(text)


def test_a_key_of_a_nested_type_can_only_be_tested_for_null() -> None:
    keys = [Column("a", "array<int>")]
    assert parse_expression("a is null", keys).predicate == NullTest(0)
    with pytest.raises(InvalidInputError, match="array<int>"):
        parse_expression("a = '[1]'", keys)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dt = '2024-01-02' and n > 6 and s = 'it''s' and ts > '2024-01-02'", True),
        ("d = 1.5 and date = 'x' and b = true and f < 1 and c = 'a '", True),
        ("n between 8 and 9 or s like '__''%'", True),
        ("not (n = 7 or s = 'z')", False),
        ("n not in (1, 2)", True),
    ],
)
def test_a_filter_evaluates_typed_values(text: str, expected: bool) -> None:
    assert parse_expression(text, KEYS).matches(ROW) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n = 1", False),
        ("n <> 1", False),
        ("not n = 1", False),
        ("n not in (1)", False),
        (f"n in (1, '{NULL}')", True),
        (f"n not in (1, '{NULL}')", False),
        ("n is null", True),
        ("n is not null", False),
        ("n not between 1 and 2", False),
        ("n = 1 or dt = '2024-01-02'", True),
    ],
)
def test_null_satisfies_only_null_tests(text: str, expected: bool) -> None:
    assert parse_expression(text, KEYS).matches((ROW[0], NULL, *ROW[2:])) is expected


def test_a_malformed_value_matches_only_filters_on_its_key() -> None:
    row = (ROW[0], "oops", *ROW[2:])
    assert parse_expression("n = 1", KEYS).matches(row)
    assert not parse_expression("dt > '2025-01-01'", KEYS).matches(row)
    with pytest.raises(MalformedPartitionValueError, match="'oops' of partition key n"):
        PartitionKey.from_column(Column("n", "int")).parse("oops")


@pytest.mark.parametrize(
    ("hive_type", "texts"),
    [
        ("tinyint", ["128", "-129", "", " 1", "1.0", "١"]),
        ("bigint", ["9223372036854775808"]),
        ("decimal(3,1)", ["100", "1.25", ".", "1e1"]),
        ("date", ["2024-13-01", "20240101", "2024-01-01 00:00:01"]),
        ("timestamp", ["2024-01-01 25:00:00", "2024-01-01 00:00:00.0000001"]),
        ("boolean", ["yes", "1"]),
        ("double", ["NaN", "1,5", "inf"]),
        ("map<int,int>", ["x"]),
        ("uniontype<int>", ["x"]),
    ],
)
def test_values_that_are_not_of_their_keys_type_are_malformed(
    hive_type: str, texts: list[str]
) -> None:
    key = PartitionKey.from_column(Column("k", hive_type))
    for text in texts:
        with pytest.raises(MalformedPartitionValueError):
            key.parse(text)
        assert stored_keys([key], [text]).is_malformed
    assert key.parse(NULL) is None
    assert stored_keys([key], [NULL]).ordering_texts == (None,)


@pytest.mark.parametrize(
    ("hive_type", "text", "value"),
    [
        ("tinyint", "-128", -128),
        ("bigint", "+09", 9),
        ("long", "5", 5),
        ("decimal(3,1)", "-.5", Decimal("-0.5")),
        ("decimal(3,1)", "010.50", Decimal("10.5")),
        ("date", "2024-1-2 0:0", date(2024, 1, 2)),
        ("timestamp", "2024-01-02", datetime(2024, 1, 2)),
        ("timestamp", "2024-01-02T03:04:05.120000000", datetime(2024, 1, 2, 3, 4, 5, 120000)),
        ("boolean", "TRUE", True),
        ("double", "-Infinity", float("-inf")),
        ("varchar(5)", " x ", " x "),
        ("char(5)", " x ", " x"),
    ],
)
def test_values_are_read_by_their_keys_type(hive_type: str, text: str, value: TypedValue) -> None:
    assert PartitionKey.from_column(Column("k", hive_type)).parse(text) == value


_sorted_kinds: list[tuple[KeyKind, st.SearchStrategy[TypedValue]]] = [
    (KeyKind.INTEGER, st.integers(-(2**63), 2**63 - 1)),
    (
        KeyKind.DECIMAL,
        st.decimals(allow_nan=False, allow_infinity=False, places=9).filter(
            lambda value: abs(value) < Decimal(10) ** 29
        ),
    ),
    (KeyKind.DOUBLE, st.floats(allow_nan=False)),
    (KeyKind.DATE, st.dates()),
    (KeyKind.TIMESTAMP, st.datetimes()),
    (KeyKind.BOOLEAN, st.booleans()),
    (KeyKind.TEXT, st.text(st.characters(codec="utf-8"), max_size=8)),
]


@pytest.mark.parametrize(("kind", "values"), _sorted_kinds, ids=lambda item: str(item))
def test_ordering_texts_order_as_their_values(
    kind: KeyKind, values: st.SearchStrategy[TypedValue]
) -> None:
    @given(values, values)
    def check(left: TypedValue, right: TypedValue) -> None:
        left_text, right_text = ordering_text(kind, left), ordering_text(kind, right)
        assert (left_text < right_text) is (left < right)  # type: ignore[operator]
        assert (left_text == right_text) is (left == right)
        assert left_text.encode() < right_text.encode() or left_text >= right_text
        assert len(left_text) <= 100

    check()


@given(
    st.lists(st.sampled_from(["a", "b", "%", "_", "!%", "!_", "!!"]), max_size=8),
    st.text("ab%_!\n", max_size=8),
)
def test_like_agrees_with_a_regular_expression(parts: list[str], text: str) -> None:
    like = Like(0, "".join(parts), "!")
    expression = "".join(
        {"%": ".*", "_": "."}.get(part) or re.escape(part.removeprefix("!") or "!")
        for part in parts
    )
    matched = re.fullmatch(expression, text, re.DOTALL) is not None
    assert like.holds({0: text}) is matched
    assert negate(like).holds({0: text}) is not matched
    assert not matched or text.startswith(like_prefix(like))


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=4), st.text(max_size=3))
def test_all_texts_with_a_prefix_lie_below_the_text_after_it(prefix: str, rest: str) -> None:
    after = text_after_prefix(prefix)
    assert after is None or prefix + rest < after
    assert after is not None or prefix.strip("\U0010ffff") == ""


def test_a_predicate_pins_a_key_only_if_every_way_to_match_lists_its_values() -> None:
    for text in ("n = 1", "n in (1,2) and s > 'a'", "n = 1 or n = 2", "n is null"):
        assert pins_key(parse(text), 1)
    for text in ("n > 1", "n <> 1", "n not in (1)", "n = 1 or s = 'a'", "s = 'a'"):
        assert not pins_key(parse(text), 1)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("n = 1", KeyDomain(frozenset({1}))),
        ("n in (1, 2) and n in (2, 3)", KeyDomain(frozenset({2}))),
        ("n = 1 and n > 1", KeyDomain(frozenset({1}))),
        ("n = 1 and n > 2", EMPTY),
        ("n > 1 and n <= 5 and n < 4", KeyDomain(low=1, high=4)),
        ("n = 1 or n = 5", KeyDomain(frozenset({1, 5}))),
        ("n = 1 or n > 5", KeyDomain(low=1)),
        ("n between 2 and 3 or n in (7, 1)", KeyDomain(low=1, high=7)),
        ("n = 1 or s = 'a'", EVERYTHING),
        ("n <> 1", EVERYTHING),
        ("n is null", EVERYTHING),
        ("s = 'a' and n = 3", KeyDomain(frozenset({3}))),
    ],
)
def test_a_keys_domain_holds_all_that_can_match(text: str, domain: KeyDomain) -> None:
    assert domain_of(parse(text), 1) == domain


@pytest.mark.parametrize(
    "error",
    [
        errors.EntityNotFoundError(errors.EntityKind.TABLE, "d.t"),
        errors.TypeSyntaxError("m", "t", 3),
        errors.UnsupportedTypeError("void"),
        errors.UnsupportedFormatError("m"),
        errors.ProjectionError("CODE", "m"),
        MalformedPartitionValueError(PartitionKey.from_column(Column("n", "int")), "x"),
    ],
)
def test_errors_survive_pickling(error: errors.CatalogError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert copy.message == error.message
    assert vars(copy) == vars(error)
