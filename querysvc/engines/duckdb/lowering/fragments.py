"""Fragments of DuckDB SQL, and the few builders that may make them (ADR-0003).

A fragment is self-delimited: it can stand anywhere an operand can. No builder takes text of a
user's except `text_literal` and `blob_literal`, which escape it.

Errors are raised in SQL by a cast that must fail, not by DuckDB's `error()`: that function is
volatile, so that filters with it are not pushed down and TRY refuses it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NewType

from querysvc.errors import ErrorCode

Sql = NewType("Sql", str)

NULL: Final = Sql("NULL")
TRUE: Final = Sql("true")
FALSE: Final = Sql("false")

FAILURE_MARK: Final = "!querysvc!"
"""Opens the text of a failing cast; what follows is `CODE|message`."""

_IDENTIFIER = re.compile(r"[a-z]+[0-9a-f]*")
_ATOM = re.compile(
    r"""NULL|true|false|'[^']*'
        |"[a-z0-9]+"(\."[a-z0-9]+")*
        |CAST\(('[^']*'|-?[0-9.]+|NULL)\ AS\ [A-Z0-9(), ]+\)""",
    re.VERBOSE,
)
_SLOT = re.compile(r"\{(\d+)\}")
_SUBQUERY = re.compile(r"\(SELECT |\(WITH ")
_NOT_REPEATABLE = re.compile(r"random\(|uuid\(|SELECT |\"py_")
_REPEATABLE_LENGTH_MAX: Final = 240


def identifier(*parts: str) -> Sql:
    """A generated name, quoted; parts are joined with dots."""
    assert all(_IDENTIFIER.fullmatch(part) for part in parts), parts
    return Sql(".".join(f'"{part}"' for part in parts))


def text_literal(value: str) -> Sql:
    """A VARCHAR constant."""
    pieces = [f"'{piece}'" for piece in value.replace("'", "''").split("\0")]
    if len(pieces) > 1:  # a NUL ends DuckDB's statement text
        return Sql(f"({' || chr(0) || '.join(pieces)})")
    return Sql(f"CAST({pieces[0]} AS VARCHAR)")


def blob_literal(value: bytes) -> Sql:
    """A BLOB constant."""
    return Sql(f"unhex('{value.hex()}')")


def integer_literal(value: int, type_text: str = "BIGINT") -> Sql:
    """An integer constant of the DuckDB type."""
    return Sql(f"CAST({int(value)} AS {type_text})")


def call(name: str, *arguments: Sql) -> Sql:
    """A call of a DuckDB function of ours to name."""
    return Sql(f"{name}({', '.join(arguments)})")


def cast(value: Sql, type_text: str) -> Sql:
    """A native cast."""
    return Sql(f"CAST({value} AS {type_text})")


def typed_null(type_text: str) -> Sql:
    """NULL of the DuckDB type."""
    return Sql(f"CAST(NULL AS {type_text})")


def operation(operator: str, *operands: Sql) -> Sql:
    """The operands joined by an infix operator."""
    return Sql(f"({f' {operator} '.join(operands)})")


def conjunction(terms: Iterable[Sql]) -> Sql:
    """AND of the terms, true for none."""
    listed = list(terms)
    return operation("AND", *listed) if len(listed) > 1 else listed[0] if listed else TRUE


def case(branches: Iterable[tuple[Sql, Sql]], default: Sql | None = None) -> Sql:
    """A searched CASE."""
    whens = " ".join(f"WHEN {condition} THEN {value}" for condition, value in branches)
    otherwise = "" if default is None else f" ELSE {default}"
    return Sql(f"(CASE {whens}{otherwise} END)")


def struct(fields: Sequence[tuple[str, Sql]]) -> Sql:
    """A STRUCT of named fields."""
    return Sql("{" + ", ".join(f"'{name}': {value}" for name, value in fields) + "}")


def field(value: Sql, name: str) -> Sql:
    """A field of a STRUCT."""
    return Sql(f'({value})."{name}"')


def array(items: Sequence[Sql]) -> Sql:
    """A LIST of the items."""
    return Sql(f"[{', '.join(items)}]")


def lambda_(parameters: Sequence[str], body: Sql) -> Sql:
    """A DuckDB lambda; the parameters are generated names."""
    names = ", ".join(identifier(name) for name in parameters)
    return Sql(f"lambda {names}: {body}")


def fail(code: ErrorCode, *message: str) -> Sql:
    """An expression of any type whose evaluation fails with the code and message.

    Message parts: texts are quoted here, a `part(...)` is the text of a value.
    """
    pieces = [
        str(item) if isinstance(item, MessagePart) else "'" + item.replace("'", "''") + "'"
        for item in (f"{FAILURE_MARK}{code.name}|", *message)
    ]
    return Sql(f"[NULL][CAST(concat({', '.join(pieces)}) AS BIGINT)]")


def is_untyped(value: Sql) -> bool:
    """Whether DuckDB finds no type for the fragment: it then chooses no function that takes it."""
    return value == NULL or value.startswith("[NULL][")


class MessagePart(str):
    """A VARCHAR expression in a failure's message."""

    __slots__ = ()


def part(value: Sql) -> MessagePart:
    """The text of a value, for `fail`."""
    return MessagePart(f"CAST({value} AS VARCHAR)")


def is_atom(value: Sql) -> bool:
    """Whether the fragment is a bare column, a constant or NULL."""
    return _ATOM.fullmatch(value) is not None


def is_repeatable(value: Sql) -> bool:
    """Whether the fragment may be written twice: cheap to read, and the same each time."""
    if is_atom(value):
        return True
    return len(value) <= _REPEATABLE_LENGTH_MAX and _NOT_REPEATABLE.search(value) is None


def bind(values: Sequence[Sql], body: Callable[..., Sql]) -> Sql:
    """`body` of the values, each evaluated once however often it uses them.

    A body that holds a subquery of its own repeats them: DuckDB has none inside a lambda.
    """
    if all(is_repeatable(value) for value in values):
        return body(*values)
    digest = hashlib.blake2b("\0".join(values).encode(), digest_size=6).hexdigest()
    name = f"x{digest}"
    bound = [(f"v{i}", value) for i, value in enumerate(values) if not is_atom(value)]
    names = {value: identifier(name, key) for key, value in bound}
    inner = body(*(names.get(value, value) for value in values))
    if _SUBQUERY.search(inner):
        return body(*values)
    return Sql(f"list_transform([{struct(bound)}], {lambda_([name], inner)})[1]")


def template(text: str, *values: Sql) -> Sql:
    """The text with `{0}`, `{1}` … replaced by fragments; a repeated one is evaluated once."""

    def fill(*bound: Sql) -> Sql:
        return Sql(f"({_SLOT.sub(lambda match: bound[int(match[1])], text)})")

    slots = _SLOT.findall(text)
    if len(slots) == len(set(slots)):
        return fill(*values)
    return bind(values, fill)
