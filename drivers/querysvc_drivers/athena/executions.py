"""Query executions in Athena's form."""

from __future__ import annotations

from typing import Any, Final

from querysvc.errors import ErrorCode, ErrorType
from querysvc.model import ErrorInfo, QueryExecution, QueryState, ResultConfiguration
from querysvc.service.running import stored_error
from querysvc_drivers.athena.decode import AUTO, ENGINE_VERSION

Document = dict[str, Any]

_SYSTEM, _USER = 1, 2
# (category, type) by kind of error, and where Athena has a type of its own.
_KINDS: Final = {
    ErrorType.USER_ERROR: (_USER, 1000),
    ErrorType.INTERNAL_ERROR: (_SYSTEM, 100),
    ErrorType.INSUFFICIENT_RESOURCES: (_SYSTEM, 200),
    ErrorType.EXTERNAL: (_USER, 1001),
}
_CODES: Final = {
    ErrorCode.HIVE_METASTORE_ERROR: (_SYSTEM, 204),
    ErrorCode.EXCEEDED_TIME_LIMIT: (_USER, 206),
    ErrorCode.STATE_UNAVAILABLE: (_SYSTEM, 204),
    ErrorCode.STORAGE_UNAVAILABLE: (_SYSTEM, 210),
    ErrorCode.HIVE_WRITER_OPEN_ERROR: (_USER, 401),
    ErrorCode.HIVE_WRITER_CLOSE_ERROR: (_USER, 402),
}
_RETRYABLE: Final = frozenset(
    {
        ErrorCode.STATE_UNAVAILABLE,
        ErrorCode.STORAGE_UNAVAILABLE,
        ErrorCode.WORKER_CRASHED,
        ErrorCode.SERVER_SHUTTING_DOWN,
        ErrorCode.OBJECT_CHANGED,
    }
)


def execution_document(execution: QueryExecution) -> Document:
    """A QueryExecution."""
    document: Document = {
        "QueryExecutionId": execution.id,
        "Query": execution.sql,
        "QueryExecutionContext": {
            "Database": execution.session.database,
            "Catalog": execution.session.catalog,
        },
        "Status": _status(execution),
        "Statistics": _statistics(execution),
        "WorkGroup": execution.work_group,
        "EngineVersion": engine_document(),
    }
    optional = {
        "StatementType": execution.statement_type and execution.statement_type.value,
        "SubstatementType": execution.substatement_type,
        "ExecutionParameters": list(execution.execution_parameters),
    }
    document |= {name: value for name, value in optional.items() if value}
    if execution.result_reuse_age_max_minutes is not None:
        age = {"Enabled": True, "MaxAgeInMinutes": execution.result_reuse_age_max_minutes}
        document["ResultReuseConfiguration"] = {"ResultReuseByAgeConfiguration": age}
    if execution.output_location is not None:
        document["ResultConfiguration"] = configuration_document(execution.result_configuration) | {
            "OutputLocation": execution.output_location
        }
    else:
        # The result stays with the service, which Athena calls managed.
        document["ManagedQueryResultsConfiguration"] = {"Enabled": True}
    return document


def configuration_document(configuration: ResultConfiguration) -> Document:
    """A ResultConfiguration."""
    document: Document = {}
    if configuration.output_location is not None:
        document["OutputLocation"] = configuration.output_location
    if configuration.encryption_option is not None:
        encryption = {"EncryptionOption": configuration.encryption_option}
        if configuration.kms_key is not None:
            encryption["KmsKey"] = configuration.kms_key
        document["EncryptionConfiguration"] = encryption
    if configuration.expected_bucket_owner is not None:
        document["ExpectedBucketOwner"] = configuration.expected_bucket_owner
    if configuration.acl_option is not None:
        document["AclConfiguration"] = {"S3AclOption": configuration.acl_option}
    return document


def engine_document(selected: str = AUTO) -> Document:
    """An EngineVersion; there is one."""
    return {"SelectedEngineVersion": selected, "EffectiveEngineVersion": ENGINE_VERSION}


def runtime_statistics(execution: QueryExecution) -> Document:
    """QueryRuntimeStatistics, without the stages of a plan that is not Trino's."""
    document: Document = {"Timeline": _timeline(execution)}
    if execution.state is QueryState.SUCCEEDED:
        statistics = execution.statistics
        document["Rows"] = {
            "InputBytes": statistics.scanned_bytes,
            "OutputBytes": statistics.result_bytes,
            "OutputRows": statistics.result_rows,
        }
    return document


def _status(execution: QueryExecution) -> Document:
    document: Document = {
        "State": execution.state.value,
        "SubmissionDateTime": execution.submitted_at.timestamp(),
    }
    if execution.completed_at is not None:
        document["CompletionDateTime"] = execution.completed_at.timestamp()
    if execution.error is not None:
        reason = str(stored_error(execution.error))
        document["StateChangeReason"] = reason
        if execution.state is QueryState.FAILED:
            document["AthenaError"] = _athena_error(execution.error, reason)
    elif execution.state is QueryState.CANCELLED:
        document["StateChangeReason"] = "Query cancelled by user"
    return document


def _athena_error(error: ErrorInfo, reason: str) -> Document:
    code = stored_error(error).code
    category, error_type = _CODES.get(code, _KINDS[code.error_type])
    return {
        "ErrorCategory": category,
        "ErrorType": error_type,
        "Retryable": code in _RETRYABLE,
        "ErrorMessage": reason,
    }


def _statistics(execution: QueryExecution) -> Document:
    statistics = execution.statistics
    scanned = statistics.scanned_bytes or execution.progress.scanned_bytes
    document = {"DataScannedInBytes": scanned, **_timeline(execution)}
    if execution.manifest_location is not None:
        document["DataManifestLocation"] = execution.manifest_location
    if execution.state is QueryState.SUCCEEDED:
        reused = {"ReusedPreviousResult": execution.reused_previous_result}
        document["ResultReuseInformation"] = reused
    return document


def _timeline(execution: QueryExecution) -> Document:
    """Times; of a finished query none is 0, which clients take for «not told»."""
    statistics = execution.statistics
    least = 1 if execution.state.is_terminal else 0
    spent = {
        "EngineExecutionTimeInMillis": statistics.execution_milliseconds,
        "TotalExecutionTimeInMillis": statistics.total_milliseconds,
        "QueryQueueTimeInMillis": statistics.queued_milliseconds,
        "QueryPlanningTimeInMillis": statistics.planning_milliseconds,
        "ServiceProcessingTimeInMillis": statistics.publishing_milliseconds,
    }
    return {name: max(least, milliseconds) for name, milliseconds in spent.items()}
