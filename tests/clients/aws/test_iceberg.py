"""Iceberg's commits through our Glue: of what writers who race were told is written, none is lost.

A commit is UpdateTable with the VersionId that was read. A metastore that does not compare it lets
two of four concurrent commits vanish, all reported as done.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.clients.aws.conftest import BUCKET, REGION, Aws
from tests.support.postgresql import server
from tests.support.running_service import running_service
from tests.support.s3 import S3Server

pyarrow = pytest.importorskip("pyarrow")
pytest.importorskip("pyiceberg.catalog.glue")

WRITERS, COMMITS_EACH = 4, 2


@contextmanager
def _on_postgresql(s3: S3Server, folder: Path) -> Iterator[dict[str, str]]:
    with (
        server() as database,
        running_service(s3.url, folder, database_url=database.url) as service,
    ):
        yield _properties(s3, service.url, "any", "any")


def _properties(s3: S3Server, glue_url: str, key: str, secret: str) -> dict[str, str]:
    return {
        "glue.endpoint": glue_url,
        "glue.region": REGION,
        "glue.access-key-id": key,
        "glue.secret-access-key": secret,
        "s3.endpoint": s3.url,
        "s3.region": s3.region,
        "s3.access-key-id": s3.access_key,
        "s3.secret-access-key": s3.secret_key,
    }


@pytest.fixture(params=["sqlite", "postgresql"])
def properties(
    request: pytest.FixtureRequest, s3: S3Server, tmp_path: Path
) -> Iterator[dict[str, str]]:
    """Settings of an Iceberg catalog, by the state's database."""
    if request.param == "postgresql":
        with _on_postgresql(s3, tmp_path) as found:
            yield found
    else:
        aws: Aws = request.getfixturevalue("aws")
        yield _properties(s3, aws.service.url, aws.access_key, aws.secret_key)


def test_of_four_writers_at_once_no_commit_is_lost(
    properties: dict[str, str], tmp_path: Path
) -> None:
    from pyiceberg.catalog.glue import GlueCatalog

    catalog = GlueCatalog("glue", **properties)
    catalog.create_namespace("ice")
    schema = pyarrow.schema([("writer", pyarrow.int32()), ("number", pyarrow.int32())])
    location = f"s3://{BUCKET}/{tmp_path.name}/"
    catalog.create_table("ice.race", schema=schema, location=location)
    start = threading.Barrier(WRITERS)
    failures: list[str] = []

    def write(writer: int) -> None:
        own = GlueCatalog("glue", **properties)
        start.wait(30)
        for number in range(COMMITS_EACH):
            rows: Any = pyarrow.Table.from_pylist(
                [{"writer": writer, "number": number}], schema=schema
            )
            _append(own, rows, failures)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    table = catalog.load_table("ice.race")
    found = [(row["writer"], row["number"]) for row in table.scan().to_arrow().to_pylist()]
    catalog.drop_table("ice.race")
    catalog.drop_namespace("ice")
    assert failures == []
    expected = [(w, n) for w in range(WRITERS) for n in range(COMMITS_EACH)]
    assert sorted(found) == expected
    assert len(table.metadata.snapshots) == len(expected)


def _append(catalog: Any, rows: Any, failures: list[str]) -> None:
    """Append, again from the newest state when another writer was first."""
    from pyiceberg.exceptions import CommitFailedException

    for _ in range(20):
        try:
            catalog.load_table("ice.race").append(rows)
        except CommitFailedException:
            continue
        return
    failures.append("twenty times another writer was first")
