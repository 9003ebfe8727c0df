"""What trino-python-client shows of statements, parameters and settings, as plain texts.

`python -m tests.clients.trino.calls URL CATALOG` prints the answers of any server, to be recorded:
a real Trino's (with the same tables in its memory connector) are in tests/data.
"""

from __future__ import annotations

import datetime
import decimal
import json
import re
import sys
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import trino

_DATA = Path(__file__).parents[2] / "data"
STATEMENTS = [
    line
    for line in (_DATA / "client-statements.sql").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
"""CATALOG is put for the catalog's name."""
_UTC = datetime.UTC
PARAMETERS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("SELECT ?", (1,)),
    ("SELECT ?, ?", ("a", None)),
    ("SELECT ?", (True,)),
    ("SELECT ?", (3.5,)),
    ("SELECT ?", (-3.5e-300,)),
    ("SELECT ?", (float("nan"),)),
    ("SELECT ?", (float("inf"),)),
    ("SELECT ?", (-float("inf"),)),
    ("SELECT ?", (decimal.Decimal("1.23456789012345678901234567890"),)),
    ("SELECT ?", (decimal.Decimal("-1E+5"),)),
    ("SELECT ?", (b"\x00\xff",)),
    ("SELECT ?", (datetime.date(2020, 1, 2),)),
    ("SELECT ?", (datetime.datetime(2020, 1, 2, 3, 4, 5, 678901),)),
    ("SELECT ?", (datetime.time(3, 4, 5, 678),)),
    ("SELECT ?", (datetime.datetime(2020, 1, 2, 3, 4, 5, tzinfo=_UTC),)),
    (
        "SELECT ?",
        (datetime.time(3, 4, 5, tzinfo=datetime.timezone(datetime.timedelta(minutes=330))),),
    ),
    ("SELECT ?", ({"a": 1},)),
    ("SELECT ?", ({},)),
    ("SELECT ?", ((1, "x"),)),
    ("SELECT ?", ([[1], [2]],)),
    ("SELECT ?", ([],)),
    ("SELECT ?", (["a", None],)),
    ("SELECT ?", (uuid.UUID("12151fd2-7586-11e9-8f9e-2a86e4085a59"),)),
    ("SELECT ?", (2**70,)),
    ("SELECT ?", (2**31,)),
    ("SELECT ?", (-5,)),
    ("SELECT ?", ("",)),
    ("SELECT ?", ('it\'s ? \\ "x" \n',)),
    ("SELECT ? FROM nation WHERE name = ? LIMIT 1", ("é'x", "CANADA")),
    ("SELECT name FROM nation WHERE nationkey IN (?, ?) ORDER BY 1", (1, 2)),
    (
        "SELECT count(*) FROM orders WHERE orderdate > ? AND totalprice < ?",
        (datetime.date(1996, 1, 1), decimal.Decimal("2000.00")),
    ),
    ("SELECT name FROM nation ORDER BY name OFFSET ? LIMIT ?", (3, 2)),
    ("SELECT name FROM nation WHERE name LIKE ? ORDER BY 1", ("C%",)),
    ("SELECT 1", (1,)),
    ("SELECT ?, ?", (1,)),
    ("SELECT nope", (1,)),
    ("SHOW TABLES LIKE ?", ("n%",)),
    ("SELECT 1 ?", (1,)),
    ("SELECT ? + 'x'", (1,)),
    ("INSERT INTO nope VALUES (?)", (1,)),
    ("VALUES (?, 'a'), (?, 'b')", (1, 2)),
)
"""Statements with what stands for their question marks."""
SETTINGS: tuple[dict[str, Any], ...] = (
    {"legacy_primitive_types": True},
    {"timezone": "Asia/Kathmandu"},
    {"timezone": "nope"},
    {"client_tags": ["a", "b"]},
    {"extra_credential": [("a", "b c")]},
    {"roles": {"system": "ALL"}},
    {"roles": {"system": "analyst"}},
    {"roles": "NONE"},
    {"session_properties": {"query_max_run_time": "1m"}},
    {"session_properties": {"nope": "1"}},
    {"session_properties": {"query_max_run_time": "x"}},
    {"session_properties": {"a.b": "1"}},
    {"catalog": "nope"},
    {"catalog": None, "schema": None},
    {"schema": "nope"},
    {"schema": None},
    {"source": "me"},
    {"http_headers": {"X-Trino-Client-Info": "z", "X-Trino-Trace-Token": "t"}},
    {"http_headers": {"X-Trino-Language": "de-DE"}},
    {"http_headers": {"X-Trino-Client-Capabilities": ""}},
    {"http_headers": {"X-Trino-Path": "x"}},
    {"http_headers": {"X-Trino-Resource-Estimate": "EXECUTION_TIME=1h"}},
    {"http_headers": {"X-Trino-Transaction-Id": "nope"}},
    {"encoding": None},
    {"encoding": "json"},
    {"encoding": ["json+lz4", "json"]},
    {"isolation_level": trino.transaction.IsolationLevel.READ_COMMITTED},
    {"isolation_level": trino.transaction.IsolationLevel.SERIALIZABLE},
)
"""What connections may be given, beside the usual."""
_SETTINGS_QUERIES = (
    (
        "SELECT current_timezone(), TIMESTAMP '2020-01-01 00:00:00.1234567', DECIMAL '1.5', X'aa',"
        " ARRAY[DATE '2020-01-01'], TIMESTAMP '2020-01-01 00:00:00 UTC', TIME '01:02:03 +01:00',"
        " DATE '2020-01-01', INTERVAL '1' DAY, MAP(ARRAY[1], ARRAY[1.5]), nan()"
    ),
    "SELECT count(*) FROM region",
    "SHOW TABLES LIKE 'r%'",
)


class Server:
    """A server whose tables lie in the catalog's schema `tiny`."""

    def __init__(self, url: str, catalog: str) -> None:
        self._place = urlparse(url)
        self._catalog = catalog

    def connect(self, **settings: Any) -> Any:
        """A connection as most programs open it."""
        settings = {"user": "eve", "catalog": self._catalog, "schema": "tiny", **settings}
        return trino.dbapi.connect(host=self._place.hostname, port=self._place.port, **settings)

    def shown(self, found: object) -> str:
        """A value as text, without the catalog's name."""
        text = re.sub(rf"\b{self._catalog}\b", "CATALOG", str(found))
        # Which tokens the parser expects is its own affair; so is how a prepared text is laid out.
        text = re.sub(r"\. Expecting: [^\"]*", "", text)
        return text.replace("\\n\\n'}", "'}")

    def answer(self, sql: str, parameters: Any = None, **settings: Any) -> str:
        """Everything that a cursor and its session show after a statement."""
        sql = re.sub(r"\bCATALOG\b", self._catalog, sql)
        try:
            connection = self.connect(**settings)
            cursor = connection.cursor()
            cursor.execute(sql, parameters)
            rows = cursor.fetchall()
            session = connection._client_session
            found: tuple[object, ...] = (
                [tuple(column) for column in cursor.description or ()],
                rows,
                cursor.update_type,
                cursor.rowcount,
                [warning["message"] for warning in cursor.warnings],
                *(dict(session.properties), session.catalog, session.schema),
                *(dict(session.roles), dict(session.prepared_statements)),
                session.authorization_user,
            )
        except trino.exceptions.TrinoQueryError as error:
            place = error.message
            found = (type(error).__name__, error.error_name, error.error_type, error.error_code)
            return self.shown((*found, place))
        except Exception as error:  # whatever a client raises is its answer
            return self.shown((type(error).__name__, str(error)[:200]))
        return self.shown(found)


def answers(server: Server) -> Iterator[tuple[str, str]]:
    """Every call with its answer."""
    for sql in STATEMENTS:
        yield sql, server.answer(sql)
    for sql, parameters in PARAMETERS:
        yield f"{sql} % {parameters}", server.answer(sql, parameters)
        legacy = server.answer(sql, parameters, legacy_prepared_statements=True)
        yield f"prepared {sql} % {parameters}", legacy
    for settings in SETTINGS:
        for sql in _SETTINGS_QUERIES:
            yield f"{settings} {sql}", server.answer(sql, **settings)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for call, answer in answers(Server(sys.argv[1], sys.argv[2])):
        print(json.dumps({"call": call, "answer": answer}, ensure_ascii=False))
