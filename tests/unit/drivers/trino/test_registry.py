"""The registry bounds what runs, and never refuses because of what has ended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc_drivers.trino.registry import LocalStatement, OpenStatement, StatementRegistry


def _statement(number: int, *, is_over: bool) -> OpenStatement:
    nothing: Any = None  # the registry looks at none of these
    statement = OpenStatement(LocalStatement(f"s{number}", nothing, nothing, nothing))
    statement.is_over = is_over
    return statement


async def _never(_: object) -> None:
    raise AssertionError("nothing is abandoned here")


def test_ended_statements_make_room_for_new_ones() -> None:
    async def run() -> None:
        registry = StatementRegistry(_never, 60.0, 3)
        for number in range(10):
            registry.require_room()
            registry.add(_statement(number, is_over=True))
        assert len(registry) == 3
        assert registry.get("s9") is not None
        assert registry.get("s0") is None

    asyncio.run(run())


def test_running_statements_are_bounded() -> None:
    async def run() -> None:
        registry = StatementRegistry(_never, 60.0, 2)
        registry.add(_statement(1, is_over=False))
        registry.add(_statement(2, is_over=False))
        with pytest.raises(QueryServiceError) as raised:
            registry.require_room()
        assert raised.value.code is ErrorCode.TOO_MANY_REQUESTS

    asyncio.run(run())
