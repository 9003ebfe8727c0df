"""What `querysvc.verify_checksums` costs: the same scan of Parquet with and without, in turns.

python -m benchmarks.verify_checksums [--rounds 9]
"""

from __future__ import annotations

import argparse
import io
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.support import median, record, timed
from querysvc.plan import TableColumn
from querysvc.types import algebra as t
from querysvc_catalog.serdes import StorageFormat
from tests.support.engine_bench import EngineBench
from tests.support.engine_plans import descriptor

ROWS = 4_000_000
COLUMNS = [TableColumn(name, t.DOUBLE) for name in "abcd"]
SQL = "SELECT " + ", ".join(f"sum(c{number})" for number in range(4)) + " FROM t0"
RESULT = [(name, t.DOUBLE) for name in "abcd"]


def data(compression: str) -> bytes:
    """Four columns of doubles, every page with its checksum."""
    chance = np.random.default_rng(8)
    table = pa.table({name: np.round(chance.normal(size=ROWS), 3) for name in "abcd"})
    sink = io.BytesIO()
    pq.write_table(table, sink, compression=compression, write_page_checksum=True)
    return sink.getvalue()


def main() -> None:
    """Scan in turns and record the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        bench = EngineBench(Path(folder))
        try:
            for compression in ("none", "zstd"):
                figures[compression] = compared(bench, data(compression), rounds)
        finally:
            bench.engine.close()
    record("verify_checksums", figures)


def compared(bench: EngineBench, stored: bytes, rounds: int) -> dict[str, float]:
    """Medians of both, and their ratio."""
    partitions = [((), {"t/data.parquet": stored})]

    def scan(verify: str) -> None:
        parameters = {"querysvc.verify_checksums": verify}
        storage = descriptor(StorageFormat.PARQUET)
        bench.select(storage, COLUMNS, partitions, SQL, RESULT, table_parameters=parameters)

    taken: dict[str, list[float]] = {"false": [], "true": []}
    for number in range(rounds + 1):
        for verify, seconds in taken.items():
            one = timed(partial(scan, verify))
            seconds += [one] if number else []  # the first warms up
    plain, checked = median(taken["false"]), median(taken["true"])
    return {
        "megabytes": round(len(stored) / 1e6, 1),
        "seconds": round(plain, 3),
        "seconds_verified": round(checked, 3),
        "ratio": round(checked / plain, 2),
    }


if __name__ == "__main__":
    main()
