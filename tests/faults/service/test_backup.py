"""Backups as docs/operations.md tells: made beside a running service, restored elsewhere."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from querysvc.client import Client
from tests.faults.service.conftest import NO_S3
from tests.support.postgresql import server
from tests.support.running_service import RunningService, running_service

KEPT = ("secret.key", "node")


class Left(NamedTuple):
    """What must be there after a restore."""

    key: str
    query_id: str


def made(service: RunningService) -> Left:
    """History, catalog and keys."""
    create = ("keys", "create", "--role", "admin", "--principal", "ada")
    told = service.cli(*create, "--state-dir", str(service.state_dir))
    key = told.stdout.decode().strip()
    with Client(service.url, api_key=key) as client:
        client.run("CREATE DATABASE kept")
        client.run("CREATE VIEW kept.v AS SELECT 6 * 7 AS answer")
        query = client.run("SELECT answer FROM kept.v", client_request_token="once")
        return Left(key, query["id"])


def keep_files(service: RunningService, backup: Path) -> None:
    """What is copied beside the database."""
    for name in KEPT:
        if (service.state_dir / name).exists():  # the key comes with the first key pair
            shutil.copy2(service.state_dir / name, backup / name)
    shutil.copytree(service.state_dir / "results", backup / "results")


def assert_is_there(service: RunningService, left: Left) -> None:
    """History with its result, catalog and keys, all in use."""
    with Client(service.url, api_key=left.key) as client:
        assert client.query(left.query_id)["state"] == "SUCCEEDED"
        assert list(client.rows(left.query_id)) == [[42]]
        again = client.submit("SELECT answer FROM kept.v", client_request_token="once")
        assert again["id"] == left.query_id, "client tokens are known"
        assert list(client.rows(client.run("SELECT answer + 1 FROM kept.v")["id"])) == [[43]]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_backup_of_sqlite_is_restored(tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    backup.mkdir()
    with running_service(NO_S3, tmp_path / "state", auth="keys") as service:
        left = made(service)
        with (
            closing(sqlite3.connect(service.state_dir / "state.db")) as running,
            closing(sqlite3.connect(backup / "state.db")) as copy,
        ):
            running.backup(copy)
        keep_files(service, backup)
        with Client(service.url, api_key=left.key) as client:
            later = client.run("SELECT 'after the backup'")["id"]
    with running_service(NO_S3, backup, auth="keys") as restored:
        assert_is_there(restored, left)
        with Client(restored.url, api_key=left.key) as client:
            known = {query["id"] for query in client.history()["queries"]}
        assert later not in known


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_dump_of_postgresql_is_restored(tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    backup.mkdir()
    with server() as postgresql:
        settings: dict[str, Any] = {"auth": "keys", "database_url": postgresql.url}
        dump = str(postgresql.root / "state.dump")
        with running_service(NO_S3, tmp_path / "state", **settings) as service:
            left = made(service)
            postgresql.run("pg_dump", "--format=custom", "-f", dump, postgresql.url)
            keep_files(service, backup)
        other = postgresql.url.replace("/postgres", "/restored")
        postgresql.run("psql", "-c", "CREATE DATABASE restored", postgresql.url)
        postgresql.run("pg_restore", "--exit-on-error", "-d", other, dump)
        with running_service(NO_S3, backup, **{**settings, "database_url": other}) as restored:
            assert_is_there(restored, left)
