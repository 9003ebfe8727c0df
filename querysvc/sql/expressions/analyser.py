"""The expression analyser: from a syntax node to a typed tree, or to Trino's error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from querysvc import tree
from querysvc.errors import ErrorCode
from querysvc.sql import syntax
from querysvc.sql.context import AnalysisContext
from querysvc.sql.expressions import (
    calls,
    conditionals,
    json_forms,
    literals,
    operators,
    references,
    special,
    subqueries,
)
from querysvc.sql.expressions.errors import fail
from querysvc.sql.scope import Scope

DEPTH_MAX: Final = 1000
"""Nested expressions; chains of one operator do not count."""

_HANDLERS: Final[dict[type[syntax.Node], Callable[..., Any]]] = {  # each takes its own node type
    **literals.HANDLERS,
    **references.HANDLERS,
    **operators.HANDLERS,
    **conditionals.HANDLERS,
    **special.HANDLERS,
    **calls.HANDLERS,
    **subqueries.HANDLERS,
    **json_forms.HANDLERS,
}


class Analyser:
    """Types the expressions of one statement; see `context.ExpressionAnalyser`."""

    def __init__(self, context: AnalysisContext) -> None:
        self.context = context
        self._depth = 0
        self._lambda_parameters = 0

    def analyse(self, node: syntax.Expression, scope: Scope) -> tree.Expression:
        """The typed expression, every coercion explicit; Trino's error where it is none."""
        handler = _HANDLERS.get(type(node))
        if handler is None:
            kind = type(node).__name__
            raise fail(ErrorCode.NOT_SUPPORTED, node, f"{kind} is not supported")
        if self._depth >= DEPTH_MAX:
            raise _too_deep(node)
        self._depth += 1
        try:
            typed: tree.Expression = handler(self, node, scope)
        except RecursionError:
            raise _too_deep(node) from None
        finally:
            self._depth -= 1
        return self.context.record(node, typed)

    @property
    def is_in_lambda(self) -> bool:
        """Whether a lambda's body is being analysed."""
        return self._lambda_parameters > 0

    @contextmanager
    def lambda_parameters(self, count: int) -> Iterator[range]:
        """The ids of a lambda's parameters while its body is analysed."""
        first = self._lambda_parameters
        self._lambda_parameters = first + count
        try:
            yield range(first, first + count)
        finally:
            self._lambda_parameters = first


def _too_deep(node: syntax.Node) -> Exception:
    message = "statement is too large (stack overflow during analysis)"
    return fail(ErrorCode.STACK_OVERFLOW, node, message)
