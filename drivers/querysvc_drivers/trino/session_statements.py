"""Statements about the client's session: the server answers with headers, the client keeps state.

USE, SET and RESET SESSION, SET TIME ZONE, PREPARE, DEALLOCATE, transactions. Nothing of this is
kept here: the protocol's sessions live in its clients, which send them along with every statement.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus

from querysvc.errors import ErrorCode, QueryServiceError, StatementError
from querysvc.model import ResultColumn
from querysvc.sql.lexer import Kind
from querysvc.sql.metadata import MetadataReader
from querysvc.sql.positions import errors_moved
from querysvc.sql.prepared import StatementTokens, read_deallocate, read_prepare
from querysvc.sql.syntax import Identifier
from querysvc.types.algebra import delimited
from querysvc_drivers.trino.client_request import ClientRequest
from querysvc_drivers.trino.session_properties import (
    TIME_ZONE,
    Constant,
    check_assignment,
    check_property,
    checked_time_zone,
)

_CONSTANTS: Final = {Kind.INTEGER: "integer", Kind.DECIMAL: "decimal", Kind.DOUBLE: "double"}


Classify = Callable[[str], object]
"""Raises SYNTAX_ERROR when a text is no statement."""


@dataclass(frozen=True, slots=True)
class LocalResult:
    """The answer of a statement that the wire itself answers."""

    update_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    columns: tuple[ResultColumn, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    """JSON values, as the columns' types are written."""


class SessionStatements:
    """Answers session statements; `metadata` tells which catalogs and schemas exist."""

    def __init__(self, metadata: MetadataReader, classify: Classify) -> None:
        self._metadata = metadata
        self._classify = classify
        self._readers: dict[tuple[str, ...], _Reader] = {
            ("USE",): self._use,
            ("SET", "SESSION", "AUTHORIZATION"): _authorization,
            ("SET", "SESSION"): self._set_session,
            ("SET", "TIME", "ZONE"): _set_time_zone,
            ("SET", "ROLE"): self._set_role,
            ("SET", "PATH"): self._set_path,
            ("RESET", "SESSION", "AUTHORIZATION"): _reset_authorization,
            ("RESET", "SESSION"): self._reset_session,
            ("PREPARE",): self._prepare,
            ("DEALLOCATE", "PREPARE"): _deallocate,
            ("START", "TRANSACTION"): _start_transaction,
            ("COMMIT",): _end_transaction,
            ("ROLLBACK",): _end_transaction,
        }

    def answer(self, stream: StatementTokens, request: ClientRequest) -> LocalResult | None:
        """The statement's answer; None when it is no session statement."""
        for words, read in self._readers.items():
            if stream.at(*words):
                return read(stream, request)
        return None

    def _use(self, stream: StatementTokens, request: ClientRequest) -> LocalResult:
        stream.expect("USE")
        names = [stream.identifier().name.lower()]
        if stream.take("."):
            names.append(stream.identifier().name.lower())
        stream.end()
        catalog = names[0] if len(names) == 2 else request.catalog
        if catalog is None:
            raise StatementError(
                ErrorCode.MISSING_CATALOG_NAME,
                "Catalog must be specified when session catalog is not set",
                line=1,
                column=1,
            )
        if not self._metadata.catalog_exists(catalog):
            raise StatementError(ErrorCode.CATALOG_NOT_FOUND, f"Catalog '{catalog}' not found")
        if not self._metadata.schema_exists(catalog, names[-1]):
            raise StatementError(
                ErrorCode.NOT_FOUND, f"Schema does not exist: {catalog}.{names[-1]}"
            )
        set_catalog = (("X-Trino-Set-Catalog", catalog),) if len(names) == 2 else ()
        return LocalResult("USE", (*set_catalog, ("X-Trino-Set-Schema", names[-1])))

    def _prepare(self, _: StatementTokens, request: ClientRequest) -> LocalResult:
        statement = read_prepare(request.sql)
        with errors_moved(statement.place):
            self._classify(statement.sql)
        text = f"{quote_plus(prepared_name(statement.name))}={quote_plus(statement.sql)}"
        return LocalResult("PREPARE", (("X-Trino-Added-Prepare", text),))

    def _set_session(self, stream: StatementTokens, _: ClientRequest) -> LocalResult:
        stream.expect("SET", "SESSION")
        name = _property_name(stream)
        stream.expect("=")
        position = stream.position
        constant = _constant(stream)
        stream.end()
        self._require_catalog_of(name, position)
        check_assignment(name, constant, position)
        header = ("X-Trino-Set-Session", f"{name}={quote_plus(constant.value)}")
        return LocalResult("SET SESSION", (header,))

    def _reset_session(self, stream: StatementTokens, _: ClientRequest) -> LocalResult:
        stream.expect("RESET", "SESSION")
        name = _property_name(stream)
        stream.end()
        self._require_catalog_of(name, (1, 1))
        check_property(name, position=(1, 1))
        return LocalResult("RESET SESSION", (("X-Trino-Clear-Session", name),))

    def _require_catalog_of(self, name: str, position: tuple[int, int]) -> None:
        """A property of a catalog needs the catalog; none of ours has properties."""
        catalog, dot, _ = name.partition(".")
        if dot and not self._metadata.catalog_exists(catalog):
            line, column = position
            message = f"Catalog '{catalog}' not found"
            raise StatementError(ErrorCode.CATALOG_NOT_FOUND, message, line=line, column=column)

    def _set_role(self, stream: StatementTokens, _: ClientRequest) -> LocalResult:
        stream.expect("SET", "ROLE")
        role = stream.take_any("ALL", "NONE")
        named = None if role is not None else stream.identifier().name.lower()
        catalog = stream.identifier().name.lower() if stream.take("IN") else None
        stream.end()
        if catalog is not None:
            raise no_roles_in(catalog, self._metadata)
        if named is not None:
            raise _at_begin(ErrorCode.ROLE_NOT_FOUND, f"Role '{named}' does not exist")
        return LocalResult("SET ROLE", (("X-Trino-Set-Role", f"system={role}"),))

    def _set_path(self, stream: StatementTokens, request: ClientRequest) -> LocalResult:
        stream.expect("SET", "PATH")
        schemas = _path(stream)
        if "PATH" not in request.capabilities:
            raise QueryServiceError(ErrorCode.NOT_SUPPORTED, "SET PATH not supported by client")
        for catalog in (names[0].name.lower() for names in schemas if len(names) == 2):
            if not self._metadata.catalog_exists(catalog):
                raise _at_begin(ErrorCode.CATALOG_NOT_FOUND, f"Catalog '{catalog}' not found")
        text = ", ".join(
            ".".join(
                delimited(name.name) if name.is_delimited else name.name.lower() for name in names
            )
            for names in schemas
        )
        return LocalResult("SET PATH", (("X-Trino-Set-Path", quote_plus(text)),))


_Reader = Callable[[StatementTokens, ClientRequest], LocalResult]


def _at_begin(code: ErrorCode, message: str) -> StatementError:
    return StatementError(code, message, line=1, column=1)


def no_roles_in(catalog: str, metadata: MetadataReader) -> StatementError:
    """Roles are the system's, not a catalog's: what to answer to one who asks a catalog's."""
    if not metadata.catalog_exists(catalog):
        return _at_begin(ErrorCode.CATALOG_NOT_FOUND, f"Catalog '{catalog}' not found")
    message = f"Catalog '{catalog}' does not support role management"
    return _at_begin(ErrorCode.NOT_SUPPORTED, message)


def _property_name(stream: StatementTokens) -> str:
    return ".".join(part.name.lower() for part in stream.qualified_name())


def _constant(stream: StatementTokens) -> Constant:
    sign = "-" if stream.take("-") else ""
    token = stream.token
    if token.kind in _CONSTANTS:
        text = sign + stream.advance().text
        type_name = _CONSTANTS[token.kind]
        if token.kind is not Kind.DECIMAL:
            return Constant(text, type_name, text)
        whole, _, fraction = text.lstrip("-").partition(".")
        precision = len(whole.lstrip("0")) + len(fraction)
        return Constant(text, f"decimal({precision},{len(fraction)})", f"DECIMAL '{text}'")
    if token.kind is Kind.STRING and not sign:
        text = stream.string()
        return Constant(text, f"varchar({len(text)})", "'" + text.replace("'", "''") + "'")
    if token.key in ("TRUE", "FALSE") and not sign:
        text = stream.advance().key.lower()
        return Constant(text, "boolean", text)
    raise stream.unsupported("A session property's value that is no constant")


def _set_time_zone(stream: StatementTokens, _: ClientRequest) -> LocalResult:
    stream.expect("SET", "TIME", "ZONE")
    if stream.take("LOCAL"):
        stream.end()
        return LocalResult("SET TIME ZONE", (("X-Trino-Clear-Session", TIME_ZONE),))
    zone = _interval_zone(stream) if stream.take("INTERVAL") else stream.string()
    stream.end()
    header = f"{TIME_ZONE}={quote_plus(checked_time_zone(zone))}"
    return LocalResult("SET TIME ZONE", (("X-Trino-Set-Session", header),))


def _interval_zone(stream: StatementTokens) -> str:
    is_negative = stream.take("-")
    if not is_negative:
        stream.take("+")
    text = stream.string()
    if text.startswith("-"):
        is_negative, text = not is_negative, text[1:]
    unit = stream.take_any("HOUR", "MINUTE")
    if unit == "HOUR" and stream.take("TO"):
        stream.expect("MINUTE")
        hour, _, minute = text.partition(":")
        parts, units = (hour, minute), (60, 1)
    else:
        parts, units = (text, "0"), (60 if unit == "HOUR" else 1, 1)
    if unit is None or not all(part.isdecimal() and len(part) < 6 for part in parts):
        raise stream.unsupported("A time zone that is no interval of hours or minutes")
    total = sum(int(part) * times for part, times in zip(parts, units, strict=True))
    if total > _OFFSET_MINUTES_MAX:
        signed = -total if is_negative else total
        message = f"Invalid offset minutes {signed}"
        raise QueryServiceError(ErrorCode.INVALID_FUNCTION_ARGUMENT, message)
    return f"{'-' if is_negative else '+'}{total // 60:02}:{total % 60:02}"


_OFFSET_MINUTES_MAX: Final = 14 * 60


def check_path(text: str) -> None:
    """SYNTAX_ERROR when the text is no path: schemas, or catalogs' schemas, between commas."""
    _path(StatementTokens(text))


def _path(stream: StatementTokens) -> list[tuple[Identifier, ...]]:
    schemas = []
    while True:
        schema = [stream.identifier()]
        if stream.take("."):
            schema.append(stream.identifier())
        schemas.append(tuple(schema))
        if not stream.take(","):
            stream.end()
            return schemas


def _authorization(stream: StatementTokens, request: ClientRequest) -> LocalResult:
    stream.expect("SET", "SESSION", "AUTHORIZATION")
    user = stream.string() if stream.token.kind is Kind.STRING else stream.identifier().name
    stream.end()
    if request.is_in_transaction:
        message = "Can't set authorization user in the middle of a transaction"
        raise QueryServiceError(ErrorCode.GENERIC_USER_ERROR, message)
    if user != request.original_user:
        message = f"Access Denied: User {request.original_user} cannot impersonate user {user}"
        raise QueryServiceError(ErrorCode.PERMISSION_DENIED, message)
    header = ("X-Trino-Set-Authorization-User", user)
    return LocalResult("SET SESSION AUTHORIZATION", (header,))


def _reset_authorization(stream: StatementTokens, request: ClientRequest) -> LocalResult:
    stream.expect("RESET", "SESSION", "AUTHORIZATION")
    stream.end()
    if request.is_in_transaction:
        message = "Can't reset authorization user in the middle of a transaction"
        raise QueryServiceError(ErrorCode.GENERIC_USER_ERROR, message)
    header = ("X-Trino-Reset-Authorization-User", "true")
    return LocalResult("RESET SESSION AUTHORIZATION", (header,))


def _deallocate(_: StatementTokens, request: ClientRequest) -> LocalResult:
    name = read_deallocate(request.sql).name
    prepared_text(name, request)
    header = ("X-Trino-Deallocated-Prepare", quote_plus(prepared_name(name)))
    return LocalResult("DEALLOCATE", (header,))


def prepared_name(name: Identifier) -> str:
    """A prepared statement's name: as written when delimited, else in lower case."""
    return name.name if name.is_delimited else name.name.lower()


def prepared_text(name: Identifier, request: ClientRequest) -> str:
    """The text that was prepared under the name; NOT_FOUND when there is none."""
    told = prepared_name(name)
    text = request.prepared_statements.get(told)
    if text is None:
        raise StatementError(ErrorCode.NOT_FOUND, f"Prepared statement not found: {told}")
    return text


def _start_transaction(stream: StatementTokens, request: ClientRequest) -> LocalResult:
    stream.expect("START", "TRANSACTION")
    while stream.token.kind is not Kind.END:
        _transaction_mode(stream)
        if not stream.take(","):
            stream.end()
    if request.transaction_id is None:
        raise StatementError(ErrorCode.INCOMPATIBLE_CLIENT, "Client does not support transactions")
    if request.is_in_transaction:
        raise StatementError(ErrorCode.NOT_SUPPORTED, "Nested transactions not supported")
    header = ("X-Trino-Started-Transaction-Id", str(uuid.uuid4()))
    return LocalResult("START TRANSACTION", (header,))


def _transaction_mode(stream: StatementTokens) -> None:
    if stream.take("READ", "ONLY") or stream.take("READ", "WRITE"):
        return
    stream.expect("ISOLATION", "LEVEL")
    if stream.take("READ"):
        if stream.take_any("COMMITTED", "UNCOMMITTED") is None:
            stream.mismatched("'COMMITTED'", "'UNCOMMITTED'")
    elif not stream.take("REPEATABLE", "READ"):
        stream.expect("SERIALIZABLE")


def _end_transaction(stream: StatementTokens, request: ClientRequest) -> LocalResult:
    word = stream.advance().key
    stream.take("WORK")
    stream.end()
    if not request.is_in_transaction:
        raise StatementError(ErrorCode.NOT_IN_TRANSACTION, "No transaction in progress")
    return LocalResult(word, (("X-Trino-Clear-Transaction-Id", "true"),))
