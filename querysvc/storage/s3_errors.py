"""What S3's answers mean: error codes and statuses, and envelopes of encryption clients."""

from __future__ import annotations

import re
from collections.abc import Iterable

from querysvc.errors import ErrorCode, QueryServiceError

_BAD_CREDENTIALS = (
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "RequestTimeTooSkewed",
)
_ENVELOPE_KEYS = frozenset({"x-amz-key", "x-amz-key-v2", "x-amz-c", "x-amz-3"})
_KMS_KEY = re.compile(r"arn:aws[a-z-]*:kms:[^\s\"'<>,]+")
_UNTRUSTED = re.compile(  # as OpenSSL says it, or rustls
    r"CERTIFICATE_VERIFY_FAILED\]\s*(?:certificate verify failed: )?([^(\]]+)"
    r"|InvalidCertificate\(\s*(?:Other\(\s*OtherError\(\s*)?(\w+)"
)
_MESSAGE = re.compile(r"<Message>(.*?)</Message>", re.S)


def names_bad_credentials(text: str) -> bool:
    """Whether S3's answer blames the credentials (some of these codes come with status 400)."""
    return any(code in text for code in _BAD_CREDENTIALS)


def denied(text: str, what: str, endpoint: str) -> QueryServiceError:
    """S3 answered 401 or 403: wrong credentials, no permission, or a KMS key out of reach."""
    for code in _BAD_CREDENTIALS:
        if code in text:
            return QueryServiceError(
                ErrorCode.INVALID_CREDENTIALS,
                f"{endpoint} does not accept the credentials ({code}) for {what}",
            )
    if "InvalidObjectState" in text:
        return QueryServiceError(
            ErrorCode.OBJECT_ARCHIVED,
            f"{what} is archived and has no restored copy; restore it or exclude its partition",
        )
    key = _KMS_KEY.search(text)
    if key is not None or "kms:" in text.lower():
        named = key[0].rstrip(".;)") if key else "its KMS key"
        return QueryServiceError(
            ErrorCode.ACCESS_DENIED,
            f"{what} is encrypted with {named}, which the credentials may not use (kms:Decrypt)",
        )
    told = _MESSAGE.search(text)
    detail = f": {told[1]}" if told else ""
    return QueryServiceError(ErrorCode.ACCESS_DENIED, f"{endpoint} denies access to {what}{detail}")


def untrusted(text: str, endpoint: str) -> QueryServiceError | None:
    """The endpoint's TLS certificate was not accepted: no further try can help."""
    match = _UNTRUSTED.search(text)
    if match is None:
        return None
    reason = (match[1] or match[2]).strip()
    return QueryServiceError(
        ErrorCode.STORAGE_UNAVAILABLE,
        f"{endpoint} shows a TLS certificate that is not trusted ({reason}); name the PEM file of "
        "its authority in s3_ca_bundle_file",
    )


def is_client_side_encrypted(metadata_names: Iterable[str]) -> bool:
    """Whether user metadata (names without `x-amz-meta-`) is an encryption client's envelope."""
    return any(name.lower() in _ENVELOPE_KEYS for name in metadata_names)
