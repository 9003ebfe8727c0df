"""GROUP BY: keys and sets, and the rule that all else is made of keys and aggregates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, product
from typing import Final

from querysvc import tree
from querysvc.errors import ErrorCode
from querysvc.sql import query_syntax as qs
from querysvc.sql import syntax
from querysvc.sql.context import AnalysisContext
from querysvc.sql.expressions.printing import printed
from querysvc.sql.scope import Scope, fail, name_parts
from querysvc.sql.walk import (
    aggregates_in,
    children,
    everything_in,
    is_aggregate,
    is_windowed,
    windows_in,
)
from querysvc.types.algebra import BIGINT, INTEGER

GROUPING_SETS_MAX: Final = 2048
_GROUPING_INTEGER_MAX: Final = 31
_GROUPING_BIGINT_MAX: Final = 63

_Set = tuple[int, ...]


class GroupingKeys:
    """The keys of a GROUP BY, in the order of their first appearance, without repetition."""

    def __init__(self) -> None:
        self.indexes: dict[tree.Expression, int] = {}

    def add(self, key: tree.Expression) -> int:
        """The key's index."""
        return self.indexes.setdefault(key, len(self.indexes))

    @property
    def expressions(self) -> tuple[tree.Expression, ...]:
        """The keys by index."""
        return tuple(self.indexes)

    def grouping(
        self, node: syntax.Grouping, place: syntax.Node, resolve: Callable[..., tree.Expression]
    ) -> tree.Expression:
        """GROUPING(columns) over these keys."""
        if not self.indexes:
            message = (
                "A GROUPING() operation can only be used with a corresponding "
                "GROUPING SET/CUBE/ROLLUP/GROUP BY clause"
            )
            raise fail(ErrorCode.MISSING_GROUP_BY, place, message)
        if len(node.columns) > _GROUPING_BIGINT_MAX:
            message = f"GROUPING supports up to {_GROUPING_BIGINT_MAX} column arguments"
            raise fail(ErrorCode.INVALID_ARGUMENTS, node, message)
        keys = []
        for column in node.columns:
            key = self.indexes.get(resolve(column))
            if key is None:
                message = (
                    "The arguments to GROUPING() must be expressions referenced by the GROUP BY "
                    f"at the associated query level. Mismatch due to {printed(column)}."
                )
                raise fail(ErrorCode.INVALID_ARGUMENTS, node, message)
            keys.append(key)
        type_ = INTEGER if len(keys) <= _GROUPING_INTEGER_MAX else BIGINT
        return tree.Grouping(type_, tuple(keys))


def grouping_sets(node: qs.GroupBy, elements: Sequence[list[_Set]]) -> tuple[_Set, ...]:
    """The product of the elements' sets."""
    count = 1
    for sets in elements:
        count *= len(sets)
    if count > GROUPING_SETS_MAX:
        message = f"GROUP BY has {count} grouping sets but can contain at most {GROUPING_SETS_MAX}"
        raise fail(ErrorCode.TOO_MANY_GROUPING_SETS, node, message)
    return tuple(_union(choice) for choice in product(*elements))


def element_sets(node: qs.GroupBy, kind: str, sets: list[_Set]) -> list[_Set]:
    """The sets that one element stands for."""
    if kind == "ROLLUP":
        return [_union(sets[:size]) for size in range(len(sets), -1, -1)]
    if kind != "CUBE":
        return sets
    if 2 ** len(sets) > GROUPING_SETS_MAX:
        message = (
            f"GROUP BY has {2 ** len(sets)} grouping sets but can contain at most "
            f"{GROUPING_SETS_MAX}"
        )
        raise fail(ErrorCode.TOO_MANY_GROUPING_SETS, node, message)
    return [
        _union(chosen) for size in range(len(sets), -1, -1) for chosen in combinations(sets, size)
    ]


def _union(sets: Sequence[_Set]) -> _Set:
    return tuple(dict.fromkeys(key for keys in sets for key in keys))


class GroupingCheck:
    """Whether expressions are constant in a group; walks the syntax tree beside the typed one.

    `relations` are the FROM items' ids: columns of others come from outside and are constant.
    """

    def __init__(
        self,
        context: AnalysisContext,
        keys: GroupingKeys,
        relations: frozenset[int],
        scope: Scope,
    ) -> None:
        self._context = context
        self._keys = keys.indexes
        self._relations = relations
        self._scope = scope

    def check(self, node: syntax.Expression) -> None:
        """EXPRESSION_NOT_AGGREGATE if the expression varies within a group."""
        if not self._is_constant(node):
            message = (
                f"'{printed(node)}' must be an aggregate expression or appear in GROUP BY clause"
            )
            raise fail(ErrorCode.EXPRESSION_NOT_AGGREGATE, node, message)

    def check_field(self, field: tree.Expression, name: str | None, node: syntax.Node) -> None:
        """EXPRESSION_NOT_AGGREGATE if a column that `*` brought varies within a group."""
        if field not in self._keys and self._varies(field):
            message = f"Column '{name or '_col0'}' not in GROUP BY clause"
            raise fail(ErrorCode.EXPRESSION_NOT_AGGREGATE, node, message)

    def _varies(self, typed: tree.Expression) -> bool:
        """Whether a resolved name is a column of this FROM that is no key, nor part of one."""
        while not self._keys or typed not in self._keys:
            if isinstance(typed, tree.Dereference | tree.Cast):
                typed = typed.value
            elif isinstance(typed, tree.Coalesce):
                return any(map(self._varies, typed.arguments))
            else:
                return isinstance(typed, tree.ColumnReference) and typed.relation in self._relations
        return False

    def _is_constant(self, node: syntax.Node) -> bool:
        if isinstance(node, syntax.Expression):
            typed = self._context.type_of(node)
            if self._keys and typed is not None and typed in self._keys:
                return True
            if typed is not None and name_parts(node) is not None:
                return not self._varies(typed)
        if is_aggregate(node):
            assert isinstance(node, syntax.FunctionCall)  # what is_aggregate tells
            check_aggregate(self._context, node)
            return True
        if is_windowed(node):
            assert isinstance(node, syntax.FunctionCall)  # what is_windowed tells
            return self._is_window_constant(node)
        if isinstance(node, syntax.Grouping):
            return True
        if isinstance(node, qs.Query):
            self._check_subquery(node)
            return True
        return all(self._is_constant(child) for child in children(node))

    def _is_window_constant(self, node: syntax.FunctionCall) -> bool:
        assert node.window is not None  # the caller saw it
        window = self._scope.window(node.window)
        for key in window.partition_by:
            self._check_part(key, "PARTITION BY expression")
        for item in window.order_by:
            self._check_part(item.value, "ORDER BY expression")
        if window.frame is not None:
            for bound in (window.frame.start, window.frame.end):
                if bound is not None and bound.value is not None:
                    self._check_part(bound.value, "Window frame")
        inner = (*node.arguments, *(item.value for item in node.order_by))
        filters = () if node.filter is None else (node.filter,)
        return all(map(self._is_constant, (*inner, *filters)))

    def _check_part(self, node: syntax.Expression, what: str) -> None:
        if not self._is_constant(node):
            message = (
                f"{what} '{printed(node)}' must be an aggregate expression or appear in GROUP BY "
                "clause"
            )
            raise fail(ErrorCode.EXPRESSION_NOT_AGGREGATE, node, message)

    def _check_subquery(self, query: qs.Query) -> None:
        for node, typed in self._names_in(query):
            if self._varies(typed):
                message = f"Subquery uses '{printed(node)}' which must appear in GROUP BY clause"
                raise fail(ErrorCode.EXPRESSION_NOT_AGGREGATE, node, message)

    def _names_in(self, query: qs.Query) -> Iterator[tuple[syntax.Expression, tree.Expression]]:
        for node in everything_in(query):
            if isinstance(node, syntax.Identifier | syntax.Dereference):
                typed = self._context.type_of(node)
                if typed is not None:
                    yield node, typed


def check_aggregate(context: AnalysisContext, node: syntax.FunctionCall) -> None:
    """What may not stand inside an aggregate: aggregates, windows, the query's own outputs."""
    inside = (*node.arguments, *(() if node.filter is None else (node.filter,)))
    nested = [found for argument in inside for found in aggregates_in(argument)]
    name = node.name[-1]
    if nested:
        listed = ", ".join(map(printed, nested))
        message = f"Cannot nest aggregations inside aggregation '{name}': [{listed}]"
        raise fail(ErrorCode.NESTED_AGGREGATION, node, message)
    windows = [found for argument in inside for found in windows_in(argument)]
    if windows:
        listed = ", ".join(map(printed, windows))
        message = (
            f"Cannot nest window functions or row pattern measures inside aggregation '{name}': "
            f"[{listed}]"
        )
        raise fail(ErrorCode.NESTED_WINDOW, node, message)
    _check_outputs(context, node)


def _check_outputs(context: AnalysisContext, node: syntax.FunctionCall) -> None:
    ordering = {id(item) for key in node.order_by for item in everything_in(key)}
    for item in everything_in(node):
        if not isinstance(item, syntax.Expression):
            continue
        if isinstance(context.type_of(item), tree.OutputReference):
            message = (
                "ORDER BY clause in aggregation function must not reference query output columns"
                if id(item) in ordering
                else "Invalid reference to output projection attribute from ORDER BY aggregation"
            )
            raise fail(ErrorCode.COLUMN_NOT_FOUND, item, message)
