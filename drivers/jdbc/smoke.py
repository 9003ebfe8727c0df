"""Smoke test of a JDBC driver: python drivers/jdbc/smoke.py jdbc:trino://HOST:PORT/CATALOG
(or jdbc:postgresql://HOST:PORT/CATALOG).

Needs jaydebeapi, JPype1, Java 11 or newer, and the driver's jar (io.trino:trino-jdbc:476 or
org.postgresql:postgresql:42.7.7 in Maven's local repository, or its path in JDBC_JAR).
QUERYSVC_API_KEY is used as the password.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import jaydebeapi

MAVEN = Path.home() / ".m2/repository"
DRIVERS = {
    "trino": ("io.trino.jdbc.TrinoDriver", MAVEN / "io/trino/trino-jdbc/476/trino-jdbc-476.jar"),
    "postgresql": (
        "org.postgresql.Driver",
        MAVEN / "org/postgresql/postgresql/42.7.7/postgresql-42.7.7.jar",
    ),
}


def main(url: str) -> None:
    """Connect, ask a row, list schemas."""
    properties = {"user": os.environ.get("QUERYSVC_USER", "smoke")}
    if key := os.environ.get("QUERYSVC_API_KEY"):
        properties |= {"password": key, "ssl" if "postgresql" in url else "SSL": "true"}
    driver, known_jar = DRIVERS[url.split(":")[1]]
    jar = os.environ.get("JDBC_JAR", str(known_jar))
    with jaydebeapi.connect(driver, url, properties, jar) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT version(), current_user, current_catalog")
        sys.stdout.write(f"{cursor.fetchone()}\n")
        schemas = connection.jconn.getMetaData().getSchemas()
        while schemas.next():
            sys.stdout.write(f"{schemas.getString(2)}.{schemas.getString(1)}\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "jdbc:trino://127.0.0.1:8080/awsdatacatalog")
