"""Write the objects of formats' cases that pyarrow and fastavro make.

    python -m tests.support.format_objects

Objects called trino-* were written by Trino 476 (CREATE TABLE AS over the hive connector) and are
kept as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq

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


AVRO_SCHEMA = {
    "type": "record",
    "name": "R",
    "namespace": "n.s",
    "fields": [
        {"name": "Id", "type": "int"},
        {"name": "f", "type": "float"},
        {"name": "color", "type": {"type": "enum", "name": "Color", "symbols": ["RED", "BLUE"]}},
        {"name": "fix", "type": {"type": "fixed", "name": "Four", "size": 4}},
        {"name": "ms", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
        {"name": "us", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
        {
            "name": "dec",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 3},
        },
        {
            "name": "nested",
            "type": [
                "null",
                {
                    "type": "record",
                    "name": "Inner",
                    "fields": [
                        {"name": "X", "type": "long"},
                        {"name": "tags", "type": {"type": "map", "values": ["null", "string"]}},
                        {"name": "again", "type": {"type": "array", "items": "n.s.Color"}},
                    ],
                },
            ],
        },
        {"name": "u", "type": ["null", "string", "long"]},
        {"name": "text", "type": "string"},
        {"name": "raw", "type": "bytes"},
    ],
}


def avro_rich(path: Path) -> None:
    """Every kind of Avro type, the named ones used twice."""
    moment = datetime(2024, 2, 29, 12, 0, 0, 1500, tzinfo=UTC)
    row = {
        "Id": 1,
        "f": 1.5,
        "color": "RED",
        "fix": b"\x00\x01\x02\xff",
        "ms": moment,
        "us": moment,
        "dec": Decimal("-12.345"),
        "nested": {"X": 2**40, "tags": {"a": "x", "b": None}, "again": ["RED", "BLUE"]},
        "u": "either",
        "text": "12",
        "raw": b"abc",
    }
    empty = row | {"Id": -5, "ms": None, "us": None, "nested": None, "u": None, "text": "é"}
    for codec in ("null", "deflate", "bzip2", "xz"):
        with (path.parent / path.name.replace("CODEC", codec)).open("wb") as target:
            fastavro.writer(target, AVRO_SCHEMA, [row, empty], codec=codec)


def parquet_kinds(path: Path) -> None:
    """Types that a catalog declares otherwise."""
    moment = [datetime(2024, 2, 29, 12, 0, 0, 1500), None]
    pq.write_table(
        pa.table(
            {
                "u8": pa.array([200, None], pa.uint8()),
                "u16": pa.array([60_000, None], pa.uint16()),
                "u32": pa.array([4_000_000_000, None], pa.uint32()),
                "u64": pa.array([2**63 - 1, None], pa.uint64()),
                "ms": pa.array(moment, pa.timestamp("ms"), safe=False),
                "us": pa.array(moment, pa.timestamp("us")),
                "ns": pa.array(moment, pa.timestamp("ns")),
                "utc": pa.array(moment, pa.timestamp("us", "UTC")),
                "t": pa.array([1_500_000, None], pa.time64("us")),
                "d9": pa.array([Decimal("-1.25"), None], pa.decimal128(9, 2)),
                "d18": pa.array([Decimal("1.5"), None], pa.decimal128(18, 4)),
                "d38": pa.array([Decimal("123456789012345678901.5"), None], pa.decimal128(38, 1)),
                "i": pa.array([70_000, None], pa.int32()),
                "l": pa.array([5_000_000_000, None], pa.int64()),
                "f": pa.array([1.5, None], pa.float32()),
                "s": pa.array(["12", None]),
                "b": pa.array([b"ab", None]),
                "st": pa.array([{"X": 1, "y": "q"}, None]),
                "li": pa.array([[1, None], None], pa.list_(pa.int32())),
                "ma": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int32())),
            }
        ),
        path,
        store_decimal_as_integer=True,
        use_compliant_nested_type=False,
    )


def parquet_int96(path: Path) -> None:
    """Timestamps as Spark and Impala wrote them, and decimals as bytes."""
    pq.write_table(
        pa.table(
            {
                "t": pa.array([datetime(2024, 2, 29, 12, 0, 0, 1500), datetime(1900, 1, 1), None]),
                "d": pa.array([Decimal("1.5"), Decimal("-2.25"), None], pa.decimal128(9, 2)),
            }
        ),
        path,
        use_deprecated_int96_timestamps=True,
    )


WRITERS: dict[str, Callable[[Path], None]] = {
    "pyarrow-narrow.orc": orc_narrow,
    "pyarrow-big.orc": orc_big,
    "pyarrow-times.orc": orc_times,
    "pyarrow-kinds.parquet": parquet_kinds,
    "pyarrow-int96.parquet": parquet_int96,
    "fastavro-rich-CODEC.avro": avro_rich,
}


def main() -> None:
    """Write them all."""
    OBJECTS.mkdir(parents=True, exist_ok=True)
    for name, write in WRITERS.items():
        write(OBJECTS / name)


if __name__ == "__main__":
    main()
