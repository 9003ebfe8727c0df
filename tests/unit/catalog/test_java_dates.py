"""Java date patterns as partition projection uses them."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querysvc_catalog.java_dates import DatePattern, DatePatternError, Precision

TIME = datetime(2024, 2, 3, 16, 5, 6, 789012)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("yyyy-MM-dd", "2024-02-03"),
        ("uuuuMMdd", "20240203"),
        ("yy/M/d", "24/2/3"),
        ("yyyy-MM-dd'T'HH:mm:ss'Z'", "2024-02-03T16:05:06Z"),
        ("yyyy-MM-dd HH:mm:ss.SSS", "2024-02-03 16:05:06.789"),
        ("yyyyMMddHHmmssSSSSSS", "20240203160506789012"),
        ("yyyy-DDD", "2024-034"),
        ("dd MMM yyyy hh a", "03 Feb 2024 04 PM"),
        ("EEEE d MMMM yyyy", "Saturday 3 February 2024"),
        ("'year'=yyyy'/month'=MM", "year=2024/month=02"),
        ("yyyy ''yy", "2024 '24"),
        ("y-M-d H:m:s", "2024-2-3 16:5:6"),
        ("yyyy-MM-dd kk", "2024-02-03 16"),
    ],
)
def test_times_are_printed_as_java_prints_them(pattern: str, text: str) -> None:
    compiled = DatePattern(pattern)
    assert compiled.format(TIME) == text
    assert compiled.format(compiled.parse(text)) == text


@pytest.mark.parametrize(
    ("pattern", "precision", "truncated"),
    [
        ("yyyy", Precision.YEAR, datetime(2024, 1, 1)),
        ("yyyy-MM", Precision.MONTH, datetime(2024, 2, 1)),
        ("yyyy-DDD", Precision.DAY, datetime(2024, 2, 3)),
        ("yyyyMMddHH", Precision.HOUR, datetime(2024, 2, 3, 16)),
        ("yyyyMMddKKa", Precision.HOUR, datetime(2024, 2, 3, 16)),
        ("HH:mm dd.MM.yyyy", Precision.MINUTE, datetime(2024, 2, 3, 16, 5)),
        ("yyyyMMddHHmmss", Precision.SECOND, datetime(2024, 2, 3, 16, 5, 6)),
        ("yyyyMMddHHmmssS", Precision.FRACTION, datetime(2024, 2, 3, 16, 5, 6, 700000)),
    ],
)
def test_a_pattern_knows_its_precision(
    pattern: str, precision: Precision, truncated: datetime
) -> None:
    compiled = DatePattern(pattern)
    assert compiled.precision is precision
    assert compiled.truncate(TIME) == truncated


@pytest.mark.parametrize(
    "pattern",
    ["MM-dd", "yyyy-MM-dd'T", "yyyyQ", "YYYY-MM-dd", "yyyy-MM-dd XXX", "yyyy[MM]", "yyyy hh",
     "yyyyMMMMM", "yyyyy", "yyyyHHH", "yyyyw", "", "yyyySSSSSSSSSS"],
)  # fmt: skip
def test_what_is_not_supported_is_refused(pattern: str) -> None:
    with pytest.raises(DatePatternError):
        DatePattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("yyyy-MM-dd", "2024-2-03"),
        ("yyyy-MM-dd", "2023-02-29"),
        ("yyyy-MM-dd", "2024-02-03 "),
        ("yyyy-MM-dd", "٢٠٢٤-02-03"),
        ("E yyyy-MM-dd", "Mon 2024-02-03"),
        ("yyyy-DDD", "2023-366"),
        ("yyyyMMdd hh a", "20240203 13 PM"),
    ],
)
def test_a_text_that_does_not_follow_is_refused(pattern: str, text: str) -> None:
    with pytest.raises(DatePatternError):
        DatePattern(pattern).parse(text)


_times = st.datetimes(datetime(1900, 1, 1), datetime(2099, 12, 31))


@given(
    _times,
    _times,
    st.sampled_from(
        ["yyyy-MM-dd", "yyyyMM", "yyyy/MM/dd/HH", "yyyy-DDD", "yyyy-MM-dd HH:mm:ss.SSS",
         "dd-MM-yyyy", "yyyy-M-d", "yyyy-MMM", "yy-MM-dd", "yyyy-HH", "MM yyyy", "yyyy-MM-dd hh a"]
    ),
)  # fmt: skip
def test_texts_of_a_sortable_pattern_order_as_their_times(
    left: datetime, right: datetime, pattern: str
) -> None:
    compiled = DatePattern(pattern)
    if compiled.is_sortable:
        left, right = compiled.truncate(left), compiled.truncate(right)
        assert (compiled.format(left) < compiled.format(right)) is (left < right)


def test_the_common_patterns_are_sortable_and_others_are_not() -> None:
    for pattern in ("yyyy", "yyyyMM", "yyyy-MM-dd", "yyyy/MM/dd/HH", "uuuu-DDD", "yyyyMMddHHmmss"):
        assert DatePattern(pattern).is_sortable
    for pattern in ("dd-MM-yyyy", "yyyy-M", "yy-MM", "yyyy-MMM", "yyyy-HH", "yyyy-MM-dd hh a"):
        assert not DatePattern(pattern).is_sortable
