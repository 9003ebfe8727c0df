"""Derived tables whose filter must run before what stands above them (ADR-0026).

`SELECT * FROM (SELECT 10 / x AS v FROM t WHERE x <> 0) WHERE v = 5`: DuckDB moves the outer filter
below the inner one, and divides by zero. A limit that no table reaches keeps it above. It is set
only where a filter reads a computed column that may fail, of a SELECT that has a filter itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Final, TypeAlias

from querysvc.tree import (
    Aggregate,
    ColumnReference,
    CteReference,
    Expression,
    FromItem,
    Join,
    Query,
    Scan,
    Select,
    SetOperation,
    Subquery,
)
from querysvc.types.algebra import TrinoType

ROWS_MAX: Final = 2**63 - 1

MayFail: TypeAlias = Callable[[Expression], bool]
_Fields: TypeAlias = dict[int, set[int]]


def with_guards(query: Query, may_fail: MayFail) -> Query:
    """The query, with limits on the derived tables that need them."""
    return _Guards(may_fail).query(query, frozenset())


class _Guards:
    def __init__(self, may_fail: MayFail) -> None:
        self._may_fail = may_fail
        self._of_ctes: _Fields = defaultdict(set)

    def query(self, query: Query, filtered: frozenset[int]) -> Query:
        """The query, of whose outputs some are read by filters above it."""
        body = query.body
        if isinstance(body, SetOperation):
            left, right = self.query(body.left, filtered), self.query(body.right, filtered)
            query = replace(query, body=replace(body, left=left, right=right))
        elif isinstance(body, Select):
            query = self._select(query, body, filtered)
        ctes = []
        for cte in reversed(query.ctes):  # each may read those before it
            fields = frozenset(self._of_ctes.pop(cte.id, ()))
            ctes.append(
                cte if cte.is_recursive else replace(cte, query=self.query(cte.query, fields))
            )
        return replace(query, ctes=tuple(reversed(ctes))) if ctes else query

    def _select(self, query: Query, select: Select, filtered: frozenset[int]) -> Query:
        items = [select.items[i] for i in filtered]
        if select.source is None:
            return query
        conditions = [select.where, select.having, *_conditions(select.source)]
        read = _fields([*items, *(one for one in conditions if one is not None)])
        source = self._source(select.source, read)
        query = replace(query, body=replace(select, source=source))
        has_filter = select.where is not None or select.having is not None
        if query.limit is not None or (isinstance(source, Scan) and not has_filter):
            return query
        fails = any(not isinstance(item, Aggregate) and self._may_fail(item) for item in items)
        return replace(query, limit=ROWS_MAX) if fails else query

    def _source(self, source: FromItem, read: _Fields) -> FromItem:
        match source:
            case Join(left=left, right=right):
                return replace(
                    source, left=self._source(left, read), right=self._source(right, read)
                )
            case Subquery(query=query, is_lateral=False):
                filtered = frozenset(read.get(source.id, ()))
                return replace(source, query=self.query(query, filtered))
            case CteReference(cte=cte):
                self._of_ctes[cte] |= read.get(source.id, set())
        return source


def _conditions(source: FromItem) -> Iterator[Expression]:
    if isinstance(source, Join):
        if source.condition is not None:
            yield source.condition
        yield from _conditions(source.left)
        yield from _conditions(source.right)


def _fields(expressions: Iterable[Expression]) -> _Fields:
    """By relation, the fields that the expressions read."""
    found: _Fields = defaultdict(set)
    for expression in expressions:
        for column in _columns(expression):
            found[column.relation].add(column.field)
    return found


def _columns(node: object) -> Iterator[ColumnReference]:
    if isinstance(node, ColumnReference):
        yield node
    elif isinstance(node, tuple):
        for item in node:
            yield from _columns(item)
    elif is_dataclass(node) and not isinstance(node, Query | TrinoType):
        for item in fields(node):
            yield from _columns(getattr(node, item.name))
