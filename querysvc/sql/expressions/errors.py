"""Errors of expressions: what Trino says, at the node where it says it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql import syntax
from querysvc.sql.scope import fail


def mismatch(node: syntax.Node, message: str) -> StatementError:
    """A TYPE_MISMATCH at the node."""
    return fail(ErrorCode.TYPE_MISMATCH, node, message)


@contextmanager
def located_at(node: syntax.Node) -> Iterator[None]:
    """Gives the node's position to a StatementError that has none."""
    try:
        yield
    except StatementError as error:
        if error.line is None:
            error.line, error.column = node.position
        raise


__all__ = ["fail", "located_at", "mismatch"]
