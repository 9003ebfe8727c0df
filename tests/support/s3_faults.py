"""What S3 does wrong, at every place of a read, in every format: the answer is right or an error.

case  =  format × place (the listing, or the first, middle, last GET of data) × fault × times
"""

from __future__ import annotations

import gzip
import io
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from querysvc.client import ServiceError
from tests.support.fault_proxy import Fault, FaultProxy, Rule
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import S3Server, versitygw

ROWS: Final = 20_000
FILES: Final = 3
EXPECTED: Final = [FILES * ROWS, FILES * ROWS * (ROWS - 1) // 2, "row 0", "row 9999"]
FORMATS: Final = ("parquet", "csv", "json", "gzip")
PLACES: Final = ("list", "first", "middle", "last")
TIMES: Final = (1, 3, None)
DELETED: Final = 404
OF_LISTINGS: Final = (Fault.LOST_KEYS, Fault.LOST_PAGE)
FAULTS: Final[tuple[tuple[Fault, int], ...]] = (
    *((Fault.STATUS, status) for status in (DELETED, 429, 500, 502, 503)),
    *((fault, 503) for fault in Fault if fault is not Fault.STATUS and fault not in OF_LISTINGS),
)
_NO_SUCH_KEY: Final = b"<Error><Code>NoSuchKey</Code><Message>It is gone.</Message></Error>"
SETTINGS: Final[dict[str, Any]] = {
    "s3_range_cache_bytes": 0,
    "s3_stall_timeout_seconds": 0.4,
    "s3_retry_timeout_seconds": 3,
    "s3_attempts_max": 4,
    "submissions_per_second_max": 1000,
}


@dataclass(frozen=True)
class Case:
    """One fault at one place."""

    format: str
    place: str
    fault: Fault
    status: int
    times: int | None

    def __str__(self) -> str:
        often = "always" if self.times is None else f"{self.times}×"
        told = f"{self.fault} {self.status}" if self.fault is Fault.STATUS else str(self.fault)
        return f"{self.format}, {self.place}: {told}, {often}"


def cases() -> list[Case]:
    """The whole matrix, 648 cases."""
    matrix = itertools.product(FORMATS, PLACES, FAULTS, TIMES)
    return [
        *(Case(form, place, *fault, times) for form, place, fault, times in matrix),
        *(
            Case(form, "list", fault, 503, times)
            for form, fault, times in itertools.product(FORMATS, OF_LISTINGS, TIMES)
        ),
    ]


@dataclass(frozen=True)
class Stack:
    """A service that reaches its S3 through the proxy, and how many GETs each format takes."""

    service: RunningService
    proxy: FaultProxy
    gets: dict[str, int]

    def run(self, case: Case) -> str:
        """`right`, or the error's name; AssertionError for a wrong answer."""
        self.proxy.clear()
        self.proxy.released.clear()
        rule = Rule(case.fault, case.times, case.status, matches=self._matcher(case))
        if case.status == DELETED:
            rule.body = _NO_SUCH_KEY
        self.proxy.add(rule)
        try:
            rows = ask(self.service, case.format)
        except ServiceError as error:
            return error.code
        finally:
            self.proxy.released.set()
            self.proxy.clear()
        assert rows == EXPECTED, f"{case}: a wrong answer without an error: {rows}"
        return "right"

    def _matcher(self, case: Case) -> Callable[[str, str], bool]:
        if case.place == "list":
            return lambda method, path: "list-type=2" in path
        count = self.gets[case.format]
        first = {"first": 0, "middle": count // 2, "last": count - 1}[case.place]
        seen = itertools.count()
        return lambda method, path: _is_data(method, path) and next(seen) >= first


def _is_data(method: str, path: str) -> bool:
    return method == "GET" and "list-type" not in path and "/part-" in path


def ask(service: RunningService, form: str) -> list[Any]:
    """The sum over a table of this format."""
    execution = service.client.run(f"SELECT count(*), sum(n), min(s), max(s) FROM faulty.{form}_t")
    (row,) = service.client.rows(execution["id"])
    return list(row)


@contextmanager
def fault_stack(root: Path) -> Iterator[Stack]:
    """Data, proxy and service; every format read once without a fault."""
    (root / "s3").mkdir(parents=True)
    with versitygw(root / "s3") as s3, FaultProxy(s3.url).running() as proxy:
        load(s3)
        with running_service(proxy.url, root / "state", **SETTINGS) as service:
            for statement in ddl():
                service.client.run(statement)
            gets = {}
            for form in FORMATS:
                proxy.clear()
                assert ask(service, form) == EXPECTED
                gets[form] = sum(_is_data(method, path) for method, path, _ in proxy.requests)
            yield Stack(service, proxy, gets)


def load(s3: S3Server) -> None:
    """Put the same rows in every format."""
    client = s3.client()
    client.create_bucket(Bucket="faulty")
    for form, body in _bodies().items():
        suffix = ".csv.gz" if form == "gzip" else ""
        for number in range(FILES):
            client.put_object(Bucket="faulty", Key=f"{form}/part-{number}{suffix}", Body=body)


def _bodies() -> dict[str, bytes]:
    rows = [(number, f"row {number}") for number in range(ROWS)]
    table = pa.table({"n": [n for n, _ in rows], "s": [s for _, s in rows]})
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=ROWS // 4)
    csv = "".join(f"{n},{s}\n" for n, s in rows).encode()
    return {
        "parquet": sink.getvalue(),
        "csv": csv,
        "json": "".join(json.dumps({"n": n, "s": s}) + "\n" for n, s in rows).encode(),
        "gzip": gzip.compress(csv),
    }


def ddl() -> Iterator[str]:
    """The tables over them."""
    yield "CREATE DATABASE faulty"
    delimited = "ROW FORMAT DELIMITED FIELDS TERMINATED BY ','"
    forms = {
        "parquet": "STORED AS PARQUET",
        "csv": delimited,
        "gzip": delimited,
        "json": "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'",
    }
    for form, clause in forms.items():
        yield (
            f"CREATE EXTERNAL TABLE faulty.{form}_t (n bigint, s string) {clause}"
            f" LOCATION 's3://faulty/{form}/'"
        )
