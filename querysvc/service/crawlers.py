"""Crawlers as Glue knows them: kept by name, run one crawl at a time, on whichever node started it.

READY ─start► RUNNING ─end► READY          RUNNING ─stop► STOPPING ─end► READY (CANCELLED)

A crawl runs with the rights of whoever started it. What a node left behind when it ended is settled
when it starts again; where it never does, the crawler may be started anew after a day.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.inference.exclusions import excluding
from querysvc.model import Principal
from querysvc.service.audit import AuditLog
from querysvc.service.clock import Clock
from querysvc.service.crawl import Crawler, CrawlRequest
from querysvc.service.crawl_output import CrawlOutput, Tally
from querysvc.service.permissions import is_admin
from querysvc.state.repository import CrawlerRepository
from querysvc.state.values import CrawlEnd, CrawlerState, StoredCrawler
from querysvc.storage.locations import parse_location

_log = structlog.get_logger(__name__)
_ABANDONED_AFTER: Final = timedelta(days=1)
_CRAWLS_KEPT: Final = 20
_AT_ONCE: Final = 2


class _StoppedError(Exception):
    """Somebody stopped the crawl."""


@dataclass(frozen=True, slots=True)
class CrawlersParts:
    """What crawlers need."""

    crawlers: CrawlerRepository
    crawler: Crawler
    audit: AuditLog
    clock: Clock
    node: str


class Crawlers:
    """Creates, runs, stops and deletes crawlers; whoever made one, and admins, may change it."""

    def __init__(self, parts: CrawlersParts) -> None:
        self._parts = parts
        self._stored = parts.crawlers
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="crawl")

    def recover(self) -> None:
        """End what this node ran when it ended."""
        for crawler in self._stored.list_crawlers():
            if crawler.node == self._parts.node and crawler.started_at is not None:
                self._end(crawler, "FAILED", Tally(), "The service ended during the crawl.")

    def close(self) -> None:
        """Start no more crawls; those that run end with the process."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def create(self, crawler: StoredCrawler, principal: Principal) -> None:
        """Keep a crawler; ALREADY_EXISTS when its name is taken."""
        _check(crawler)
        now = self._parts.clock.now()
        made = dataclasses.replace(
            crawler, owner=principal.name, version=1, created_at=now, updated_at=now
        )
        if not self._stored.add_crawler(made):
            raise QueryServiceError(
                ErrorCode.ALREADY_EXISTS, f"Crawler {crawler.name} already exists"
            )
        self._parts.audit.record(principal, "create_crawler", crawler.name)

    def get(self, name: str) -> StoredCrawler:
        """The crawler; NOT_FOUND when there is none."""
        found = self._stored.get_crawler(name)
        if found is None:
            raise QueryServiceError(ErrorCode.NOT_FOUND, f"Crawler with name {name} does not exist")
        return found

    def list(self) -> Sequence[StoredCrawler]:
        """All crawlers by name."""
        return self._stored.list_crawlers()

    def update(
        self, name: str, change: Callable[[StoredCrawler], StoredCrawler], principal: Principal
    ) -> None:
        """Change a crawler that does not run."""
        found = self._idle(name, principal)
        changed = dataclasses.replace(
            change(found), version=found.version + 1, updated_at=self._parts.clock.now()
        )
        _check(changed)
        if not self._stored.replace_crawler(found, changed):
            raise _running(name)
        self._parts.audit.record(principal, "update_crawler", name)

    def delete(self, name: str, principal: Principal) -> None:
        """Forget a crawler that does not run; the tables that it made stay."""
        if not self._stored.delete_crawler(self._idle(name, principal)):
            raise _running(name)
        self._parts.audit.record(principal, "delete_crawler", name)

    def start(self, name: str, principal: Principal) -> None:
        """Run a crawl with the principal's rights; CRAWLER_RUNNING while one runs."""
        found = self.get(name)
        now = self._parts.clock.now()
        if found.started_at is not None and now - found.started_at < _ABANDONED_AFTER:
            raise _running(name)
        started = dataclasses.replace(
            found, state=CrawlerState.RUNNING, node=self._parts.node, started_at=now
        )
        if not self._stored.replace_crawler(found, started):
            raise _running(name)
        self._parts.audit.record(principal, "start_crawler", name)
        self._pool.submit(self._run, started, principal)

    def stop(self, name: str, principal: Principal) -> None:
        """Ask a running crawl to end."""
        found = self.get(name)
        _require_own(found, principal)
        if found.state is CrawlerState.READY:
            raise QueryServiceError(
                ErrorCode.CRAWLER_NOT_RUNNING, f"Crawler with name {name} is not running"
            )
        stopping = dataclasses.replace(found, state=CrawlerState.STOPPING)
        is_stopping = found.state is CrawlerState.STOPPING
        if is_stopping or not self._stored.replace_crawler(found, stopping):
            raise QueryServiceError(
                ErrorCode.CRAWLER_STOPPING, f"Crawler with name {name} is stopping"
            )
        self._parts.audit.record(principal, "stop_crawler", name)

    def _run(self, crawler: StoredCrawler, principal: Principal) -> None:
        tally = Tally()
        status, reason = "SUCCEEDED", None
        try:
            catalog = self._parts.crawler.catalog_of(principal)
            self._crawl(crawler, principal, CrawlOutput(catalog, crawler, tally))
        except _StoppedError:
            status = "CANCELLED"
        except QueryServiceError as error:
            status, reason = "FAILED", str(error)
        except Exception:
            # The thread's edge: whatever failed, the crawler must not stay RUNNING.
            _log.exception("crawl_failed", crawler=crawler.name)
            status, reason = "FAILED", "The service failed on this crawl; its log says why."
        self._end(crawler, status, tally, reason)

    def _crawl(self, crawler: StoredCrawler, principal: Principal, output: CrawlOutput) -> None:
        output.ensure_database()
        for target in crawler.targets:
            request = CrawlRequest(
                target.path,
                crawler.database,
                is_one_table=crawler.is_one_table,
                exclusions=target.exclusions,
            )
            self._go_on(crawler)
            for found in self._parts.crawler.find(request, principal):
                self._go_on(crawler)
                output.put(found)
        output.give_up_missing()

    def _go_on(self, crawler: StoredCrawler) -> None:
        """Raise unless this crawl is to go on."""
        current = self._stored.get_crawler(crawler.name)
        if current is None or current.state is not CrawlerState.RUNNING:
            raise _StoppedError
        if current.started_at != crawler.started_at:
            raise _StoppedError

    def _end(self, crawler: StoredCrawler, status: str, tally: Tally, reason: str | None) -> None:
        """Note how the crawl ended, unless another one has begun since."""
        assert crawler.started_at is not None, "it was started"
        end = CrawlEnd(
            status,
            crawler.started_at,
            (self._parts.clock.now() - crawler.started_at).total_seconds(),
            reason,
            tally.created,
            tally.updated,
            tally.deleted,
        )
        while True:
            current = self._stored.get_crawler(crawler.name)
            if current is None or current.started_at != crawler.started_at:
                return
            ended = dataclasses.replace(
                current,
                state=CrawlerState.READY,
                node=None,
                started_at=None,
                crawls=(end, *current.crawls)[:_CRAWLS_KEPT],
            )
            if self._stored.replace_crawler(current, ended):
                return

    def _idle(self, name: str, principal: Principal) -> StoredCrawler:
        found = self.get(name)
        _require_own(found, principal)
        if found.state is not CrawlerState.READY:
            raise _running(name)
        return found


def _running(name: str) -> QueryServiceError:
    return QueryServiceError(
        ErrorCode.CRAWLER_RUNNING, f"Crawler with name {name} has already started"
    )


def _require_own(crawler: StoredCrawler, principal: Principal) -> None:
    if not is_admin(principal) and crawler.owner != principal.name:
        raise QueryServiceError(
            ErrorCode.PERMISSION_DENIED,
            f"Access Denied: crawler {crawler.name} belongs to {crawler.owner}",
        )


def _check(crawler: StoredCrawler) -> None:
    for target in crawler.targets:
        parse_location(target.path)
        excluding(target.exclusions)
    if not crawler.targets:
        raise _invalid("A crawler needs a target in S3")
    if not crawler.database:
        raise _invalid("A crawler needs a DatabaseName")
    keeps = not crawler.updates_tables and crawler.delete_behavior == "LOG"
    if crawler.recrawl_behavior == "CRAWL_NEW_FOLDERS_ONLY" and not keeps:
        raise _invalid(
            "CRAWL_NEW_FOLDERS_ONLY needs a SchemaChangePolicy whose UpdateBehavior and"
            " DeleteBehavior are LOG"
        )


def _invalid(message: str) -> QueryServiceError:
    return QueryServiceError(ErrorCode.INVALID_REQUEST, message)
