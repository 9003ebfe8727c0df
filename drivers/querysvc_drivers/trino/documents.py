"""Answers of `/v1/statement` as JSON text."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

import orjson

from querysvc.errors import QueryServiceError
from querysvc_drivers.trino.columns import Json, column_documents
from querysvc_drivers.trino.encoding import Spool, data_member
from querysvc_drivers.trino.errors import error_document
from querysvc_drivers.trino.statement import Page
from querysvc_drivers.trino.stats import state_document, stats_document

GZIP_BYTES_MIN: Final = 2 << 10
_WARNING_CODE: Final = {"code": 1, "name": "QUERYSVC_WARNING"}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a statement's answers point."""

    query_id: str
    info: str
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """How a client wants its rows."""

    parametric_datetime: bool
    encoding: str | None
    spool: Spool | None = None


def queued_document(addresses: Addresses) -> bytes:
    """The answer to a POST: never rows, only where to fetch them."""
    return _document(addresses, state_document("QUEUED"))


def failed_document(addresses: Addresses, error: QueryServiceError) -> bytes:
    """The answer to a statement that was refused before it became a query."""
    return _document(addresses, state_document("FAILED"), {"error": error_document(error)})


def page_document(addresses: Addresses, page: Page, shape: Shape) -> bytes:
    """The answer to a fetch."""
    members: Json = {}
    if page.columns is not None:
        members["columns"] = column_documents(
            page.columns, parametric_datetime=shape.parametric_datetime
        )
    if page.error is not None:
        members["error"] = error_document(page.error)
    if page.update_type is not None:
        members["updateType"] = page.update_type
    if page.update_count is not None:
        members["updateCount"] = page.update_count
    warnings = page.execution.warnings if page.execution else ()
    head = _document(addresses, _stats(page), members, warnings)
    if page.rows is None:
        return head
    data = data_member(page.rows, shape.encoding, shape.spool)
    return b"".join((head[:-1], b',"data":', data, b"}"))


def gzipped(body: bytes) -> bytes:
    """The body as a gzip stream; fast rather than small."""
    compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
    return compressor.compress(body) + compressor.flush()


def _stats(page: Page) -> Json:
    state = None
    if page.error is not None:
        state = "FAILED"
    elif page.is_last:
        state = "FINISHED"
    elif page.execution is not None and page.execution.state.is_terminal:
        state = "RUNNING"  # the query has ended, its rows are still on their way
    if page.execution is None:
        return state_document(state or "RUNNING")
    return stats_document(page.execution, state)


def _document(
    addresses: Addresses,
    stats: Json,
    members: Json | None = None,
    warnings: tuple[str, ...] = (),
) -> bytes:
    document: Json = {"id": addresses.query_id, "infoUri": addresses.info}
    if addresses.next is not None:
        document["nextUri"] = addresses.next
    document.update(members or {})
    document["stats"] = stats
    document["warnings"] = [{"warningCode": _WARNING_CODE, "message": text} for text in warnings]
    return orjson.dumps(document)
