"""Smoke test of the Trino JDBC driver: python drivers/jdbc/smoke.py jdbc:trino://HOST:PORT/CATALOG

Needs jaydebeapi, JPype1, Java 11 or newer, and the driver's jar (io.trino:trino-jdbc:476 in Maven's
local repository, or its path in TRINO_JDBC_JAR). QUERYSVC_API_KEY is used as the password.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import jaydebeapi

JAR = Path.home() / ".m2/repository/io/trino/trino-jdbc/476/trino-jdbc-476.jar"


def main(url: str) -> None:
    """Connect, ask a row, list schemas."""
    properties = {"user": os.environ.get("QUERYSVC_USER", "smoke")}
    if key := os.environ.get("QUERYSVC_API_KEY"):
        properties |= {"password": key, "SSL": "true"}
    jar = os.environ.get("TRINO_JDBC_JAR", str(JAR))
    with jaydebeapi.connect("io.trino.jdbc.TrinoDriver", url, properties, jar) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT version(), current_user, current_catalog")
        sys.stdout.write(f"{cursor.fetchone()}\n")
        schemas = connection.jconn.getMetaData().getSchemas()
        while schemas.next():
            sys.stdout.write(f"{schemas.getString(2)}.{schemas.getString(1)}\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "jdbc:trino://127.0.0.1:8080/awsdatacatalog")
