"""The registry bounds what runs, and never refuses because of what has ended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc_drivers.trino.registry import (
    LocalStatement,
    OpenStatement,
    StatementRegistry,
    Timeouts,
)


class _Source(LocalStatement):
    """A statement whose query runs, or has ended."""

    def __init__(self, number: int, *, runs: bool) -> None:
        nothing: Any = None  # the registry looks at none of these
        super().__init__(f"s{number}", nothing, nothing, nothing)
        self.runs = runs


def _statement(number: int, *, is_over: bool, runs: bool = True) -> OpenStatement:
    statement = OpenStatement(_Source(number, runs=runs))
    statement.is_over = is_over
    return statement


async def _never(_: object) -> None:
    raise AssertionError("nothing is abandoned here")


def test_ended_statements_make_room_for_new_ones() -> None:
    async def run() -> None:
        registry = StatementRegistry(_never, Timeouts(60.0, 60.0), 3)
        for number in range(10):
            registry.require_room()
            registry.add(_statement(number, is_over=True))
        assert len(registry) == 3
        assert registry.get("s9") is not None
        assert registry.get("s0") is None

    asyncio.run(run())


def test_those_whose_last_page_was_sent_go_first() -> None:
    async def run() -> None:
        registry = StatementRegistry(_never, Timeouts(60.0, 60.0), 3)
        for number, is_over in enumerate((False, True, False)):
            registry.add(_statement(number, is_over=is_over, runs=False))
        for expected in ("s1", "s0"):
            registry.require_room()
            assert registry.get(expected) is None
            registry.add(_statement(9, is_over=False))
        assert registry.get("s2") is not None

    asyncio.run(run())


def test_running_statements_are_bounded() -> None:
    async def run() -> None:
        registry = StatementRegistry(_never, Timeouts(60.0, 60.0), 2)
        registry.add(_statement(1, is_over=False))
        registry.add(_statement(2, is_over=False))
        with pytest.raises(QueryServiceError) as raised:
            registry.require_room()
        assert raised.value.code is ErrorCode.TOO_MANY_REQUESTS

    asyncio.run(run())
