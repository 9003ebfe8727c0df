"""Statements run in this process: analyse, lower, DuckDB over files, answers in wire form."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from querysvc.engines.duckdb.functions.install import install, raise_uncaught
from querysvc.engines.duckdb.lowering.errors import to_query_error
from querysvc.engines.duckdb.lowering.lower import LoweredQuery, lower
from querysvc.engines.duckdb.lowering.narrow_decimals import is_narrow_overflow
from querysvc.engines.duckdb.lowering.settings import statements
from querysvc.engines.duckdb.spool import conform, spool_schema
from querysvc.errors import QueryServiceError
from querysvc.model import ResultColumn, Session
from querysvc.plan import AnalysedStatement, TableColumn, TableReference
from querysvc.results.json_values import json_rows
from querysvc.sql.analyser import analyse
from querysvc.sql.metadata import MemoryMetadata
from querysvc.tree import Expression, Field, Query, Select
from querysvc.types.parse import parse_type
from tests.support.answers import is_ordered

TINY = Path(__file__).parent.parent / "data" / "tpch-tiny"
TIMEOUT_SECONDS = 20.0
_HIVE_NAMES = {"int": "integer"}


@dataclass(frozen=True)
class DataSet:
    """Tables as Parquet files `<folder>/<table>.parquet`, their types in a tables.json."""

    catalog: str
    schema: str
    folder: Path
    tables: Path

    def metadata(self) -> MemoryMetadata:
        """The catalog's schema with these tables."""
        metadata = MemoryMetadata(self.catalog)
        metadata.add_schema(self.schema)
        for entry in json.loads(self.tables.read_text()):
            columns = [
                TableColumn(name, parse_type(_HIVE_NAMES.get(text, text)))
                for name, text in entry["columns"]
            ]
            metadata.add_table(self.schema, entry["table"], columns)
        return metadata

    def relation(self, reference: TableReference) -> str:
        """A table as generated SQL reads it."""
        columns = ", ".join(
            f'"{column.name}" AS "c{i}"' for i, column in enumerate(reference.columns)
        )
        path = self.folder / f"{reference.table.name}.parquet"
        return f"(SELECT {columns} FROM read_parquet('{path}'))"


TPCH_TINY = DataSet("tpch", "tiny", TINY, TINY / "tables.json")


@cache
def tiny_metadata() -> MemoryMetadata:
    """The catalog with TPC-H tiny's tables in the database `tiny`."""
    return TPCH_TINY.metadata()


class LocalEngine:
    """One DuckDB instance over TPC-H tiny or other files; `ask` answers as the oracle does."""

    def __init__(self, data: DataSet = TPCH_TINY) -> None:
        self._data = data
        self._metadata = tiny_metadata() if data is TPCH_TINY else data.metadata()
        self.connection = duckdb.connect(":memory:", config={"threads": "1"})
        for statement in statements():
            self.connection.execute(statement)
        now = datetime.now(UTC)
        self.session = Session(data.catalog, data.schema, started_at=now, user="oracle")

    def analyse(self, sql: str) -> AnalysedStatement:
        """The checked statement."""
        return analyse(sql, self.session, self._metadata)

    def lower(self, statement: AnalysedStatement, *, narrows: bool = False) -> LoweredQuery:
        """The statement for this DuckDB."""
        tables = dict(enumerate(map(self._data.relation, statement.tables)))
        return lower(statement.query, tables, self.session, narrows=narrows)

    def ask(self, sql: str) -> dict[str, Any]:
        """The statement's answer in the oracle's form."""
        try:
            statement = self.analyse(sql)
            rows = self._answered(statement)
        except QueryServiceError as error:
            return _error(error)
        return {
            "columns": [column.name for column in statement.columns],
            "types": [column.type.wire_name for column in statement.columns],
            "rows": rows,
            "ordered": is_ordered(sql),
        }

    def _answered(self, statement: AnalysedStatement) -> list[Any]:
        """The rows, with narrow decimals where they do, as workers do it."""
        try:
            return self.rows(self.lower(statement, narrows=True), statement.columns)
        except QueryServiceError as error:
            if not is_narrow_overflow(str(error.__cause__)):
                raise
        return self.rows(self.lower(statement), statement.columns)

    def rows(self, lowered: LoweredQuery, columns: tuple[ResultColumn, ...]) -> list[Any]:
        """The lowered query's rows as the wire has them."""
        watch = threading.Timer(TIMEOUT_SECONDS, self.connection.interrupt)
        watch.start()
        try:
            install(self.connection, lowered)
            reader = self.connection.execute(lowered.sql).to_arrow_reader(10_000)
            batches = list(conform(_batches(reader), spool_schema(columns)))
            raise_uncaught()
        except duckdb.Error as error:
            raise to_query_error(error) from error
        finally:
            watch.cancel()
        return [row for batch in batches for row in json_rows(columns, batch)]

    def evaluate(self, *items: Expression) -> list[Any]:
        """The one row of `SELECT items`, for expressions built by hand."""
        output = tuple(Field(None, item.type) for item in items)
        return self.run(Query(output=output, body=Select(items=items)))[0]

    def run(self, query: Query) -> list[Any]:
        """The rows of a typed query without tables."""
        columns = tuple(ResultColumn(f"_col{i}", item.type) for i, item in enumerate(query.output))
        return self.rows(lower(query, {}, self.session), columns)

    def close(self) -> None:
        """Close the instance."""
        self.connection.close()


def _batches(reader: Any) -> Iterator[Any]:
    # Rows come as they are fetched: their errors are DuckDB's, under another name.
    try:
        yield from reader
    except Exception as error:
        raise to_query_error(error) from error


def _error(error: QueryServiceError) -> dict[str, Any]:
    return {
        "error_name": error.code.name,
        "error_type": error.code.error_type.value,
        "error_message": str(error).partition(": ")[2],
    }
