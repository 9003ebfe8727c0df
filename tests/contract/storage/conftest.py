"""Servers and handles for the storage tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from querysvc.plan import ResourceLimits, StoredObject
from querysvc.storage.bucket_facts import BucketFactsCache
from querysvc.storage.client import StorageClient
from querysvc.storage.configuration import StorageConfiguration
from querysvc.storage.fetcher import Fetcher
from querysvc.storage.guard import StorageGuard
from querysvc.storage.publish import ResultPublisher
from querysvc.storage.range_client import RangeClient
from querysvc.storage.s3_connection import S3Connection
from tests.support.fault_proxy import FaultProxy
from tests.support.moto import moto_server
from tests.support.s3 import S3Server, bucket, s3_server

__all__ = ["bucket", "s3_server"]


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    """moto's server for the session."""
    with moto_server() as server:
        yield server


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[FaultProxy]:
    """A fault proxy before versitygw."""
    with FaultProxy(s3_server.url).running() as running:
        yield running


class Reader:
    """A gateway with one attached query, as a worker sees it."""

    def __init__(self, fetcher: Fetcher, query_id: str, client: RangeClient) -> None:
        self.fetcher = fetcher
        self.query_id = query_id
        self.client = client


@pytest.fixture
def open_reader(s3_server: S3Server) -> Iterator[Callable[..., Reader]]:
    """Open readers of plans; everything is closed at the end."""
    with ExitStack() as stack:
        numbers = iter(range(1_000_000))

        def open_one(
            objects: list[StoredObject],
            *,
            limits: ResourceLimits = ResourceLimits(),  # noqa: B008  # a frozen value
            fetcher: Fetcher | None = None,
            **changes: Any,
        ) -> Reader:
            if fetcher is None:
                fetcher = Fetcher(s3_server.configuration(**changes))
                stack.callback(fetcher.close)
            query_id = f"query-{next(numbers)}"
            attachment = fetcher.attach(query_id, objects, limits)
            client = RangeClient(attachment.connection, attachment.window_descriptor)
            stack.callback(attachment.close)
            stack.callback(client.close)
            return Reader(fetcher, query_id, client)

        yield open_one


class Storage:
    """The metadata side over one server."""

    def __init__(self, configuration: StorageConfiguration) -> None:
        self.connection = S3Connection(configuration)
        self.client = StorageClient(self.connection)
        self.facts = BucketFactsCache(self.connection)
        self.guard = StorageGuard(self.client, self.facts)
        self.publisher = ResultPublisher(self.connection, part_bytes=5 << 20)


@pytest.fixture
def open_storage() -> Iterator[Callable[[StorageConfiguration], Storage]]:
    """Open metadata connections; they are closed at the end."""
    with ExitStack() as stack:

        def open_one(configuration: StorageConfiguration) -> Storage:
            storage = Storage(configuration)
            stack.callback(storage.connection.close)
            return storage

        yield open_one
