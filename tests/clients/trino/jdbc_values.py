"""What trino-jdbc's getters and setters make of values of every type, as plain texts.

`python -m tests.clients.trino.jdbc_values URL CATALOG` prints the answers of any server, to be
recorded: a real Trino's are in tests/data.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jpype

from tests.clients.trino import jdbc

GETTERS = (
    *("getString", "getInt", "getLong", "getDouble", "getFloat", "getShort", "getByte"),
    *("getBoolean", "getBigDecimal", "getDate", "getTime", "getTimestamp"),
)
CLASSES = (
    *("java.time.LocalDate", "java.time.LocalDateTime", "java.time.LocalTime"),
    *("java.time.ZonedDateTime", "java.time.OffsetDateTime", "java.time.Instant"),
    *("java.math.BigDecimal", "java.lang.String", "java.util.Map", "java.util.List"),
    "java.util.UUID",
)
META = (
    *("getColumnType", "getColumnTypeName", "getColumnClassName", "getPrecision", "getScale"),
    *("getColumnDisplaySize", "isNullable", "isSigned", "isCaseSensitive", "isSearchable"),
)
NULLS = (
    *("BIGINT", "VARCHAR", "DATE", "TIMESTAMP", "DECIMAL", "BOOLEAN", "DOUBLE", "VARBINARY"),
    *("TIME", "TIMESTAMP_WITH_TIMEZONE", "ARRAY"),
)


def bound() -> Iterator[tuple[str, Any]]:
    """Setters with a value of theirs."""
    java = jpype.JClass
    yield from (("setBoolean", True), ("setByte", 1), ("setShort", 2), ("setInt", 3))
    yield from (("setLong", 4), ("setFloat", 1.5), ("setDouble", 2.5), ("setString", "it's ?"))
    yield "setBytes", jpype.JArray(jpype.JByte)([0, 1])
    yield "setBigDecimal", java("java.math.BigDecimal")("1.50")
    yield "setDate", java("java.sql.Date").valueOf("2020-01-02")
    yield "setTime", java("java.sql.Time").valueOf("01:02:03")
    yield "setTimestamp", java("java.sql.Timestamp").valueOf("2020-01-02 03:04:05.123456789")
    for name, text in (
        ("java.time.LocalDate", "2020-01-02"),
        ("java.time.LocalDateTime", "2020-01-02T03:04:05.123456"),
        ("java.time.LocalTime", "03:04:05.123"),
        ("java.time.OffsetDateTime", "2020-01-02T03:04:05.123+02:00"),
        ("java.time.ZonedDateTime", "2020-01-02T03:04:05.123+01:00[Europe/Berlin]"),
    ):
        yield "setObject", java(name).parse(text)
    yield "setObject", java("java.util.UUID").fromString("12151fd2-7586-11e9-8f9e-2a86e4085a59")
    yield "setObject", java("java.math.BigInteger")("123456789012345678901")


def answers(
    connection: Any, recorded: Mapping[str, Any] | None = None
) -> Iterator[tuple[str, object]]:
    """Every call with its answer; of getters, those alone that answered when it was recorded.

    An exception on its way from Java costs as much as ten queries.
    """
    connection = connection.jconn
    for expression in jdbc.VALUES:
        call = f"get {expression}"
        names = (*GETTERS, *CLASSES, *META) if recorded is None else recorded[call]
        yield call, _got(connection, expression, names)
    for setter, value in bound():
        yield (
            f"{setter} {value}",
            _sent(connection, lambda p, s=setter, v=value: getattr(p, s)(1, v)),
        )
    types = jpype.JClass("java.sql.Types")
    for name in NULLS:
        code = getattr(types, name)
        yield f"setNull {name}", _sent(connection, lambda p, c=code: p.setNull(1, c))
    statement = connection.prepareStatement(
        "SELECT * FROM nation WHERE nationkey = ? AND name LIKE ? AND regionkey IN (?) LIMIT ?"
    )
    told = statement.getParameterMetaData()
    yield "parameters", [str(told.getParameterTypeName(i)) for i in range(1, 5)]


def _got(connection: Any, expression: str, names: Iterable[str]) -> dict[str, str]:
    statement = connection.createStatement()
    rows = statement.executeQuery(f"SELECT {expression} AS x")
    rows.next()
    found = {}
    for name in names:
        with contextlib.suppress(jpype.JException):
            found[name] = str(_value(rows, name))
    statement.close()
    return found


def _value(rows: Any, name: str) -> object:
    if name in CLASSES:
        return rows.getObject(1, jpype.JClass(name).class_)
    value = getattr(rows.getMetaData() if name in META else rows, name)(1)
    return list(value) if isinstance(value, jpype.JArray) else value


def _sent(connection: Any, bind: Callable[[Any], object]) -> str:
    statement = connection.prepareStatement("SELECT ? AS x")
    try:
        bind(statement)
        answer = jdbc.fetch(statement.executeQuery())
        return f"{answer['types'][0]}: {answer['rows'][0][0]}"
    except jpype.JException as error:
        return str(error.getMessage())
    finally:
        statement.close()


if __name__ == "__main__":
    with jdbc.connect(sys.argv[1], sys.argv[2]) as connection:
        for call, answer in answers(connection):
            print(json.dumps({"call": call, "answer": answer}, ensure_ascii=False))
