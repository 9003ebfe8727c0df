"""TPC-H and TPC-DS at scale factor 0.01: DuckDB's generators and statements, Trino's answers.

    python -m tests.support.tpc --trino http://127.0.0.1:18090      records the answers again

Recording loads the same rows into `memory.tpch` and `memory.tpcds` of a running Trino 476. Tests
need neither: they generate the rows and compare with what was recorded.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, Final

import duckdb

from tests.support.local_engine import DataSet

_TESTS: Final = Path(__file__).parents[1]
_BATCH_CELLS: Final = 25_000
_DATE_AND_DAYS: Final = re.compile(
    r"(cast\s*\(\s*'[\d-]+'\s+as\s+date\s*\)|d1\.d_date)\s*([+-])\s*(\d+)", re.IGNORECASE
)
# Trino compares no date with a text.
_BARE_DATE: Final = re.compile(r"(?<!DATE )'(\d{4}-\d\d-\d\d)'(?!\s*as\s+date)", re.IGNORECASE)


@dataclass(frozen=True)
class Benchmark:
    """One of the two: DuckDB's extension, and the statements that Trino wants otherwise."""

    name: str
    generator: str
    with_bare_dates: frozenset[int] = frozenset()
    with_order_by_grouping: frozenset[int] = frozenset()
    """Trino takes grouping() in ORDER BY only over the outputs."""

    @property
    def tables(self) -> Path:
        """The tables' names, columns and types."""
        return _TESTS / "data" / f"{self.name}-tables.json"

    @property
    def recorded(self) -> Path:
        """Trino's answers, a line each."""
        return _TESTS / "conformance" / "data" / f"{self.name}-answers.jsonl"

    def answers(self) -> dict[int, dict[str, Any]]:
        """Trino's answers by the statement's number."""
        return {
            line["id"]: line for line in map(json.loads, self.recorded.read_text().splitlines())
        }

    def connect(self, *, with_rows: bool = True) -> duckdb.DuckDBPyConnection:
        """A DuckDB with the extension, and with the generated tables."""
        package = resources.files(f"duckdb_extension_{self.name}")
        (extension,) = Path(str(package)).rglob(f"{self.name}.duckdb_extension")
        connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
        connection.execute(f"LOAD '{extension}'")
        if with_rows:
            connection.execute(f"CALL {self.generator}(sf=0.01)")
        return connection

    def generate(self, folder: Path) -> DataSet:
        """Write the tables as Parquet."""
        with self.connect() as connection:
            for table in json.loads(self.tables.read_text()):
                path = folder / f"{table['table']}.parquet"
                connection.execute(f"COPY {table['table']} TO '{path}' (FORMAT parquet)")
        return DataSet(self.name, "tiny", folder, self.tables)

    def statements(self) -> dict[int, str]:
        """The statements by number, in Trino's spelling."""
        with self.connect(with_rows=False) as connection:
            found = connection.execute(f"SELECT query_nr, query FROM {self.name}_queries()")
            return {number: self._for_trino(number, text) for number, text in found.fetchall()}

    def _for_trino(self, number: int, text: str) -> str:
        text = text.strip().rstrip(";")
        text = _DATE_AND_DAYS.sub(r"(\1 \2 INTERVAL '\3' DAY)", text)
        if number in self.with_bare_dates:
            text = _BARE_DATE.sub(r"DATE '\1'", text)
        if number in self.with_order_by_grouping:
            body = text[: text.upper().rindex("ORDER BY")]
            text = f"SELECT * FROM ({body}) ORDER BY 1 DESC, 2, 3, 4 LIMIT 100"
        # Trino groups by no output's name.
        return text.replace("GROUP BY\n        supplier_no", "GROUP BY l_suppkey")

    def load(self, ask: Callable[[str], object]) -> None:
        """The rows into Trino's memory, as JSON: Trino is slow to read long VALUES."""
        ask(f"CREATE SCHEMA IF NOT EXISTS memory.{self.name}")
        with self.connect() as connection:
            for table in json.loads(self.tables.read_text()):
                _load_table(ask, connection, self.name, table)


TPCH: Final = Benchmark("tpch", "dbgen")
TPCDS: Final = Benchmark(
    "tpcds",
    "dsdgen",
    with_bare_dates=frozenset({16, 32, 58, 83, 92, 94, 95}),
    with_order_by_grouping=frozenset({70, 86}),
)


def _load_table(
    ask: Callable[[str], object],
    connection: duckdb.DuckDBPyConnection,
    schema: str,
    table: dict[str, Any],
) -> None:
    name, columns = f"memory.{schema}.{table['table']}", table["columns"]
    values = ", ".join(f"CAST(v[{i}] AS {kind})" for i, (_, kind) in enumerate(columns, 1))
    names = ", ".join(f'"{column}"' for column, _ in columns)
    texts = ", ".join(f'CAST("{column}" AS VARCHAR)' for column, _ in columns)
    declared = ", ".join(f'"{column}" {kind}' for column, kind in columns)
    ask(f"DROP TABLE IF EXISTS {name}")
    ask(f"CREATE TABLE {name} ({declared})")
    rows = connection.execute(f"SELECT {texts} FROM {table['table']}")
    while batch := rows.fetchmany(_BATCH_CELLS // len(columns)):
        text = json.dumps(batch).replace("'", "''")
        ask(
            f"INSERT INTO {name} ({names}) SELECT {values} FROM"
            f" UNNEST(CAST(json_parse('{text}') AS array(array(varchar)))) AS t(v)"
        )


def main() -> None:
    """Load the tables into Trino and record its answers."""
    from tests.support.fuzz.live import ask_trino

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trino", required=True, metavar="URL")
    options = parser.parse_args()
    for benchmark in (TPCH, TPCDS):
        ask = partial(ask_trino, url=options.trino, catalog="memory", schema=benchmark.name)
        benchmark.load(ask)
        with benchmark.recorded.open("w") as sink:
            for number, sql in sorted(benchmark.statements().items()):
                line = {"id": number, **ask(sql)}
                sink.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
