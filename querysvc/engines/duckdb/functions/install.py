"""Installing in a session what a lowered query calls."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from querysvc.engines.duckdb.functions.arrow_types import arrow_type
from querysvc.engines.duckdb.functions.registry import BatchFunction, PythonFunction
from querysvc.engines.duckdb.lowering.errors import to_query_error
from querysvc.errors import CAUGHT_BY_TRY, QueryServiceError

if TYPE_CHECKING:
    import duckdb

    from querysvc.engines.duckdb.lowering.lower import LoweredQuery


_UNCAUGHT: list[QueryServiceError] = []
"""What functions inside TRY raised that Trino's TRY lets through; DuckDB's catches everything.
A process runs one query at a time."""


def install(connection: duckdb.DuckDBPyConnection, query: LoweredQuery) -> None:
    """Create the macros and register the functions that the query needs."""
    _UNCAUGHT.clear()
    for statement in query.macros:
        connection.execute(statement)
    install_functions(connection, query.functions)


def raise_uncaught() -> None:
    """Fail as the query does that has ended, if its TRY hid what it must not."""
    if _UNCAUGHT:
        raise _UNCAUGHT.pop()


def install_functions(
    connection: duckdb.DuckDBPyConnection, functions: Iterable[PythonFunction]
) -> None:
    """Register vectorised functions; one that is already there stays."""
    from duckdb import NotImplementedException

    for function in functions:
        try:
            connection.create_function(  # type: ignore[call-overload]  # it takes the names too
                function.name,
                batch_adapter(function),
                list(function.parameters),
                function.result,
                type="arrow",
                null_handling="special",
                side_effects=not function.is_deterministic,
            )
        except NotImplementedException as error:
            if "already" not in str(error):
                raise


def batch_adapter(function: PythonFunction) -> Any:
    """The function as DuckDB calls it: chunked arrays in, one array of the exact type out."""
    target = arrow_type(function.result_type)
    call = _noting(function.function) if function.is_tried else function.function

    def run(*columns: pa.ChunkedArray) -> pa.Array:
        result = call(*(column.combine_chunks() for column in columns))
        if isinstance(result, pa.Array | pa.ChunkedArray):
            return result if result.type == target else result.cast(target)
        return pa.array(result, type=target)

    # DuckDB counts the parameters of what it is given.
    names = [Parameter(f"a{i}", Parameter.POSITIONAL_ONLY) for i in range(len(function.parameters))]
    run.__signature__ = Signature(names)  # type: ignore[attr-defined]  # inspect reads it
    return run


def _noting(function: BatchFunction) -> BatchFunction:
    """The function; what it raises and TRY must not catch is kept for `raise_uncaught`."""

    def call(*columns: pa.Array) -> Any:
        try:
            return function(*columns)
        except Exception as error:  # a function's fault must not end as NULL
            found = to_query_error(error)
            if found.code not in CAUGHT_BY_TRY:
                _UNCAUGHT.append(found)
            raise

    return call
