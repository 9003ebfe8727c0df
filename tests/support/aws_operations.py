"""The AWS wire's operations and what becomes of each: docs/compatibility.md's table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from querysvc_drivers.athena import AthenaServices, athena_service
from querysvc_drivers.aws_json import AwsService, model
from querysvc_drivers.glue import GlueServices, glue_service

NEVER = {
    "AccessDeniedException": "told by grants, of every operation",
    "ConflictException": "there are no partition indexes to change",
    "FederatedResourceAlreadyExistsException": "there are no federated catalogs",
    "FederationSourceException": "there are no federated catalogs",
    "FederationSourceRetryableException": "there are no federated catalogs",
    "GlueEncryptionException": "the catalog is not encrypted with keys of KMS",
    "InvalidStateException": "what exists can be used",
    "OperationTimeoutException": "a store that does not answer is a failure of the service",
    "ResourceNotReadyException": "what exists is ready",
    "ResourceNumberLimitExceededException": "only a catalog out of its numbers says so",
    "SchedulerRunningException": "there are no schedules",
    "SchedulerTransitioningException": "there are no schedules",
    "VersionMismatchException": "a crawler is changed at once, or it runs",
}
"""Modelled exceptions that no request provokes, with the reason."""

NEVER_OF = {
    ("BatchCreatePartition", "AlreadyExistsException"): "told by partition, in Errors",
    ("BatchDeleteTable", "EntityNotFoundException"): "told by table, in Errors",
    ("BatchDeleteTableVersion", "EntityNotFoundException"): "told by version, in Errors",
    ("GetConnections", "EntityNotFoundException"): "there are none",
    ("GetQueryResults", "TooManyRequestsException"): "pages wait for nothing",
    ("GetTags", "EntityNotFoundException"): "a resource without tags has none",
    ("ListDatabases", "MetadataException"): "a catalog that is none is an invalid request",
    ("TagResource", "EntityNotFoundException"): "a resource is not looked for",
    ("UntagResource", "EntityNotFoundException"): "a resource is not looked for",
    ("UpdateDatabase", "AlreadyExistsException"): "a database is not renamed",
    ("UpdateTable", "AlreadyExistsException"): "a table is not renamed",
    **{
        (operation, "ConcurrentModificationException"): "a change is made whole, at once"
        for operation in (
            "BatchCreatePartition",
            "BatchDeletePartition",
            "BatchDeleteTable",
            "BatchUpdatePartition",
            "CreateDatabase",
            "CreateTable",
            "DeleteDatabase",
            "DeleteTable",
            "UpdateDatabase",
        )
    },
}

ALWAYS_FAIL = frozenset(
    {
        "GetConnection",
        "GetResourcePolicy",
        "StartCrawlerSchedule",
        "StopCrawlerSchedule",
        "UpdateCrawlerSchedule",
    }
)
"""Served operations that have nothing to find, and say so in a modelled exception."""

_NOTES = {
    "CreateCrawler": "over S3, on demand; schedules, classifiers and other targets are refused",
    "CreateDataCatalog": "of type GLUE",
    "CreateTable": "open table format input and transactions are refused",
    "CreateWorkGroup": "Spark, identity center and access grants are refused",
    "GetPartitionIndexes": "an index is ACTIVE at once: every key is searched alike",
    "GetPartitions": "with Expression, Segment and ExcludeColumnSchema",
    "GetQueryResults": "`QueryResultType: DATA_MANIFEST` is refused",
    "GetQueryRuntimeStatistics": "without stages",
    "SearchTables": "filters and sort criteria are refused",
    "StartQueryExecution": "result reuse by age answers only while the objects are the same",
    "TagResource": "work groups and data catalogs; databases and crawlers in Glue",
    "UpdateTable": "compares VersionId atomically",
}


HEAD = """
## Operations of AWS's APIs

Requests are checked against botocore's models: an unknown member, a wrong type, a length or a
pattern is InvalidRequestException (Athena) or InvalidInputException (Glue). A test calls each
served operation with boto3 and provokes each of its modelled exceptions, or tells why none comes
(`tests/support/aws_operations.py`). STS: GetCallerIdentity.
"""


def services() -> tuple[AwsService, ...]:
    """The services without a core behind them: their tables of operations."""
    nothing = cast("Any", None)
    athena = AthenaServices(nothing, nothing, nothing, lambda _: nothing, nothing)
    glue = GlueServices(lambda _: nothing, nothing, nothing)
    return athena_service(athena), glue_service(glue)


def operations() -> Iterator[str]:
    """The chapter of the page."""
    yield HEAD
    for service in services():
        yield f"\n| {service.name.title()} | state |\n|---|---|\n"
        for name in sorted({*service.operations, *service.refused}):
            yield f"| {name} | {_state(service, name)} |\n"
        rest = model.operation_names(service.name) - {*service.operations, *service.refused}
        if rest:
            yield f"| the other {len(rest)} | UnknownOperationException |\n"


def _state(service: AwsService, name: str) -> str:
    if name in service.refused:
        return f"{service.style.invalid}: {service.refused[name].rstrip('.')}"
    if name in ALWAYS_FAIL:
        return "answered: there is none"
    return f"served: {_NOTES[name]}" if name in _NOTES else "served"
