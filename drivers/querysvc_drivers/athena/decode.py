"""Athena's requests as the core's values."""

from __future__ import annotations

from typing import Any, Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import QuerySubmission, ResultConfiguration, Session
from querysvc_catalog.model import DEFAULT_CATALOG

ENGINE_VERSION: Final = "Athena engine version 3"
AUTO: Final = "AUTO"
PRIMARY: Final = "primary"

Document = dict[str, Any]


def submission(request: Document) -> QuerySubmission:
    """A StartQueryExecution request."""
    context = request.get("QueryExecutionContext", {})
    reuse = request.get("ResultReuseConfiguration", {}).get("ResultReuseByAgeConfiguration", {})
    age = reuse.get("MaxAgeInMinutes", _AGE_DEFAULT) if reuse.get("Enabled") else None
    return QuerySubmission(
        sql=request["QueryString"],
        session=Session(
            catalog=context.get("Catalog", DEFAULT_CATALOG).lower(),
            # awswrangler quotes the name as DDL would.
            database=context.get("Database", "default").strip("`").lower(),
            source="athena",
        ),
        work_group=request.get("WorkGroup", PRIMARY),
        execution_parameters=tuple(request.get("ExecutionParameters", ())),
        client_request_token=request.get("ClientRequestToken"),
        result_configuration=result_configuration(request.get("ResultConfiguration", {})),
        result_reuse_age_max_minutes=age,
        requires_output_location=True,
    )


_AGE_DEFAULT: Final = 60


def result_configuration(document: Document) -> ResultConfiguration:
    """A ResultConfiguration."""
    encryption = document.get("EncryptionConfiguration", {})
    return ResultConfiguration(
        output_location=document.get("OutputLocation"),
        encryption_option=encryption.get("EncryptionOption"),
        kms_key=encryption.get("KmsKey"),
        expected_bucket_owner=document.get("ExpectedBucketOwner"),
        acl_option=document.get("AclConfiguration", {}).get("S3AclOption"),
    )


def engine_version(document: Document) -> str | None:
    """The engine version asked for; INVALID_REQUEST for one that there is not."""
    asked: str | None = document.get("SelectedEngineVersion")
    if asked not in (None, AUTO, ENGINE_VERSION):
        raise invalid(f"Engine version {asked} is not supported; there is {ENGINE_VERSION}.")
    return asked


def refuse(document: Document, names: frozenset[str], where: str) -> None:
    """INVALID_REQUEST where a member is set that would have no effect here."""
    for name in sorted(names):
        if document.get(name):
            raise invalid(f"{where}.{name} is not supported.")


def invalid(message: str) -> QueryServiceError:
    """INVALID_REQUEST."""
    return QueryServiceError(ErrorCode.INVALID_REQUEST, message)
