"""IP addresses. https://trino.io/docs/current/functions/ipaddress.html"""

from __future__ import annotations

import ipaddress
from typing import Final

from querysvc.engines.duckdb.functions.registry import ArrowFunction, ScalarTable
from querysvc.engines.duckdb.functions.vectorised import FunctionError, by_row, failure
from querysvc.engines.duckdb.lowering.casts.addresses import packed
from querysvc.errors import ErrorCode


def _bad(message: str) -> FunctionError:
    return failure(ErrorCode.INVALID_FUNCTION_ARGUMENT, message)


def _is_inside(network: str, address: bytes) -> bool:
    """Whether a network in CIDR notation, whose other bits are zero, holds the address."""
    text, slash, length = network.partition("/")
    if not slash or not text or "/" in length:
        raise _bad("Invalid CIDR")
    base = packed(text)
    if base is None:
        raise _bad("Invalid network IP address")
    digits = length[1:] if length[:1] in ("+", "-") else length
    if not (digits.isascii() and digits.isdigit()):
        # Java's NumberFormatException, which Trino does not catch.
        raise failure(ErrorCode.GENERIC_INTERNAL_ERROR, f'For input string: "{length}"')
    is_short = isinstance(ipaddress.ip_address(text), ipaddress.IPv4Address)
    prefix = int(length)
    if not 0 <= prefix <= (32 if is_short else 128):
        raise _bad("Invalid prefix length")
    rest = (32 if is_short else 128) - prefix
    first = int.from_bytes(base, "big")
    if first & ((1 << rest) - 1):
        raise _bad("Invalid CIDR")
    return first >> rest == int.from_bytes(address, "big") >> rest


SCALARS: Final[ScalarTable] = {
    "contains(varchar,ipaddress)": ArrowFunction(by_row(_is_inside)),
}
