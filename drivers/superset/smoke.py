"""Apache Superset on querysvc: a database, a dataset, a chart, its data, a picture of it.

    .tools/superset/bin/python drivers/superset/smoke.py SCHEMA.TABLE GROUP_BY PICTURES URI...

Superset comes from PyPI, with a SQLite of its own in a temporary directory; it serves on loopback
alone, where everybody is its administrator. `make superset` runs this against the
demonstration's data, over both wires. PICTURES is the directory of the charts' pictures.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

SETTINGS = """
SECRET_KEY = {key!r}
SQLALCHEMY_DATABASE_URI = "sqlite:///{home}/superset.db"
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
RATELIMIT_ENABLED = False

def FLASK_APP_MUTATOR(app):
    from flask_login import login_user
    from superset import security_manager

    app.before_request(lambda: login_user(security_manager.find_user("admin")) and None)
"""
START_SECONDS_MAX = 180.0
ADMIN = ("--username", "admin", "--firstname", "a", "--lastname", "b", "--email", "a@example.org")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@contextlib.contextmanager
def superset(home: Path) -> Iterator[Superset]:
    """A fresh Superset with its administrator."""
    (home / "superset_config.py").write_text(SETTINGS.format(key=secrets.token_hex(32), home=home))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SUPERSET_")},
        "SUPERSET_CONFIG_PATH": str(home / "superset_config.py"),
        "SUPERSET_HOME": str(home),
        "FLASK_APP": "superset",
    }
    command = str(Path(sys.executable).with_name("superset"))
    log = (home / "log").open("wb")
    admin = ("fab", "create-admin", *ADMIN, "--password", secrets.token_hex(16))
    for step in (("db", "upgrade"), ("init",), admin):
        began = time.monotonic()
        subprocess.run([command, *step], env=environment, check=True, stdout=log, stderr=log)
        print(f"superset {' '.join(step[:2])}: {time.monotonic() - began:.0f} s", flush=True)
    port = _free_port()
    process = subprocess.Popen(
        [command, "run", "-p", str(port), "--with-threads"],
        env=environment,
        stdout=log,
        stderr=log,
    )
    try:
        yield Superset(_ready(f"http://127.0.0.1:{port}"))
    except BaseException:
        print((home / "log").read_text(errors="replace")[-8000:], flush=True)
        raise
    finally:
        process.terminate()
        process.wait(30)


def _ready(url: str) -> str:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(f"{url}/health", timeout=5).ok:
                return url
        time.sleep(0.5)
    raise TimeoutError("Superset did not start")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Superset:
    """Superset's API, as its administrator."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()

    def post(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        """POST to the API; what it answers."""
        answer = self._session.post(f"{self.url}/api/v1/{path}", json=document, timeout=120)
        return self._answered(path, answer)

    def get(self, path: str) -> dict[str, Any]:
        """GET from the API."""
        return self._answered(path, self._session.get(f"{self.url}/api/v1/{path}", timeout=60))

    def delete(self, path: str) -> None:
        """DELETE something."""
        self._answered(path, self._session.delete(f"{self.url}/api/v1/{path}", timeout=60))

    def _answered(self, path: str, answer: requests.Response) -> dict[str, Any]:
        if not answer.ok:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:2000]}")
        found: dict[str, Any] = answer.json()
        return found


def dataset(server: Superset, uri: str, table: str) -> int:
    """A connection to the database, and a dataset of its table; the dataset's id."""
    wire = uri.partition("://")[0]
    database = server.post("database/", {"database_name": wire, "sqlalchemy_uri": uri})["id"]
    schema, name = table.split(".")
    found = server.get(f"database/{database}/tables/?q=(force:!t,schema_name:{schema})")["result"]
    print(f"{wire}: tables of {schema}: {', '.join(sorted(one['value'] for one in found))}")
    asked = {"database": database, "schema": schema, "table_name": name}
    return int(server.post("dataset/", asked)["id"])


def chart(
    server: Superset, dataset: int, title: str, column: str
) -> tuple[int, list[dict[str, Any]]]:
    """A bar chart of how many rows there are by the column; its id and data."""
    source = {"id": dataset, "type": "table"}
    query = {"columns": [column], "metrics": ["count"], "row_limit": 20}
    order = {"orderby": [["count", False]]}
    asked = {"datasource": source, "queries": [{**query, **order}], "result_format": "json"}
    data = server.post("chart/data", {**asked, "result_type": "full"})["result"][0]["data"]
    form = {
        "viz_type": "echarts_timeseries_bar",
        "datasource": f"{dataset}__table",
        "x_axis": column,
        "metrics": ["count"],
        "groupby": [],
        "row_limit": 20,
        "x_axis_sort": "count",
        "x_axis_sort_asc": False,
        "time_range": "No filter",
        "show_value": True,
    }
    made = server.post(
        "chart/",
        {
            "slice_name": title,
            "viz_type": form["viz_type"],
            "datasource_id": dataset,
            "datasource_type": "table",
            "params": json.dumps(form),
        },
    )
    return int(made["id"]), data


def photograph(address: str, picture: Path) -> None:
    """What a headless browser shows, some seconds after it has opened the page."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise FileNotFoundError("no browser: apt-get install chromium")
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu"]
        command += [f"--user-data-dir={profile}", "--window-size=1400,900", "--hide-scrollbars"]
        command += ["--virtual-time-budget=60000", f"--screenshot={picture}", address]
        subprocess.run(command, check=True, timeout=240, capture_output=True)


def main(table: str, column: str, pictures: str, *uris: str) -> None:
    """Chart, check, photograph, over each wire; all wires give the same data."""
    seen = []
    with tempfile.TemporaryDirectory("-superset") as home, superset(Path(home)) as server:
        for uri in uris:
            wire = uri.partition(":")[0].partition("+")[0]
            source = dataset(server, uri, table)
            title = f"Rows of {table} by {column}, over {wire}"
            number, data = chart(server, source, title, column)
            for row in data:
                print(row)
            if not data or not all(row["count"] > 0 for row in data):
                raise SystemExit("the chart has no data")
            picture = Path(pictures).absolute() / f"superset-{wire}.png"
            photograph(f"{server.url}/explore/?slice_id={number}", picture)
            print(f"picture: {picture}")
            # Two of a name are too many for Superset on SQLite.
            server.delete(f"dataset/{source}")
            seen.append(sorted((row["count"], row[column]) for row in data))
    if any(one != seen[0] for one in seen):
        raise SystemExit("the wires disagree")


if __name__ == "__main__":
    main(*sys.argv[1:])
