"""DELETE, UPDATE and MERGE of Iceberg tables, against a model, other readers and other writers."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pyiceberg.table import StaticTable

from querysvc.client import ServiceError
from tests.support.running_service import RunningService
from tests.support.s3 import ACCESS_KEY, REGION, SECRET_KEY, S3Server

Row = tuple[int | None, str | None, int | None]
"""id, name, part"""


def run(service: RunningService, sql: str) -> dict[str, Any]:
    return service.client.run(sql)


def rows(service: RunningService, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in service.client.rows(run(service, sql)["id"])]


@pytest.fixture(scope="module")
def database(service: RunningService) -> str:
    run(service, "CREATE DATABASE IF NOT EXISTS ice LOCATION 's3://data/ice/'")
    return "ice"


@dataclass
class Made:
    """Makes tables of Iceberg, each under its own name."""

    service: RunningService
    database: str
    count: int = 0

    def table(self, partitioned: str = "", **values: Any) -> str:
        self.count += 1
        name = f"{self.database}.t{self.count}"
        by = f"PARTITIONED BY ({partitioned})" if partitioned else ""
        run(
            self.service,
            f"CREATE TABLE {name} (id bigint, name string, part int) {by}"
            f" LOCATION 's3://data/{name.replace('.', '/')}/'"
            " TBLPROPERTIES ('table_type' = 'ICEBERG')",
        )
        return name


@pytest.fixture(scope="module")
def made(service: RunningService, database: str) -> Made:
    return Made(service, database)


def insert(service: RunningService, table: str, given: list[Row]) -> None:
    run(service, f"INSERT INTO {table} VALUES {', '.join(map(literal, given))}")


def literal(row: Row) -> str:
    number, name, part = row
    text = "CAST(NULL AS varchar)" if name is None else f"'{name}'"
    return f"({_number(number, 'bigint')}, {text}, {_number(part, 'integer')})"


def _number(value: int | None, type_: str) -> str:
    return f"CAST({'NULL' if value is None else value} AS {type_})"


def seen_by_pyiceberg(s3: S3Server, service: RunningService, table: str) -> list[Row]:
    """What another reader finds, and that the snapshot's own totals are of those rows."""
    ((location,),) = rows(service, f"SHOW TBLPROPERTIES {table} ('metadata_location')")
    other = StaticTable.from_metadata(
        location,
        {
            "s3.endpoint": s3.url,
            "s3.access-key-id": ACCESS_KEY,
            "s3.secret-access-key": SECRET_KEY,
            "s3.region": REGION,
        },
    )
    snapshot = other.current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    found = [tuple(row.values()) for row in other.scan().to_arrow().to_pylist()]
    total = int(snapshot.summary["total-records"] or 0)
    deleted = int(snapshot.summary["total-position-deletes"] or 0)
    assert total - deleted == len(found)
    return found


def in_order(found: list[Any]) -> list[Any]:
    return sorted(found, key=repr)


# A statement, and what it does to a row (None: it goes).


def _changes(chance: random.Random) -> tuple[str, Callable[[Row], Row | None]]:
    bound, part = chance.randrange(12), chance.choice([0, 1, 2])
    name = chance.choice(["x", "y", "z"])
    kept: dict[str, tuple[str, Callable[[Row], bool]]] = {
        f"id < {bound}": ("", lambda r: r[0] is not None and r[0] < bound),
        f"part = {part}": ("", lambda r: r[2] == part),
        f"name IS NULL OR name = '{name}'": ("", lambda r: r[1] is None or r[1] == name),
        f"id % 3 = {part} AND part <> {part}": (
            "",
            lambda r: None not in (r[0], r[2]) and r[0] % 3 == part and r[2] != part,  # type: ignore[operator]  # no None
        ),
    }
    where, (_, holds) = chance.choice(list(kept.items()))
    if chance.random() < 0.5:
        return f"DELETE FROM {{}} WHERE {where}", lambda r: None if holds(r) else r
    sets: list[tuple[str, Callable[[Row], Row]]] = [
        (f"part = {part}", lambda r: (r[0], r[1], part)),
        ("name = NULL", lambda r: (r[0], None, r[2])),
        ("id = id + 1, name = name || 'k'", lambda r: (_plus(r[0]), _longer(r[1]), r[2])),
    ]
    text, change = chance.choice(sets)
    return f"UPDATE {{}} SET {text} WHERE {where}", lambda r: change(r) if holds(r) else r


def _plus(value: int | None) -> int | None:
    return None if value is None else value + 1


def _longer(value: str | None) -> str | None:
    return None if value is None else f"{value}k"


def _merged(chance: random.Random, model: list[Row]) -> tuple[str, list[Row], int]:
    """A MERGE by distinct ids, the rows after it, and how many it changes."""
    source = {number: chance.choice("xyz") for number in chance.sample(range(15), 5)}
    bound = chance.randrange(15)
    values = ", ".join(f"(BIGINT '{number}', '{name}')" for number, name in source.items())
    sql = (
        f"MERGE INTO {{}} t USING (VALUES {values}) s(id, v) ON t.id = s.id"
        f" WHEN MATCHED AND s.id < {bound} THEN DELETE"
        " WHEN MATCHED AND t.part <> 2 THEN UPDATE SET name = s.v, part = t.part + 1"
        " WHEN NOT MATCHED AND v <> 'z' THEN INSERT (id, name) VALUES (s.id, v)"
    )
    after: list[Row] = []
    changed = 0
    for row in model:
        if row[0] not in source:
            after.append(row)
        elif row[0] < bound:
            changed += 1
        elif row[2] is not None and row[2] != 2:
            changed += 1
            after.append((row[0], source[row[0]], row[2] + 1))
        else:
            after.append(row)
    known = {row[0] for row in model}
    new = [(number, name, None) for number, name in source.items() if number not in known]
    kept = [row for row in new if row[1] != "z"]
    return sql, [*after, *kept], changed + len(kept)


@pytest.mark.parametrize(
    ("seed", "partitioned"),
    [(1, ""), (2, "part"), (3, "bucket(3, id), part"), (4, "truncate(2, name)")],
)
def test_rows_are_as_a_model_has_them_after_each_statement(
    service: RunningService, s3: S3Server, made: Made, seed: int, partitioned: str
) -> None:
    chance = random.Random(seed)
    table = made.table(partitioned)
    model: list[Row] = [
        (chance.randrange(12), chance.choice(["x", "y", None]), chance.choice([0, 1, 2, None]))
        for _ in range(30)
    ]
    insert(service, table, model[:20])
    insert(service, table, model[20:])
    for _ in range(4):
        if chance.random() < 0.4 and len({row[0] for row in model}) == len(model):
            sql, after, changed = _merged(chance, model)
        else:
            sql, change = _changes(chance)
            made_of = [change(row) for row in model]
            after = [row for row in made_of if row is not None]
            changed = sum(one is not other for one, other in zip(made_of, model, strict=True))
        execution = run(service, sql.format(table))
        model = after
        assert execution["update_count"] == changed, sql
        assert in_order(rows(service, f"SELECT * FROM {table}")) == in_order(model), sql
    assert in_order(seen_by_pyiceberg(s3, service, table)) == in_order(model)


def test_merges_are_as_a_model_has_them(service: RunningService, s3: S3Server, made: Made) -> None:
    chance = random.Random(5)
    table = made.table("part")
    model: list[Row] = [(number, chance.choice("xyz"), number % 3) for number in range(10)]
    insert(service, table, model)
    for _ in range(3):
        sql, model, changed = _merged(chance, model)
        assert run(service, sql.format(table))["update_count"] == changed
        assert in_order(rows(service, f"SELECT * FROM {table}")) == in_order(model), sql
    assert in_order(seen_by_pyiceberg(s3, service, table)) == in_order(model)


MATCHES = "MERGE INTO {} t USING (VALUES (1, 1), (1, 2)) s(id, v) ON t.id = s.id"


@pytest.mark.parametrize(
    "cases",
    [
        "WHEN MATCHED THEN DELETE",
        "WHEN MATCHED THEN UPDATE SET name = 'k'",
        "WHEN MATCHED AND v = 7 THEN DELETE",
        "WHEN MATCHED AND v = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET name = 'k'",
    ],
)
def test_a_row_that_two_source_rows_match_fails_the_merge(
    service: RunningService, made: Made, cases: str
) -> None:
    table = made.table()
    insert(service, table, [(1, "x", 0)])
    with pytest.raises(ServiceError, match="One MERGE target table row matched more than one"):
        run(service, f"{MATCHES.format(table)} {cases}")
    assert rows(service, f"SELECT * FROM {table}") == [(1, "x", 0)]


def test_a_row_may_match_twice_when_one_case_alone_holds(
    service: RunningService, made: Made
) -> None:
    table = made.table()
    insert(service, table, [(1, "x", 0)])
    sql = f"{MATCHES.format(table)} WHEN MATCHED AND v = 1 THEN DELETE"
    assert run(service, sql)["update_count"] == 1
    assert rows(service, f"SELECT * FROM {table}") == []


def test_what_changes_and_what_goes_are_of_one_evaluation(
    service: RunningService, s3: S3Server, made: Made
) -> None:
    table = made.table()
    run(service, f"INSERT INTO {table} SELECT n, 'x', 0 FROM UNNEST(sequence(1, 1000)) u(n)")
    count = run(service, f"UPDATE {table} SET part = 1 WHERE random() < 0.5")["update_count"]
    assert 300 < count < 700
    assert rows(service, f"SELECT count(*), sum(part), count(DISTINCT id) FROM {table}") == [
        (1000, count, 1000)
    ]


def test_a_file_of_which_no_row_is_left_is_removed(
    service: RunningService, s3: S3Server, made: Made
) -> None:
    table = made.table("part")
    insert(service, table, [(n, "x", n % 2) for n in range(6)])
    assert run(service, f"DELETE FROM {table} WHERE part = 1")["update_count"] == 3
    assert run(service, f"DELETE FROM {table} WHERE part = 7")["update_count"] == 0
    whole = made.table("part")
    assert run(service, f"DELETE FROM {whole}")["update_count"] == 0
    insert(service, whole, [(n, "x", n % 2) for n in range(6)])
    deleted = run(service, f"DELETE FROM {whole}")
    assert (deleted["update_count"], deleted["statistics"]["scanned_bytes"]) == (6, 0)
    assert rows(service, f"SELECT * FROM {whole}") == []
    assert len(seen_by_pyiceberg(s3, service, table)) == 3
    key = f"{table.replace('.', '/')}/data/"
    listed = s3.client().list_objects_v2(Bucket="data", Prefix=key)["Contents"]
    assert not [one["Key"] for one in listed if one["Key"].endswith("-deletes.parquet")]


@pytest.mark.timeout(120)
def test_changes_at_once_lose_nothing(service: RunningService, s3: S3Server, made: Made) -> None:
    table = made.table()
    insert(service, table, [(1, "", 0), (2, "", 0)])
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(2):
                run(service, f"UPDATE {table} SET part = part + 1 WHERE id = {number % 2 + 1}")
                insert(service, table, [(10 + number, "i", 0)])
        except ServiceError as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    found = rows(service, f"SELECT id, part FROM {table} WHERE id < 3 ORDER BY id")
    assert found == [(1, 4), (2, 4)]
    assert len(seen_by_pyiceberg(s3, service, table)) == 10


def test_an_estimate_of_a_change_tells_what_it_reads(service: RunningService, made: Made) -> None:
    table = made.table("part")
    insert(service, table, [(n, "x", n % 2) for n in range(6)])
    told = service.client.post("/v1/estimate", {"sql": f"DELETE FROM {table} WHERE part = 1"})
    assert told["files"] == 1
    assert len(rows(service, f"SELECT * FROM {table}")) == 6


def test_hive_tables_cannot_be_changed(service: RunningService) -> None:
    with pytest.raises(ServiceError, match="only supported for transactional tables"):
        run(service, "DELETE FROM shop.orders WHERE id = 1")
