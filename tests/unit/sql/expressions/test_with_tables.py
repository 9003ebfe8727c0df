"""Nested expressions over TPC-H's tables: names, types and errors as a real Trino 476 has them."""

import json
from datetime import UTC, datetime
from pathlib import Path

from querysvc.errors import StatementError
from querysvc.model import Session
from querysvc.plan import TableColumn
from querysvc.sql.analyser import analyse
from querysvc.sql.metadata import MemoryMetadata
from querysvc.types.parse import parse_type

FILE = Path(__file__).parent / "cases_with_tables.jsonl"
TABLES = {
    "customer": "custkey bigint, name varchar(25), address varchar(40), nationkey bigint, "
    "phone varchar(15), acctbal double, mktsegment varchar(10), comment varchar(117)",
    "nation": "nationkey bigint, name varchar(25), regionkey bigint, comment varchar(152)",
    "region": "regionkey bigint, name varchar(25), comment varchar(152)",
    "orders": "orderkey bigint, custkey bigint, orderstatus varchar(1), totalprice double, "
    "orderdate date, orderpriority varchar(15), clerk varchar(15), shippriority integer, "
    "comment varchar(79)",
}
SESSION = Session(
    catalog="tpch", database="tiny", started_at=datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
)


def metadata() -> MemoryMetadata:
    memory = MemoryMetadata("tpch")
    for name, columns in TABLES.items():
        pairs = (column.split() for column in columns.split(", "))
        memory.add_table("tiny", name, [TableColumn(n, parse_type(type_)) for n, type_ in pairs])
    return memory


def test_names_types_and_errors_are_trinos() -> None:
    memory = metadata()
    wrong = []
    for case in map(json.loads, FILE.read_text(encoding="utf-8").splitlines()):
        expected = (case.get("error"), case.get("types", []), case.get("columns", []))
        actual: tuple[str | None, list[str], list[str]]
        try:
            columns = analyse(case["sql"], SESSION, memory).columns
        except StatementError as error:
            actual = (error.code.name, [], [])
        else:
            types = [column.type.wire_name for column in columns]
            actual = (None, types, [column.name for column in columns])
        if actual != expected:
            wrong.append((case["sql"], expected, actual))
    assert wrong == []
