"""Answers of S3 that no fake gives: another region's bucket, SSE-C, another owner's bucket.

The proxy gives them in S3's words; each ends soon, as an error by name that tells what S3 said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from tests.support.fault_proxy import Fault, Rule

QUICK: dict[str, Any] = {"backoff_seconds": 0.01, "backoff_seconds_max": 0.02, "attempts_max": 3}
ANSWERS: dict[str, tuple[int, str, str]] = {
    "another region": (
        301,
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint.",
    ),
    "SSE-C": (
        400,
        "InvalidRequest",
        (
            "The object was stored using a form of Server Side Encryption. The correct parameters"
            " must be provided to retrieve the object."
        ),
    ),
    "another owner": (403, "AccessDenied", "Access Denied"),
}
CODES = {ErrorCode.STORAGE_UNAVAILABLE, ErrorCode.ACCESS_DENIED}
WORDS = {
    "another region": ("301", "redirect"),
    "SSE-C": ("400", "Server Side Encryption"),
    "another owner": ("denies access",),
}


def rule(answer: str, matches: Callable[[str, str], bool]) -> Rule:
    status, code, message = ANSWERS[answer]
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    return Rule(Fault.STATUS, None, status, body, matches=matches)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("place", ["list", "head", "get"])
def test_what_s3_refuses_is_told_by_name(
    s3_server: Any,
    bucket: str,
    proxy: Any,
    open_storage: Any,
    open_reader: Any,
    answer: str,
    place: str,
) -> None:
    stored = s3_server.put(bucket, "k", b"data")
    calls: dict[str, tuple[Callable[[str, str], bool], Callable[[], object]]] = {
        "list": (
            lambda method, path: "list-type=2" in path,
            lambda: storage.client.list_objects(f"s3://{bucket}/"),
        ),
        "head": (lambda method, path: method == "HEAD", lambda: storage.client.heads([stored])),
        "get": (
            lambda method, path: method == "GET" and "/k" in path,
            lambda: reader.client.read(0, 0, 4),
        ),
    }
    matches, ask = calls[place]
    storage = open_storage(s3_server.configuration(endpoint_url=proxy.url, **QUICK))
    reader = open_reader([stored], endpoint_url=proxy.url, **QUICK)
    proxy.add(rule(answer, matches))
    with pytest.raises(QueryServiceError) as caught:
        ask()
    assert caught.value.code in CODES, str(caught.value)
    assert bucket in caught.value.message
    assert any(word in caught.value.message for word in WORDS[answer]), caught.value.message
