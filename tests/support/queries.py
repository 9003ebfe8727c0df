"""TPC-H's tables in memory, for tests that analyse queries without a catalog."""

from __future__ import annotations

from datetime import UTC, datetime

from querysvc.model import Session
from querysvc.plan import AnalysedStatement, TableColumn
from querysvc.sql.analyser import analyse
from querysvc.sql.metadata import MemoryMetadata, ViewInfo
from querysvc.types.parse import parse_type

TPCH_TABLES = {
    "customer": "custkey bigint, name varchar(25), address varchar(40), nationkey bigint, "
    "phone varchar(15), acctbal double, mktsegment varchar(10), comment varchar(117)",
    "lineitem": "orderkey bigint, partkey bigint, suppkey bigint, linenumber integer, "
    "quantity double, extendedprice double, discount double, tax double, returnflag varchar(1), "
    "linestatus varchar(1), shipdate date, commitdate date, receiptdate date, "
    "shipinstruct varchar(25), shipmode varchar(10), comment varchar(44)",
    "nation": "nationkey bigint, name varchar(25), regionkey bigint, comment varchar(152)",
    "orders": "orderkey bigint, custkey bigint, orderstatus varchar(1), totalprice double, "
    "orderdate date, orderpriority varchar(15), clerk varchar(15), shippriority integer, "
    "comment varchar(79)",
    "part": "partkey bigint, name varchar(55), mfgr varchar(25), brand varchar(10), "
    "type varchar(25), size integer, container varchar(10), retailprice double, "
    "comment varchar(23)",
    "partsupp": "partkey bigint, suppkey bigint, availqty integer, supplycost double, "
    "comment varchar(199)",
    "region": "regionkey bigint, name varchar(25), comment varchar(152)",
    "supplier": "suppkey bigint, name varchar(25), address varchar(40), nationkey bigint, "
    "phone varchar(15), acctbal double, comment varchar(101)",
}
"""TPC-H's tables as Trino's tpch catalog has them."""

STARTED_AT = datetime(2024, 1, 1, tzinfo=UTC)


def columns(text: str, *, keys: str = "", hidden: str = "") -> list[TableColumn]:
    """Columns from `name type, …`: data columns, partition keys, hidden columns."""
    kinds = (("data", text), ("key", keys), ("hidden", hidden))
    return [
        TableColumn(
            name, parse_type(type_), is_partition_key=kind == "key", is_hidden=kind == "hidden"
        )
        for kind, part in kinds
        for name, type_ in (item.split(" ", 1) for item in part.split(", ") if item)
    ]


def tpch(catalog: str = "awsdatacatalog") -> MemoryMetadata:
    """Metadata with TPC-H in the database `tiny`."""
    metadata = MemoryMetadata(catalog)
    for name, text in TPCH_TABLES.items():
        metadata.add_table("tiny", name, columns(text))
    return metadata


def analysed(
    sql: str, metadata: MemoryMetadata, *parameters: str, database: str = "tiny"
) -> AnalysedStatement:
    """The statement, analysed in the default catalog."""
    session = Session(database=database, started_at=STARTED_AT)
    return analyse(sql, session, metadata, parameters)


__all__ = ["STARTED_AT", "TPCH_TABLES", "ViewInfo", "analysed", "columns", "tpch"]
