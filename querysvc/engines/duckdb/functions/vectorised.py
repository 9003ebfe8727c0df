"""Helpers for vectorised Python functions: Trino's errors, and functions of one row."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from querysvc.engines.duckdb.functions.registry import BatchFunction
from querysvc.engines.duckdb.lowering.fragments import FAILURE_MARK
from querysvc.errors import ErrorCode


class FunctionError(ValueError):
    """A failure of a function; its text is what `lowering.errors` reads back."""


def failure(code: ErrorCode, message: str) -> FunctionError:
    """The error to raise inside a batch function."""
    return FunctionError(f"{FAILURE_MARK}{code.name}|{message}")


def by_row(function: Callable[..., Any]) -> BatchFunction:
    """The batch form of a function of one row's Python values; NULL when an argument is.

    A result is kept for equal arguments of the same batch, so that a column of few values is cheap.
    """

    @wraps(function)
    def batch(*columns: Any) -> list[Any]:
        if any(_is_floating(column.type) for column in columns):  # 0.0 equals -0.0
            rows = zip(*(column.to_pylist() for column in columns), strict=True)
            return [None if None in row else function(*row) for row in rows]
        known: dict[tuple[Any, ...], Any] = {}
        results: list[Any] = []
        for row in zip(*(column.to_pylist() for column in columns), strict=True):
            if None in row:
                results.append(None)
                continue
            try:
                results.append(known[row])
            except KeyError:
                results.append(known.setdefault(row, function(*row)))
            except TypeError:  # a list or a dict among the arguments
                results.append(function(*row))
        return results

    return batch


def by_value(function: BatchFunction) -> BatchFunction:
    """The batch function of one column, run on its distinct values when there are few."""

    @wraps(function)
    def batch(column: Any) -> Any:
        coded = column.dictionary_encode()
        if len(coded.dictionary) * 2 > len(column):
            return function(column)
        return function(coded.dictionary).take(coded.indices)

    return batch


def _is_floating(kind: Any) -> bool:
    return str(kind) in ("float", "double")
