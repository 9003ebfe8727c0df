"""Statements that try to get out of a worker, with each layer of containment proved alone.

The generated-SQL layer is bypassed by the raw hook. `ENGINE` has DuckDB's own locks and no layer
of the operating system; `SYSTEM` has the operating system's layers and no lock of DuckDB's.
"""

from __future__ import annotations

import http.server
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from querysvc.engines.duckdb.engine import DuckDBEngine
from querysvc.engines.duckdb.sandbox import LAYERS
from querysvc.engines.duckdb.settings import SupervisorSettings, WorkerSettings
from querysvc.errors import QueryServiceError
from querysvc.plan import TableColumn
from querysvc.types import algebra as t
from querysvc_catalog.serdes import StorageFormat
from tests.support.engine_plans import RecordingControl, descriptor, plan, scan, spooled
from tests.support.local_gateway import LocalGateway

CANARY = "canary-4711"


class Cage:
    """An engine with some layers on, and a canary file that must stay unread."""

    def __init__(self, worker: WorkerSettings, directory: Path, gateway: LocalGateway) -> None:
        self.engine = DuckDBEngine(gateway, SupervisorSettings(idle_workers=1, worker=worker))
        self.directory = directory
        self.table = scan(
            [TableColumn("a", t.BIGINT)],
            [((), {"f": gateway.objects["f"]})],
            descriptor(StorageFormat.PARQUET),
        )

    def run(self, sql: str) -> list[tuple[object, ...]]:
        spool = self.directory / "spool"
        made = plan([self.table], [("x", t.VARCHAR)])
        outcome = self.engine.execute_raw(made, sql, spool, RecordingControl())
        return spooled(spool) if outcome.rows else []


def modes() -> dict[str, WorkerSettings]:
    return {
        "all": WorkerSettings(allows_raw_sql=True),
        "engine": WorkerSettings(allows_raw_sql=True, sandbox_layers=frozenset()),
        "system": WorkerSettings(allows_raw_sql=True, engine_layers=False),
        "landlock": WorkerSettings(
            allows_raw_sql=True, engine_layers=False, sandbox_layers=frozenset({"landlock"})
        ),
        "seccomp": WorkerSettings(
            allows_raw_sql=True, engine_layers=False, sandbox_layers=frozenset({"seccomp"})
        ),
    }


@pytest.fixture(scope="module")
def gateway() -> LocalGateway:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": [1, 2, 3]}), sink)
    return LocalGateway({"f": sink.getvalue()})


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("secrets")
    (directory / "canary.csv").write_text(CANARY + "\n")
    pq.write_table(pa.table({"x": [CANARY]}), directory / "canary.parquet")
    (directory / "canary.json").write_text('{"x":"' + CANARY + '"}\n')
    return directory


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, list[str]]]:
    """A canary server: what it is asked for is written down."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_error(404)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{listener.server_port}", seen
    listener.shutdown()
    listener.server_close()


Cages = Callable[[str], Cage]


@pytest.fixture(scope="module")
def cages(gateway: LocalGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cages]:
    built: dict[str, Cage] = {}

    def cage(mode: str) -> Cage:
        if mode not in built:
            built[mode] = Cage(modes()[mode], tmp_path_factory.mktemp(mode), gateway)
        return built[mode]

    yield cage
    for one in built.values():
        one.engine.close()


ANY_MODE = pytest.mark.parametrize("mode", ["all", "engine", "system", "landlock", "seccomp"])
# Seccomp alone does not speak of paths: Landlock does.
PATH_MODE = pytest.mark.parametrize("mode", ["all", "engine", "system", "landlock"])
LOCKED_MODE = pytest.mark.parametrize("mode", ["all", "engine"])


READS = [
    "SELECT * FROM read_csv('{d}/canary.csv')",
    "SELECT * FROM read_csv_auto('{d}/*.csv')",
    "SELECT content FROM read_text('{d}/canary.csv')",
    "SELECT CAST(content AS VARCHAR) FROM read_blob('{d}/canary.csv')",
    "SELECT * FROM read_parquet('{d}/canary.parquet')",
    "SELECT * FROM read_json('{d}/canary.json')",
    "SELECT * FROM read_ndjson_objects('{d}/canary.json')",
    "SELECT * FROM '{d}/canary.csv'",
    "SELECT * FROM parquet_scan('{d}/canary.parquet')",
    "SELECT file FROM glob('{d}/*')",
    "SELECT content FROM read_text('file://{d}/canary.csv')",
    "SELECT content FROM read_text('{d}/../{n}/canary.csv')",
    "SELECT content FROM read_text('/proc/self/root{d}/canary.csv')",
    "SELECT CAST(value AS VARCHAR) FROM parquet_kv_metadata('{d}/canary.parquet')",
]
SYSTEM_READS = [
    "SELECT content FROM read_text('/etc/passwd')",
    "SELECT content FROM read_text('/proc/1/environ')",
    "SELECT content FROM read_text('/proc/self/environ')",
    "SELECT CAST(content AS VARCHAR) FROM read_blob('/proc/self/mem')",
    "SELECT content FROM read_text('/root/.aws/credentials')",
]


def outcome(cage: Cage, sql: str) -> str:
    """The rows as text, or the error's text."""
    try:
        return str(cage.run(sql))
    except QueryServiceError as error:
        return f"error: {error}"


@PATH_MODE
@pytest.mark.parametrize("statement", READS)
def test_no_file_of_the_host_is_read(cages: Cages, mode: str, canary: Path, statement: str) -> None:
    engine = cages(mode)
    told = outcome(engine, statement.format(d=canary, n=canary.name))
    assert CANARY not in told
    assert "canary.parquet'" not in told.removeprefix("error")[:40]


@PATH_MODE
@pytest.mark.parametrize("statement", SYSTEM_READS)
def test_no_file_of_the_system_is_read(cages: Cages, mode: str, statement: str) -> None:
    engine = cages(mode)
    told = outcome(engine, statement)
    assert told.startswith("error") or told == "[]"


WRITES = [
    "COPY (SELECT 1) TO '{d}/out.csv'",
    "COPY (SELECT 1) TO '{d}/out.parquet' (FORMAT parquet)",
    "ATTACH '{d}/out.db' AS other",
    "EXPORT DATABASE '{d}/out'",
    "SET log_query_path = '{d}/out.log'",
    "PRAGMA enable_profiling = 'json'",
]


@PATH_MODE
@pytest.mark.parametrize("statement", WRITES)
def test_no_file_of_the_host_is_written(
    cages: Cages, mode: str, canary: Path, statement: str
) -> None:
    engine = cages(mode)
    before = sorted(path.name for path in canary.iterdir())
    outcome(engine, statement.format(d=canary))
    assert sorted(path.name for path in canary.iterdir()) == before


NETWORK = [
    "SELECT * FROM read_csv('http://{s}/x.csv')",
    "SELECT * FROM read_parquet('s3://{s}/x.parquet?s3_endpoint={s}')",
    "SELECT content FROM read_text('https://{s}/x')",
    "INSTALL httpfs FROM 'http://{s}/'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{d}/evil.duckdb_extension'",
    "ATTACH 'http://{s}/x.db' AS remote",
    "COPY (SELECT 1) TO 'http://{s}/x.csv'",
    "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b', ENDPOINT '{s}')",
]


@ANY_MODE
@pytest.mark.parametrize("statement", NETWORK)
def test_no_host_of_the_network_is_reached(
    cages: Cages, mode: str, server: tuple[str, list[str]], canary: Path, statement: str
) -> None:
    engine = cages(mode)
    address, seen = server
    told = outcome(engine, statement.format(s=address, d=canary))
    assert told.startswith("error")
    assert seen == []


ENGINE_ONLY = [
    "SET threads = 64",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET allowed_paths",
    "SET allowed_directories = ['/']",
    "SET memory_limit = '1TB'",
    "SET temp_directory = '/tmp'",
    "PRAGMA threads = 64",
    "SET python_enable_replacements = true",
    "SET autoload_known_extensions = true",
    "SET custom_extension_repository = 'http://127.0.0.1:1'",
]


@LOCKED_MODE
@pytest.mark.parametrize("statement", ENGINE_ONLY)
def test_no_setting_is_changed(cages: Cages, mode: str, statement: str) -> None:
    engine = cages(mode)
    assert "the configuration has been locked" in outcome(engine, statement)


@ANY_MODE
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM os",
        "SELECT * FROM settings",
        "SELECT * FROM execution",
        "SELECT getenv('PATH')",
        "SELECT getvariable('PATH')",
    ],
)
def test_no_variable_of_python_or_the_environment_is_seen(
    cages: Cages, mode: str, statement: str
) -> None:
    told = outcome(cages(mode), statement)
    assert told.startswith("error") or told == "[(None,)]"


@ANY_MODE
def test_the_plan_s_own_objects_are_read(cages: Cages, mode: str) -> None:
    assert cages(mode).run("SELECT CAST(sum(c0) AS VARCHAR) FROM t0") == [("6",)]


@ANY_MODE
def test_what_one_query_leaves_behind_the_next_does_not_see(cages: Cages, mode: str) -> None:
    engine = cages(mode)
    outcome(engine, "CREATE TABLE left_behind AS SELECT 1")
    outcome(engine, "CREATE MACRO abs(x) AS 'taken over'")
    assert outcome(engine, "SELECT * FROM left_behind").startswith("error")
    assert engine.run("SELECT CAST(abs(-1) AS VARCHAR)") == [("1",)]


@ANY_MODE
def test_the_report_tells_which_layers_hold(cages: Cages, mode: str) -> None:
    engine = cages(mode)
    expected = modes()[mode].sandbox_layers
    report = engine.engine.containment_report()
    assert [layer.name for layer in report] == list(LAYERS)
    assert {layer.name for layer in report if layer.is_applied} == expected
