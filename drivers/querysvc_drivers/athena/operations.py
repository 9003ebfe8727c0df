"""The table of Athena's operations: what is served, and what is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from querysvc.model import Principal
from querysvc.service.queries import QueryService
from querysvc.service.saved import SavedStatements
from querysvc.service.tags import ResourceTags
from querysvc.service.work_groups import WorkGroupService
from querysvc.state.values import HistoryFilter
from querysvc_catalog.service import CatalogService
from querysvc_drivers.athena import catalogs, decode, saved, tags, work_groups
from querysvc_drivers.athena.executions import (
    engine_document,
    execution_document,
    runtime_statistics,
)
from querysvc_drivers.athena.results import results_document
from querysvc_drivers.aws_json.catalogs import of_caller
from querysvc_drivers.aws_json.dispatch import AwsService, Caller, Document, Operation
from querysvc_drivers.aws_json.errors import ATHENA_STYLE
from querysvc_drivers.aws_json.paging import PAGE_DEFAULT

_SPARK: Final = "Apache Spark is not served here."
SPARK_OPERATIONS: Final = (
    "CreateNotebook",
    "CreatePresignedNotebookUrl",
    "DeleteNotebook",
    "ExportNotebook",
    "GetCalculationExecution",
    "GetCalculationExecutionCode",
    "GetCalculationExecutionStatus",
    "GetNotebookMetadata",
    "GetResourceDashboard",
    "GetSession",
    "GetSessionEndpoint",
    "GetSessionStatus",
    "ImportNotebook",
    "ListApplicationDPUSizes",
    "ListCalculationExecutions",
    "ListExecutors",
    "ListNotebookMetadata",
    "ListNotebookSessions",
    "ListSessions",
    "StartCalculationExecution",
    "StartSession",
    "StopCalculationExecution",
    "TerminateSession",
    "UpdateNotebook",
    "UpdateNotebookMetadata",
)
_CAPACITY: Final = "There is no reserved capacity here: limits belong to work groups."
CAPACITY_OPERATIONS: Final = (
    "CancelCapacityReservation",
    "CreateCapacityReservation",
    "DeleteCapacityReservation",
    "GetCapacityAssignmentConfiguration",
    "GetCapacityReservation",
    "ListCapacityReservations",
    "PutCapacityAssignmentConfiguration",
    "UpdateCapacityReservation",
)


@dataclass(frozen=True, slots=True)
class AthenaServices:
    """What the wire needs of the core."""

    queries: QueryService
    work_groups: WorkGroupService
    saved: SavedStatements
    catalog_of: Callable[[Principal], CatalogService]
    tags: ResourceTags


def athena_service(services: AthenaServices) -> AwsService:
    """Athena, to be given to the AWS wire."""
    operations = {
        **_executions(services.queries, services.work_groups),
        **work_groups.operations(services.work_groups),
        **saved.named_queries(services.saved),
        **saved.prepared_statements(services.saved),
        **tags.of_data_catalogs(
            of_caller(catalogs.data_catalogs, services.catalog_of), services.tags
        ),
        **of_caller(catalogs.metadata, services.catalog_of),
        **tags.operations(services.tags),
        "ListEngineVersions": _engine_versions,
    }
    refused = dict.fromkeys(SPARK_OPERATIONS, _SPARK)
    refused |= dict.fromkeys(CAPACITY_OPERATIONS, _CAPACITY)
    return AwsService("athena", "AmazonAthena", ATHENA_STYLE, operations, refused)


def _executions(queries: QueryService, groups: WorkGroupService) -> dict[str, Operation]:
    def start(request: Document, caller: Caller) -> Document:
        stored = queries.submit(decode.submission(request), caller.principal)
        return {"QueryExecutionId": stored.id}

    def get(request: Document, caller: Caller) -> Document:
        found = queries.get(request["QueryExecutionId"], caller.principal)
        return {"QueryExecution": execution_document(found)}

    def get_many(request: Document, caller: Caller) -> Document:
        found, missing = queries.get_many(request["QueryExecutionIds"], caller.principal)
        unprocessed = [
            {
                "QueryExecutionId": query_id,
                "ErrorCode": "INVALID_INPUT",
                "ErrorMessage": f"QueryExecution {query_id} was not found",
            }
            for query_id in missing
        ]
        return {
            "QueryExecutions": [execution_document(item) for item in found],
            "UnprocessedQueryExecutionIds": unprocessed,
        }

    def list_ids(request: Document, caller: Caller) -> Document:
        group = groups.get(request.get("WorkGroup", decode.PRIMARY))
        page = queries.history(
            HistoryFilter(work_group=group.name),
            caller.principal,
            page_token=request.get("NextToken"),
            limit=request.get("MaxResults", PAGE_DEFAULT),
        )
        document: Document = {"QueryExecutionIds": [query.id for query in page.queries]}
        if page.next_token is not None:
            document["NextToken"] = page.next_token
        return document

    def results(request: Document, caller: Caller) -> Document:
        if request.get("QueryResultType") == "DATA_MANIFEST":
            raise decode.invalid("QueryResultType DATA_MANIFEST is not supported.")
        execution = queries.get(request["QueryExecutionId"], caller.principal)
        return results_document(queries, execution, caller.principal, request)

    def statistics(request: Document, caller: Caller) -> Document:
        execution = queries.get(request["QueryExecutionId"], caller.principal)
        return {"QueryRuntimeStatistics": runtime_statistics(execution)}

    def stop(request: Document, caller: Caller) -> Document:
        queries.cancel(request["QueryExecutionId"], caller.principal)
        return {}

    return {
        "StartQueryExecution": start,
        "GetQueryExecution": get,
        "BatchGetQueryExecution": get_many,
        "ListQueryExecutions": list_ids,
        "GetQueryResults": results,
        "GetQueryRuntimeStatistics": statistics,
        "StopQueryExecution": stop,
    }


def _engine_versions(request: Document, caller: Caller) -> Document:
    selected = (decode.AUTO, decode.ENGINE_VERSION)
    return {"EngineVersions": [engine_document(version) for version in selected]}
