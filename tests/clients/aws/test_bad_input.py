"""What is malformed is told in the services' own exceptions, and nothing of it is logged."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from querysvc_drivers.aws_json.router import BODY_BYTES_MAX
from tests.clients.aws.conftest import REGION, Aws

JSON = "application/x-amz-json-1.1"
CANARY = uuid.uuid4().hex
BODY = b'{"WorkGroup": "' + CANARY.encode() + b'"}'
DEEP = b'{"WorkGroup": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"


def send(aws: Aws, body: bytes = BODY, content_type: str = JSON, **headers: str) -> httpx.Response:
    """A signed GetWorkGroup; `headers` replace what was signed."""
    signed = {"X-Amz-Target": "AmazonAthena.GetWorkGroup", "Content-Type": content_type}
    request = AWSRequest("POST", aws.service.url, headers=signed, data=body)
    SigV4Auth(Credentials(aws.access_key, aws.secret_key), "athena", REGION).add_auth(request)
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(
        aws.service.url, content=body, headers={**dict(request.headers.items()), **changed}
    )


def told(response: httpx.Response) -> tuple[int, str]:
    document = response.json()
    assert document["message"]
    assert response.headers["x-amzn-requestid"]
    assert response.headers["x-amzn-errortype"] == document["__type"]
    return response.status_code, document["__type"]


@pytest.mark.parametrize(
    ("ask", "status", "code"),
    [
        (lambda aws: send(aws, b"{" + BODY), 400, "InvalidRequestException"),
        (lambda aws: send(aws, b"\xff" + BODY), 400, "InvalidRequestException"),
        (lambda aws: send(aws, DEEP), 400, "InvalidRequestException"),
        (lambda aws: send(aws, content_type="text/plain"), 400, "InvalidRequestException"),
        (lambda aws: send(aws, b" " * (BODY_BYTES_MAX + 1)), 413, "RequestEntityTooLargeException"),
        (lambda aws: send(aws, Authorization=CANARY), 400, "IncompleteSignatureException"),
        (lambda aws: send(aws, X_Amz_Date=CANARY), 400, "IncompleteSignatureException"),
        (
            lambda aws: send(aws, X_Amz_Target="AmazonAthena.DeleteWorkGroup"),
            403,
            "InvalidSignatureException",
        ),
        (lambda aws: send(aws, X_Amz_Target=CANARY), 400, "UnknownOperationException"),
        (
            lambda aws: httpx.post(aws.service.url, headers={"X-Amz-Target": "AWSGlue.GetTable"}),
            403,
            "MissingAuthenticationTokenException",
        ),
    ],
)
def test_what_is_malformed_is_told_and_not_logged(
    aws: Aws, ask: Callable[[Aws], httpx.Response], status: int, code: str
) -> None:
    assert told(ask(aws)) == (status, code)
    log = aws.service.log()
    for secret in (CANARY, aws.secret_key):
        assert secret not in log


def test_a_sound_request_with_that_signature_is_answered(aws: Aws) -> None:
    assert send(aws, b'{"WorkGroup": "primary"}').status_code == 200
