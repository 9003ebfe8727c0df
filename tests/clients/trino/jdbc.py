"""trino-jdbc through jaydebeapi, and what its DatabaseMetaData answers as plain values.

`python -m tests.clients.trino.jdbc URL CATALOG` prints the answers of any server, to be recorded:
a real Trino's (with the same tables in its memory connector) are in tests/data.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import jaydebeapi
import jpype.config

from tests.clients.trino.artifacts import fetch_artifact

# Ending the JVM would wait for every Java thread that a driver or a test has left.
jpype.config.destroy_jvm = False

VERSION = "476"
ARTIFACT = f"io.trino:trino-jdbc:{VERSION}"
JAR = Path.home() / f".m2/repository/io/trino/trino-jdbc/{VERSION}" / f"trino-jdbc-{VERSION}.jar"


def driver_jar() -> Path:
    """The driver's jar, from Maven's local repository or by Maven."""
    fetch_artifact(ARTIFACT, JAR)
    return JAR


def connect(url: str, catalog: str = "tpch", **properties: str) -> Any:
    """A connection of the stock driver."""
    place = urlparse(url)
    address = f"jdbc:trino://{place.hostname}:{place.port}/{catalog}/tiny"
    return jaydebeapi.connect(
        "io.trino.jdbc.TrinoDriver", address, {"user": "eve", **properties}, str(driver_jar())
    )


def fetch(result_set: Any) -> dict[str, Any]:
    """A ResultSet's column names, type names and rows as texts."""
    meta = result_set.getMetaData()
    indexes = range(1, meta.getColumnCount() + 1)
    rows = []
    while result_set.next():
        values = [result_set.getObject(i) for i in indexes]
        rows.append([None if value is None else str(value) for value in values])
    return {
        "names": [str(meta.getColumnLabel(i)) for i in indexes],
        "types": [str(meta.getColumnTypeName(i)) for i in indexes],
        "rows": rows,
    }


METADATA_CALLS: tuple[tuple[str, ...], ...] = (
    ("getSchemas", "CATALOG", "ti%"),
    ("getTableTypes",),
    ("getTables", "CATALOG", "tiny", "%", None),  # type: ignore[arg-type]
    ("getTables", "CATALOG", "tiny", "nat%", "TABLE"),
    ("getTables", "CATALOG", "tiny", "every\\_type", None),  # type: ignore[arg-type]
    ("getTables", "CATALOG", "tiny", "%", "VIEW"),
    ("getTables", "CATALOG", "information_schema", "%", None),  # type: ignore[arg-type]
    ("getColumns", "CATALOG", "tiny", "%", "%"),
    ("getColumns", "CATALOG", "tiny", "nation", "n%"),
    ("getColumns", "CATALOG", "information_schema", "%", "%"),
    ("getColumns", "system", "jdbc", "%", "%"),
    ("getTypeInfo",),
    ("getPrimaryKeys", "CATALOG", "tiny", "nation"),
    ("getImportedKeys", "CATALOG", "tiny", "nation"),
    ("getProcedures", "CATALOG", "tiny", "%"),
    ("getProcedureColumns", "CATALOG", "tiny", "%", "%"),
    ("getUDTs", "CATALOG", "tiny", "%", None),  # type: ignore[arg-type]
    ("getSuperTypes", "CATALOG", "tiny", "%"),
    ("getSuperTables", "CATALOG", "tiny", "%"),
    ("getAttributes", "CATALOG", "tiny", "%", "%"),
    ("getPseudoColumns", "CATALOG", "tiny", "%", "%"),
)
VALUES = (
    "true",
    "CAST(NULL AS boolean)",
    "TINYINT '-128'",
    "SMALLINT '32767'",
    "42",
    "BIGINT '-9223372036854775808'",
    "REAL '0.1'",
    "DOUBLE '0.1'",
    "1e300",
    "nan()",
    "-infinity()",
    "DECIMAL '12345.670'",
    "DECIMAL '12345678901234567890123456789012345678'",
    "DECIMAL '0.00000001'",
    "'it''s \"quoted\" \\ ünïcode 😀'",
    "CAST('x' AS varchar)",
    "CAST('x' AS char(3))",
    "X'00ff'",
    "DATE '2020-02-29'",
    "DATE '0001-01-01'",
    "TIME '12:34:56.789'",
    "TIMESTAMP '2020-02-29 12:34:56'",
    "TIMESTAMP '2020-02-29 12:34:56.789012'",
    "TIMESTAMP '2020-02-29 12:34:56.789 Europe/Berlin'",
    "INTERVAL '3' DAY",
    "INTERVAL '-14' MONTH",
    "UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59'",
    "ARRAY[1, NULL, 3]",
    "MAP(ARRAY['a', 'b'], ARRAY[1, 2])",
    "ROW(1, 'x')",
    "CAST(ROW(1, 'x') AS row(x integer, \"y z\" varchar(3)))",
    "NULL",
)
"""Expressions of every type that a query can answer."""


def metadata_answers(connection: Any, catalog: str) -> dict[str, Any]:
    """What every metadata call answers; the catalog's name is put as CATALOG."""
    import jpype

    metadata = connection.jconn.getMetaData()
    answers = {}
    for name, *arguments in METADATA_CALLS:
        given: list[Any] = [catalog if a == "CATALOG" else a for a in arguments]
        if name == "getTables" and given[3] is not None:
            given[3] = jpype.JArray(jpype.JString)([given[3]])
        answer = fetch(getattr(metadata, name)(*given))
        answer["rows"] = [
            ["CATALOG" if value == catalog else value for value in row] for row in answer["rows"]
        ]
        answers[" ".join([name, *map(str, arguments)])] = answer
    return answers


def value_answers(connection: Any) -> dict[str, Any]:
    """What the driver makes of a value of every type."""
    answers = {}
    for expression in VALUES:
        statement = connection.jconn.createStatement()
        try:
            answers[expression] = fetch(statement.executeQuery(f"SELECT {expression}"))
        finally:
            statement.close()
    return answers


if __name__ == "__main__":
    with connect(sys.argv[1], sys.argv[2]) as connection:
        recorded = {
            "metadata": metadata_answers(connection, sys.argv[2]),
            "values": value_answers(connection),
        }
    for kind, answers in recorded.items():
        for call, answer in answers.items():
            print(json.dumps({"kind": kind, "call": call, **answer}, ensure_ascii=False))
