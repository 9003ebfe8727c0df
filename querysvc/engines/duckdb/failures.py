"""From what went wrong inside a worker to the error that the client is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from querysvc.engines.duckdb.bad_rows import place_of
from querysvc.engines.duckdb.readers.failures import BadValue, find_bad_value
from querysvc.engines.duckdb.readers.json import find_malformed
from querysvc.engines.duckdb.requests import plan_objects
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.exhaustion import exhausted, exhausted_by_text
from querysvc.plan import ExecutionPlan

if TYPE_CHECKING:
    from querysvc.engines.duckdb.execution import Execution

_PLAN_PATH: Final = re.compile(r"plan://(\d+)(?:-[0-9a-f]*)?(?:\.[A-Za-z0-9]{1,12})*")
_SPILL: Final = re.compile(r"max_temp_directory_size|failed to offload data block", re.IGNORECASE)
_DAMAGED: Final = re.compile(
    r"TProtocolException|Invalid (?:Parquet|data)|[Pp]arquet|[Dd]ecompress|[Cc]orrupt|"
    r"Out of buffer|snappy|zstd|gzip|GZIP|miniz|CSV Error|[Uu]nicode|Malformed JSON|invalid TType"
)


def explain(error: BaseException, execution: Execution | None) -> QueryServiceError:
    """The error to tell: the storage's own, a reader's, the statement's, or an internal one."""
    if execution is None:
        known = error if isinstance(error, QueryServiceError) else exhausted(error)
        return known or _internal(str(error))
    if execution.client.failure is not None:
        return execution.client.failure
    if execution.context.failure is not None:
        return execution.context.failure
    if execution.context.checksums.failure is not None:
        return execution.context.checksums.failure
    if isinstance(error, QueryServiceError):
        return error
    message = _with_addresses(str(error), execution.plan)
    bad = find_bad_value(message)
    if bad is not None:
        return _bad_value(bad, execution)
    if "Malformed JSON" in message:
        found = find_malformed(execution.context.json_files, execution.context)
        return QueryServiceError(ErrorCode.HIVE_BAD_DATA, found or message)
    return _resources(error, message, execution.plan) or _engine_error(error, message, execution)


def _resources(error: BaseException, message: str, plan: ExecutionPlan) -> QueryServiceError | None:
    import duckdb

    if _SPILL.search(message):
        return QueryServiceError(
            ErrorCode.EXCEEDED_SPILL_LIMIT,
            f"Query exceeded its spill limit of {plan.limits.spill_bytes} bytes",
        )
    # What fails in a stream of batches reaches Arrow as an OSError with DuckDB's text.
    in_stream = isinstance(error, OSError) and message.startswith("Out of Memory Error")
    if in_stream or isinstance(
        error, duckdb.OutOfMemoryException | MemoryError | pa.ArrowMemoryError
    ):
        return memory_exceeded(plan)
    is_io = isinstance(error, duckdb.IOException)
    return exhausted(error) or (exhausted_by_text(message) if is_io else None)


def memory_exceeded(plan: ExecutionPlan) -> QueryServiceError:
    """The error of a query that needs more memory than it may have."""
    return QueryServiceError(
        ErrorCode.EXCEEDED_LOCAL_MEMORY_LIMIT,
        f"Query exceeded its memory limit of {plan.limits.memory_bytes} bytes",
    )


def _engine_error(error: BaseException, message: str, execution: Execution) -> QueryServiceError:
    import duckdb

    if isinstance(error, UnicodeDecodeError):  # of names in a file's own schema
        return QueryServiceError(ErrorCode.HIVE_BAD_DATA, f"{_some_file(execution)}: {message}")
    if not isinstance(error, duckdb.Error):
        return _internal(f"{type(error).__name__}: {message}")
    from querysvc.engines.duckdb.lowering.errors import to_query_error

    translated = to_query_error(error)
    if translated.code is not ErrorCode.GENERIC_INTERNAL_ERROR:
        return translated
    if _DAMAGED.search(message):
        named = "s3://" in message
        where = "" if named else f"{_some_file(execution)}: "
        return QueryServiceError(ErrorCode.HIVE_BAD_DATA, where + message)
    return _internal(message)


def _some_file(execution: Execution) -> str:
    """The plan's file, or that it is one of several: DuckDB does not say which."""
    objects = plan_objects(execution.plan)
    first = objects[0].address if objects else "no file"
    return first if len(objects) == 1 else f"one of {len(objects)} files (first: {first})"


def _bad_value(bad: BadValue, execution: Execution) -> QueryServiceError:
    where = ""
    if bad.ordinal is not None:
        file = execution.context.ordinals[bad.ordinal]
        line = execution.context.line_of(bad)
        place = place_of(bad, file, execution) if line is None else f"line {line}"
        where = file.stored.address + (f", {place}: " if place else ": ")
    return QueryServiceError(
        ErrorCode.HIVE_BAD_DATA,
        f"{where}column {bad.column}: value {bad.value!r} is not a valid {bad.type}",
    )


def _with_addresses(message: str, plan: ExecutionPlan) -> str:
    objects = plan_objects(plan)

    def address(match: re.Match[str]) -> str:
        index = int(match[1])
        return objects[index].address if index < len(objects) else match[0]

    return _PLAN_PATH.sub(address, message)


def _internal(message: str) -> QueryServiceError:
    return QueryServiceError(ErrorCode.GENERIC_INTERNAL_ERROR, message)
