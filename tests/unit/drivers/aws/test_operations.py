"""Each operation called by boto3: its answer fits the model, and each modelled exception comes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import boto3
import orjson
import pytest
from botocore.config import Config
from fastapi import FastAPI

from querysvc.state.values import WorkGroupLimits, WorkGroupUpdate
from querysvc_catalog.model import Database, Table
from querysvc_drivers.aws_json import AwsService, AwsWire, model, router
from querysvc_drivers.aws_json.dispatch import Caller, Document
from tests.support import aws_walk
from tests.support.aws_operations import ALWAYS_FAIL, NEVER, NEVER_OF, services
from tests.support.aws_walk import Walk
from tests.support.trino_stack import serve
from tests.unit.drivers.aws.conftest import Wire
from tests.unit.service.conftest import ADMIN

SERVED = [(service, name) for service in services() for name in service.operations]
REFUSED = [(service, name) for service in services() for name in service.refused]
INTERNAL = {"InternalServerException", "InternalServiceException"}
IDS = [name for _, name in SERVED]


@pytest.fixture
def url(wire: Wire) -> Iterator[str]:
    app = FastAPI()
    app.include_router(router(wire.wire))
    wire.catalog.create_database(Database("shop"))
    wire.catalog.create_table(Table("t", "shop"))
    with serve(app) as found:
        yield found


def client(name: str, url: str) -> Any:
    made = boto3.client(
        name,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}),
    )
    made.meta.events.register(f"before-parse.{name}", _check_answer)
    return made


def _check_answer(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    if response_dict["status_code"] == 200 and operation_model.output_shape is not None:
        document = orjson.loads(response_dict["body"])
        model.checked(operation_model.output_shape, document)


def check_walked(service: AwsService, walk: Walk) -> None:
    """Everything served has answered, and has told all that its model lists."""
    told = {*INTERNAL, service.style.invalid}  # of every operation, by the tests below
    for name in service.operations:
        assert name in walk.answered or name in ALWAYS_FAIL, name
        modelled = {shape.name for shape in model.operation(service.name, name).error_shapes}
        excused = {code for code in modelled if code in NEVER or (name, code) in NEVER_OF}
        provoked = walk.failed[name] - told
        assert provoked == modelled - excused - told, name
        assert not provoked & excused, name


def test_every_operation_of_athena(wire: Wire, url: str) -> None:
    athena, _ = services()
    walk = Walk(client("athena", url))

    def wait(query_id: str) -> None:
        wire.harness.service.wait(query_id, ADMIN, timeout_seconds=30)

    def fill_queue() -> None:
        limits = WorkGroupLimits(queued_max=0)
        wire.harness.groups.update("primary", WorkGroupUpdate(limits=limits), ADMIN)

    aws_walk.athena(walk, wait, fill_queue)
    check_walked(athena, walk)


def test_every_operation_of_glue(wire: Wire, url: str) -> None:
    _, glue = services()
    walk = Walk(client("glue", url))

    def wait(name: str) -> None:
        wire.storage.may_list.set()
        deadline = time.monotonic() + 30
        while walk.client.get_crawler(Name=name)["Crawler"]["State"] != "READY":
            assert time.monotonic() < deadline, "the crawl did not end"
            time.sleep(0.01)

    aws_walk.glue(walk, wait, wire.storage.may_list.clear)
    check_walked(glue, walk)


@pytest.mark.parametrize(("service", "name"), SERVED, ids=IDS)
def test_what_the_model_does_not_know_is_invalid(
    wire: Wire, service: AwsService, name: str
) -> None:
    status, document = wire.call(f"{service.target_prefix}.{name}", NoSuchMember=1)
    assert (status, document["__type"]) == (400, service.style.invalid)


def test_a_failure_of_the_service_is_an_internal_error_of_every_operation(wire: Wire) -> None:
    def fail(request: Document, caller: Caller) -> Document:
        raise RuntimeError("broken")

    broken = tuple(
        dataclasses.replace(service, operations=dict.fromkeys(service.operations, fail))
        for service in services()
    )
    for service, name in SERVED:
        shape = model.operation(service.name, name).input_shape
        if shape is not None and shape.required_members:
            continue  # a request that fits is another test's
        wire.wire = AwsWire(broken, wire.wire._authenticator, wire.wire._now)
        status, document = wire.call(f"{service.target_prefix}.{name}")
        assert (status, document["__type"] in INTERNAL) == (500, True)


def test_what_is_refused_names_the_operation(wire: Wire) -> None:
    for service, name in REFUSED:
        status, document = wire.call(f"{service.target_prefix}.{name}")
        assert (status, document["__type"]) == (400, service.style.invalid)
        assert name in document["message"]


def test_operations_that_are_not_ours_are_unknown(wire: Wire) -> None:
    for service in services():
        ours = {*service.operations, *service.refused}
        for name in model.operation_names(service.name) - ours:
            status, document = wire.call(f"{service.target_prefix}.{name}")
            assert (status, document["__type"]) == (400, "UnknownOperationException")
