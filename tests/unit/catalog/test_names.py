"""Names, partition paths and name patterns."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querysvc_catalog.errors import EntityKind, InvalidInputError
from querysvc_catalog.name_patterns import compile_name_pattern
from querysvc_catalog.names import (
    DEFAULT_PARTITION_VALUE,
    check_partition_values,
    escape_path_name,
    normalize_name,
    parse_partition_path,
    partition_path,
    unescape_path_name,
)

_texts = st.text(st.characters(codec="utf-8"), max_size=12)


@given(_texts.filter(bool))
def test_an_escaped_text_reads_back(text: str) -> None:
    assert unescape_path_name(escape_path_name(text)) == text
    assert "/" not in escape_path_name(text)


@given(st.lists(st.tuples(_texts.filter(bool), _texts.filter(bool)), min_size=1, max_size=4))
def test_a_partition_path_reads_back_with_keys_in_lower_case(
    pairs: list[tuple[str, str]],
) -> None:
    path = partition_path([key for key, _ in pairs], [value for _, value in pairs])
    assert parse_partition_path(path) == tuple((key.lower(), value) for key, value in pairs)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("2024-01-01", "2024-01-01"),
        ("a b", "a b"),
        ("10:30", "10%3A30"),
        ("a/b=c", "a%2Fb%3Dc"),
        ("50%", "50%25"),
        ("{x}[y]^", "%7Bx}%5By%5D%5E"),
        ("\x01\x7f", "%01%7F"),
        ("ü", "ü"),
        ("", DEFAULT_PARTITION_VALUE),
    ],
)
def test_paths_are_escaped_as_hive_does(text: str, escaped: str) -> None:
    assert escape_path_name(text) == escaped


@pytest.mark.parametrize(
    ("escaped", "text"), [("100%", "100%"), ("%zz", "%zz"), ("%3a%3A", "::"), ("%%41", "%A")]
)
def test_broken_escapes_stand_for_themselves(escaped: str, text: str) -> None:
    assert unescape_path_name(escaped) == text


def test_partition_paths_are_printed_and_read() -> None:
    assert partition_path(["dt", "h"], ["2024-01-01", "05"]) == "dt=2024-01-01/h=05"
    assert parse_partition_path("/DT=2024-01-01/h=05/") == (("dt", "2024-01-01"), ("h", "05"))
    assert parse_partition_path("h=") == (("h", ""),)
    assert parse_partition_path("h=a=b") == (("h", "a=b"),)
    for path in ("", "dt", "dt=1/x", "=1", "dt=1//h=2"):
        assert parse_partition_path(path) is None


def test_names_are_checked_and_lower_cased() -> None:
    assert normalize_name(EntityKind.TABLE, "My Table\t-é") == "my table\t-é"
    assert normalize_name(EntityKind.TABLE, "x" * 255) == "x" * 255
    for name in ("", "x" * 256, "a\nb", "a\x00", "\udc00"):
        with pytest.raises(InvalidInputError):
            normalize_name(EntityKind.TABLE, name)


def test_partition_values_are_checked_against_the_keys() -> None:
    assert check_partition_values(["a" * 1024], 1) == ("a" * 1024,)
    for values, count in ((["a"], 2), (["a" * 1025], 1), (["\x00"], 1), (["\ud800"], 1)):
        with pytest.raises(InvalidInputError):
            check_partition_values(values, count)


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("*", ["", "anything"], []),
        ("sales*", ["sales", "sales_1"], ["asales", "sale"]),
        ("*sales", ["sales", "a_sales"], ["sales_1"]),
        ("*a*b*", ["ab", "xaybz"], ["ba"]),
        ("pre*suf", ["presuf", "pre_x_suf"], ["presu"]),
        ("a|b*", ["a", "b", "bc"], ["ab", "ac"]),
        ("A|B", ["a", "b"], ["A"]),
        ("sales_.*", ["sales_", "sales_1"], ["sales"]),
        ("^sales$", ["sales"], ["sales1"]),
        ("t.", ["ta", "t1"], ["t", "tab"]),
        ("t.+", ["ta", "tab"], ["t"]),
        ("t[0-9]+", ["t1", "t22"], ["t", "tx"]),
        ("t[^a]?", ["t", "tb"], ["ta", "tbb"]),
        (r"a\.b", ["a.b"], ["axb"]),
        (r"a\*", ["a*"], ["ab"]),
        ("a[|]b", ["a|b"], ["a", "b"]),
        ("", [""], ["a"]),
        ("a$b", ["a$b"], ["a"]),
    ],
)
def test_patterns_are_hives_and_simple_regular_expressions(
    pattern: str, matching: list[str], other: list[str]
) -> None:
    matches = compile_name_pattern(pattern)
    assert [name for name in matching if not matches(name)] == []
    assert [name for name in other if matches(name)] == []


@pytest.mark.parametrize("pattern", ["a(b)", "a{2}", "[z-a]", "x" * 2049])
def test_patterns_we_do_not_read_are_refused(pattern: str) -> None:
    with pytest.raises(InvalidInputError):
        compile_name_pattern(pattern)


def test_no_pattern_takes_exponential_time() -> None:
    matches = compile_name_pattern("*a" * 60 + "b")
    start = time.perf_counter()
    assert not matches("a" * 255)
    assert time.perf_counter() - start < 2


@given(
    st.lists(st.sampled_from(["a", "b", ".*", ".", ".+", "[ab]?", "[^a]"]), max_size=6),
    st.text("abc", max_size=6),
)
def test_patterns_agree_with_pythons_expressions(parts: list[str], name: str) -> None:
    pattern = "".join(parts)
    assert compile_name_pattern(pattern)(name) is (re.fullmatch(pattern, name) is not None)


def test_a_name_that_grows_in_lower_case_keeps_to_the_limit() -> None:
    assert len("İ".lower()) == 2
    with pytest.raises(InvalidInputError):
        normalize_name(EntityKind.TABLE, "İ" * 200)
