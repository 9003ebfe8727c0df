"""Runs a query on pg_catalog: in the gate's process, on an SQLite database in memory.

Nothing but the relations that the query names is in it; it reads them, calls the functions of the
table, and ends after a bounded time, with a bounded answer.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlglot import exp

from querysvc.errors import ErrorCode, QueryServiceError, StatementError
from querysvc_drivers.pgwire.catalog.definitions import definitions
from querysvc_drivers.pgwire.catalog.functions import BOOL, NATIVE, STATIC, Function, Functions
from querysvc_drivers.pgwire.catalog.reading import parse
from querysvc_drivers.pgwire.catalog.relations import rows_of
from querysvc_drivers.pgwire.catalog.rewriting import Rewriter
from querysvc_drivers.pgwire.catalog.snapshot import Snapshot
from querysvc_drivers.pgwire.types import ELEMENTS, Oid

_SECONDS_MAX: Final = 5.0
_STEPS: Final = 10_000
"""The clock is looked at after so many of SQLite's instructions."""
_ROWS_MAX: Final = 500_000
_VALUE_BYTES_MAX: Final = 16 << 20
_READING: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
_OUTSIDE_TYPES: Final = {
    **dict.fromkeys((int(Oid.REGCLASS), int(Oid.REGTYPE), int(Oid.REGPROC)), int(Oid.TEXT)),
    int(Oid.REGNAMESPACE): int(Oid.TEXT),
}
_OUT: Final = {
    int(Oid.REGCLASS): "_regclass_out",
    int(Oid.REGTYPE): "_regtype_out",
    int(Oid.REGPROC): "_regproc_out",
    int(Oid.REGNAMESPACE): "_regnamespace_out",
}
_JSON_FUNCTIONS: Final = frozenset(
    {
        "json_each",
        "json_array",
        "json_object",
        "json_group_array",
        "coalesce",
        "ifnull",
        "nullif",
        "iif",
        "like",
    }
)
_NATIVE_NAMES: Final = frozenset({*NATIVE, *_JSON_FUNCTIONS, "max", "min", "total", "group_concat"})


@dataclass(frozen=True, slots=True)
class CatalogRows:
    """An answer: names and OIDs of columns, rows, and the settings that set_config has made."""

    columns: tuple[tuple[str, int], ...]
    rows: tuple[tuple[Any, ...], ...]
    settings: tuple[tuple[str, str], ...]


def evaluate(sql: str, literals: tuple[str | None, ...], snapshot: Snapshot) -> CatalogRows:
    """Run the query; `literals` are the texts of its parameters."""
    functions = Functions(snapshot)
    table = {**STATIC, **functions.session()}
    given = [exp.Null() if text is None else exp.Literal.string(text) for text in literals]
    rewriter = Rewriter(table, given)
    tree, columns = rewriter.rewrite(parse(sql))
    connection = sqlite3.connect(":memory:", cached_statements=0)
    try:
        _fill(connection, rewriter.relations, snapshot)
        failures: list[QueryServiceError] = []
        _register(connection, table, failures)
        _restrict(connection, frozenset(table) | _NATIVE_NAMES)
        rows = _fetch(connection, tree.sql(dialect="sqlite"), failures)
    finally:
        connection.close()
    return _answer(columns, rows, table, functions)


def _answer(
    columns: list[tuple[str, int]],
    rows: list[tuple[Any, ...]],
    table: Mapping[str, Function],
    functions: Functions,
) -> CatalogRows:
    converters = [_converter(oid, table) for _, oid in columns]
    shown = tuple(
        tuple(
            None if value is None else convert(value)
            for convert, value in zip(converters, row, strict=True)
        )
        for row in rows
    )
    described = tuple((name, _OUTSIDE_TYPES.get(oid, oid)) for name, oid in columns)
    return CatalogRows(described, shown, tuple(functions.settings))


def _converter(oid: int, table: Mapping[str, Function]) -> Callable[[Any], Any]:
    """From what SQLite holds to what the column is."""
    if oid in _OUT:
        return table[_OUT[oid]].call
    if oid in ELEMENTS:
        return _array
    return _SCALARS.get(oid, _text)


def _array(value: Any) -> list[Any]:
    if isinstance(value, str) and value.startswith("["):
        loaded: list[Any] = json.loads(value)
        return loaded
    return str(value).split()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


_SCALARS: Final[Mapping[int, Callable[[Any], Any]]] = {
    BOOL: bool,
    **dict.fromkeys((int(o) for o in (Oid.INT2, Oid.INT4, Oid.INT8, Oid.OID, Oid.XID)), int),
    **dict.fromkeys((int(o) for o in (Oid.FLOAT4, Oid.FLOAT8)), float),
}


def _fill(connection: sqlite3.Connection, relations: set[str], snapshot: Snapshot) -> None:
    for name in relations:
        known = definitions()[name]
        columns = ", ".join(f'"{column.name}"' for column in known)
        marks = ", ".join("?" * len(known))
        connection.execute(f'CREATE TABLE "{name}" ({columns})')
        # The names are those of our own table.
        insert = f'INSERT INTO "{name}" VALUES ({marks})'  # noqa: S608
        connection.executemany(insert, rows_of(name, snapshot))
    # A virtual table is made when it is first read, which must be before only reading is allowed.
    connection.execute("SELECT value FROM json_each('[]')").fetchall()
    connection.commit()


def _register(
    connection: sqlite3.Connection,
    table: Mapping[str, Function],
    failures: list[QueryServiceError],
) -> None:
    for name, function in table.items():
        least, most = function.arguments
        for count in range(least, min(most, 9) + 1):
            connection.create_function(name, count, _guarded(function.call, failures))


def _guarded(call: Callable[..., Any], failures: list[QueryServiceError]) -> Callable[..., Any]:
    """SQLite forgets what a function raised: it is kept to be raised again."""

    def run(*arguments: Any) -> Any:
        try:
            return call(*arguments)
        except QueryServiceError as error:
            failures.append(error)
            raise

    return run


def _restrict(connection: sqlite3.Connection, functions: frozenset[str]) -> None:
    def authorize(action: int, first: str | None, second: str | None, *_: object) -> int:
        if action == sqlite3.SQLITE_FUNCTION:
            return sqlite3.SQLITE_OK if (second or "").lower() in functions else sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY

    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _VALUE_BYTES_MAX)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    deadline = time.monotonic() + _SECONDS_MAX
    connection.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS)
    connection.set_authorizer(authorize)


def _fetch(
    connection: sqlite3.Connection, sql: str, failures: list[QueryServiceError]
) -> list[tuple[Any, ...]]:
    try:
        rows = connection.execute(sql).fetchmany(_ROWS_MAX + 1)
    except sqlite3.Error as error:
        if failures:
            raise failures[0] from None
        if "interrupted" in str(error):
            raise StatementError(
                ErrorCode.EXCEEDED_TIME_LIMIT,
                f"the query on pg_catalog took longer than {_SECONDS_MAX:g} s",
            ) from None
        raise StatementError(
            ErrorCode.NOT_SUPPORTED, f"this query on pg_catalog is not supported: {error}"
        ) from None
    if len(rows) > _ROWS_MAX:
        raise StatementError(
            ErrorCode.RESULT_TOO_LARGE, f"the answer has more than {_ROWS_MAX} rows"
        )
    return rows
