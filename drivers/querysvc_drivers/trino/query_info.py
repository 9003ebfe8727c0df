"""`/v1/query/{id}`: what tools ask about a query beside its pages."""

from __future__ import annotations

from querysvc.errors import ErrorCode
from querysvc.model import QueryExecution
from querysvc_drivers.trino.columns import Json
from querysvc_drivers.trino.errors import error_document, error_of
from querysvc_drivers.trino.stats import STATES, stats_document


def query_info(execution: QueryExecution, address: str) -> Json:
    """The members of Trino's QueryInfo that tools read."""
    session = execution.session
    document: Json = {
        "queryId": execution.id,
        "session": {
            "queryId": execution.id,
            "user": session.user,
            "principal": execution.principal,
            "source": session.source,
            "catalog": session.catalog,
            "schema": session.database,
            "timeZoneKey": session.time_zone,
            "clientTags": list(session.client_tags),
            "systemProperties": dict(session.properties),
        },
        "resourceGroupId": [execution.work_group],
        "state": STATES[execution.state],
        "self": address,
        "query": execution.sql,
        "queryStats": {
            "createTime": execution.submitted_at.isoformat(),
            "endTime": execution.completed_at and execution.completed_at.isoformat(),
            **stats_document(execution),
        },
        "warnings": list(execution.warnings),
        "finalQueryInfo": execution.state.is_terminal,
    }
    if execution.error is not None:
        error = error_of(execution.error)
        code: ErrorCode = error.code
        document["errorType"] = code.error_type.value
        document["errorCode"] = {
            "code": code.number,
            "name": code.name,
            "type": code.error_type.value,
        }
        document["failureInfo"] = error_document(error)["failureInfo"]
    return document
