"""Runs docs/clients/grafana.md with Grafana's plugin: python -m tests.support.grafana_guide SOURCE

SOURCE is a checkout of github.com/grafana/athena-datasource: neither Grafana nor that plugin comes
by apt, pip, npm or Go's proxy, but all that the plugin is built from does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]  # it has no stubs

from tests.clients.aws.conftest import BUCKET
from tests.clients.aws.guides import blocks
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import versitygw

PROGRAM: Final = Path(__file__).parent / "grafana" / "main.go"

PEOPLE: Final = (
    "CREATE EXTERNAL TABLE people (id int, at timestamp, name string) ROW FORMAT DELIMITED"
    f" FIELDS TERMINATED BY ',' LOCATION 's3://{BUCKET}/people/'"
)
ROWS: Final = b"1,2026-11-02 10:00:00,Ada\n2,2026-11-03 11:00:00,Grace\n3,2025-01-01 00:00:00,\n"
VALUES: Final = (
    "SELECT TINYINT '1' a, DECIMAL '2.50' b, true c, DATE '2020-01-01' d, 1.5e0 e, REAL '2.5' f,"
    " 'x' g, CAST(NULL AS varchar) h, ARRAY[1, 2] i, MAP(ARRAY['a'], ARRAY[1]) j, X'00ff' k,"
    " TIMESTAMP '2020-01-01 01:02:03 UTC' l, JSON '{\"a\":1}' m, CAST(ROW(1) AS row(p int)) n,"
    " TIME '01:02:03' o, INTERVAL '1' DAY p, CHAR 'ab' q, SMALLINT '3' r"
)
BY_DAY: Final = (
    "SELECT $__timeGroup(at, '1d') AS time, count(*) AS n FROM people"
    " WHERE $__timeFilter(at) GROUP BY 1 ORDER BY 1"
)
ANSWERS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("SELECT count(*) AS n FROM people", {"rows": 1, "first": [3]}),
    (BY_DAY, {"rows": 2, "first": ["2026-11-02T00:00:00Z", 1]}),
    (VALUES, {"rows": 1}),
    ("SELECT * FROM UNNEST(sequence(1, 2500)) t(n)", {"rows": 2500}),
    ("SELECT nosuch FROM people", {"error": "COLUMN_NOT_FOUND"}),
)
PICKERS: Final = (
    ["AwsDataCatalog"],
    ["default"],
    ["primary"],
    "Athena engine version 3",
    ["people"],
    ["id", "at", "name"],
)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="querysvc-grafana-") as name:
        root = Path(name)
        program = _built(Path(sys.argv[1]), root / "source")
        with (
            versitygw(root / "s3") as server,
            running_service(server.url, root / "state") as service,
        ):
            client = server.client()
            client.create_bucket(Bucket=BUCKET)
            rows = (
                "1,2026-11-02 10:00:00,Ada\n2,2026-11-03 11:00:00,Grace\n3,2025-01-01 00:00:00,\n"
            )
            client.put_object(Bucket=BUCKET, Key="people/people.csv", Body=rows.encode())
            service.client.run(PEOPLE)
            told = _asked(program, service, server.url)
    _check(told)
    return 0


def _built(source: Path, copy: Path) -> Path:
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns(".git", "node_modules"))
    (copy / "asked").mkdir()
    shutil.copy(PROGRAM, copy / "asked")
    environment = {**os.environ, "GOFLAGS": "-mod=mod"}
    subprocess.run(["go", "build", "-o", "ask", "./asked"], cwd=copy, env=environment, check=True)
    return copy / "ask"


def _asked(program: Path, service: RunningService, s3_url: str) -> list[dict[str, Any]]:
    (block,) = blocks("grafana", "yaml", service.url, s3_url)
    (source,) = yaml.safe_load(block)["datasources"]
    asked = {**source, "statements": [statement for statement, _ in ANSWERS]}
    # With this variable the SDK wants to change a client that the plugin has made.
    environment = {k: v for k, v in os.environ.items() if k != "AWS_CA_BUNDLE"}
    done = subprocess.run(
        [program],
        input=json.dumps(asked),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # the plugin's log
        env=environment,
        text=True,
        timeout=300,
        check=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line for line in lines if "@level" not in line]


def _check(told: list[dict[str, Any]]) -> None:
    health, *rest = told
    assert health["health"] == "OK", health
    pickers, answers = rest[: len(PICKERS)], rest[len(PICKERS) :]
    assert [picker["body"] for picker in pickers] == list(PICKERS), pickers
    for (statement, wanted), answer in zip(ANSWERS, answers, strict=True):
        print(f"{statement[:60]}\n  {answer}")
        for name, value in wanted.items():
            found = answer[name]
            assert value in str(found) if name == "error" else found == value, (statement, answer)


if __name__ == "__main__":
    sys.exit(main())
