"""SELECT: items, WHERE, GROUP BY, HAVING, windows, and the ORDER BY that sees its columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from querysvc import tree
from querysvc.errors import ErrorCode, StatementError
from querysvc.sql import query_syntax as qs
from querysvc.sql import syntax
from querysvc.sql.expressions.coercion import coerce
from querysvc.sql.expressions.printing import printed
from querysvc.sql.grouping import (
    GroupingCheck,
    GroupingKeys,
    check_aggregate,
    element_sets,
    grouping_sets,
)
from querysvc.sql.ordering import sort_items
from querysvc.sql.scope import Scope, ScopeField, fail, name_parts
from querysvc.sql.sources import relations_in
from querysvc.sql.stars import expand
from querysvc.sql.typed_walk import columns_in
from querysvc.sql.walk import aggregates_in, check_scalar, check_windows, windows_in
from querysvc.types.algebra import BOOLEAN, UNKNOWN

if TYPE_CHECKING:
    from querysvc.sql.queries import QueryAnalyser


@dataclass(frozen=True, slots=True)
class Output:
    """One column of a SELECT: its name, its value, and the item that it comes from.

    `expression` is None for a column that `*` brought.
    """

    name: str | None
    value: tree.Expression
    item: syntax.Node
    expression: syntax.Expression | None = None


class SelectAnalyser:
    """Types one SELECT; an object lives for one SELECT."""

    def __init__(
        self,
        queries: QueryAnalyser,
        node: qs.QuerySpecification,
        order_by: tuple[syntax.SortItem, ...],
        outer: Scope,
    ) -> None:
        self._queries = queries
        self._context = queries.context
        self._node = node
        self._order_by = order_by
        self._outer = outer
        self._items: dict[int, list[Output]] = {}
        self._keys = GroupingKeys()
        self._group_by: tree.GroupBy | None = None
        self._source: tree.FromItem | None = None
        self._scope = Scope(parent=outer)

    def analyse(self) -> tree.Query:
        """The SELECT with its ORDER BY, as a query."""
        node = self._node
        self._analyse_source()
        where = None
        if node.where is not None:
            check_scalar(node.where, "WHERE clause")
            where = self._condition(node.where, "WHERE clause")
        self._analyse_windows()
        outputs = [output for index in range(len(node.items)) for output in self._item(index)]
        self._check_distinct_types(outputs)
        self._analyse_group_by()
        having = self._analyse_having()
        keys, order_scope = self._analyse_order_by(outputs)
        self._check_aggregation(outputs, order_scope)
        select = tree.Select(
            tuple(output.value for output in outputs),
            self._source,
            where,
            self._group_by,
            having,
            node.is_distinct,
        )
        fields = tuple(tree.Field(output.name, output.value.type) for output in outputs)
        return tree.Query(fields, select, order_by=keys)

    # FROM, WHERE, WINDOW.

    def _analyse_source(self) -> None:
        fields: tuple[ScopeField, ...] = ()
        if self._node.source is not None:
            source = self._queries.relations.analyse(self._node.source, self._outer)
            self._source, fields = source.item, source.fields
        self._scope = Scope(fields, parent=self._outer, grouping=self._grouping)

    def _condition(self, node: syntax.Expression, clause: str) -> tree.Expression:
        typed = self._queries.expressions.analyse(node, self._scope)
        if typed.type not in (BOOLEAN, UNKNOWN):
            message = f"{clause} must evaluate to a boolean: actual type {typed.type}"
            raise fail(ErrorCode.TYPE_MISMATCH, node, message)
        return coerce(typed, BOOLEAN)

    def _analyse_windows(self) -> None:
        if not self._node.windows:
            return
        windows: dict[str, syntax.WindowSpecification] = {}
        self._scope.windows = windows
        for definition in self._node.windows:
            name = definition.name.name
            if name.lower() in windows:
                message = f"WINDOW name '{name}' specified more than once"
                raise fail(ErrorCode.DUPLICATE_WINDOW_NAME, definition, message)
            window = self._scope.window(definition.window)
            for value in (*window.partition_by, *(item.value for item in window.order_by)):
                self._queries.expressions.analyse(value, self._scope)
            windows[name.lower()] = window

    # Items.

    def _item(self, index: int) -> list[Output]:
        """The columns of an item; analysed once, for GROUP BY may ask for it first."""
        outputs = self._items.get(index)
        if outputs is None:
            item = self._node.items[index]
            if isinstance(item, qs.SingleColumn):
                outputs = [self._single(item)]
            else:
                outputs = [
                    Output(field.name, field.expression, item)
                    for field in expand(self._queries.expressions, item, self._scope)
                ]
            self._items[index] = outputs
        return outputs

    def _single(self, item: qs.SingleColumn) -> Output:
        check_windows(item.expression)
        value = self._queries.expressions.analyse(item.expression, self._scope)
        name = item.alias.name if item.alias is not None else _implied_name(item.expression)
        return Output(name, value, item, item.expression)

    def _column(self, node: syntax.Expression, position: int, clause: str) -> Output:
        """The output at a 1-based position."""
        outputs: list[Output] = []
        for index in range(len(self._node.items)):
            outputs.extend(self._item(index))
            if 0 < position <= len(outputs):
                return outputs[position - 1]
        message = f"{clause} position {position} is not in select list"
        raise fail(ErrorCode.INVALID_COLUMN_REFERENCE, node, message)

    def _check_distinct_types(self, outputs: list[Output]) -> None:
        if not self._node.is_distinct:
            return
        for output in outputs:
            if not output.value.type.is_comparable:
                what = output.name if output.expression is None else printed(output.expression)
                message = (
                    f"DISTINCT can only be applied to comparable types "
                    f"(actual: {output.value.type}): {what}"
                )
                raise fail(ErrorCode.TYPE_MISMATCH, self._node, message)

    # Grouping.

    def _is_aggregated(self) -> bool:
        node = self._node
        if node.group_by is not None or node.having is not None:
            return True
        items = [item.expression for item in node.items if isinstance(item, qs.SingleColumn)]
        return any(map(aggregates_in, (*items, *(key.value for key in self._order_by))))

    def _analyse_group_by(self) -> None:
        if self._group_by is not None or not self._is_aggregated():
            return
        node = self._node.group_by
        if node is None:
            self._group_by = tree.GroupBy((), ((),))
            return
        if node.is_auto:
            sets: tuple[tuple[int, ...], ...] = (self._automatic_keys(),)
        else:
            sets = grouping_sets(node, [self._element(node, item) for item in node.elements])
        if node.is_distinct:
            sets = tuple({frozenset(keys): keys for keys in sets}.values())
        self._group_by = tree.GroupBy(self._keys.expressions, sets)

    def _automatic_keys(self) -> tuple[int, ...]:
        keys = []
        for index in range(len(self._node.items)):
            for output in self._item(index):
                expression = output.expression
                if expression is not None:
                    if aggregates_in(expression) == [expression]:
                        continue
                    check_scalar(expression, "GROUP BY clause")
                keys.append(self._key(output.value))
        return tuple(dict.fromkeys(keys))

    def _element(self, node: qs.GroupBy, element: qs.GroupingElement) -> list[tuple[int, ...]]:
        is_simple = element.kind == "SIMPLE"
        sets = [
            tuple(
                self._simple_key(column) if is_simple else self._column_key(column)
                for column in columns
            )
            for columns in element.sets
        ]
        return element_sets(node, element.kind, sets)

    def _simple_key(self, node: syntax.Expression) -> int:
        if isinstance(node, syntax.IntegerLiteral):
            output = self._column(node, node.value, "GROUP BY")
            if output.expression is not None:
                check_scalar(output.expression, "GROUP BY clause")
            return self._key(output.value)
        check_scalar(node, "GROUP BY clause")
        return self._key(self._queries.expressions.analyse(node, self._scope))

    def _column_key(self, node: syntax.Expression) -> int:
        typed = self._queries.expressions.analyse(node, self._scope)
        if name_parts(node) is None or isinstance(typed, tree.Dereference):
            message = f"GROUP BY expression must be a column reference: {printed(node)}"
            raise fail(ErrorCode.INVALID_COLUMN_REFERENCE, node, message)
        return self._key(typed)

    def _key(self, typed: tree.Expression) -> int:
        if not typed.type.is_comparable:
            message = f"{typed.type} is not comparable, and therefore cannot be used in GROUP BY"
            raise fail(ErrorCode.TYPE_MISMATCH, self._node, message)
        return self._keys.add(typed)

    def _grouping(self, node: syntax.Grouping) -> tree.Expression:
        self._analyse_group_by()
        return self._keys.grouping(
            node,
            self._node,
            lambda column: self._queries.expressions.analyse(column, self._scope),
        )

    def _grouping_in_order(self, node: syntax.Grouping, scope: Scope) -> tree.Expression:
        for column in node.columns:
            if isinstance(self._queries.expressions.analyse(column, scope), tree.OutputReference):
                raise StatementError(
                    ErrorCode.INVALID_ARGUMENTS,
                    "Invalid reference to output of SELECT clause from grouping() expression in "
                    "ORDER BY",
                )
        return self._grouping(node)

    def _analyse_having(self) -> tree.Expression | None:
        node = self._node.having
        if node is None:
            return None
        if windows_in(node):
            message = "HAVING clause cannot contain window functions or row pattern measures"
            raise fail(ErrorCode.NESTED_WINDOW, windows_in(node)[0], message)
        return self._condition(node, "HAVING clause")

    def _check_correlation(self, outputs: list[Output], relations: frozenset[int]) -> None:
        """An aggregate of nothing but outer columns would be the outer query's in other engines."""
        nodes: list[syntax.Node] = [*(output.item for output in outputs), *self._order_by]
        if self._node.having is not None:
            nodes.append(self._node.having)
        for node in nodes:
            for aggregate in aggregates_in(node):
                typed = self._context.type_of(aggregate)
                columns = None if typed is None else columns_in(typed)
                if columns and not any(column.relation in relations for column in columns):
                    message = "Given correlated subquery is not supported"
                    raise fail(ErrorCode.NOT_SUPPORTED, self._node, message)

    def _check_aggregation(self, outputs: list[Output], order_scope: Scope) -> None:
        if self._group_by is None:
            return
        relations = relations_in(self._source)
        self._check_correlation(outputs, relations)
        check = GroupingCheck(self._context, self._keys, relations, self._scope)
        for output in outputs:
            if output.expression is not None:
                check.check(output.expression)
            else:
                check.check_field(output.value, output.name, output.item)
        if self._node.having is not None:
            check.check(self._node.having)
        order_check = GroupingCheck(self._context, self._keys, relations, order_scope)
        for key in self._order_by:
            for aggregate in aggregates_in(key.value):
                assert isinstance(aggregate, syntax.FunctionCall)  # what aggregates_in finds
                check_aggregate(self._context, aggregate)
            if not isinstance(key.value, syntax.IntegerLiteral):
                order_check.check(key.value)

    # ORDER BY.

    def _analyse_order_by(self, outputs: list[Output]) -> tuple[tuple[tree.SortItem, ...], Scope]:
        scope = Scope(
            tuple(
                ScopeField(output.name, tree.OutputReference(output.value.type, index))
                for index, output in enumerate(outputs)
            ),
            parent=self._scope,
            windows=self._scope.windows,
        )
        scope.grouping = lambda node: self._grouping_in_order(node, scope)
        for item in self._order_by:
            check_windows(item.value)
        keys = sort_items(
            self._queries.expressions,
            self._order_by,
            scope,
            tuple(output.value for output in outputs),
            self._node,
        )
        if self._node.is_distinct:
            for key in keys:
                if not isinstance(key.value, tree.OutputReference):
                    message = "For SELECT DISTINCT, ORDER BY expressions must appear in select list"
                    raise fail(ErrorCode.EXPRESSION_NOT_IN_DISTINCT, self._node, message)
        return keys, scope


def _implied_name(node: syntax.Expression) -> str | None:
    parts = name_parts(node)
    return None if parts is None else parts[-1]
