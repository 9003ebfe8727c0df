"""Trino 476 with our Glue as its metastore writes, analyzes and drops; querysvc reads, and back.

Its hive and its iceberg connector share one S3 with querysvc. A proxy before Glue counts what
the AWS SDK sends a second time: nothing should be. Four writers at once commit to one Iceberg
table.

ORACLE=/path/to/oracle.py starts and stops Trino, as for trino_reads_writes.py.
"""

from __future__ import annotations

import http.server
import re
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import httpx
from support import record
from trino_reads_writes import BUCKET, properties, trino

from querysvc.client import ServiceError
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import versitygw

WRITERS, COMMITS_EACH = 4, 3
ROWS = "SELECT * FROM (VALUES (1, 'a', DATE '2024-01-01'), (2, NULL, DATE '2024-01-02')) t(n, s, d)"
# (statement, who runs it); a query's rows must be the same for both sides.
STEPS = (
    ("CREATE SCHEMA hive.w WITH (location = 's3://lake/w/')", "trino"),
    (f"CREATE TABLE hive.w.made AS {ROWS}", "trino"),
    ("INSERT INTO hive.w.made VALUES (3, 'c', DATE '2024-01-03')", "trino"),
    ("ANALYZE hive.w.made", "trino"),
    (f"CREATE TABLE hive.w.parted WITH (partitioned_by = ARRAY['d']) AS {ROWS}", "trino"),
    ("CREATE VIEW hive.w.seen AS SELECT n, s FROM hive.w.made", "trino"),
    (f"CREATE TABLE w.ours WITH (format = 'ORC', partitioned_by = ARRAY['d']) AS {ROWS}", "us"),
    ("INSERT INTO hive.w.ours VALUES (9, 'z', DATE '2024-01-09')", "trino"),
    ("SELECT n, s, d FROM w.made ORDER BY n", "both"),
    ("SELECT n, s, d FROM w.parted ORDER BY n", "both"),
    ("SELECT n, s, d FROM w.ours ORDER BY n", "both"),
    ("DROP VIEW hive.w.seen", "trino"),
    ("DROP TABLE hive.w.made", "trino"),
    ("CREATE TABLE iceberg.w.ice (n integer, s varchar)", "trino"),
    ("INSERT INTO iceberg.w.ice VALUES (1, 'a'), (2, 'b')", "trino"),
    ("UPDATE iceberg.w.ice SET s = 'x' WHERE n = 2", "trino"),
    ("DELETE FROM iceberg.w.ice WHERE n = 1", "trino"),
    ("ANALYZE iceberg.w.ice", "trino"),
)


_KEPT = ("content-type", "x-amz-target")


class _Proxy(http.server.ThreadingHTTPServer):
    """Forwards to the service; counts calls, answers of 500 and more, and what came again."""

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.target = target
        self.counts: Counter[str] = Counter()


class _Forward(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Proxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        attempt = re.search(r"attempt=(\d+)", self.headers.get("amz-sdk-request", ""))
        again = attempt is not None and attempt[1] != "1"
        kept = {k: v for k, v in self.headers.items() if k.lower() in _KEPT}
        answer = httpx.post(self.server.target, content=body, headers=kept, timeout=60)
        self.server.counts.update(calls=1, retried=again, failed=answer.status_code >= 500)
        if again:
            self.server.counts[f"again {self.headers.get('x-amz-target')}"] += 1
        self.send_response(answer.status_code)
        for name, value in answer.headers.items():
            if name.startswith("x-amzn") or name == "content-type":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def counting(target: str) -> Iterator[tuple[str, Counter[str]]]:
    """A proxy before the service: its address, and what it counts."""
    with _Proxy(target) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_address[1]}", proxy.counts
        proxy.shutdown()


def problem(sql: str, who: str, service: RunningService, ask: Any) -> str:
    """What is wrong with a step; empty when nothing is."""
    try:
        ours = None if who == "trino" else service.client.run(sql)
        if who == "us":
            return ""
        theirs = ask(sql.replace(" w.", " hive.w."))
        if "error_name" in theirs:
            return f"{theirs['error_name']}: {theirs['error_message']}"
        if ours is None:
            return ""
        found = [[str(value) for value in row] for row in service.client.rows(ours["id"])]
        wanted = [[str(value) for value in row] for row in theirs["rows"]]
    except ServiceError as error:
        return str(error)
    return "" if found == wanted else f"found {found}, wanted {wanted}"


def race(ask: Any) -> dict[str, Any]:
    """Rows that Trino told were written to one Iceberg table by four writers, and what is there."""
    ask("CREATE TABLE iceberg.w.race (writer integer, number integer)")

    def write(writer: int) -> int:
        done = 0
        for number in range(COMMITS_EACH):
            told = ask(f"INSERT INTO iceberg.w.race VALUES ({writer}, {number})")
            done += "error_name" not in told
        return done

    with ThreadPoolExecutor(WRITERS) as pool:
        told = sum(pool.map(write, range(WRITERS)))
    found = ask("SELECT count(*) FROM iceberg.w.race")["rows"][0][0]
    ask("DROP TABLE iceberg.w.race")
    return {"told": told, "found": int(found)}


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="querysvc-trino-") as name:
        folder = Path(name)
        with versitygw(folder / "s3") as server:
            server.client().create_bucket(Bucket=BUCKET)
            output = f"s3://{BUCKET}/out/"
            with (
                running_service(server.url, folder / "state", output_location=output) as service,
                counting(service.url) as (glue, counts),
            ):
                hive = properties(server, service) | {"hive.metastore.glue.endpoint-url": glue}
                iceberg = hive | {"connector.name": "iceberg", "iceberg.catalog.type": "glue"}
                del iceberg["hive.metastore"]
                hive["hive.non-managed-table-writes-enabled"] = "true"
                with trino(folder, {"hive": hive, "iceberg": iceberg}) as ask:
                    wrong = {sql: problem(sql, who, service, ask) for sql, who in STEPS}
                    steps = Counter(counts)
                    raced = race(ask)
    wrong = {sql: told for sql, told in wrong.items() if told}
    figures = {
        "steps": len(STEPS),
        "wrong": wrong,
        "race": raced,
        "glue": dict(steps),
        "glue_with_race": dict(counts),
    }
    bars = {
        "every step holds": not wrong,
        # In the race the SDK itself sends again what conflicts.
        "no call is sent again": not steps["retried"] and not counts["failed"],
        "no commit is lost": raced["told"] == raced["found"],
    }
    record("trino_writes", figures, bars)
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
