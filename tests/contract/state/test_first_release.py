"""A database that the first release left, killed at work, is upgraded with all that is in it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import MetaData, text

from querysvc.model import QueryState
from querysvc.service.auth import Authenticator, SecretBox
from querysvc.state.database import Database
from querysvc.state.migrate import upgrade
from querysvc.state.revisions import configuration, differences
from querysvc.state.sql import SqlState
from querysvc.state.values import HistoryFilter
from querysvc_catalog.model import TableName
from querysvc_catalog.sql import SqlCatalogRepository
from tests.support.fakes import ManualClock

ROWS = Path(__file__).parent / "first_release.sql"
REVISION = "0002"
ADA = "qsvc_da3c2d57c82e23a2_pmQ9Ib9vazSejrGQcrjNSBU5pTJT2L-MUWe792Reuuk"
SELECT = "4d82667e-e8d4-49ae-80a7-a1ccf49211d8"
FAILED = "2bd5ac94-c90f-49b5-a3c1-a51ddc7a662e"
RUNNING = "637655fe-0d24-4997-b519-0a9d4f8f4cf7"


@pytest.fixture
def upgraded(database: Database, tmp_path: Path) -> SqlState:
    """The rows, put where they were, and brought to head."""
    config = configuration()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        command.upgrade(config, REVISION)
    _fill(database, tmp_path / "first.db")
    upgrade(database)
    assert differences(database) == []
    return SqlState(database)


def _fill(database: Database, scratch: Path) -> None:
    """Copy the rows, by way of SQLite, which reads its own dump."""
    old = MetaData()
    with database.write() as connection:
        old.reflect(connection)
        with closing(sqlite3.connect(scratch)) as first:
            first.row_factory = sqlite3.Row
            for table in old.sorted_tables:
                columns = ", ".join(f'"{column.name}"' for column in table.columns)
                first.execute(f'CREATE TABLE "{table.name}" ({columns})')
            first.executescript(ROWS.read_text())
            for table in old.sorted_tables:
                if table.name == "alembic_version":
                    continue
                for row in first.execute(f'SELECT * FROM "{table.name}"'):
                    values = {
                        column.name: bool(row[column.name])
                        if column.type.python_type is bool and row[column.name] is not None
                        else row[column.name]
                        for column in table.columns
                    }
                    connection.execute(table.insert().values(values))


def test_history_and_errors_are_there(upgraded: SqlState) -> None:
    page = upgraded.history(HistoryFilter(), page_token=None, limit=10)
    assert len(page.queries) == 6
    selected, failed = upgraded.get(SELECT), upgraded.get(FAILED)
    assert selected is not None
    assert [column.name for column in selected.columns or ()] == ["id", "name"]
    assert selected.output_location == f"s3://data/out/{SELECT}.csv"
    assert failed is not None
    assert failed.error is not None
    assert failed.error.code == "DIVISION_BY_ZERO"
    assert upgraded.find_token("anonymous", "first-token") is not None


def test_what_ran_is_settled(upgraded: SqlState) -> None:
    recovery = upgraded.recover("another", now=datetime(2030, 1, 1, tzinfo=UTC), is_start=True)
    assert recovery.requeued == (RUNNING,)
    found = upgraded.get(RUNNING)
    assert found is not None
    assert found.state is QueryState.QUEUED


def test_keys_and_work_groups_are_there(upgraded: SqlState, tmp_path: Path) -> None:
    box = SecretBox(tmp_path / "secret.key")
    keys = Authenticator(upgraded, box, ManualClock(), is_required=True)
    assert keys.authenticate(ADA).name == "ada"
    assert [pair.principal for pair in upgraded.list_key_pairs()] == ["etl"]
    assert [group.name for group in upgraded.list_work_groups()] == ["nightly", "primary"]


def test_the_catalog_is_there(upgraded: SqlState, database: Database) -> None:
    catalog = SqlCatalogRepository(database.engine)
    name = TableName("awsdatacatalog", "shop", "people")
    table = catalog.get_table(name)
    assert table.storage_descriptor is not None
    assert [column.name for column in table.storage_descriptor.columns] == ["id", "name"]
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM catalog_partitions")) == 1
