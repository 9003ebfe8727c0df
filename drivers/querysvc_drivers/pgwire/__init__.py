"""The PostgreSQL wire: psql, psycopg, pgjdbc, psqlODBC and what is built on them."""

from querysvc_drivers.pgwire.catalog import GATE_OPERATIONS, CatalogQueries
from querysvc_drivers.pgwire.connection import PgServices, PgSettings
from querysvc_drivers.pgwire.server import PgServer, server_tls
from querysvc_drivers.pgwire.session import SessionServices

__all__ = [
    "GATE_OPERATIONS",
    "CatalogQueries",
    "PgServer",
    "PgServices",
    "PgSettings",
    "SessionServices",
    "server_tls",
]
