"""A service with a table that its analyst may not read, and a search for what it told of it."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.faults.escape.cages import MARK, Canary, canary_in
from tests.faults.fuzz.splices import splices
from tests.support.office import REFUSALS, Office, open_office
from tests.support.s3 import S3Server

CSV: Final = "ROW FORMAT DELIMITED FIELDS TERMINATED BY ','"
WORLD: Final = (
    "CREATE DATABASE open",
    "CREATE DATABASE hidden",
    f"""CREATE EXTERNAL TABLE open.t (a int, b string, secret string) {CSV}
        LOCATION 's3://lake/people/'""",
    f"CREATE EXTERNAL TABLE hidden.canary (secret string) {CSV} LOCATION 's3://lake/hidden/'",
    "CREATE VIEW hidden.shown AS SELECT * FROM hidden.canary",
)
INTERNAL: Final = "GENERIC_INTERNAL_ERROR"
OTHER_WIRE_EVERY: Final = 5


@dataclass
class Findings:
    """What splices brought about."""

    statements: int = 0
    answered: int = 0
    leaks: list[str] = field(default_factory=list)
    harm: list[str] = field(default_factory=list)
    internal: list[str] = field(default_factory=list)
    wires: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class CanaryService:
    """The service of the office, the canary file and server."""

    office: Office
    canary: Canary

    def send(self, seed: int, goes_on: Callable[[int], bool]) -> Findings:
        """Send spliced statements while there is time."""
        found = Findings()
        office = self.office
        others = itertools.cycle((office.trino, office.athena, office.postgresql, office.flightsql))
        for statement in splices(seed):
            if not goes_on(found.statements):
                break
            sql = statement.format(
                file=self.canary.file, folder=self.canary.file.parent, url=self.canary.url
            )
            found.statements += 1
            is_other = found.statements % OTHER_WIRE_EVERY == 0
            self._send(next(others) if is_other else office.rows, sql, found)
        return found

    def _send(self, ask: Callable[[str], object], sql: str, found: Findings) -> None:
        found.wires[ask.__name__] += 1
        try:
            told = repr(ask(sql))
            found.answered += 1
        except REFUSALS as error:
            told = str(error)
        except (UnicodeError, ValueError):  # the client's own: it did not send it
            return
        if MARK in told:
            found.leaks.append(sql)
        if INTERNAL in told:
            found.internal.append(sql)
        found.harm += [f"{one}: {sql}" for one in self.canary.harm()]

    def left(self) -> list[str]:
        """The files of the state, logs and spools among them, that hold the canary's value."""
        files = [path for path in self.office.service.state_dir.rglob("*") if path.is_file()]
        return [str(path) for path in files if MARK.encode() in path.read_bytes()]

    def history(self) -> str:
        """All that admins and the analyst are told of what ran."""
        told = ""
        for who in ("root", "ann"):
            with self.office.client(who) as client:
                told += repr(client.get("/v1/queries", limit=1000))
        return told + self.office.service.log()


@contextmanager
def canary_service(s3: S3Server, folder: Path) -> Iterator[CanaryService]:
    """Start it; the analyst may read two columns of the other table, and make tables in `open`."""
    client = s3.client()
    client.create_bucket(Bucket="lake")
    client.put_object(
        Bucket="lake", Key="people/a.csv", Body=f"1,Ada,{MARK}\n9,{MARK},x\n".encode()
    )
    client.put_object(Bucket="lake", Key="hidden/a.csv", Body=f"{MARK}\n".encode())
    (folder / "host").mkdir()
    with (
        canary_in(folder / "host") as canary,
        open_office(s3, folder / "state", WORLD, submissions_per_second_max=1000) as office,
    ):
        rows = {"columns": ["a", "b"], "row_filter": "a < 5"}
        office.grant("user:ann", "select", "table:open.t", **rows)
        office.grant("user:ann", "create", "table:open.*")
        office.grant("user:ann", "drop", "table:open.*")
        office.grant("user:ann", "use", "location:s3://lake/out")
        yield CanaryService(office, canary)
