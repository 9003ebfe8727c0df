"""Workers with single layers of containment off, and what must stay unread, unwritten, uncalled."""

from __future__ import annotations

import http.server
import io
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from querysvc.engines.duckdb.engine import DuckDBEngine
from querysvc.engines.duckdb.sandbox import LAYERS
from querysvc.engines.duckdb.settings import SupervisorSettings, WorkerSettings
from querysvc.errors import QueryServiceError
from querysvc.plan import TableColumn
from querysvc.storage.plan_filesystem import PlanFileSystem
from querysvc.types import algebra as t
from querysvc_catalog.serdes import StorageFormat
from tests.support.engine_plans import RecordingControl, descriptor, plan, scan, spooled
from tests.support.local_gateway import LocalGateway

MARK: Final = "canary-7f3a9"
SYSTEM_MARKS: Final = ("root:x:0:", "CapEff:", MARK)
"""What files of the host hold: /etc/passwd, /proc/self/status, the canaries."""

LAYERS_OFF: Final = "UNCONTAINED_LAYERS"
"""The variable that tells tests.support.uncontained which layers are off."""
VARIABLE: Final = "QUERYSVC_CANARY"
SECONDS_MAX: Final = 3.0
"""Some attacks wait for ever where no layer holds: they read a pipe."""


@dataclass
class Canary:
    """Files that nobody may read, beside which nobody may write, and a server not to be called."""

    file: Path
    url: str
    calls: list[str] = field(default_factory=list)

    def filled(self, statement: str) -> str:
        """The statement with the canaries' addresses in it."""
        values = {"file": self.file, "folder": self.file.parent, "url": self.url, "mark": MARK}
        return statement.format(**values)

    def harm(self) -> list[str]:
        """What was called, written or removed since the last look; mended again."""
        found, self.calls[:] = list(self.calls), []
        kept = {self.file.parent / name for name in _FILES}
        for path in self.file.parent.iterdir():
            if path not in kept:
                found.append(f"written: {path.name}")
                path.unlink() if path.is_file() else path.rename(f"{path.parent}.{path.name}")
        return found + [f"removed: {path.name}" for path in kept if not path.exists()]


_FILES: Final = ("canary.csv", "canary.json", "canary.parquet", "canary.db")


@contextmanager
def canary_in(folder: Path) -> Iterator[Canary]:
    """Canary files in a folder of their own, and a server that notes each connection."""
    (folder / "canary.csv").write_text(f"a,b\n{MARK},1\n")
    (folder / "canary.json").write_text(f'{{"a": "{MARK}"}}\n')
    pq.write_table(pa.table({"a": [MARK]}), folder / "canary.parquet")
    with sqlite3.connect(folder / "canary.db") as database:
        database.execute("CREATE TABLE a (b)")
    database.close()
    calls: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            calls.append("called")
            self.close_connection = True

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        yield Canary(folder / "canary.csv", url, calls)
    finally:
        server.shutdown()
        server.server_close()


class HostFileSystem(PlanFileSystem):
    """The plan's file system without its check: any path of the host opens, for writing too."""

    def open(self, path: str, mode: str = "rb", *rest: Any, **options: Any) -> Any:
        """The plan's object, or else whatever file has the path."""
        if self._find(path) is not None:
            return super().open(path, mode, *rest, **options)
        return open(_host_path(path), mode)

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """The same."""
        return {"name": path, "size": self.size(path), "type": "file"}

    def size(self, path: str) -> int:
        """The same."""
        is_planned = self._find(path) is not None
        return super().size(path) if is_planned else os.stat(_host_path(path)).st_size

    def exists(self, path: str, **_: Any) -> bool:
        """Whether it is planned or on the host."""
        return self._find(path) is not None or os.path.exists(_host_path(path))

    isfile = exists

    def modified(self, path: str) -> datetime:
        """A constant."""
        return _NEVER_CHANGES


_NEVER_CHANGES: Final = datetime(2000, 1, 1, tzinfo=UTC)


def _host_path(path: str) -> str:
    return "/" + path.removeprefix("plan://").lstrip("/")


HOST_FILES: Final = f"{__name__}:{HostFileSystem.__name__}"


def without(*layers: str) -> WorkerSettings:
    """A worker that runs DuckDB's SQL as it is, with these layers off: the gate is off in each.

    `engine` is DuckDB's own locks, `files` the binding of the file system to the plan.
    """
    bound = WorkerSettings().file_system
    return WorkerSettings(
        allows_raw_sql=True,
        engine_layers="engine" not in layers,
        sandbox_layers=frozenset(LAYERS) - set(layers),
        file_system=HOST_FILES if "files" in layers else bound,
    )


MODES: Final[dict[str, tuple[str, ...]]] = {
    "gate": (),
    "gate, engine": ("engine",),
    "gate, files": ("files",),
    **{f"gate, {layer}": (layer,) for layer in LAYERS},
    "gate, engine, files": ("engine", "files"),
    "gate, engine, environment": ("engine", "environment"),
    "gate, engine, descriptors": ("engine", "descriptors"),
    "gate, engine, resource_limits": ("engine", "resource_limits"),
    "gate, engine, seccomp": ("engine", "seccomp"),
    "gate, system": LAYERS,
}
"""By name: the layers that are off. DuckDB's locks and Landlock are each alone in some of them."""

_QUERIES: Final = (
    *("select", "from", "with", "values", "table"),
    *("pivot", "summarize", "describe"),
)
_FINAL_ERRORS: Final = ("Permission Error", "Parser Error", "Catalog Error")
NOTHING: Final = ("engine", "files", *LAYERS)


class Cage:
    """An engine over one small table; it runs DuckDB's SQL."""

    def __init__(self, worker: WorkerSettings, folder: Path) -> None:
        self._spool = folder / "spool"
        sink = io.BytesIO()
        pq.write_table(pa.table({"a": [1, 2, 3]}), sink)
        # The second object is another query's.
        gateway = LocalGateway({"f": sink.getvalue(), "other": f"{MARK}\n".encode()})
        self.engine = DuckDBEngine(gateway, SupervisorSettings(idle_workers=1, worker=worker))
        self._table = scan(
            [TableColumn("a", t.BIGINT)],
            [((), {"f": gateway.objects["f"]})],
            descriptor(StorageFormat.PARQUET),
        )

    def run(self, sql: str) -> list[tuple[object, ...]]:
        """The rows of one column of texts."""
        made = plan([self._table], [("x", t.VARCHAR)], timeout_seconds=SECONDS_MAX)
        outcome = self.engine.execute_raw(made, sql, self._spool, RecordingControl())
        return spooled(self._spool) if outcome.rows else []

    def attempt(self, sql: str) -> str:
        """All that a statement tells, as it is and wrapped: its rows as text, or its error.

        Wrapped, its rows are one column of texts, whatever they were.
        """
        told = self._told(sql)
        if sql.lower().startswith(_QUERIES) and not any(kind in told for kind in _FINAL_ERRORS):
            told += self._told(f"SELECT CAST(r AS VARCHAR) FROM ({sql}\n) AS r")
        return told

    def _told(self, sql: str) -> str:
        try:
            return f"rows: {self.run(sql)}"
        except QueryServiceError as error:
            return f"error: {error.message}"


@contextmanager
def cage_without(layers: tuple[str, ...], folder: Path) -> Iterator[Cage]:
    """A cage with these layers off; the service's own environment holds a canary."""
    os.environ[VARIABLE] = MARK
    try:
        cage = Cage(without(*layers), folder)
        try:
            yield cage
        finally:
            cage.engine.close()
    finally:
        os.environ.pop(VARIABLE, None)


def escapes(cage: Cage, canary: Canary, statements: list[str]) -> list[str]:
    """The statements that got out: told a file's content, wrote one, or called the server."""
    found = []
    for statement in statements:
        sql = canary.filled(statement)
        told = cage.attempt(sql).replace(sql, "")
        harm = [mark for mark in SYSTEM_MARKS if mark in told] + canary.harm()
        if harm:
            found.append(f"{harm}: {sql}")
    return found
