"""Names of types after `::` and in CAST, from PostgreSQL's to Trino's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc_drivers.pgwire.lexer import Cursor, Token

# What only PostgreSQL calls so.
_ALIASES: Final = {
    "text": "varchar",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double",
    "bool": "boolean",
    "bpchar": "varchar",
    "bytea": "varbinary",
    "inet": "ipaddress",
    "timestamptz": "timestamp(6) with time zone",
    "timetz": "time(6) with time zone",
    "name": "varchar",
}
# What PostgreSQL means by a name that Trino has too: all six digits, eight bytes.
_BARE: Final = {"timestamp": "timestamp(6)", "time": "time(6)", "float": "double"}
_REFUSED: Final = {
    "json": "::json (use json_parse)",
    "jsonb": "::jsonb (use json_parse)",
    "numeric": "::numeric without a precision (Trino's decimal has one: numeric(p, s))",
    "decimal": "::decimal without a precision (Trino's decimal has one: decimal(p, s))",
    "interval": "::interval (use INTERVAL '…' DAY)",
    "char": "::char (say char(1), or varchar)",
}
_REGISTERED: Final = frozenset({"regclass", "regtype", "regproc", "regnamespace", "oid"})
_SECOND_WORDS: Final = {"double": "precision", "character": "varying", "char": "varying"}


def read_type(tokens: Sequence[Token], at: int, *, is_postgresql: bool) -> tuple[str, int]:
    """A type's text in Trino's terms, and the index behind it.

    After `::` all names are PostgreSQL's; in a CAST only those that Trino does not have, and the
    text is empty when it is Trino's own.
    """
    cursor = Cursor(tokens, at)
    cursor.take("PG_CATALOG", ".")
    name = cursor.take_name()
    if name is None or (not is_postgresql and name not in _ALIASES):
        if is_postgresql:
            raise _wrong()
        return "", at
    if name in _SECOND_WORDS and cursor.take(_SECOND_WORDS[name].upper()):
        name = "double" if name == "double" else "varchar"
    arguments = f"({cursor.until(')')})" if cursor.take("(") else ""
    text = _named(name, arguments, _zone(cursor, name))
    while cursor.take("[", "]"):
        text = f"array({text})"
    return text, cursor.at


def _zone(cursor: Cursor, name: str) -> str:
    if name not in ("timestamp", "time"):
        return ""
    if cursor.take("WITH", "TIME", "ZONE"):
        return " with time zone"
    cursor.take("WITHOUT", "TIME", "ZONE")
    return ""


def _named(name: str, arguments: str, zone: str) -> str:
    if name in _REGISTERED:
        raise _unsupported(f"::{name} outside of pg_catalog")
    if not arguments and name in _REFUSED:
        raise _unsupported(_REFUSED[name])
    if name == "bpchar" and arguments:
        return f"char{arguments}"
    known = _ALIASES.get(name)
    if known is None:
        return (name + arguments if arguments else _BARE.get(name, name)) + zone
    base, space, rest = known.partition(" ")
    return base.partition("(")[0] + arguments + space + rest if arguments else known


def _wrong() -> StatementError:
    return StatementError(ErrorCode.SYNTAX_ERROR, "a type's name is expected after ::")


def _unsupported(what: str) -> StatementError:
    return StatementError(ErrorCode.NOT_SUPPORTED, f"PostgreSQL's {what} is not supported")
