"""The window's allocator: positions never overlap, and all room comes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querysvc.storage.window import Window

SIZE = 1 << 16


@pytest.fixture
def window() -> Iterator[Window]:
    one = Window(SIZE)
    yield one
    one.close()


@given(st.lists(st.tuples(st.booleans(), st.integers(1, SIZE // 3)), max_size=80))
def test_taken_pieces_never_overlap_and_room_is_not_lost(steps: list[tuple[bool, int]]) -> None:
    window = Window(SIZE)
    taken: list[tuple[int, int]] = []
    for is_taking, number in steps:
        if is_taking:
            position = window.allocate(number)
            if position is not None:
                assert position >= 0
                assert position + number <= SIZE
                assert all(position + number <= a or a + n <= position for a, n in taken)
                taken.append((position, number))
        elif taken:
            window.release(*taken.pop(number % len(taken)))
    for one in taken:
        window.release(*one)
    assert window.allocate(SIZE) == 0
    window.close()


@pytest.mark.parametrize(("length", "fits"), [(SIZE - 1, True), (SIZE, True), (SIZE + 1, False)])
def test_window_holds_its_size_and_not_a_byte_more(window: Window, length: int, fits: bool) -> None:
    assert (window.allocate(length) is not None) is fits


def test_lowest_room_is_used_again_first(window: Window) -> None:
    first = window.allocate(1000)
    window.allocate(1000)
    assert first is not None
    window.release(first, 1000)
    assert window.allocate(500) == first
