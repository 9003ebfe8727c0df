"""The one error taxonomy: Trino's names and numbers, then ours.

    QueryServiceError               an ErrorCode, a message, maybe a line and a column
    ├── StatementError              the user's SQL is at fault; carries line and column
    └── StorageRuleError            a storage rule refused the query; names rule and objects

Wires map `ErrorCode` to their own form in one table each; a test walks every code through every
table. Numbers are those of Trino 476's StandardErrorCode and HiveErrorCode (0x0100_0000 + n);
our own start at 0x0200_0000.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Any


class ErrorType(StrEnum):
    """Who is at fault, in Trino's terms."""

    USER_ERROR = "USER_ERROR"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    INSUFFICIENT_RESOURCES = "INSUFFICIENT_RESOURCES"
    EXTERNAL = "EXTERNAL"


_USER = ErrorType.USER_ERROR
_INTERNAL = ErrorType.INTERNAL_ERROR
_RESOURCES = ErrorType.INSUFFICIENT_RESOURCES
_EXTERNAL = ErrorType.EXTERNAL
_HIVE = 0x0100_0000
_ICEBERG = 0x0504_0000
_OWN = 0x0200_0000


class ErrorCode(Enum):
    """A stable error name with its number and type; `ErrorCode.X.name` is what clients see."""

    def __init__(self, number: int, error_type: ErrorType) -> None:
        self.number = number
        self.error_type = error_type

    GENERIC_USER_ERROR = (0, _USER)
    SYNTAX_ERROR = (1, _USER)
    ABANDONED_QUERY = (2, _USER)
    USER_CANCELED = (3, _USER)
    PERMISSION_DENIED = (4, _USER)
    NOT_FOUND = (5, _USER)
    FUNCTION_NOT_FOUND = (6, _USER)
    INVALID_FUNCTION_ARGUMENT = (7, _USER)
    DIVISION_BY_ZERO = (8, _USER)
    INVALID_CAST_ARGUMENT = (9, _USER)
    OPERATOR_NOT_FOUND = (10, _USER)
    INVALID_VIEW = (11, _USER)
    ALREADY_EXISTS = (12, _USER)
    NOT_SUPPORTED = (13, _USER)
    INVALID_SESSION_PROPERTY = (14, _USER)
    INVALID_WINDOW_FRAME = (15, _USER)
    CONSTRAINT_VIOLATION = (16, _USER)
    TRANSACTION_CONFLICT = (17, _USER)
    INVALID_TABLE_PROPERTY = (18, _USER)
    NUMERIC_VALUE_OUT_OF_RANGE = (19, _USER)
    UNKNOWN_TRANSACTION = (20, _USER)
    NOT_IN_TRANSACTION = (21, _USER)
    TRANSACTION_ALREADY_ABORTED = (22, _USER)
    READ_ONLY_VIOLATION = (23, _USER)
    MULTI_CATALOG_WRITE_CONFLICT = (24, _USER)
    AUTOCOMMIT_WRITE_CONFLICT = (25, _USER)
    UNSUPPORTED_ISOLATION_LEVEL = (26, _USER)
    INCOMPATIBLE_CLIENT = (27, _USER)
    SUBQUERY_MULTIPLE_ROWS = (28, _USER)
    PROCEDURE_NOT_FOUND = (29, _USER)
    INVALID_PROCEDURE_ARGUMENT = (30, _USER)
    QUERY_REJECTED = (31, _USER)
    AMBIGUOUS_FUNCTION_CALL = (32, _USER)
    INVALID_SCHEMA_PROPERTY = (33, _USER)
    SCHEMA_NOT_EMPTY = (34, _USER)
    QUERY_TEXT_TOO_LARGE = (35, _USER)
    UNSUPPORTED_SUBQUERY = (36, _USER)
    EXCEEDED_FUNCTION_MEMORY_LIMIT = (37, _USER)
    ADMINISTRATIVELY_KILLED = (38, _USER)
    INVALID_COLUMN_PROPERTY = (39, _USER)
    QUERY_HAS_TOO_MANY_STAGES = (40, _USER)
    INVALID_SPATIAL_PARTITIONING = (41, _USER)
    INVALID_ANALYZE_PROPERTY = (42, _USER)
    TYPE_NOT_FOUND = (43, _USER)
    CATALOG_NOT_FOUND = (44, _USER)
    SCHEMA_NOT_FOUND = (45, _USER)
    TABLE_NOT_FOUND = (46, _USER)
    COLUMN_NOT_FOUND = (47, _USER)
    ROLE_NOT_FOUND = (48, _USER)
    SCHEMA_ALREADY_EXISTS = (49, _USER)
    TABLE_ALREADY_EXISTS = (50, _USER)
    COLUMN_ALREADY_EXISTS = (51, _USER)
    ROLE_ALREADY_EXISTS = (52, _USER)
    DUPLICATE_NAMED_QUERY = (53, _USER)
    DUPLICATE_COLUMN_NAME = (54, _USER)
    MISSING_COLUMN_NAME = (55, _USER)
    MISSING_CATALOG_NAME = (56, _USER)
    MISSING_SCHEMA_NAME = (57, _USER)
    TYPE_MISMATCH = (58, _USER)
    INVALID_LITERAL = (59, _USER)
    COLUMN_TYPE_UNKNOWN = (60, _USER)
    MISMATCHED_COLUMN_ALIASES = (61, _USER)
    AMBIGUOUS_NAME = (62, _USER)
    INVALID_COLUMN_REFERENCE = (63, _USER)
    MISSING_GROUP_BY = (64, _USER)
    MISSING_ORDER_BY = (65, _USER)
    MISSING_OVER = (66, _USER)
    NESTED_AGGREGATION = (67, _USER)
    NESTED_WINDOW = (68, _USER)
    EXPRESSION_NOT_IN_DISTINCT = (69, _USER)
    TOO_MANY_GROUPING_SETS = (70, _USER)
    FUNCTION_NOT_WINDOW = (71, _USER)
    FUNCTION_NOT_AGGREGATE = (72, _USER)
    EXPRESSION_NOT_AGGREGATE = (73, _USER)
    EXPRESSION_NOT_SCALAR = (74, _USER)
    EXPRESSION_NOT_CONSTANT = (75, _USER)
    INVALID_ARGUMENTS = (76, _USER)
    TOO_MANY_ARGUMENTS = (77, _USER)
    INVALID_PRIVILEGE = (78, _USER)
    DUPLICATE_PROPERTY = (79, _USER)
    INVALID_PARAMETER_USAGE = (80, _USER)
    VIEW_IS_STALE = (81, _USER)
    VIEW_IS_RECURSIVE = (82, _USER)
    NULL_TREATMENT_NOT_ALLOWED = (83, _USER)
    INVALID_ROW_FILTER = (84, _USER)
    INVALID_COLUMN_MASK = (85, _USER)
    MISSING_TABLE = (86, _USER)
    INVALID_RECURSIVE_REFERENCE = (87, _USER)
    MISSING_COLUMN_ALIASES = (88, _USER)
    NESTED_RECURSIVE = (89, _USER)
    INVALID_LIMIT_CLAUSE = (90, _USER)
    INVALID_ORDER_BY = (91, _USER)
    DUPLICATE_WINDOW_NAME = (92, _USER)
    INVALID_WINDOW_REFERENCE = (93, _USER)
    INVALID_PARTITION_BY = (94, _USER)
    INVALID_MATERIALIZED_VIEW_PROPERTY = (95, _USER)
    INVALID_LABEL = (96, _USER)
    INVALID_PROCESSING_MODE = (97, _USER)
    INVALID_NAVIGATION_NESTING = (98, _USER)
    INVALID_ROW_PATTERN = (99, _USER)
    NESTED_ROW_PATTERN_RECOGNITION = (100, _USER)
    TABLE_HAS_NO_COLUMNS = (101, _USER)
    INVALID_RANGE = (102, _USER)
    INVALID_PATTERN_RECOGNITION_FUNCTION = (103, _USER)
    TABLE_REDIRECTION_ERROR = (104, _USER)
    MISSING_VARIABLE_DEFINITIONS = (105, _USER)
    MISSING_ROW_PATTERN = (106, _USER)
    INVALID_WINDOW_MEASURE = (107, _USER)
    STACK_OVERFLOW = (108, _USER)
    MISSING_RETURN_TYPE = (109, _USER)
    AMBIGUOUS_RETURN_TYPE = (110, _USER)
    MISSING_ARGUMENT = (111, _USER)
    DUPLICATE_PARAMETER_NAME = (112, _USER)
    INVALID_PATH = (113, _USER)
    JSON_INPUT_CONVERSION_ERROR = (114, _USER)
    JSON_OUTPUT_CONVERSION_ERROR = (115, _USER)
    PATH_EVALUATION_ERROR = (116, _USER)
    INVALID_JSON_LITERAL = (117, _USER)
    JSON_VALUE_RESULT_ERROR = (118, _USER)
    MERGE_TARGET_ROW_MULTIPLE_MATCHES = (119, _USER)
    INVALID_COPARTITIONING = (120, _USER)
    INVALID_TABLE_FUNCTION_INVOCATION = (121, _USER)
    DUPLICATE_RANGE_VARIABLE = (122, _USER)
    INVALID_CHECK_CONSTRAINT = (123, _USER)
    INVALID_CATALOG_PROPERTY = (124, _USER)
    CATALOG_UNAVAILABLE = (125, _USER)
    MISSING_RETURN = (126, _USER)
    DUPLICATE_COLUMN_OR_PATH_NAME = (127, _USER)
    MISSING_PATH_NAME = (128, _USER)
    INVALID_PLAN = (129, _USER)
    INVALID_VIEW_PROPERTY = (130, _USER)
    INVALID_ENTITY_KIND = (131, _USER)
    QUERY_EXCEEDED_COMPILER_LIMIT = (132, _USER)
    INVALID_FUNCTION_PROPERTY = (133, _USER)
    GENERIC_INTERNAL_ERROR = (65536, _INTERNAL)
    TOO_MANY_REQUESTS_FAILED = (65537, _INTERNAL)
    NO_NODES_AVAILABLE = (65541, _INTERNAL)
    COMPILER_ERROR = (65543, _INTERNAL)
    SERVER_SHUTTING_DOWN = (65545, _INTERNAL)
    FUNCTION_IMPLEMENTATION_MISSING = (65546, _INTERNAL)
    SERVER_STARTING_UP = (65548, _INTERNAL)
    OPTIMIZER_TIMEOUT = (65556, _INTERNAL)
    OUT_OF_SPILL_SPACE = (65557, _INTERNAL)
    REMOTE_HOST_GONE = (65558, _INTERNAL)
    CONFIGURATION_INVALID = (65559, _INTERNAL)
    SERIALIZATION_ERROR = (65562, _INTERNAL)
    GENERIC_INSUFFICIENT_RESOURCES = (131072, _RESOURCES)
    EXCEEDED_GLOBAL_MEMORY_LIMIT = (131073, _RESOURCES)
    QUERY_QUEUE_FULL = (131074, _RESOURCES)
    EXCEEDED_TIME_LIMIT = (131075, _RESOURCES)
    CLUSTER_OUT_OF_MEMORY = (131076, _RESOURCES)
    EXCEEDED_CPU_LIMIT = (131077, _RESOURCES)
    EXCEEDED_SPILL_LIMIT = (131078, _RESOURCES)
    EXCEEDED_LOCAL_MEMORY_LIMIT = (131079, _RESOURCES)
    ADMINISTRATIVELY_PREEMPTED = (131080, _RESOURCES)
    EXCEEDED_SCAN_LIMIT = (131081, _RESOURCES)
    EXCEEDED_TASK_DESCRIPTOR_STORAGE_CAPACITY = (131082, _RESOURCES)

    HIVE_METASTORE_ERROR = (_HIVE + 0, _EXTERNAL)
    HIVE_CURSOR_ERROR = (_HIVE + 1, _EXTERNAL)
    HIVE_CANNOT_OPEN_SPLIT = (_HIVE + 3, _EXTERNAL)
    HIVE_FILE_NOT_FOUND = (_HIVE + 4, _EXTERNAL)
    HIVE_UNKNOWN_ERROR = (_HIVE + 5, _EXTERNAL)
    HIVE_BAD_DATA = (_HIVE + 7, _EXTERNAL)
    HIVE_PARTITION_SCHEMA_MISMATCH = (_HIVE + 8, _EXTERNAL)
    HIVE_INVALID_PARTITION_VALUE = (_HIVE + 10, _EXTERNAL)
    HIVE_INVALID_METADATA = (_HIVE + 12, _EXTERNAL)
    HIVE_INVALID_VIEW_DATA = (_HIVE + 13, _EXTERNAL)
    HIVE_PATH_ALREADY_EXISTS = (_HIVE + 15, _EXTERNAL)
    HIVE_FILESYSTEM_ERROR = (_HIVE + 16, _EXTERNAL)
    HIVE_SERDE_NOT_FOUND = (_HIVE + 18, _EXTERNAL)
    HIVE_UNSUPPORTED_FORMAT = (_HIVE + 19, _EXTERNAL)
    HIVE_TOO_MANY_OPEN_PARTITIONS = (_HIVE + 21, _USER)
    HIVE_CONCURRENT_MODIFICATION_DETECTED = (_HIVE + 22, _EXTERNAL)
    HIVE_COLUMN_ORDER_MISMATCH = (_HIVE + 23, _USER)
    HIVE_WRITER_OPEN_ERROR = (_HIVE + 25, _EXTERNAL)
    HIVE_WRITER_CLOSE_ERROR = (_HIVE + 26, _EXTERNAL)
    HIVE_WRITER_DATA_ERROR = (_HIVE + 27, _EXTERNAL)
    HIVE_EXCEEDED_PARTITION_LIMIT = (_HIVE + 29, _USER)
    HIVE_TABLE_READ_ONLY = (_HIVE + 32, _USER)
    HIVE_UNSERIALIZABLE_JSON_VALUE = (_HIVE + 44, _USER)

    ICEBERG_INVALID_METADATA = (_ICEBERG + 1, _EXTERNAL)
    ICEBERG_TOO_MANY_OPEN_PARTITIONS = (_ICEBERG + 2, _USER)
    ICEBERG_BAD_DATA = (_ICEBERG + 4, _EXTERNAL)
    ICEBERG_COMMIT_ERROR = (_ICEBERG + 12, _EXTERNAL)

    # Ours: the storage guard, the storage, the service.
    OBJECT_ARCHIVED = (_OWN + 0, _USER)
    MIXED_STORAGE_CLASSES = (_OWN + 1, _USER)
    REQUESTER_PAYS_BUCKET = (_OWN + 2, _USER)
    ENCRYPTED_CROSS_REGION = (_OWN + 3, _USER)
    CLIENT_SIDE_ENCRYPTED = (_OWN + 4, _USER)
    ACCESS_DENIED = (_OWN + 5, _EXTERNAL)
    BUCKET_NOT_FOUND = (_OWN + 6, _EXTERNAL)
    OBJECT_CHANGED = (_OWN + 7, _EXTERNAL)
    STORAGE_UNAVAILABLE = (_OWN + 8, _EXTERNAL)
    INVALID_CREDENTIALS = (_OWN + 9, _EXTERNAL)
    WORKER_CRASHED = (_OWN + 10, _INTERNAL)
    RESULT_TOO_LARGE = (_OWN + 11, _RESOURCES)
    TOO_MANY_REQUESTS = (_OWN + 12, _RESOURCES)
    QUERY_NOT_FOUND = (_OWN + 13, _USER)
    WORK_GROUP_NOT_FOUND = (_OWN + 14, _USER)
    INVALID_REQUEST = (_OWN + 15, _USER)
    AUTHENTICATION_FAILED = (_OWN + 16, _USER)
    IDEMPOTENCY_MISMATCH = (_OWN + 17, _USER)
    QUERY_NOT_FINISHED = (_OWN + 18, _USER)
    RESULT_EXPIRED = (_OWN + 19, _USER)
    CRAWLER_RUNNING = (_OWN + 20, _USER)
    CRAWLER_NOT_RUNNING = (_OWN + 21, _USER)
    CRAWLER_STOPPING = (_OWN + 22, _USER)
    STATE_UNAVAILABLE = (_OWN + 23, _EXTERNAL)


class QueryServiceError(Exception):
    """A failure that a client is told about: code, message, and where in the statement if known.

    `line` and `column` are 1-based, as Trino counts them (code points). `suggestions` are names
    that exist and are like the one that does not; the message stays Trino's.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        line: int | None = None,
        column: int | None = None,
        suggestions: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.line = line
        self.column = column
        self.suggestions = suggestions

    def __str__(self) -> str:
        """`CODE: line 1:8: message`, the form that Trino's and Athena's clients know."""
        where = "" if self.line is None else f"line {self.line}:{self.column}: "
        return f"{self.code.name}: {where}{self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        told = {"line": self.line, "column": self.column, "suggestions": self.suggestions}
        return (_rebuild, (type(self), self.code, self.message, told))


class StatementError(QueryServiceError):
    """The statement itself is wrong or not supported."""


class StorageRuleError(QueryServiceError):
    """A storage rule refused the query before any data byte was read."""


def _rebuild(
    kind: type[QueryServiceError], code: ErrorCode, message: str, told: dict[str, Any]
) -> QueryServiceError:
    return kind(code, message, **told)


STORAGE_RULES = frozenset(
    {
        ErrorCode.OBJECT_ARCHIVED,
        ErrorCode.MIXED_STORAGE_CLASSES,
        ErrorCode.REQUESTER_PAYS_BUCKET,
        ErrorCode.ENCRYPTED_CROSS_REGION,
        ErrorCode.CLIENT_SIDE_ENCRYPTED,
    }
)
"""Codes that mean «refused by a storage rule» (the CLI exits 3 on them)."""

CAUGHT_BY_TRY = frozenset(
    {
        ErrorCode.DIVISION_BY_ZERO,
        ErrorCode.INVALID_CAST_ARGUMENT,
        ErrorCode.INVALID_FUNCTION_ARGUMENT,
        ErrorCode.NUMERIC_VALUE_OUT_OF_RANGE,
    }
)
"""Codes that Trino's TRY() turns into NULL."""
