"""CALL: the one procedure that there is, `system.runtime.kill_query(query_id, message)`.

Tools end a query that they run by it (Superset does).
"""

from __future__ import annotations

from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError, StatementError
from querysvc.model import Principal
from querysvc.service.queries import QueryService
from querysvc.sql.prepared import StatementTokens
from querysvc_drivers.trino.client_request import ClientRequest
from querysvc_drivers.trino.session_statements import LocalResult

_KILL: Final = ("system", "runtime", "kill_query")
_PARAMETERS: Final = ("query_id", "message")


def call_procedure(
    stream: StatementTokens, request: ClientRequest, queries: QueryService, principal: Principal
) -> LocalResult:
    """Run the procedure, with the caller's rights."""
    stream.expect("CALL")
    given = [part.name.lower() for part in stream.qualified_name()]
    session = [request.catalog or "", request.schema or ""]
    name = (*session[: 3 - len(given)], *given)
    if name != _KILL:
        message = f"Procedure not registered: {'.'.join(name[1:])}"
        raise StatementError(ErrorCode.PROCEDURE_NOT_FOUND, message)
    arguments = _arguments(stream)
    query_id = arguments.get("query_id")
    if query_id is None:
        message = "Required procedure argument 'QUERY_ID' is missing"
        raise StatementError(ErrorCode.INVALID_PROCEDURE_ARGUMENT, message)
    try:
        queries.cancel(query_id, principal)
    except QueryServiceError as error:
        if error.code is not ErrorCode.QUERY_NOT_FOUND:
            raise
        message = f"Target query not found: {query_id}"
        raise QueryServiceError(ErrorCode.NOT_FOUND, message) from error
    return LocalResult("CALL")


def _arguments(stream: StatementTokens) -> dict[str, str]:
    stream.expect("(")
    found: dict[str, str] = {}
    while not stream.take(")"):
        if found:
            stream.expect(",")
        name = _PARAMETERS[min(len(found), len(_PARAMETERS) - 1)]
        if stream.at_identifier():
            name = stream.identifier().name.lower()
            stream.expect("=>")
        found[name] = stream.string()
    stream.end()
    return found
