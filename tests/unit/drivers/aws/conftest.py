"""The AWS wire over a real query service, without sockets."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from querysvc.plan import StoredObject
from querysvc.service.audit import AuditLog
from querysvc.service.auth import Authenticator, SecretBox
from querysvc.service.clock import SystemClock
from querysvc.service.crawl import Crawler
from querysvc.service.crawlers import Crawlers, CrawlersParts
from querysvc.service.policies import Policies
from querysvc.service.saved import SavedStatements
from querysvc.service.tags import ResourceTags
from querysvc.state.memory import MemoryState
from querysvc_catalog.memory import MemoryCatalogRepository
from querysvc_catalog.service import CatalogService
from querysvc_drivers.athena import AthenaServices, athena_service
from querysvc_drivers.aws_json import AwsWire
from querysvc_drivers.aws_json.dispatch import Answer
from querysvc_drivers.aws_json.sigv4 import SignedRequest
from querysvc_drivers.glue import GlueServices, glue_service
from tests.unit.service.conftest import Harness, build, stop

JSON = "application/x-amz-json-1.1"


class NoObjects:
    """An S3 without objects, which tells so as soon as it may."""

    def __init__(self) -> None:
        self.may_list = threading.Event()
        self.may_list.set()

    def list_objects(self, location: str) -> list[StoredObject]:
        self.may_list.wait(30)
        return []

    def read_ranges(self, ranges: Sequence[tuple[StoredObject, int, int]]) -> list[bytes]:
        raise AssertionError("there is nothing to read")


@dataclass
class Wire:
    """The wire and what is behind it."""

    wire: AwsWire
    harness: Harness
    catalog: CatalogService
    storage: NoObjects

    def send(self, target: str | None, body: bytes, content_type: str = JSON) -> Answer:
        headers = {"host": "localhost", "content-type": content_type}
        if target is not None:
            headers["x-amz-target"] = target
        return self.wire.answer(SignedRequest("POST", "/", "", headers, body), "request-id")

    def call(self, target: str, **request: Any) -> tuple[int, dict[str, Any]]:
        answer = self.send(target, orjson.dumps(request))
        return answer.status, orjson.loads(answer.body)


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    state = MemoryState()
    harness = build(state, tmp_path)
    harness.dispatcher.start()
    catalog = CatalogService(MemoryCatalogRepository(), lambda: datetime.now(UTC))
    catalog.ensure_defaults()
    tags = ResourceTags(state, harness.groups)
    saved = SavedStatements(state, harness.groups, SystemClock())
    athena = athena_service(
        AthenaServices(harness.service, harness.groups, saved, lambda _: catalog, tags)
    )
    audit = AuditLog(state, SystemClock())
    storage = NoObjects()
    nothing_to_crawl = Crawler(
        storage,
        harness.gate,  # type: ignore[arg-type]  # a fake, which nothing reaches
        lambda _: catalog,
        Policies(state, audit, SystemClock()).access_of,
        audit,
    )
    crawlers = Crawlers(CrawlersParts(state, nothing_to_crawl, audit, SystemClock(), "node"))
    glue = glue_service(GlueServices(lambda _: catalog, tags, crawlers))
    box = SecretBox(tmp_path / "secret.key")
    keys = Authenticator(state, box, SystemClock(), is_required=False)
    yield Wire(AwsWire((athena, glue), keys, SystemClock().now), harness, catalog, storage)
    stop(harness)
