"""Why a run may read less, or more, than what was planned for it: told beside its estimate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from querysvc import tree
from querysvc.types.algebra import TrinoType

_SUBQUERIES: Final = (
    *(tree.Exists, tree.InSubquery, tree.ScalarSubquery, tree.QuantifiedComparison),
)
_FROM_STATISTICS: Final = frozenset({"min", "max", "count"})


def _has_limit(node: object) -> bool:
    """Rows that nobody has to see may stay unread, unless groups are made of all of them."""
    if not isinstance(node, tree.Query) or node.limit is None:
        return False
    return not (isinstance(node.body, tree.Select) and node.body.group_by is not None)


def _is_joined(node: object) -> bool:
    return isinstance(node, (tree.Join, *_SUBQUERIES))


def _is_told_by_statistics(node: object) -> bool:
    """DuckDB answers min, max and count over whole files from their footers, where it can."""
    if not isinstance(node, tree.Select) or node.group_by is None or node.group_by.keys:
        return False
    called = {one.name for one in nodes(node.items) if isinstance(one, tree.Aggregate)}
    return bool(called) and called <= _FROM_STATISTICS and not called <= {"count"}


def _has_constant_condition(node: object) -> bool:
    if not isinstance(node, tree.Select) or node.where is None:
        return False
    is_and = isinstance(node.where, tree.Logical) and node.where.operator == "AND"
    terms = node.where.terms if isinstance(node.where, tree.Logical) and is_and else (node.where,)
    return any(not any(isinstance(one, tree.ColumnReference) for one in nodes(t)) for t in terms)


@dataclass(frozen=True, slots=True)
class _Cause:
    """Whether a node of the tree is one that may change what is read, and how that is told."""

    applies: Callable[[object], bool]
    reason: str
    of_parquet: bool = False


_LIMIT: Final = _Cause(_has_limit, "LIMIT may end the run before all is read")
_CAUSES: Final = (
    _LIMIT,
    _Cause(_is_joined, "a join or subquery may pass over what cannot match"),
    _Cause(
        _is_told_by_statistics, "min and max may be answered from footers alone", of_parquet=True
    ),
    _Cause(_has_constant_condition, "a condition without columns may let nothing through"),
)
READ_AGAIN: Final = (
    "text that is not plain (quoted line ends, keys spelt otherwise, bytes that are no UTF-8)"
    " is read twice"
)


def reasons(query: tree.Query, *, reads_parquet: bool) -> tuple[str, ...]:
    """Each cause that the query holds, once."""
    # Nothing is told of a policy's condition, as in EXPLAIN.
    found = list(nodes(query, enters_policies=False))
    causes = (cause for cause in _CAUSES if reads_parquet or not cause.of_parquet)
    return tuple(cause.reason for cause in causes if any(map(cause.applies, found)))


def may_end_early(query: tree.Query) -> bool:
    """Whether the run may end with a small part of what was planned: only its counter can tell."""
    return any(map(_LIMIT.applies, nodes(query)))


def scanned_twice(query: tree.Query) -> set[int]:
    """The tables that occur more than once in the query."""
    tables = [node.table for node in nodes(query) if isinstance(node, tree.Scan)]
    return {table for table in tables if tables.count(table) > 1}


def nodes(root: object, *, enters_policies: bool = True) -> Iterator[object]:
    """The root and all below it, but for types."""
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, tuple):
            pending.extend(node)
        elif hasattr(node, "__dataclass_fields__") and not isinstance(node, TrinoType):
            yield node
            if not enters_policies and isinstance(node, tree.Subquery) and node.is_barrier:
                continue
            pending.extend(getattr(node, name) for name in node.__dataclass_fields__)
