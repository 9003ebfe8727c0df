"""Smoke test of SQLAlchemy over either wire: python drivers/sqlalchemy/smoke.py URL

URL is trino://USER@HOST:PORT/CATALOG/SCHEMA or postgresql+psycopg://USER@HOST:PORT/CATALOG; with a
key, trino://USER:KEY@HOST:PORT/… over HTTPS, or …?sslmode=verify-full&sslrootcert=cert.pem.
"""

from __future__ import annotations

import sys

import sqlalchemy as sa


def main(url: str) -> None:
    """Connect, ask a row, reflect the tables."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        row = connection.execute(sa.text("SELECT version(), current_user")).one()
        sys.stdout.write(f"{tuple(row)}\n")
    inspector = sa.inspect(engine)
    for name in inspector.get_table_names():
        columns = [f"{c['name']} {c['type']}" for c in inspector.get_columns(name)]
        sys.stdout.write(f"{name}: {', '.join(columns)}\n")


if __name__ == "__main__":
    main(
        sys.argv[1] if len(sys.argv) > 1 else "trino://smoke@127.0.0.1:8080/awsdatacatalog/default"
    )
