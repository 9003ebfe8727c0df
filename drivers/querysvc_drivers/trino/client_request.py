"""What a client tells in the headers of its POST: session, prepared statements, capabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_plus

from querysvc.errors import ErrorCode, QueryServiceError

ENCODINGS: Final = ("json+zstd", "json+lz4", "json")
NO_TRANSACTION: Final = "NONE"
_PREFIXES: Final = ("x-trino-", "x-presto-")
_SIZE_UNITS: Final = {"B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_HEADER_BYTES_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """A statement's text with everything that its client sent along."""

    sql: str
    user: str | None = None
    original_user: str | None = None
    """Who asks, where `user` is whose rights are asked for."""
    catalog: str | None = None
    schema: str | None = None
    path: str | None = None
    """Where functions are looked for that no schema is named of: told again, there are none."""
    time_zone: str | None = None
    source: str = ""
    client_info: str = ""
    trace_token: str = ""
    client_tags: tuple[str, ...] = ()
    session_properties: Mapping[str, str] = field(default_factory=dict)
    prepared_statements: Mapping[str, str] = field(default_factory=dict)
    transaction_id: str | None = None
    """None: the client knows no transactions; NONE: none is open."""
    capabilities: frozenset[str] = frozenset()
    encoding: str | None = None
    target_bytes: int | None = None

    @property
    def has_parametric_datetime(self) -> bool:
        """Whether the client understands the precision of times and timestamps."""
        return "PARAMETRIC_DATETIME" in self.capabilities

    @property
    def is_in_transaction(self) -> bool:
        """Whether the client has an open transaction."""
        return self.transaction_id not in (None, NO_TRANSACTION)


class ClientHeaders:
    """The X-Trino-* headers of a request (X-Presto-* from old clients)."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        total = 0
        for name, value in pairs:
            key = name.lower()
            for prefix in _PREFIXES:
                if key.startswith(prefix):
                    total += len(value)
                    self._values.setdefault(key.removeprefix(prefix), []).append(value)
        if total > _HEADER_BYTES_MAX:
            raise _invalid("the session headers are too large")

    def text(self, name: str) -> str | None:
        """A header's value; None when it is missing or empty."""
        values = self._values.get(name)
        return values[-1].strip() or None if values else None

    def items(self, name: str) -> list[str]:
        """The comma-separated items of all headers of that name."""
        joined = ",".join(self._values.get(name, ()))
        return [item.strip() for item in joined.split(",") if item.strip()]

    def mapping(self, name: str) -> dict[str, str]:
        """Items `name=value`, both sides URL-encoded."""
        found = {}
        for item in self.items(name):
            key, separator, value = item.partition("=")
            if not separator or not key:
                raise _invalid(f"Invalid X-Trino-{name.title()} header")
            found[unquote_plus(key)] = unquote_plus(value)
        return found


def client_request(sql: str, headers: ClientHeaders) -> ClientRequest:
    """Read the headers of a POST; INVALID_REQUEST when one is malformed."""
    schema, catalog = headers.text("schema"), headers.text("catalog")
    if schema is not None and catalog is None:
        raise _invalid("Schema is set but catalog is not")
    _check_roles(headers.mapping("role"))
    return ClientRequest(
        sql=sql,
        user=headers.text("user"),
        original_user=headers.text("original-user") or headers.text("user"),
        catalog=catalog,
        schema=schema,
        path=headers.text("path"),
        time_zone=headers.text("time-zone"),
        source=headers.text("source") or "",
        client_info=headers.text("client-info") or "",
        trace_token=headers.text("trace-token") or "",
        client_tags=tuple(headers.items("client-tags")),
        session_properties=headers.mapping("session"),
        prepared_statements=headers.mapping("prepared-statement"),
        transaction_id=headers.text("transaction-id"),
        capabilities=frozenset(item.upper() for item in headers.items("client-capabilities")),
        encoding=_encoding(headers.items("query-data-encoding")),
        target_bytes=data_size(headers.text("target-result-size")),
    )


def _check_roles(roles: Mapping[str, str]) -> None:
    """Nobody has roles that could be named: ALL and NONE alone are taken."""
    for role in roles.values():
        if role not in ("ALL", "NONE"):
            name = role.removeprefix("ROLE{").removesuffix("}")
            message = f"Access Denied: Cannot set role {name}"
            raise QueryServiceError(ErrorCode.PERMISSION_DENIED, message)


def data_size(text: str | None) -> int | None:
    """Bytes of Trino's data size texts (`1MB`); None for none or one that is malformed."""
    if text is None:
        return None
    number = text.rstrip("BkMG")
    try:
        return int(float(number) * _SIZE_UNITS[text[len(number) :]])
    except (ValueError, KeyError, OverflowError):
        return None


def _encoding(offered: list[str]) -> str | None:
    """The first of the client's encodings that we have; None: rows stand as they are."""
    return next((name for name in offered if name in ENCODINGS), None)


def _invalid(message: str) -> QueryServiceError:
    return QueryServiceError(ErrorCode.INVALID_REQUEST, message)
