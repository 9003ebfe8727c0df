"""Register TPC-H tiny (tests/data/tpch-tiny) as `awsdatacatalog.tiny` in a running service.

    python -m tests.support.conformance_data --server http://127.0.0.1:8080 \
        --s3-endpoint http://127.0.0.1:9000 --bucket tpch-tiny
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import boto3
import botocore.config

from querysvc.client import Client

DATA = Path(__file__).parents[1] / "data" / "tpch-tiny"


def upload(client: Any, bucket: str) -> None:
    """Put the eight Parquet files, each under its table's prefix."""
    client.create_bucket(Bucket=bucket)
    for path in sorted(DATA.glob("*.parquet")):
        client.put_object(Bucket=bucket, Key=f"{path.stem}/{path.name}", Body=path.read_bytes())


def register(client: Client, bucket: str) -> None:
    """Create the schema and its tables with the catalog types of tables.json."""
    client.run("CREATE DATABASE IF NOT EXISTS tiny")
    for table in json.loads((DATA / "tables.json").read_text()):
        columns = ", ".join(f"`{name}` {kind}" for name, kind in table["columns"])
        client.run(
            f"CREATE EXTERNAL TABLE IF NOT EXISTS tiny.{table['table']} ({columns})"
            f" STORED AS PARQUET LOCATION 's3://{bucket}/{table['table']}/'"
        )


def main() -> None:
    """Upload and register."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="http://127.0.0.1:8080")
    parser.add_argument("--s3-endpoint")
    parser.add_argument("--bucket", default="tpch-tiny")
    options = parser.parse_args()
    config = botocore.config.Config(s3={"addressing_style": "path"})
    upload(boto3.client("s3", endpoint_url=options.s3_endpoint, config=config), options.bucket)
    with Client(options.server) as client:
        register(client, options.bucket)


if __name__ == "__main__":
    main()
