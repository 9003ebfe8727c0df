"""Write the objects of formats' cases that pyarrow and fastavro make.

    python -m tests.support.format_objects

Objects called trino-* were written by Trino 476 (CREATE TABLE AS over the hive connector) and are
kept as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.orc as orc

from tests.support.format_cases import FORMATS

OBJECTS = FORMATS / "objects"


def orc_narrow(path: Path) -> None:
    """Small types, in an order of their own."""
    orc.write_table(
        pa.table(
            {
                "B": pa.array([1, None, -5], pa.int16()),
                "a": pa.array(["x", "y", None]),
                "f": pa.array([1.5, None, -2.0], pa.float32()),
                "d": pa.array([Decimal("1.25"), None, Decimal("-99.99")], pa.decimal128(5, 2)),
                "s": pa.array([{"p": 1, "Q": "u"}, None, {"p": None, "Q": "v"}]),
            }
        ),
        path,
        compression="zstd",
    )


def orc_big(path: Path) -> None:
    """Values that narrower types cannot hold."""
    orc.write_table(pa.table({"n": pa.array([1, 70_000, None]), "t": ["12", "abc", None]}), path)


def orc_times(path: Path) -> None:
    """Timestamps of microseconds around the rounding to milliseconds."""
    moments = [
        datetime(2024, 2, 29, 12, 0, 0, 499),
        datetime(2024, 2, 29, 12, 0, 0, 500),
        datetime(2262, 4, 11),
        datetime(1960, 1, 1),
        None,
    ]
    orc.write_table(pa.table({"t": pa.array(moments, pa.timestamp("us"))}), path)


WRITERS: dict[str, Callable[[Path], None]] = {
    "pyarrow-narrow.orc": orc_narrow,
    "pyarrow-big.orc": orc_big,
    "pyarrow-times.orc": orc_times,
}


def main() -> None:
    """Write them all."""
    OBJECTS.mkdir(parents=True, exist_ok=True)
    for name, write in WRITERS.items():
        write(OBJECTS / name)


if __name__ == "__main__":
    main()
