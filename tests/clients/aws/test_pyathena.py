"""PyAthena, unmodified: its cursors and its SQLAlchemy dialect."""

from __future__ import annotations

import asyncio
import datetime
import functools
import importlib
import inspect
from typing import Any
from urllib.parse import quote_plus

import pyarrow.fs
import pytest

from tests.clients.aws.conftest import BUCKET, OUTPUT, REGION, Aws
from tests.support.s3 import S3Server

pyathena = pytest.importorskip("pyathena")


BIRTHDAYS = [
    (1, datetime.date(1815, 12, 10)),
    (2, datetime.date(1906, 12, 9)),
    (3, None),
]


@pytest.fixture
def connection(aws: Aws, s3: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    # PyAthena reads result objects itself: S3 has its own endpoint and keys.
    with pyathena.connect(
        endpoint_url=aws.service.url,
        region_name=REGION,
        aws_access_key_id=aws.access_key,
        aws_secret_access_key=aws.secret_key,
        s3_staging_dir=OUTPUT,
        schema_name="shop",
        poll_interval=0.1,
    ) as connection:
        yield connection


def test_a_cursor_reads_rows_of_pythons_types(connection: Any, shop: str) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT id, name, born FROM people ORDER BY id")
    assert cursor.fetchall() == [
        (1, "Ada", datetime.date(1815, 12, 10)),
        (2, "", datetime.date(1906, 12, 9)),
        (3, None, None),
    ]
    assert [column[:2] for column in cursor.description] == [
        ("id", "integer"),
        ("name", "varchar"),
        ("born", "date"),
    ]
    assert cursor.state == "SUCCEEDED"
    assert cursor.state_change_reason is None
    assert cursor.data_scanned_in_bytes
    assert cursor.engine_execution_time_in_millis
    assert cursor.query_queue_time_in_millis
    assert cursor.total_execution_time_in_millis
    assert cursor.output_location == f"{OUTPUT}{cursor.query_id}.csv"
    assert cursor.data_manifest_location is None
    assert cursor.catalog


def test_a_cursor_reuses_an_equal_result(connection: Any, shop: str) -> None:
    sql = "SELECT count(*) AS reused FROM people"
    reuse = {"result_reuse_enable": True, "result_reuse_minutes": 60}
    cursors = [connection.cursor().execute(sql, **reuse) for _ in range(2)]
    assert [cursor.reused_previous_result for cursor in cursors] == [False, True]
    assert [cursor.fetchall() for cursor in cursors] == [[(3,)], [(3,)]]
    assert [cursor.result_reuse_minutes for cursor in cursors] == [60, 60]
    assert cursors[1].data_scanned_in_bytes == 0


def test_another_comment_is_another_question(connection: Any, shop: str) -> None:
    reuse = {"result_reuse_enable": True, "result_reuse_minutes": 60}
    texts = (f"SELECT count(*) AS asked FROM people -- {comment}" for comment in "abb")
    reused = [connection.cursor().execute(sql, **reuse).reused_previous_result for sql in texts]
    assert reused == [False, False, True]


def test_a_cursor_pages_through_many_rows(connection: Any, shop: str) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT n FROM numbers")
    assert [row[0] for row in cursor] == list(range(2500))


def test_a_cursor_passes_parameters(connection: Any, shop: str) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT name FROM people WHERE id = %(id)d", {"id": 1})
    assert cursor.fetchall() == [("Ada",)]
    cursor.execute("SELECT name FROM people WHERE name = ?", ["'Ada'"], paramstyle="qmark")
    assert cursor.fetchall() == [("Ada",)]


def test_a_cursor_runs_ddl_and_raises_failures(connection: Any, shop: str) -> None:
    cursor = connection.cursor()
    cursor.execute(
        f"CREATE EXTERNAL TABLE IF NOT EXISTS made (n int) ROW FORMAT DELIMITED"
        f" FIELDS TERMINATED BY ',' LOCATION 's3://{BUCKET}/numbers/'"
    )
    assert cursor.fetchall() == []
    cursor.execute("SELECT max(n) FROM made")
    assert cursor.fetchone() == (2499,)
    cursor.execute("DROP TABLE made")
    with pytest.raises(pyathena.error.OperationalError, match="TABLE_NOT_FOUND"):
        cursor.execute("SELECT * FROM made")
    with pytest.raises(pyathena.error.DatabaseError, match="mismatched input"):
        cursor.execute("SELEC 1")


def test_a_cursor_counts_what_it_wrote(connection: Any, shop: str) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE copied AS SELECT id, name FROM people")
    assert cursor.description == [("rows", "bigint", None, None, 19, 0, "UNKNOWN")]
    assert (cursor.rowcount, cursor.fetchone()) == (3, None)
    assert cursor.data_manifest_location.endswith(f"{cursor.query_id}-manifest.csv")
    cursor.execute("INSERT INTO copied VALUES (4, 'Bo')")
    assert cursor.rowcount == 1
    cursor.execute("SELECT count(*) FROM copied")
    assert cursor.fetchone() == (4,)
    cursor.execute("DROP TABLE copied")


@pytest.fixture
def everywhere(
    aws: Aws, s3: S3Server, shared_keys: None, shop: str, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """What connects with the endpoints of the environment, as the frames' cursors need them."""
    # boto3 reads endpoints from the environment; Arrow's S3, which PyAthena uses too, does not.
    other_s3 = functools.partial(pyarrow.fs.S3FileSystem, endpoint_override=s3.url)
    monkeypatch.setattr(pyarrow.fs, "S3FileSystem", other_s3)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_ATHENA", aws.service.url)
    return functools.partial(
        pyathena.connect,
        region_name=REGION,
        aws_access_key_id=aws.access_key,
        aws_secret_access_key=aws.secret_key,
        s3_staging_dir=OUTPUT,
        schema_name="shop",
        poll_interval=0.1,
    )


CURSORS = [
    ("cursor", "", {}),
    ("arrow", "Arrow", {"unload": True}),
    ("pandas", "Pandas", {"unload": True}),
    ("polars", "Polars", {"unload": True}),
    ("s3fs", "S3FS", {}),
]
"""PyAthena's packages, their classes' names, and how they read what was unloaded."""


@pytest.mark.filterwarnings("ignore:engine=.auto. is deprecated")  # PyAthena asks pandas so
@pytest.mark.parametrize(("package", "prefix", "unload"), CURSORS, ids=[c[0] for c in CURSORS])
def test_every_cursor_reads_the_same_rows(
    everywhere: Any, package: str, prefix: str, unload: dict[str, bool]
) -> None:
    base = "pyathena" if package == "cursor" else f"pyathena.{package}"
    plain = getattr(importlib.import_module(f"{base}.cursor"), f"{prefix}Cursor")
    later = getattr(importlib.import_module(f"{base}.async_cursor"), f"Async{prefix}Cursor")
    sql = "SELECT id, born FROM people ORDER BY id"
    for options in [{}, unload] if unload else [{}]:
        with everywhere(cursor_class=plain, cursor_kwargs=options) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            rows = [(row[0], _day(row[1])) for row in cursor.fetchall()]
            assert rows == BIRTHDAYS
            if options:
                assert cursor.data_manifest_location.endswith("-manifest.csv")
    with everywhere(cursor_class=later) as connection:
        _, future = connection.cursor().execute(sql)
        assert [row[0] for row in future.result().fetchall()] == [1, 2, 3]


def test_every_cursor_of_asyncio_reads_the_same_rows(everywhere: Any) -> None:
    from pyathena.aio.connection import AioConnection

    async def read(package: str, prefix: str) -> list[int]:
        base = "pyathena.aio" if package == "cursor" else f"pyathena.aio.{package}"
        kind = getattr(importlib.import_module(f"{base}.cursor"), f"Aio{prefix}Cursor")
        async with await AioConnection.create(**everywhere.keywords) as connection:
            cursor = connection.cursor(kind)
            await cursor.execute("SELECT id FROM people ORDER BY id")
            rows = cursor.fetchall()  # the frames' are at hand, the plain one's are awaited
            return [row[0] for row in (await rows if inspect.isawaitable(rows) else rows)]

    async def read_all() -> list[list[int]]:
        return [await read(package, prefix) for package, prefix, _ in CURSORS]

    assert asyncio.run(read_all()) == [[1, 2, 3]] * len(CURSORS)


def test_frames_hold_the_rows_as_their_libraries_do(everywhere: Any) -> None:
    from pyathena.arrow.cursor import ArrowCursor
    from pyathena.pandas.cursor import PandasCursor
    from pyathena.polars.cursor import PolarsCursor

    sql = "SELECT id, name, born FROM people ORDER BY id"
    with everywhere() as connection:
        table = connection.cursor(ArrowCursor).execute(sql).as_arrow()
        assert table.column("id").to_pylist() == [1, 2, 3]
        frame = connection.cursor(PandasCursor).execute(sql).as_pandas()
        assert list(frame["id"]) == [1, 2, 3]
        polars = connection.cursor(PolarsCursor).execute(sql).as_polars()
        assert polars["id"].to_list() == [1, 2, 3]


def _day(value: Any) -> datetime.date | None:
    """A date as Python has it: pandas reads timestamps, and NaT for NULL."""
    if value is None or value != value:  # NaT differs from itself
        return None
    return value.date() if isinstance(value, datetime.datetime) else value


def test_a_dictionary_cursor_reads_by_name(connection: Any, shop: str) -> None:
    from pyathena.cursor import DictCursor

    cursor = connection.cursor(DictCursor)
    cursor.execute("SELECT id, name FROM people WHERE id = 1")
    assert cursor.fetchone() == {"id": 1, "name": "Ada"}


def test_an_asynchronous_cursor_answers(connection: Any, shop: str) -> None:
    from pyathena.async_cursor import AsyncCursor

    cursor = connection.cursor(AsyncCursor)
    _, future = cursor.execute("SELECT count(*) FROM numbers")
    assert future.result().fetchall() == [(2500,)]


def test_sqlalchemy_reflects_and_queries(aws: Aws, shop: str) -> None:
    import sqlalchemy as sa

    url = (
        f"awsathena+rest://{aws.access_key}:{quote_plus(aws.secret_key)}@athena.{REGION}"
        f".amazonaws.com:443/shop?s3_staging_dir={quote_plus(OUTPUT)}"
        f"&endpoint_url={quote_plus(aws.service.url)}&poll_interval=0.1"
    )
    engine = sa.create_engine(url)
    inspector = sa.inspect(engine)
    assert {"default", "shop"} <= set(inspector.get_schema_names())
    assert inspector.get_table_names("shop") == ["numbers", "people"]
    assert inspector.get_view_names("shop") == []
    columns = inspector.get_columns("people", "shop")
    assert [(c["name"], str(c["type"])) for c in columns] == [
        ("id", "INTEGER"),
        ("name", "VARCHAR"),
        ("born", "DATE"),
    ]
    assert columns[0]["comment"] == "key"
    with pytest.raises(sa.exc.NoSuchTableError):
        sa.Table("none", sa.MetaData(), autoload_with=engine)
    people = sa.Table("people", sa.MetaData(schema="shop"), autoload_with=engine)
    with engine.connect() as connection:
        found = connection.execute(sa.select(people.c.name).where(people.c.id == 1)).scalar()
    assert found == "Ada"
    engine.dispose()
