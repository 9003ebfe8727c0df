"""CSV and JSON scans of lineitem: querysvc against bare DuckDB with httpfs, typed alike.

python benchmarks/text_formats.py [--rows 2000000] [--runs 3]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from peers import bare_duckdb
from support import CACHE, S3Server, median, record, s3_server, service
from tpch import generate

BUCKET = "text"
LIMIT = 1.15
COLUMNS = {
    "l_orderkey": "bigint",
    "l_partkey": "bigint",
    "l_suppkey": "bigint",
    "l_linenumber": "int",
    "l_quantity": "decimal(15,2)",
    "l_extendedprice": "decimal(15,2)",
    "l_discount": "decimal(15,2)",
    "l_tax": "decimal(15,2)",
    "l_returnflag": "string",
    "l_linestatus": "string",
    "l_shipdate": "date",
    "l_commitdate": "date",
    "l_receiptdate": "date",
    "l_shipinstruct": "string",
    "l_shipmode": "string",
    "l_comment": "string",
}
ROW_FORMATS = {
    "csv": "ROW FORMAT DELIMITED FIELDS TERMINATED BY '|'",
    "json": "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'",
}
COPIES = {
    "csv": "FORMAT csv, DELIMITER '|', HEADER false, QUOTE '', ESCAPE ''",
    "json": "FORMAT json",
}
QUERIES = {
    "sums": (
        "SELECT l_returnflag, l_linestatus, count(*), sum(l_quantity), sum(l_extendedprice)"
        " FROM {table} WHERE l_shipdate <= DATE '1998-09-02' GROUP BY 1, 2 ORDER BY 1, 2"
    ),
    "all_columns": "SELECT " + ", ".join(f"max({name})" for name in COLUMNS) + " FROM {table}",
}


def files(rows: int) -> dict[str, Path]:
    """Lineitem's first rows as one file of each format, made once."""
    import duckdb

    source = generate(1) / "lineitem.parquet"
    found = {}
    for name, options in COPIES.items():
        found[name] = CACHE / f"lineitem-{rows}.{name}"
        if not found[name].exists():
            part = found[name].with_suffix(".part")
            duckdb.execute(
                f"COPY (FROM read_parquet('{source}') LIMIT {rows}) TO '{part}' ({options})"
            )
            part.rename(found[name])
    return found


def peer_relation(name: str) -> str:
    types = ", ".join(
        f"'{column}': '{'varchar' if kind == 'string' else kind}'"
        for column, kind in COLUMNS.items()
    )
    address = f"'s3://{BUCKET}/{name}/lineitem.{name}', columns = {{{types}}}"
    if name == "json":
        return f"read_json({address}, format = 'newline_delimited')"
    return f"read_csv({address}, delim = '|', header = false, quote = '', escape = '')"


def ours(server: S3Server, name: str, query: str) -> tuple[float, list[Any]]:
    """Seconds of the query in a fresh service, and its rows."""
    columns = ", ".join(f"{column} {kind}" for column, kind in COLUMNS.items())
    with service(server.url, server) as client:
        client.run("CREATE DATABASE IF NOT EXISTS text")
        client.run(
            f"CREATE EXTERNAL TABLE text.lineitem ({columns}) {ROW_FORMATS[name]}"
            f" LOCATION 's3://{BUCKET}/{name}/'"
        )
        client.run("SELECT 1")
        start = time.perf_counter()
        execution = client.run(query.format(table="text.lineitem"))
        return time.perf_counter() - start, list(client.rows(execution["id"]))


def check(path: Path, name: str, query: str, rows: list[Any]) -> None:
    """The answer is DuckDB's over the local file."""
    import duckdb

    relation = peer_relation(name).replace(f"s3://{BUCKET}/{name}/lineitem.{name}", str(path))
    expected = duckdb.execute(query.format(table=relation)).fetchall()
    if [[str(v) for v in row] for row in expected] != [[str(v) for v in row] for row in rows]:
        raise AssertionError(f"{name}: {rows[:2]} instead of {expected[:2]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    figures: dict[str, Any] = {"rows": options.rows, "runs": options.runs}
    bars: dict[str, bool] = {}
    paths = files(options.rows)
    with s3_server() as server:
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        for name, path in paths.items():
            client.upload_file(str(path), BUCKET, f"{name}/lineitem.{name}")
            totals = [0.0, 0.0]
            for label, query in QUERIES.items():
                mine, theirs = [], []
                for _ in range(options.runs):
                    seconds, rows = ours(server, name, query)
                    mine.append(seconds)
                    statement = query.format(table=peer_relation(name))
                    theirs.append(bare_duckdb(server.url, server, [statement])[0][0])
                    print(f"{name} {label}: {mine[-1]:.2f}, {theirs[-1]:.2f}", file=sys.stderr)
                check(path, name, query, rows)
                totals[0] += median(mine)
                totals[1] += median(theirs)
                figures[f"{name}_{label}"] = {
                    "querysvc_seconds": round(median(mine), 3),
                    "httpfs_seconds": round(median(theirs), 3),
                }
            ratio = totals[0] / totals[1]
            figures[f"{name}_ratio"] = round(ratio, 3)
            figures[f"{name}_bytes"] = path.stat().st_size
            bars[f"{name} <= {LIMIT}"] = ratio <= LIMIT
    record("text_formats", figures, bars)


if __name__ == "__main__":
    main()
