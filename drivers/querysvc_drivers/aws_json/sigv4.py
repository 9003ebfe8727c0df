"""AWS Signature Version 4, verified: no sockets, no clock of its own.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, quote

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal
from querysvc_drivers.aws_json.errors import AwsError

ALGORITHM: Final = "AWS4-HMAC-SHA256"
_WINDOW: Final = timedelta(minutes=15)
_TERMINATOR: Final = "aws4_request"
_PART: Final = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
_SPACES: Final = re.compile(r" +")
_SCOPE_PARTS: Final = 5

SecretOf = Callable[[str], tuple[str, Principal]]
"""The secret and the principal of an access key id; AUTHENTICATION_FAILED if it is not valid."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """An HTTP request as it was signed; header names are in lower case, repeated ones joined."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Authorization:
    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/{_TERMINATOR}"


def verify(
    request: SignedRequest, *, service: str, now: datetime, secret_of: SecretOf
) -> Principal:
    """The principal who signed the request; AwsError with AWS's code when nobody valid did."""
    authorization = _parse(request.headers.get("authorization"))
    if authorization.service != service:
        raise _mismatch(f"Credential should be scoped to correct service: '{service}'.")
    signed_at = _signed_at(request, authorization, now)
    _check_signed_headers(request, authorization.signed_headers)
    if "x-amz-security-token" in request.headers:
        # Our key pairs are long-lived: no session token was ever issued for one.
        raise _unrecognized()
    _check_payload_hash(request)
    try:
        secret, principal = secret_of(authorization.access_key_id)
    except QueryServiceError as error:
        if error.code is ErrorCode.AUTHENTICATION_FAILED:
            raise _unrecognized() from None
        raise
    expected = signature(request, authorization.scope, authorization.signed_headers, signed_at)(
        secret
    )
    if not hmac.compare_digest(expected.encode(), authorization.signature.encode()):
        raise _mismatch(
            "The request signature we calculated does not match the signature you provided."
            " Check your AWS Secret Access Key and signing method."
        )
    return principal


def signature(
    request: SignedRequest, scope: str, signed_headers: Sequence[str], signed_at: str
) -> Callable[[str], str]:
    """The signature of a request, given the secret."""
    digest = hashlib.sha256(_canonical_request(request, signed_headers).encode()).hexdigest()
    text = "\n".join((ALGORITHM, signed_at, scope, digest))

    def of(secret: str) -> str:
        key = f"AWS4{secret}".encode()
        for part in (*scope.split("/"), text):
            key = hmac.digest(key, part.encode(), "sha256")
        return key.hex()

    return of


def _parse(header: str | None) -> _Authorization:
    if header is None:
        raise AwsError(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
            status=HTTPStatus.FORBIDDEN,
        )
    algorithm, _, rest = header.partition(" ")
    parts = dict(_PART.findall(rest))
    if algorithm != ALGORITHM or len(parts) != len(("Credential", "SignedHeaders", "Signature")):
        raise _incomplete("Authorization must be AWS4-HMAC-SHA256 with Credential, SignedHeaders")
    credential = parts["Credential"].rsplit("/", _SCOPE_PARTS - 1)
    if len(credential) != _SCOPE_PARTS or credential[-1] != _TERMINATOR:
        raise _incomplete("Credential must be keyid/date/region/service/aws4_request")
    key_id, date, region, service, _ = credential
    headers = tuple(name.lower() for name in parts["SignedHeaders"].split(";"))
    return _Authorization(key_id, date, region, service, headers, parts["Signature"])


def _signed_at(request: SignedRequest, authorization: _Authorization, now: datetime) -> str:
    text = request.headers.get("x-amz-date", "")
    try:
        signed_at = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _incomplete("X-Amz-Date must be given as YYYYMMDD'T'HHMMSS'Z'") from None
    if text[:8] != authorization.date:
        raise _mismatch("Date in Credential scope does not match YYYYMMDD from ISO-8601 version")
    if now - signed_at > _WINDOW:
        raise _mismatch(f"Signature expired: {text} is earlier than {_stamp(now - _WINDOW)}")
    if signed_at - now > _WINDOW:
        raise _mismatch(f"Signature not yet current: {text} is later than {_stamp(now + _WINDOW)}")
    return text


def _check_signed_headers(request: SignedRequest, signed: Sequence[str]) -> None:
    """What decides about the request must be signed: the host, and every x-amz- header."""
    required = {"host", *(name for name in request.headers if name.startswith("x-amz-"))}
    missing = sorted(required.difference(signed))
    if missing:
        raise _mismatch(f"'{missing[0]}' must be a 'SignedHeader' in the AWS Authorization.")
    absent = [name for name in signed if name not in request.headers]
    if absent:
        raise _mismatch(f"Signed header '{absent[0]}' is not in the request.")


def _check_payload_hash(request: SignedRequest) -> None:
    told = request.headers.get("x-amz-content-sha256")
    actual = hashlib.sha256(request.body).hexdigest()
    if told is not None and not hmac.compare_digest(told.encode(), actual.encode()):
        raise _mismatch("X-Amz-Content-SHA256 is not the hash of the request's body.")


def _canonical_request(request: SignedRequest, signed_headers: Sequence[str]) -> str:
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(request.query, keep_blank_values=True)
    )
    lines = [
        f"{name}:{_SPACES.sub(' ', request.headers[name].strip())}\n" for name in signed_headers
    ]
    return "\n".join(
        (
            request.method,
            request.path or "/",
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(lines),
            ";".join(signed_headers),
            hashlib.sha256(request.body).hexdigest(),
        )
    )


def _stamp(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _incomplete(message: str) -> AwsError:
    return AwsError("IncompleteSignatureException", message)


def _mismatch(message: str) -> AwsError:
    return AwsError("InvalidSignatureException", message, status=HTTPStatus.FORBIDDEN)


def _unrecognized() -> AwsError:
    return AwsError(
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
        status=HTTPStatus.FORBIDDEN,
    )
