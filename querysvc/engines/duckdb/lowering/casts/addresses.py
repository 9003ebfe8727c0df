"""IP addresses: 16 bytes in the engine, as in Trino, so that DuckDB compares them itself."""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from querysvc.engines.duckdb.functions.registry import call_python
from querysvc.engines.duckdb.functions.vectorised import by_row, failure
from querysvc.engines.duckdb.lowering.casts.site import CastSite, CastTable
from querysvc.engines.duckdb.lowering.context import Context
from querysvc.engines.duckdb.lowering.fragments import Sql, bind, case, fail, part
from querysvc.errors import ErrorCode
from querysvc.types.algebra import IPADDRESS, Varchar

_MAPPED: Final = b"\0" * 10 + b"\xff\xff"
"""What stands before an IPv4 address."""

_INVALID: Final = ErrorCode.INVALID_CAST_ARGUMENT


def packed(text: str) -> bytes | None:
    """The 16 bytes of an address; None when the text is not one."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return _MAPPED + address.packed
    return None if address.scope_id is not None else address.packed


def address_text(value: bytes) -> str:
    """The address as Trino prints it: IPv4 where it is one."""
    if value.startswith(_MAPPED):
        return str(ipaddress.IPv4Address(value[12:]))
    return str(ipaddress.IPv6Address(value))


def _address(text: str) -> bytes:
    value = packed(text)
    if value is None:
        raise failure(_INVALID, f"Cannot cast value to IPADDRESS: {text}")
    return value


_TO_ADDRESS: Final = by_row(_address)
_TO_TEXT: Final = by_row(address_text)


def text_of(context: Context, value: Sql) -> Sql:
    """The address's text."""
    return call_python(context, _TO_TEXT, [(value, IPADDRESS)], Varchar(None))


def _from_text(site: CastSite) -> Sql:
    return call_python(site.context, _TO_ADDRESS, [(site.value, site.source)], IPADDRESS)


def _from_bytes(site: CastSite) -> Sql:
    def body(value: Sql) -> Sql:
        size = Sql(f"octet_length({value})")
        error = fail(_INVALID, "Invalid InetAddress binary length: ", part(size))
        short = Sql(f"(unhex('{_MAPPED.hex()}') || {value})")
        return case(
            [
                (Sql(f"({value} IS NULL OR {size} = 16)"), value),
                (Sql(f"({size} = 4)"), short),
            ],
            error,
        )

    return bind([site.value], body)


def _bounded_text(site: CastSite) -> Sql:
    target: Any = site.target
    text = text_of(site.context, site.value)
    if target.length is None:
        return text

    def body(bound: Sql) -> Sql:
        message = fail(_INVALID, "Value ", part(bound), f" cannot be represented as {target}")
        return case([(Sql(f"(length({bound}) > {target.length})"), message)], bound)

    return bind([text], body)


CASTS: Final[CastTable] = {
    ("ipaddress", "varbinary"): lambda site: site.value,
    ("ipaddress", "varchar"): _bounded_text,
    ("varbinary", "ipaddress"): _from_bytes,
    ("varchar", "ipaddress"): _from_text,
}
