"""The watch over text's bytes, which several of DuckDB's threads read at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from querysvc.engines.duckdb.readers.watch import LineWatch

CLEAN = b"x" * (30 << 20)
"""Takes long to look at."""


def test_what_one_thread_found_another_does_not_undo() -> None:
    watch = LineWatch()
    watch.watch(0, None, expressions=('"S"',))
    with ThreadPoolExecutor(1) as other:
        looking = other.submit(watch.see, 0, 0, CLEAN)
        watch.see(0, len(CLEAN) + 1, b'{"S": 1}')
        watch.see(0, len(CLEAN) + 100, b"a\n\nb")
        looking.result()
    assert watch.has_odd_keys
    assert watch.is_suspicious


def test_a_key_across_two_reads_is_found_in_either_order() -> None:
    for parts in (((0, b'{"'), (2, b'S": 1}')), ((2, b'S": 1}'), (0, b'{"'))):
        watch = LineWatch()
        watch.watch(0, None, expressions=('"S"',))
        for offset, data in parts:
            watch.see(0, offset, data)
        assert watch.has_odd_keys
