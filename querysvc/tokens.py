"""Page tokens: a position that clients hand back to us, opaque to them and checked by us."""

from __future__ import annotations

import base64
import binascii

from querysvc.errors import ErrorCode, QueryServiceError


def encode_token(kind: str, position: int) -> str:
    """The token of a position; `kind` is a letter that keeps one list's tokens from another's."""
    return base64.urlsafe_b64encode(f"{kind}{position}".encode()).decode().rstrip("=")


def decode_token(kind: str, token: str) -> int:
    """The position that a token of this kind holds; INVALID_REQUEST when it is none of ours."""
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
        position = int(text.removeprefix(kind))
    except (binascii.Error, ValueError):
        position = -1
    # base64 and int() take more than we write: what is ours comes out as it came in.
    if position < 0 or position >= 2**63 or encode_token(kind, position) != token:
        raise QueryServiceError(ErrorCode.INVALID_REQUEST, "The page token is malformed.")
    return position
