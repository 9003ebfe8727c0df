"""Errors as PostgreSQL's clients know them: the one table of SQLSTATEs, the fields of a message.

Clients decide by the SQLSTATE: 57014 is a cancel, 42P01 a missing table, 28P01 a wrong password.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc_drivers.pgwire.messages import fields

_BY_STATE: Final[Mapping[str, tuple[ErrorCode, ...]]] = {
    "0A000": (  # feature_not_supported
        ErrorCode.NOT_SUPPORTED,
        ErrorCode.UNSUPPORTED_SUBQUERY,
        ErrorCode.UNSUPPORTED_ISOLATION_LEVEL,
        ErrorCode.FUNCTION_IMPLEMENTATION_MISSING,
        ErrorCode.HIVE_UNSUPPORTED_FORMAT,
        ErrorCode.HIVE_SERDE_NOT_FOUND,
    ),
    "08000": (  # connection_exception
        ErrorCode.ABANDONED_QUERY,
        ErrorCode.REMOTE_HOST_GONE,
    ),
    "08P01": (  # protocol_violation
        ErrorCode.INCOMPATIBLE_CLIENT,
    ),
    "21000": (  # cardinality_violation
        ErrorCode.SUBQUERY_MULTIPLE_ROWS,
        ErrorCode.MERGE_TARGET_ROW_MULTIPLE_MATCHES,
    ),
    "22003": (  # numeric_value_out_of_range
        ErrorCode.NUMERIC_VALUE_OUT_OF_RANGE,
    ),
    "22012": (  # division_by_zero
        ErrorCode.DIVISION_BY_ZERO,
    ),
    "22018": (  # invalid_character_value_for_cast
        ErrorCode.INVALID_CAST_ARGUMENT,
    ),
    "22023": (  # invalid_parameter_value
        ErrorCode.INVALID_FUNCTION_ARGUMENT,
        ErrorCode.INVALID_SESSION_PROPERTY,
        ErrorCode.INVALID_TABLE_PROPERTY,
        ErrorCode.INVALID_SCHEMA_PROPERTY,
        ErrorCode.INVALID_COLUMN_PROPERTY,
        ErrorCode.INVALID_ANALYZE_PROPERTY,
        ErrorCode.INVALID_MATERIALIZED_VIEW_PROPERTY,
        ErrorCode.INVALID_CATALOG_PROPERTY,
        ErrorCode.INVALID_VIEW_PROPERTY,
        ErrorCode.INVALID_FUNCTION_PROPERTY,
        ErrorCode.DUPLICATE_PROPERTY,
        ErrorCode.INVALID_PROCEDURE_ARGUMENT,
        ErrorCode.INVALID_RANGE,
        ErrorCode.INVALID_SPATIAL_PARTITIONING,
        ErrorCode.INVALID_COPARTITIONING,
        ErrorCode.INVALID_ENTITY_KIND,
        ErrorCode.HIVE_UNSERIALIZABLE_JSON_VALUE,
    ),
    "22032": (  # invalid_json_text
        ErrorCode.INVALID_JSON_LITERAL,
        ErrorCode.JSON_INPUT_CONVERSION_ERROR,
        ErrorCode.JSON_OUTPUT_CONVERSION_ERROR,
        ErrorCode.PATH_EVALUATION_ERROR,
        ErrorCode.JSON_VALUE_RESULT_ERROR,
    ),
    "22P02": (  # invalid_text_representation
        ErrorCode.INVALID_LITERAL,
    ),
    "23514": (  # check_violation
        ErrorCode.CONSTRAINT_VIOLATION,
        ErrorCode.INVALID_CHECK_CONSTRAINT,
    ),
    "25006": (  # read_only_sql_transaction
        ErrorCode.READ_ONLY_VIOLATION,
        ErrorCode.HIVE_TABLE_READ_ONLY,
    ),
    "25001": (  # active_sql_transaction
        ErrorCode.AUTOCOMMIT_WRITE_CONFLICT,
        ErrorCode.MULTI_CATALOG_WRITE_CONFLICT,
    ),
    "25P01": (  # no_active_sql_transaction
        ErrorCode.NOT_IN_TRANSACTION,
        ErrorCode.UNKNOWN_TRANSACTION,
    ),
    "25P02": (  # in_failed_sql_transaction
        ErrorCode.TRANSACTION_ALREADY_ABORTED,
    ),
    "28P01": (  # invalid_password
        ErrorCode.AUTHENTICATION_FAILED,
    ),
    "2BP01": (  # dependent_objects_still_exist
        ErrorCode.SCHEMA_NOT_EMPTY,
    ),
    "3D000": (  # invalid_catalog_name
        ErrorCode.CATALOG_NOT_FOUND,
        ErrorCode.MISSING_CATALOG_NAME,
    ),
    "3F000": (  # invalid_schema_name
        ErrorCode.SCHEMA_NOT_FOUND,
        ErrorCode.MISSING_SCHEMA_NAME,
    ),
    "40001": (  # serialization_failure
        ErrorCode.TRANSACTION_CONFLICT,
        ErrorCode.HIVE_CONCURRENT_MODIFICATION_DETECTED,
        ErrorCode.ICEBERG_COMMIT_ERROR,
    ),
    "42501": (  # insufficient_privilege
        ErrorCode.PERMISSION_DENIED,
        ErrorCode.INVALID_PRIVILEGE,
        ErrorCode.ACCESS_DENIED,
    ),
    "42601": (  # syntax_error
        ErrorCode.SYNTAX_ERROR,
        ErrorCode.INVALID_LABEL,
        ErrorCode.INVALID_PROCESSING_MODE,
        ErrorCode.INVALID_NAVIGATION_NESTING,
        ErrorCode.INVALID_ROW_PATTERN,
        ErrorCode.NESTED_ROW_PATTERN_RECOGNITION,
        ErrorCode.INVALID_PATTERN_RECOGNITION_FUNCTION,
        ErrorCode.MISSING_VARIABLE_DEFINITIONS,
        ErrorCode.MISSING_ROW_PATTERN,
        ErrorCode.INVALID_LIMIT_CLAUSE,
        ErrorCode.INVALID_ARGUMENTS,
        ErrorCode.TOO_MANY_ARGUMENTS,
        ErrorCode.MISSING_ARGUMENT,
        ErrorCode.MISSING_RETURN,
        ErrorCode.MISSING_RETURN_TYPE,
        ErrorCode.INVALID_PATH,
        ErrorCode.NULL_TREATMENT_NOT_ALLOWED,
        ErrorCode.MISSING_ORDER_BY,
        ErrorCode.MISSING_OVER,
        ErrorCode.MISSING_COLUMN_ALIASES,
        ErrorCode.MISSING_COLUMN_NAME,
        ErrorCode.MISSING_TABLE,
        ErrorCode.MISSING_PATH_NAME,
        ErrorCode.DUPLICATE_PARAMETER_NAME,
        ErrorCode.DUPLICATE_COLUMN_OR_PATH_NAME,
        ErrorCode.INVALID_PARAMETER_USAGE,
        ErrorCode.INVALID_TABLE_FUNCTION_INVOCATION,
    ),
    "42701": (  # duplicate_column
        ErrorCode.DUPLICATE_COLUMN_NAME,
        ErrorCode.COLUMN_ALREADY_EXISTS,
    ),
    "42702": (  # ambiguous_column
        ErrorCode.AMBIGUOUS_NAME,
    ),
    "42703": (  # undefined_column
        ErrorCode.COLUMN_NOT_FOUND,
    ),
    "42704": (  # undefined_object
        ErrorCode.NOT_FOUND,
        ErrorCode.TYPE_NOT_FOUND,
        ErrorCode.ROLE_NOT_FOUND,
        ErrorCode.WORK_GROUP_NOT_FOUND,
        ErrorCode.COLUMN_TYPE_UNKNOWN,
    ),
    "42710": (  # duplicate_object
        ErrorCode.ALREADY_EXISTS,
        ErrorCode.ROLE_ALREADY_EXISTS,
        ErrorCode.DUPLICATE_NAMED_QUERY,
    ),
    "42712": (  # duplicate_alias
        ErrorCode.DUPLICATE_RANGE_VARIABLE,
        ErrorCode.DUPLICATE_WINDOW_NAME,
    ),
    "42725": (  # ambiguous_function
        ErrorCode.AMBIGUOUS_FUNCTION_CALL,
        ErrorCode.AMBIGUOUS_RETURN_TYPE,
    ),
    "42803": (  # grouping_error
        ErrorCode.MISSING_GROUP_BY,
        ErrorCode.NESTED_AGGREGATION,
        ErrorCode.EXPRESSION_NOT_AGGREGATE,
        ErrorCode.FUNCTION_NOT_AGGREGATE,
        ErrorCode.EXPRESSION_NOT_SCALAR,
    ),
    "42804": (  # datatype_mismatch
        ErrorCode.TYPE_MISMATCH,
    ),
    "42809": (  # wrong_object_type
        ErrorCode.FUNCTION_NOT_WINDOW,
        ErrorCode.TABLE_REDIRECTION_ERROR,
    ),
    "42846": (  # cannot_coerce
        ErrorCode.EXPRESSION_NOT_CONSTANT,
    ),
    "42883": (  # undefined_function
        ErrorCode.FUNCTION_NOT_FOUND,
        ErrorCode.OPERATOR_NOT_FOUND,
        ErrorCode.PROCEDURE_NOT_FOUND,
    ),
    "42P01": (  # undefined_table
        ErrorCode.TABLE_NOT_FOUND,
    ),
    "42P06": (  # duplicate_schema
        ErrorCode.SCHEMA_ALREADY_EXISTS,
    ),
    "42P07": (  # duplicate_table
        ErrorCode.TABLE_ALREADY_EXISTS,
    ),
    "42P10": (  # invalid_column_reference
        ErrorCode.INVALID_COLUMN_REFERENCE,
        ErrorCode.EXPRESSION_NOT_IN_DISTINCT,
        ErrorCode.INVALID_ORDER_BY,
        ErrorCode.INVALID_PARTITION_BY,
        ErrorCode.MISMATCHED_COLUMN_ALIASES,
    ),
    "42P16": (  # invalid_table_definition
        ErrorCode.TABLE_HAS_NO_COLUMNS,
        ErrorCode.HIVE_COLUMN_ORDER_MISMATCH,
    ),
    "42P17": (  # invalid_object_definition
        ErrorCode.INVALID_VIEW,
        ErrorCode.VIEW_IS_STALE,
        ErrorCode.VIEW_IS_RECURSIVE,
        ErrorCode.INVALID_ROW_FILTER,
        ErrorCode.INVALID_COLUMN_MASK,
        ErrorCode.HIVE_INVALID_VIEW_DATA,
    ),
    "42P19": (  # invalid_recursion
        ErrorCode.INVALID_RECURSIVE_REFERENCE,
        ErrorCode.NESTED_RECURSIVE,
    ),
    "42P20": (  # windowing_error
        ErrorCode.INVALID_WINDOW_FRAME,
        ErrorCode.NESTED_WINDOW,
        ErrorCode.INVALID_WINDOW_REFERENCE,
        ErrorCode.INVALID_WINDOW_MEASURE,
    ),
    "53000": (  # insufficient_resources
        ErrorCode.GENERIC_INSUFFICIENT_RESOURCES,
        ErrorCode.RESULT_TOO_LARGE,
    ),
    "53100": (  # disk_full
        ErrorCode.OUT_OF_SPILL_SPACE,
        ErrorCode.EXCEEDED_SPILL_LIMIT,
    ),
    "53200": (  # out_of_memory
        ErrorCode.EXCEEDED_FUNCTION_MEMORY_LIMIT,
        ErrorCode.EXCEEDED_GLOBAL_MEMORY_LIMIT,
        ErrorCode.EXCEEDED_LOCAL_MEMORY_LIMIT,
        ErrorCode.CLUSTER_OUT_OF_MEMORY,
        ErrorCode.EXCEEDED_TASK_DESCRIPTOR_STORAGE_CAPACITY,
    ),
    "53300": (  # too_many_connections
        ErrorCode.TOO_MANY_REQUESTS,
        ErrorCode.TOO_MANY_REQUESTS_FAILED,
        ErrorCode.QUERY_QUEUE_FULL,
        ErrorCode.NO_NODES_AVAILABLE,
    ),
    "53400": (  # configuration_limit_exceeded
        ErrorCode.EXCEEDED_SCAN_LIMIT,
        ErrorCode.EXCEEDED_CPU_LIMIT,
        ErrorCode.HIVE_TOO_MANY_OPEN_PARTITIONS,
        ErrorCode.ICEBERG_TOO_MANY_OPEN_PARTITIONS,
        ErrorCode.HIVE_EXCEEDED_PARTITION_LIMIT,
        ErrorCode.QUERY_REJECTED,
    ),
    "54000": (  # program_limit_exceeded
        ErrorCode.QUERY_TEXT_TOO_LARGE,
        ErrorCode.QUERY_EXCEEDED_COMPILER_LIMIT,
        ErrorCode.TOO_MANY_GROUPING_SETS,
        ErrorCode.QUERY_HAS_TOO_MANY_STAGES,
    ),
    "54001": (  # statement_too_complex
        ErrorCode.STACK_OVERFLOW,
    ),
    "55000": (  # object_not_in_prerequisite_state
        ErrorCode.QUERY_NOT_FINISHED,
        ErrorCode.RESULT_EXPIRED,
        ErrorCode.OBJECT_ARCHIVED,
        ErrorCode.MIXED_STORAGE_CLASSES,
        ErrorCode.REQUESTER_PAYS_BUCKET,
        ErrorCode.ENCRYPTED_CROSS_REGION,
        ErrorCode.CLIENT_SIDE_ENCRYPTED,
        ErrorCode.OBJECT_CHANGED,
        ErrorCode.IDEMPOTENCY_MISMATCH,
        ErrorCode.CRAWLER_RUNNING,
        ErrorCode.CRAWLER_NOT_RUNNING,
        ErrorCode.CRAWLER_STOPPING,
    ),
    "57014": (  # query_canceled
        ErrorCode.USER_CANCELED,
        ErrorCode.EXCEEDED_TIME_LIMIT,
        ErrorCode.OPTIMIZER_TIMEOUT,
    ),
    "57P01": (  # admin_shutdown
        ErrorCode.SERVER_SHUTTING_DOWN,
        ErrorCode.ADMINISTRATIVELY_KILLED,
        ErrorCode.ADMINISTRATIVELY_PREEMPTED,
    ),
    "57P02": (  # crash_shutdown
        ErrorCode.WORKER_CRASHED,
    ),
    "57P03": (  # cannot_connect_now
        ErrorCode.SERVER_STARTING_UP,
        ErrorCode.CATALOG_UNAVAILABLE,
        ErrorCode.STATE_UNAVAILABLE,
    ),
    "58000": (  # system_error
        ErrorCode.HIVE_METASTORE_ERROR,
        ErrorCode.HIVE_CURSOR_ERROR,
        ErrorCode.HIVE_UNKNOWN_ERROR,
    ),
    "58030": (  # io_error
        ErrorCode.HIVE_CANNOT_OPEN_SPLIT,
        ErrorCode.HIVE_FILESYSTEM_ERROR,
        ErrorCode.HIVE_WRITER_OPEN_ERROR,
        ErrorCode.HIVE_WRITER_CLOSE_ERROR,
        ErrorCode.HIVE_WRITER_DATA_ERROR,
        ErrorCode.STORAGE_UNAVAILABLE,
    ),
    "58P01": (  # undefined_file
        ErrorCode.HIVE_FILE_NOT_FOUND,
        ErrorCode.BUCKET_NOT_FOUND,
        ErrorCode.QUERY_NOT_FOUND,
    ),
    "58P02": (  # duplicate_file
        ErrorCode.HIVE_PATH_ALREADY_EXISTS,
    ),
    "F0000": (  # config_file_error
        ErrorCode.CONFIGURATION_INVALID,
        ErrorCode.INVALID_CREDENTIALS,
    ),
    "P0001": (  # raise_exception
        ErrorCode.GENERIC_USER_ERROR,
        ErrorCode.INVALID_REQUEST,
    ),
    "XX000": (  # internal_error
        ErrorCode.GENERIC_INTERNAL_ERROR,
        ErrorCode.COMPILER_ERROR,
        ErrorCode.SERIALIZATION_ERROR,
        ErrorCode.INVALID_PLAN,
    ),
    "XX001": (  # data_corrupted
        ErrorCode.HIVE_BAD_DATA,
        ErrorCode.ICEBERG_BAD_DATA,
        ErrorCode.HIVE_PARTITION_SCHEMA_MISMATCH,
        ErrorCode.HIVE_INVALID_PARTITION_VALUE,
        ErrorCode.HIVE_INVALID_METADATA,
        ErrorCode.ICEBERG_INVALID_METADATA,
    ),
}
SQLSTATES: Final[Mapping[ErrorCode, str]] = {
    code: state for state, codes in _BY_STATE.items() for code in codes
}
"""The SQLSTATE of every error code."""

PROTOCOL_VIOLATION: Final = "08P01"
DUPLICATE_CURSOR: Final = "42P03"
INVALID_CURSOR_NAME: Final = "34000"
UNDEFINED_PREPARED_STATEMENT: Final = "26000"
DUPLICATE_PREPARED_STATEMENT: Final = "42P05"
INVALID_PARAMETER_VALUE: Final = "22023"
INVALID_TEXT: Final = "22P02"
INVALID_BINARY: Final = "22P03"
UNDEFINED_SETTING: Final = "42704"
INVALID_AUTHORIZATION: Final = "28000"
TOO_MANY_CONNECTIONS: Final = "53300"


class WireError(Exception):
    """A failure that only this wire knows, with its SQLSTATE."""

    def __init__(self, state: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.state = state
        self.message = message
        self.hint = hint


def error_message(
    error: QueryServiceError | WireError, *, severity: str = "ERROR", position: int | None = None
) -> bytes:
    """The ErrorResponse; `position` counts characters of the client's own text from 1."""
    told = {
        "S": severity,
        "V": severity,
        "C": error.state if isinstance(error, WireError) else SQLSTATES[error.code],
        "M": error.message,
    }
    if isinstance(error, WireError):
        if error.hint is not None:
            told["H"] = error.hint
    else:
        told["D"] = f"Error code {error.code.name}"
        if position is not None:
            told["P"] = str(position)
        elif error.line is not None:
            told["M"] = f"line {error.line}:{error.column}: {error.message}"
    return fields(b"E", told)


def warning_message(text: str) -> bytes:
    """A NoticeResponse."""
    return fields(b"N", {"S": "WARNING", "V": "WARNING", "C": "01000", "M": text})
