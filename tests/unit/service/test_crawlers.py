"""Crawlers' lives: one crawl at a time, changed by their owners, settled after a crash."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal
from querysvc.service.audit import AuditLog
from querysvc.service.crawlers import Crawlers, CrawlersParts
from querysvc.state.memory import MemoryState
from querysvc.state.values import CrawlerState, CrawlTarget, StoredCrawler
from tests.support.fakes import ManualClock

ADA, BOB = Principal("ada"), Principal("bob")
ADMIN = Principal("root", frozenset({"admin"}))
DAY = 86_400
CRAWLER = StoredCrawler("c", "", "role", (CrawlTarget("s3://b/p/"),), "db")


class Held:
    """Crawls nothing, and takes until it may end."""

    def __init__(self) -> None:
        self.may_end = threading.Event()

    def catalog_of(self, principal: Principal) -> Any:
        self.may_end.wait(30)
        raise QueryServiceError(ErrorCode.PERMISSION_DENIED, "no catalog for you")


class World:
    """Crawlers over a state that outlives them."""

    def __init__(self) -> None:
        self.state, self.clock, self.held = MemoryState(), ManualClock(), Held()
        self.crawlers = self.anew()

    def anew(self, node: str = "n1") -> Crawlers:
        """As after a restart of the node."""
        audit = AuditLog(self.state, self.clock)
        crawler: Any = self.held
        return Crawlers(CrawlersParts(self.state, crawler, audit, self.clock, node))

    def status(self) -> tuple[CrawlerState, list[str]]:
        found = self.crawlers.get("c")
        return found.state, [end.status for end in found.crawls]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    made.crawlers.create(CRAWLER, ADA)
    yield made
    made.held.may_end.set()
    made.crawlers.close()


def code_of(call: Any, *arguments: Any) -> ErrorCode:
    with pytest.raises(QueryServiceError) as caught:
        call(*arguments)
    return caught.value.code


def test_a_crawl_that_a_node_left_behind_failed(world: World) -> None:
    world.crawlers.start("c", BOB)
    world.anew("n2").recover()
    assert world.status() == (CrawlerState.RUNNING, [])
    world.anew("n1").recover()
    assert world.status() == (CrawlerState.READY, ["FAILED"])
    world.held.may_end.set()
    world.crawlers._pool.shutdown()
    assert world.status() == (CrawlerState.READY, ["FAILED"]), "the lost crawl ends nothing else"


def test_a_crawl_of_a_node_that_is_gone_holds_a_crawler_for_a_day(world: World) -> None:
    world.crawlers.start("c", ADA)
    world.clock.advance(DAY - 1)
    assert code_of(world.crawlers.start, "c", ADA) is ErrorCode.CRAWLER_RUNNING
    world.clock.advance(1)
    world.anew("n2").start("c", ADA)


def test_a_failure_is_kept_and_the_crawler_is_ready(world: World) -> None:
    world.held.may_end.set()
    world.crawlers.start("c", ADA)
    world.crawlers._pool.shutdown()
    assert world.status() == (CrawlerState.READY, ["FAILED"])
    assert "no catalog for you" in str(world.crawlers.get("c").crawls[0].error)


def test_a_crawler_is_changed_by_its_owner_and_by_admins(world: World) -> None:
    for call in (world.crawlers.delete, world.crawlers.stop):
        assert code_of(call, "c", BOB) is ErrorCode.PERMISSION_DENIED
    assert code_of(world.crawlers.update, "c", lambda c: c, BOB) is ErrorCode.PERMISSION_DENIED
    world.crawlers.update("c", lambda c: c, ADMIN)
    assert world.crawlers.get("c").version == 2
    world.crawlers.delete("c", ADA)
    assert world.crawlers.list() == ()
