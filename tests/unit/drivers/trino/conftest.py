"""The Trino wire on a real socket, over a real query service and an engine of given answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal
from querysvc.service.clock import SystemClock
from querysvc.service.parameter_types import ParameterTypes
from querysvc.sql.metadata import MemoryMetadata
from querysvc.state.memory import MemoryState
from querysvc_drivers.trino import SegmentStore, TrinoServices, TrinoSettings, router
from querysvc_drivers.trino.authentication import Credentials
from tests.support.callable_gate import CallableGate
from tests.support.trino_answers import AnsweringEngine, Answers
from tests.unit.service.conftest import Harness, build, stop

KEY = "qsvc_0_secret"
ADA = Principal("ada")
ANONYMOUS = Principal("anonymous", frozenset({"admin"}))


def authenticate(credentials: Credentials | None) -> Principal:
    """Anyone without credentials, ada with her key."""
    if credentials is None:
        return ANONYMOUS
    if credentials.secret == KEY:
        return ADA
    raise QueryServiceError(ErrorCode.AUTHENTICATION_FAILED, "The API key is not valid.")


@dataclass
class Wire:
    """A served wire and what is behind it."""

    url: str
    harness: Harness
    answers: Answers
    metadata: MemoryMetadata
    http: httpx.Client


def serve(app: FastAPI) -> Iterator[str]:
    """Run the app on a free port of the loopback interface."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def settings() -> TrinoSettings:
    return TrinoSettings()


@pytest.fixture
def segments(tmp_path: Path) -> SegmentStore:
    return SegmentStore(tmp_path / "segments")


@pytest.fixture
def wire(tmp_path: Path, settings: TrinoSettings, segments: SegmentStore) -> Iterator[Wire]:
    harness = build(MemoryState(), tmp_path)
    answers = Answers(harness.gate)
    AnsweringEngine.install(harness.engine, answers)
    harness.dispatcher.start()
    metadata = MemoryMetadata("lake")
    metadata.add_schema("shop")
    metadata.add_table("shop", "orders", ())
    services = TrinoServices(
        queries=harness.service,
        metadata_of=lambda _: metadata,
        authenticate=authenticate,
        classify=harness.gate.classify,
        parameter_types=ParameterTypes(CallableGate(), lambda _: metadata, SystemClock()),
        segments=segments,
        settings=settings,
    )
    app = FastAPI()
    app.include_router(router(services))
    try:
        for url in serve(app):
            with httpx.Client(base_url=url, timeout=20) as http:
                yield Wire(url, harness, answers, metadata, http)
    finally:
        stop(harness)
