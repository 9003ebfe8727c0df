"""Page tokens of numbered lists, in the catalog's form: opaque to clients and checked by us."""

from __future__ import annotations

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc_catalog import paging
from querysvc_catalog.errors import InvalidInputError


def encode_token(kind: str, position: int) -> str:
    """The token of a position; `kind` keeps one list's tokens from another's."""
    return paging.encode_token(kind, position)


def decode_token(kind: str, token: str) -> int:
    """The position that a token of this kind holds; INVALID_REQUEST when it is none of ours."""
    try:
        position = paging.decode_number_token(kind, token)
    except InvalidInputError:
        position = None
    if position is None or not 0 <= position < 2**63:
        raise QueryServiceError(ErrorCode.INVALID_REQUEST, "The page token is malformed.")
    return position
