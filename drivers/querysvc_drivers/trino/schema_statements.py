"""CREATE, ALTER and DROP SCHEMA with a catalog's name before the schema's.

The core's names of schemas have one part, as Athena's: the catalog is the session's.
"""

from __future__ import annotations

import dataclasses

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.metadata import MetadataReader
from querysvc.sql.prepared import StatementTokens
from querysvc_drivers.trino.client_request import ClientRequest


def in_its_catalog(request: ClientRequest, metadata: MetadataReader) -> ClientRequest:
    """The request as a session in the schema's catalog makes it; other statements as they are."""
    stream = StatementTokens(request.sql)
    if stream.take_any("CREATE", "ALTER", "DROP") is None or not stream.take("SCHEMA"):
        return request
    if not stream.take("IF", "NOT", "EXISTS"):
        stream.take("IF", "EXISTS")
    if not stream.at_identifier():
        return request
    start = stream.token.start
    catalog = stream.identifier().name.lower()
    if not stream.take("."):
        return request
    if not metadata.catalog_exists(catalog):
        message = f"Catalog '{catalog}' not found"
        raise StatementError(ErrorCode.CATALOG_NOT_FOUND, message, line=1, column=1)
    end = stream.token.start
    # Errors keep their places: what is cut is written over.
    sql = request.sql[:start] + " " * (end - start) + request.sql[end:]
    return dataclasses.replace(request, sql=sql, catalog=catalog)
