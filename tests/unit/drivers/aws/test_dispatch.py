"""What is wrong with a request is told in the service's own words."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import botocore
import orjson
import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc_drivers.aws_json import model
from querysvc_drivers.aws_json.errors import ATHENA_STYLE, EXCEPTIONS, GLUE_STYLE, translate
from tests.unit.drivers.aws.conftest import Wire

COMMON = {"AccessDeniedException", "ThrottlingException", "UnrecognizedClientException"}
INVALID = {"AmazonAthena": "InvalidRequestException", "AWSGlue": "InvalidInputException"}


@pytest.mark.parametrize("code", ErrorCode, ids=lambda code: code.name)
def test_every_error_code_is_an_exception_that_the_model_knows(code: ErrorCode) -> None:
    for style in (ATHENA_STYLE, GLUE_STYLE):
        shapes = {shape.name for shape in model.service_model(style.service).error_shapes}
        told = translate(QueryServiceError(code, "m", line=1, column=2), style)
        assert told.code in shapes | COMMON
        assert told.message == "line 1:2: m"
        assert (told.status == 500) == told.code.startswith("Internal")
    assert code in EXCEPTIONS


def test_a_syntax_error_is_a_malformed_query() -> None:
    told = translate(QueryServiceError(ErrorCode.SYNTAX_ERROR, "m"), ATHENA_STYLE)
    assert told.details == {"AthenaErrorCode": "MALFORMED_QUERY"}


@pytest.mark.parametrize("service", ["athena", "glue"])
def test_every_pattern_of_the_models_compiles(service: str) -> None:
    path = next(Path(botocore.__file__).parent.glob(f"data/{service}/*/service-2.json.gz"))
    shapes = json.loads(gzip.decompress(path.read_bytes()))["shapes"].values()
    patterns = {shape["pattern"] for shape in shapes if "pattern" in shape}
    assert patterns
    for pattern in patterns:
        model.compiled(pattern)


@pytest.mark.parametrize(
    ("target", "body", "said"),
    [
        ("AmazonAthena.GetWorkGroup", b"{", "not JSON"),
        ("AmazonAthena.GetWorkGroup", b'{"WorkGroup": "\xff"}', "not JSON"),
        ("AmazonAthena.GetWorkGroup", b"[]", "must be of type structure"),
        ("AmazonAthena.GetWorkGroup", b"{}", "'WorkGroup' failed to satisfy constraint"),
        ("AmazonAthena.GetWorkGroup", b'{"WorkGroup": null}', "must not be null"),
        ("AmazonAthena.GetWorkGroup", b'{"WorkGroup": 1}', "must be of type string"),
        ("AmazonAthena.GetWorkGroup", b'{"WorkGroup": "a b"}', "regular expression pattern"),
        ("AmazonAthena.GetWorkGroup", b'{"WorkGroup": "a", "X": 1}', "Unknown member 'X'"),
        ("AmazonAthena.ListDatabases", b'{"CatalogName":"c","MaxResults":51}', "equal to 50"),
        ("AmazonAthena.ListDatabases", b'{"CatalogName":"c","MaxResults":0}', "equal to 1"),
        ("AmazonAthena.ListDatabases", b'{"CatalogName":"c","MaxResults":true}', "type integer"),
        ("AmazonAthena.UpdateWorkGroup", b'{"WorkGroup":"primary","State":"ON"}', "enum value set"),
        ("AmazonAthena.StartQueryExecution", b'{"QueryString": ""}', "equal to 1"),
        ("AmazonAthena.ListSessions", b"{}", "ListSessions is not supported"),
        ("AWSGlue.GetTable", b'{"DatabaseName": "d"}', "'Name' failed"),
        ("AWSGlue.GetTable", b'{"DatabaseName": "d\\u0001", "Name": "t"}', "pattern"),
        ("AWSGlue.GetTables", b'{"DatabaseName": "d", "MaxResults": 101}', "equal to 100"),
        ("AWSGlue.CreateTable", b'{"DatabaseName": "d"}', "TableInput must not be null"),
        (
            "AWSGlue.CreateTable",
            b'{"DatabaseName":"d","TableInput":{"Name":"t","PartitionKeys":[{"Name":1}]}}',
            "TableInput.PartitionKeys.1.member.Name",
        ),
        (
            "AWSGlue.GetPartitions",
            b'{"DatabaseName":"d","TableName":"t","QueryAsOfTime":1}',
            "Query",
        ),
    ],
)
def test_what_does_not_fit_the_model_is_the_services_own_error(
    wire: Wire, target: str, body: bytes, said: str
) -> None:
    answer = wire.send(target, body)
    document = orjson.loads(answer.body)
    assert (answer.status, document["__type"]) == (400, INVALID[target.partition(".")[0]])
    assert said in document["message"]


def test_a_deeply_nested_request_is_invalid(wire: Wire) -> None:
    for depth in (100, 100_000):
        answer = wire.send(
            "AWSGlue.GetDatabases", b'{"NextToken":' + b"[" * depth + b"]" * depth + b"}"
        )
        assert orjson.loads(answer.body)["__type"] == "InvalidInputException"


def test_an_unknown_operation_is_no_server_fault(wire: Wire) -> None:
    for target in ("AmazonAthena.Nope", "AWSGlue.ListJobs", "Other.Op", "x", "", None):
        answer = wire.send(target, b"{}")
        assert answer.status == 400
        assert orjson.loads(answer.body)["__type"] == "UnknownOperationException"
        assert answer.error == "UnknownOperationException"


def test_another_content_type_is_refused(wire: Wire) -> None:
    answer = wire.send("AmazonAthena.ListWorkGroups", b"{}", "text/plain")
    assert orjson.loads(answer.body)["__type"] == "InvalidRequestException"


def test_null_members_are_as_if_absent(wire: Wire) -> None:
    status, document = wire.call("AmazonAthena.ListWorkGroups", NextToken=None, MaxResults=None)
    assert (status, [g["Name"] for g in document["WorkGroups"]]) == (200, ["primary"])
    assert "NextToken" not in document


def test_a_failure_of_ours_tells_nothing_of_itself(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr(wire.harness.groups._groups, "list_work_groups", fail)
    answer = wire.send("AmazonAthena.ListWorkGroups", b"{}")
    assert (answer.status, answer.error) == (500, "InternalServerException")
    assert b"42" not in answer.body


def test_lists_are_paged_by_their_keys(wire: Wire) -> None:
    for number in range(5):
        status, _ = wire.call("AmazonAthena.CreateWorkGroup", Name=f"g{number}")
        assert status == 200
    names: list[str] = []
    token: dict[str, str] = {}
    while True:
        _, page = wire.call("AmazonAthena.ListWorkGroups", MaxResults=2, **token)
        names += [group["Name"] for group in page["WorkGroups"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert names == ["g0", "g1", "g2", "g3", "g4", "primary"]
    _, bad = wire.call("AmazonAthena.ListWorkGroups", NextToken="forged")
    assert bad["__type"] == "InvalidRequestException"


def test_every_operation_served_is_one_of_the_models(wire: Wire) -> None:
    for service in wire.wire._services.values():
        known = model.operation_names(service.name)
        assert set(service.operations) <= known
        assert set(service.refused) <= known
    athena = wire.wire._services["AmazonAthena"]
    assert set(athena.operations) | set(athena.refused) == model.operation_names("athena")


def test_sts_tells_its_errors_in_xml(wire: Wire) -> None:
    form = "application/x-www-form-urlencoded; charset=utf-8"
    answer = wire.send(None, b"Action=AssumeRole&Version=2011-06-15", form)
    assert (answer.status, answer.media_type) == (400, "text/xml")
    assert b"<Code>InvalidAction</Code>" in answer.body
