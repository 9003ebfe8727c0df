"""The smoke scripts of drivers/, as a user runs them, over the wires that they are for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pg_stack import pg_stack
from tests.support.trino_stack import trino_stack

DRIVERS = Path(__file__).parents[2] / "drivers"
CALLS = (
    ("jdbc", "jdbc:trino://127.0.0.1:{trino}/tpch/tiny", "tpch.tiny"),
    ("jdbc", "jdbc:postgresql://127.0.0.1:{pg}/tpch", "tpch.tiny"),
    ("odbc", "127.0.0.1 {pg} tpch", "tiny.nation"),
    ("sqlalchemy", "trino://smoke@127.0.0.1:{trino}/tpch/tiny", "nation: nationkey BIGINT"),
    (
        "sqlalchemy",
        "postgresql+psycopg://smoke@127.0.0.1:{pg}/tpch?options=-csearch_path%3Dtiny",
        "nation: nationkey BIGINT",
    ),
)
NOT_HERE = {"superset": "make superset runs it: its install takes minutes"}


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    with (
        trino_stack(tmp_path_factory.mktemp("trino")) as trino,
        pg_stack(tmp_path_factory.mktemp("pg")) as pg,
    ):
        yield {"trino": trino.port, "pg": pg.port}


@pytest.mark.parametrize(("folder", "arguments", "shown"), CALLS)
def test_a_smoke_script_ends_well(
    ports: dict[str, int], folder: str, arguments: str, shown: str
) -> None:
    command = [sys.executable, str(DRIVERS / folder / "smoke.py")]
    environment = {n: v for n, v in os.environ.items() if n != "QUERYSVC_API_KEY"}
    done = subprocess.run(
        [*command, *arguments.format(**ports).split()],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout


def test_no_smoke_script_is_forgotten() -> None:
    found = {script.parent.name for script in DRIVERS.glob("*/smoke.py")}
    assert found == {folder for folder, *_ in CALLS} | set(NOT_HERE)


def test_every_client_of_the_table_has_its_page() -> None:
    table = (DRIVERS / "README.md").read_text(encoding="utf-8")
    folders = {page.parent.name for page in DRIVERS.glob("*/README.md")}
    assert {name for name in folders if f"({name}/README.md)" not in table} == set()
