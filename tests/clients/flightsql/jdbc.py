"""Arrow's Flight SQL JDBC driver in a JVM of its own: `… JAR PORT KEY` prints what it saw.

It needs a flag that only the start of a JVM can give, hence the process.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import jaydebeapi
import jpype
import jpype.config

from tests.clients.trino.jdbc import fetch

jpype.config.destroy_jvm = False


def answers(connection: Any) -> dict[str, Any]:
    """Rows, a prepared statement run seven times, an update's count, metadata, an error."""
    java = connection.jconn
    metadata = java.getMetaData()
    tables = fetch(metadata.getTables("awsdatacatalog", "shop", "people", None))
    columns = fetch(metadata.getColumns("awsdatacatalog", "shop", "people", "%"))
    statement = java.createStatement()
    rows = fetch(statement.executeQuery("SELECT id, name, born FROM shop.people ORDER BY id"))
    prepared = java.prepareStatement("SELECT name FROM shop.people WHERE id = ?")
    names = []
    for _ in range(7):
        prepared.setInt(1, 2)
        names += fetch(prepared.executeQuery())["rows"]
    try:
        statement.executeQuery("SELECT nope FROM shop.people")
        error = ""
    except jpype.JException as refused:
        error = str(refused)
    return {
        "product": str(metadata.getDatabaseProductName()),
        "tables": [row[1:4] for row in tables["rows"]],
        "columns": [row[3] for row in columns["rows"]],
        "rows": rows["rows"],
        "prepared": names,
        "updated": statement.executeUpdate("CREATE DATABASE IF NOT EXISTS shop"),
        "error": error,
    }


def main() -> None:
    """Connect, look, print."""
    jar, port, key = sys.argv[1:]
    jpype.startJVM("--add-opens=java.base/java.nio=ALL-UNNAMED", classpath=[jar])
    connection = jaydebeapi.connect(
        "org.apache.arrow.driver.jdbc.ArrowFlightJdbcDriver",
        f"jdbc:arrow-flight-sql://127.0.0.1:{port}/?useEncryption=false",
        {"user": "ada", "password": key},
    )
    print(json.dumps(answers(connection)), flush=True)
    # The driver takes what was not read to its end for a leak, and fails to close.
    os._exit(0)


if __name__ == "__main__":
    main()
