"""asyncpg: binary values, types of parameters, introspection, cursors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.pg_stack import PgStack

asyncpg = pytest.importorskip("asyncpg")


def run(stack: PgStack, work: Callable[[Any], Awaitable[Any]]) -> Any:
    async def connected() -> Any:
        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=stack.port,
            user="eve",
            database="tpch",
            ssl=False,
            server_settings={"search_path": "tiny"},
        )
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(asyncio.wait_for(connected(), 30))


def test_a_cast_parameter_has_its_type(stack: PgStack) -> None:
    async def work(connection: Any) -> Any:
        return await connection.fetch("select $1::int", 7)

    assert [tuple(row) for row in run(stack, work)] == [(7,)]


def test_parameters_are_typed_by_their_context(stack: PgStack) -> None:
    async def work(connection: Any) -> Any:
        statement = await connection.prepare(
            "SELECT name FROM nation WHERE nationkey > $1 AND name LIKE $2 LIMIT $3"
        )
        types = [type_.name for type_ in statement.get_parameters()]
        rows = await statement.fetch(3, "C%", 5)
        keys = await connection.fetch(
            "SELECT name FROM nation WHERE contains($1::int8[], nationkey)", [3]
        )
        return types, [row["name"] for row in rows], [row["name"] for row in keys]

    assert run(stack, work) == (["int8", "text", "int8"], ["CHINA"], ["CANADA"])


def test_types_are_introspected(stack: PgStack) -> None:
    async def work(connection: Any) -> Any:
        await connection.set_type_codec(
            "json", encoder=str, decoder=lambda text: text, schema="pg_catalog"
        )
        found, _ = await connection._introspect_types([3904, 1007], 10)
        value = await connection.fetchval("SELECT JSON '[1]'")
        oid = await connection.fetchval("SELECT oid FROM pg_type WHERE typname = $1", "int4")
        return {row["name"] for row in found}, value, oid

    names, value, oid = run(stack, work)
    assert {"int4range", "_int4", "int4"} <= names
    assert (value, oid) == ("[1]", 23)


def test_a_cursor_gives_all_rows(stack: PgStack) -> None:
    async def work(connection: Any) -> int:
        count = 0
        async with connection.transaction():
            async for _ in connection.cursor("SELECT * FROM orders", prefetch=1000):
                count += 1
        return count

    assert run(stack, work) == 15_000


def test_a_time_out_of_the_client_cancels(stack: PgStack) -> None:
    async def work(connection: Any) -> Any:
        with pytest.raises(TimeoutError):
            await connection.fetch(
                "SELECT count(*) FROM lineitem a, lineitem b, lineitem c"
                " WHERE a.orderkey + b.orderkey + c.orderkey < 0",
                timeout=0.5,
            )
        return await connection.fetchval("SELECT 1")

    assert run(stack, work) == 1
