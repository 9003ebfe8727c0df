"""Signatures: botocore's own are accepted, whatever is changed after signing is not."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal
from querysvc_drivers.aws_json.errors import AwsError
from querysvc_drivers.aws_json.sigv4 import SignedRequest, verify

KEY, SECRET = "AKQSEXAMPLE", "a/secret+with=marks"
ADA = Principal("ada")
BODY = b'{"WorkGroup": "primary"}'


def secret_of(key_id: str) -> tuple[str, Principal]:
    if key_id != KEY:
        raise QueryServiceError(ErrorCode.AUTHENTICATION_FAILED, "no such key")
    return SECRET, ADA


def signed(
    service: str = "athena",
    url: str = "http://localhost:8080/",
    token: str | None = None,
    key: str = KEY,
    **headers: str,
) -> SignedRequest:
    given = {
        "Host": "localhost:8080",
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "AmazonAthena.GetWorkGroup",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    request = AWSRequest("POST", url, headers=given, data=BODY)
    SigV4Auth(Credentials(key, SECRET, token), service, "eu-west-1").add_auth(request)
    sent = {name.lower(): value for name, value in request.headers.items()}
    _, _, query = url.partition("?")
    return SignedRequest("POST", "/", query, sent, BODY)


def check(request: SignedRequest, service: str = "athena", ahead: float = 0) -> Principal:
    now = datetime.now(UTC) + timedelta(minutes=ahead)
    return verify(request, service=service, now=now, secret_of=secret_of)


def refusal(request: SignedRequest, service: str = "athena", ahead: float = 0) -> tuple[str, int]:
    with pytest.raises(AwsError) as caught:
        check(request, service, ahead)
    return caught.value.code, caught.value.status


def changed(request: SignedRequest, **headers: str | None) -> SignedRequest:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    merged = {**request.headers, **told}
    kept = {name: value for name, value in merged.items() if value is not None}
    return dataclasses.replace(request, headers=kept)


def test_a_request_that_botocore_signed_is_its_principals() -> None:
    assert check(signed()) == ADA
    assert check(signed(url="http://localhost:8080/?b=2&a=1%2F&a=0")) == ADA
    assert check(signed(x_amz_meta="  two   spaces ")) == ADA


@pytest.mark.parametrize(
    "change",
    [
        {"body": BODY + b" "},
        {"method": "GET"},
        {"path": "/other"},
        {"query": "a=1"},
    ],
)
def test_a_request_that_was_changed_is_refused(change: dict[str, object]) -> None:
    request = dataclasses.replace(signed(), **change)  # type: ignore[arg-type]
    assert refusal(request) == ("InvalidSignatureException", 403)


def test_a_changed_header_is_refused() -> None:
    other = changed(signed(), x_amz_target="AmazonAthena.DeleteWorkGroup")
    assert refusal(other)[0] == "InvalidSignatureException"
    assert refusal(changed(signed(), host="evil"))[0] == "InvalidSignatureException"


def test_a_header_that_decides_must_be_signed() -> None:
    assert refusal(changed(signed(), x_amz_more="1"))[0] == "InvalidSignatureException"
    assert refusal(changed(signed(), content_type=None))[0] == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("ahead", "is_taken"), [(14, True), (16, False), (-14, True), (-16, False)]
)
def test_the_clock_may_differ_by_fifteen_minutes(ahead: int, is_taken: bool) -> None:
    if is_taken:
        assert check(signed(), ahead=ahead) == ADA
    else:
        assert refusal(signed(), ahead=ahead)[0] == "InvalidSignatureException"


def test_a_signature_is_for_one_service() -> None:
    assert refusal(signed("glue"), "athena")[0] == "InvalidSignatureException"


def test_an_unknown_key_and_a_session_token_that_we_never_issued_are_not_recognized() -> None:
    assert refusal(signed(key="AKOTHER"))[0] == "UnrecognizedClientException"
    assert refusal(signed(token="a token"))[0] == "UnrecognizedClientException"


def test_the_told_hash_of_the_body_must_be_the_bodys() -> None:
    assert (
        refusal(signed(x_amz_content_sha256="UNSIGNED-PAYLOAD"))[0] == "InvalidSignatureException"
    )


def test_an_unsigned_request_is_told_so() -> None:
    request = changed(signed(), authorization=None)
    assert refusal(request) == ("MissingAuthenticationTokenException", 403)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer x",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=a/20240101/r/athena/aws4_request, Signature=0",
        "AWS4-HMAC-SHA256 Credential=a/20240101/r/athena/other, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 \x00\xff",
    ],
)
def test_a_malformed_authorization_is_incomplete(header: str) -> None:
    request = changed(signed(), authorization=header)
    assert refusal(request)[0] == "IncompleteSignatureException"


@pytest.mark.parametrize("date", ["", "yesterday", "20240101", "20241399T000000Z"])
def test_a_malformed_date_is_incomplete(date: str) -> None:
    assert refusal(changed(signed(), x_amz_date=date))[0] == "IncompleteSignatureException"


def test_a_signature_that_is_no_ascii_is_refused() -> None:
    request = signed()
    header = request.headers["authorization"].partition("Signature=")[0] + "Signature=é"
    assert refusal(changed(request, authorization=header))[0] == "InvalidSignatureException"
