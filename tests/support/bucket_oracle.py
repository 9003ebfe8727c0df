"""Record in which buckets a real Trino puts values, for tests/conformance/data/buckets.json.

    python -m tests.support.bucket_oracle --url http://127.0.0.1:18477
        > tests/conformance/data/buckets.json

Trino needs a hive connector, as for tests.support.format_oracle, and a schema hive.bk.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, Final

from tests.support.format_oracle import ask

COUNT: Final = 97
VALUES: Final = {
    "boolean": ["true", "false", "NULL"],
    "tinyint": ["TINYINT '0'", "TINYINT '-128'", "TINYINT '127'"],
    "smallint": ["SMALLINT '-1'", "SMALLINT '32767'"],
    "integer": ["0", "1", "-5", "2147483647", "-2147483648", "NULL"],
    "bigint": ["BIGINT '7'", "BIGINT '-7'", "9223372036854775807", "4294967296", "-4294967297"],
    "real": ["REAL '1.5'", "REAL '-0.0'", "REAL '0.0'", "REAL 'NaN'", "REAL 'Infinity'"],
    "double": ["1.5E0", "-0.0E0", "0.0E0", "nan()", "-infinity()", "1E300"],
    "varchar": ["'x'", "''", "'yé'", "'日本'", "'😀'", "'abcdefghijklmnopqrstuvwxyz'", "NULL"],
    "string": ["CAST('x' AS varchar)", "CAST('' AS varchar)", "CAST('日本' AS varchar)"],
    "date": ["DATE '1970-01-01'", "DATE '1969-12-31'", "DATE '2024-05-06'", "NULL"],
}


def main() -> None:
    """Ask about every type, and about two columns together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    url = parser.parse_args().url
    found: dict[str, Any] = {
        type_: [
            [_value(value), bucket]
            for value, bucket in zip(values, _buckets(url, values), strict=True)
        ]
        for type_, values in VALUES.items()
    }
    json.dump({"count": COUNT, "types": found}, sys.stdout, ensure_ascii=False, indent=1)


def _buckets(url: str, values: list[str]) -> list[int]:
    ask("DROP TABLE IF EXISTS hive.bk.v", url)
    rows = ", ".join(f"({value}, {i})" for i, value in enumerate(values))
    properties = f"bucketed_by = ARRAY['v'], bucket_count = {COUNT}"
    ask(f"CREATE TABLE hive.bk.v WITH ({properties}) AS SELECT * FROM (VALUES {rows}) t(v, i)", url)
    answer = ask('SELECT "$bucket" FROM hive.bk.v ORDER BY i', url)
    return [row[0] for row in answer["rows"]]


def _value(text: str) -> str | None:
    plain = text.partition("'")[2].rpartition("'")[0] if "'" in text else text
    named = {"nan()": "NaN", "-infinity()": "-Infinity"}
    return None if text == "NULL" else named.get(plain, plain)


if __name__ == "__main__":
    main()
