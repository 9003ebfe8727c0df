"""The range cache against a plain model."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from querysvc.storage.range_cache import RangeCache

DATA = bytes(range(200))
RANGES = st.tuples(st.integers(0, 199), st.integers(1, 60)).map(
    lambda one: (one[0], min(one[0] + one[1], 200))
)


@given(st.lists(st.tuples(st.booleans(), RANGES), max_size=60), st.integers(0, 2000))
def test_answers_are_right_and_the_budget_holds(
    steps: list[tuple[bool, tuple[int, int]]], budget: int
) -> None:
    cache = RangeCache(budget)
    for is_put, (start, end) in steps:
        if is_put:
            cache.put("k", start, memoryview(DATA[start:end]))
        pieces = cache.get("k", start, end)
        if pieces is not None:
            assert b"".join(pieces) == DATA[start:end]
        assert cache.used_bytes <= budget


def test_ranges_that_touch_answer_together() -> None:
    cache = RangeCache(10_000)
    cache.put("k", 0, memoryview(DATA[:50]))
    cache.put("k", 50, memoryview(DATA[50:100]))
    pieces = cache.get("k", 10, 90)
    assert pieces is not None
    assert b"".join(pieces) == DATA[10:90]
    assert cache.get("k", 10, 101) is None
    assert cache.get("other", 10, 20) is None


def test_least_recently_used_range_goes_first() -> None:
    cache = RangeCache(160)
    for n in range(8):
        cache.put(n, 0, memoryview(DATA[:20]))
    assert cache.get(0, 0, 20) is not None
    cache.put(8, 0, memoryview(DATA[:20]))
    assert cache.get(0, 0, 20) is not None
    assert cache.get(1, 0, 20) is None


def test_range_that_would_push_out_all_others_is_not_kept() -> None:
    cache = RangeCache(160)
    cache.put("k", 0, memoryview(DATA[:21]))
    assert cache.used_bytes == 0
