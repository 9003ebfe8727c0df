"""The AWS wire over a real query service, without sockets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from querysvc.service.auth import Authenticator, SecretBox
from querysvc.service.clock import SystemClock
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


@dataclass
class Wire:
    """The wire and what is behind it."""

    wire: AwsWire
    harness: Harness

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
    glue = glue_service(GlueServices(lambda _: catalog, tags))
    box = SecretBox(tmp_path / "secret.key")
    keys = Authenticator(state, box, SystemClock(), is_required=False)
    yield Wire(AwsWire((athena, glue), keys, SystemClock().now), harness)
    stop(harness)
