"""The storage gateway's own process: `python -m querysvc.storage.fetcher_process <descriptor>`."""

from __future__ import annotations

import asyncio
import ctypes
import dataclasses
import os
import signal
import socket
import sys
import threading
from typing import Any  # control messages are JSON of our own making

import orjson
import uvloop

from querysvc.storage.configuration import (
    BucketAccess,
    BucketOverride,
    Credentials,
    StorageConfiguration,
)
from querysvc.storage.fetcher import FetchAccounting, receive_message, send_message
from querysvc.storage.object_source import ObjectSource, PlannedObject
from querysvc.storage.query_feed import FeedLimits, QueryFeed
from querysvc.storage.range_cache import RangeCache

_PR_SET_DUMPABLE = 4


class Gateway:
    """All attached queries, the one source and the one cache; lives on one event loop."""

    def __init__(self, configuration: StorageConfiguration) -> None:
        self._configuration = configuration
        self._source = ObjectSource(configuration)
        self._cache = RangeCache(configuration.range_cache_bytes)
        self._feeds: dict[str, QueryFeed] = {}
        self._warming: asyncio.Task[None] | None = None

    async def attach(self, request: dict[str, Any]) -> tuple[socket.socket, int]:
        """Open a plan and return the worker's descriptors."""
        query_id = request["query_id"]
        if query_id in self._feeds:
            raise ValueError(f"query {query_id} is attached already")
        feed = QueryFeed(
            [PlannedObject(*one) for one in request["objects"]],
            {name: BucketAccess(**one) for name, one in request["buckets"].items()},
            FeedLimits(request["window_bytes"], request["scanned_bytes_max"]),
            configuration=self._configuration,
            source=self._source,
            cache=self._cache,
        )
        ours, theirs = socket.socketpair()
        feed.start(ours)
        self._feeds[query_id] = feed
        return theirs, feed.window.descriptor

    async def accounting(self, request: dict[str, Any]) -> FetchAccounting | None:
        """What the query was given so far."""
        feed = self._feeds.get(request["query_id"])
        return None if feed is None else _accounting(feed)

    async def cancel(self, request: dict[str, Any]) -> FetchAccounting | None:
        """Drop the query's requests; it stays known until it is detached."""
        feed = self._feeds.get(request["query_id"])
        if feed is None:
            return None
        await feed.close()
        return _accounting(feed)

    async def detach(self, request: dict[str, Any]) -> FetchAccounting | None:
        """Drop the query's requests and forget it."""
        feed = self._feeds.pop(request["query_id"], None)
        if feed is None:
            return None
        await feed.close()
        return _accounting(feed)

    def warm_up(self) -> None:
        """Do in the background what the first query would wait for."""
        self._warming = asyncio.get_running_loop().create_task(self._source.warm_up())

    async def close(self) -> None:
        """Drop everything."""
        if self._warming is not None:
            self._warming.cancel()
        for feed in self._feeds.values():
            await feed.close()
        await self._source.close()


def _accounting(feed: QueryFeed) -> FetchAccounting:
    counts = feed.counts
    return FetchAccounting(
        fetched_bytes=counts.fetched_bytes,
        cached_bytes=counts.cached_bytes,
        requests=counts.s3.requests,
        retries=counts.s3.retries,
        misses=counts.misses,
    )


def _configuration(told: dict[str, Any]) -> StorageConfiguration:
    def credentials(one: dict[str, Any] | None) -> Credentials | None:
        return Credentials(**one) if one else None

    buckets = {
        name: BucketOverride(**{**one, "credentials": credentials(one["credentials"])})
        for name, one in told["buckets"].items()
    }
    own = {**told, "buckets": buckets, "credentials": credentials(told["credentials"])}
    return StorageConfiguration(**own)


def _answer(control: socket.socket, gateway: Gateway, loop: asyncio.AbstractEventLoop) -> None:
    """Take control messages until the service ends the connection (the control thread)."""

    def run(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    operations = {
        "accounting": gateway.accounting,
        "cancel": gateway.cancel,
        "detach": gateway.detach,
    }
    while True:
        try:
            body, _ = receive_message(control)
        except (EOFError, OSError):
            return
        request = orjson.loads(body)
        try:
            if request["operation"] == "attach":
                connection, window = run(gateway.attach(request))
                with connection:
                    send_message(control, b"{}", [connection.fileno(), window])
                continue
            reply: dict[str, Any] = {"counts": None}
            counts = run(operations[request["operation"]](request))
            if counts is not None:
                reply = {"counts": dataclasses.asdict(counts)}
        except Exception as error:  # the outermost edge: the service must get an answer
            reply = {"error": repr(error)}
        send_message(control, orjson.dumps(reply))


async def _run(control: socket.socket) -> None:
    body, _ = receive_message(control)
    gateway = Gateway(_configuration(orjson.loads(body)["configuration"]))
    send_message(control, b"{}")
    gateway.warm_up()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def answer() -> None:
        try:
            _answer(control, gateway, loop)
        finally:
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=answer, name="control", daemon=True).start()
    await ended.wait()
    await gateway.close()


def main() -> None:
    """Serve until the control connection ends."""
    # A worker of the same user must not be able to read the credentials out of this process.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(control.fileno(), False)
    uvloop.run(_run(control))


if __name__ == "__main__":
    main()
