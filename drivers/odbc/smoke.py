"""Smoke test of psqlODBC: python drivers/odbc/smoke.py HOST PORT [DATABASE]

Needs pyodbc and the driver «PostgreSQL Unicode». QUERYSVC_API_KEY is used as the password.
"""

from __future__ import annotations

import os
import sys

import pyodbc


def main(host: str, port: str, database: str = "awsdatacatalog") -> None:
    """Connect, ask a row with a parameter, list tables."""
    settings = {
        "Driver": "{PostgreSQL Unicode}",
        "Server": host,
        "Port": port,
        "Database": database,
        "Uid": os.environ.get("QUERYSVC_USER", "smoke"),
    }
    if key := os.environ.get("QUERYSVC_API_KEY"):
        settings |= {"Pwd": key, "SSLmode": os.environ.get("QUERYSVC_SSLMODE", "verify-full")}
    text = ";".join(f"{name}={value}" for name, value in settings.items())
    connection = pyodbc.connect(text, autocommit=True)
    cursor = connection.cursor()
    cursor.execute("SELECT CAST(? AS integer) + 1, current_user", 41)
    sys.stdout.write(f"{tuple(cursor.fetchone())}\n")
    for table in cursor.tables().fetchmany(20):
        sys.stdout.write(f"{table.table_schem}.{table.table_name}\n")
    connection.close()


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["127.0.0.1", "5432"]))
