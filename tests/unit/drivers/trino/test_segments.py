"""Spooled segments: bounded in bytes and time, gone when they are acknowledged."""

from __future__ import annotations

from pathlib import Path

from querysvc_drivers.trino.segments import SegmentLimits, SegmentStore


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_segment_ends_with_its_lifetime(tmp_path: Path) -> None:
    clock = Clock()
    store = SegmentStore(tmp_path, SegmentLimits(100, 10.0), clock)
    segment = store.put(b"rows")
    assert segment is not None
    clock.now = 9.9
    assert store.get(segment) == b"rows"
    clock.now = 10.0
    assert store.get(segment) is None
    store.expire()
    assert list(tmp_path.iterdir()) == []


def test_no_more_bytes_are_kept_than_allowed(tmp_path: Path) -> None:
    store = SegmentStore(tmp_path, SegmentLimits(10))
    first = store.put(b"123456")
    assert first is not None
    assert store.put(b"12345") is None
    assert store.put(b"1234") is not None
    assert store.acknowledge(first)
    assert not store.acknowledge(first)
    assert store.put(b"123456") is not None


def test_a_disk_that_takes_nothing_keeps_no_segment(tmp_path: Path) -> None:
    store = SegmentStore(tmp_path / "gone", SegmentLimits(10))
    (tmp_path / "gone").rmdir()
    assert store.put(b"1234567890") is None
    (tmp_path / "gone").mkdir()
    assert store.put(b"1234567890") is not None


def test_what_another_run_left_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "left").write_bytes(b"x")
    assert len(SegmentStore(tmp_path)) == 0
    assert list(tmp_path.iterdir()) == []


def test_ids_are_long_and_never_the_same(tmp_path: Path) -> None:
    store = SegmentStore(tmp_path)
    ids = {store.put(b"x") for _ in range(50)}
    assert len(ids) == 50
    assert all(one is not None and len(one) >= 43 for one in ids)
