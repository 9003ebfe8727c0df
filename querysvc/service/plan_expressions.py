"""Typed expressions as texts for people: what EXPLAIN prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from querysvc import tree
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT_LENGTH_MAX: Final = 200
_OPERATORS: Final = frozenset(
    {"+", "-", "*", "/", "%", "=", "<>", "<", "<=", ">", ">=", "||", "IS DISTINCT FROM"}
)

Names = Mapping[tuple[int, int], str]
"""What columns are called, by relation and field."""


def value_text(value: tree.LiteralValue, type_: TrinoType) -> str:
    """A literal's value as Trino casts it to varchar, without quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return f"X'{value.hex().upper()}'"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, tuple):
        return f"{_moment(int(value[0]))} {value[1]}"
    if isinstance(value, int) and type_ == algebra.DATE:
        return _day(value)
    if isinstance(value, int) and isinstance(type_, algebra.Timestamp):
        return _moment(value)
    return str(value)


def _day(days: int) -> str:
    try:
        return f"{_EPOCH + timedelta(days=days):%Y-%m-%d}"
    except OverflowError:
        return f"day {days}"


def _moment(picoseconds: int) -> str:
    try:
        moment = _EPOCH + timedelta(microseconds=picoseconds // 10**6)
    except OverflowError:
        return f"{picoseconds} ps"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond:06}".rstrip("0").rstrip(".")


def expression_text(node: tree.Expression, names: Names) -> str:
    """The expression, near to the SQL that it came from."""
    return _Printer(names).text(node)


class _Printer:
    def __init__(self, names: Names) -> None:
        self._names = names

    def text(self, node: tree.Expression) -> str:
        form = _FORMS.get(type(node))
        return "(...)" if form is None else form(self, node)

    def list(self, nodes: tuple[tree.Expression, ...]) -> str:
        return ", ".join(map(self.text, nodes))

    def literal(self, node: tree.Literal) -> str:
        if node.value is None:
            return "null"
        told = value_text(node.value, node.type)
        if len(told) > _TEXT_LENGTH_MAX:
            told = f"{told[:_TEXT_LENGTH_MAX]}…"
        if isinstance(node.value, str):
            told = told.replace("'", "''")
        return f"{node.type} '{told}'"

    def column(self, node: tree.ColumnReference) -> str:
        return self._names.get((node.relation, node.field), f"column {node.field}")

    def call(self, node: tree.Call) -> str:
        if node.name in _OPERATORS and len(node.arguments) == 2:
            left, right = map(self.text, node.arguments)
            return f"({left} {node.name} {right})"
        if node.name == "negate":
            return f"-{self.list(node.arguments)}"
        if node.name == "[]":
            return f"{self.text(node.arguments[0])}[{self.list(node.arguments[1:])}]"
        return f"{node.name}({self.list(node.arguments)})"

    def cast(self, node: tree.Cast) -> str:
        return f"{'TRY_CAST' if node.is_try else 'CAST'}({self.text(node.value)} AS {node.type})"

    def logical(self, node: tree.Logical) -> str:
        return "(" + f" {node.operator.value} ".join(map(self.text, node.terms)) + ")"

    def aggregate(self, node: tree.Aggregate) -> str:
        distinct = "DISTINCT " if node.is_distinct else ""
        arguments = self.list(node.arguments) if node.arguments else "*"
        where = "" if node.filter is None else f" FILTER (WHERE {self.text(node.filter)})"
        return f"{node.name}({distinct}{arguments}){where}"

    def window(self, node: tree.WindowCall) -> str:
        parts = []
        if node.window.partition_by:
            parts.append(f"PARTITION BY {self.list(node.window.partition_by)}")
        if node.window.order_by:
            parts.append(f"ORDER BY {self.sorting(node.window.order_by)}")
        return f"{node.name}({self.list(node.arguments)}) OVER ({' '.join(parts)})"

    def sorting(self, items: tuple[tree.SortItem, ...]) -> str:
        return ", ".join(
            f"{self.text(item.value)} {'DESC' if item.is_descending else 'ASC'}"
            f" NULLS {'FIRST' if item.nulls_first else 'LAST'}"
            for item in items
        )

    def case(self, node: tree.Case) -> str:
        operand = "" if node.operand is None else f" {self.text(node.operand)}"
        branches = "".join(
            f" WHEN {self.text(condition)} THEN {self.text(value)}"
            for condition, value in node.branches
        )
        default = "" if node.default is None else f" ELSE {self.text(node.default)}"
        return f"CASE{operand}{branches}{default} END"

    def like(self, node: tree.Like) -> str:
        return f"({self.text(node.value)} LIKE {self.text(node.pattern)})"


def sorting_text(items: tuple[tree.SortItem, ...], names: Names) -> str:
    """ORDER BY's items."""
    return _Printer(names).sorting(items)


_FORMS: Final[dict[type[tree.Expression], Callable[[_Printer, Any], str]]] = {
    tree.Literal: _Printer.literal,
    tree.ColumnReference: _Printer.column,
    tree.OutputReference: lambda _, node: f"output {node.index + 1}",
    tree.LambdaReference: lambda _, node: f"x{node.parameter}",
    tree.Lambda: lambda printer, node: f"(...) -> {printer.text(node.body)}",
    tree.Call: _Printer.call,
    tree.Cast: _Printer.cast,
    tree.Not: lambda printer, node: f"NOT {printer.text(node.value)}",
    tree.Logical: _Printer.logical,
    tree.IsNull: lambda printer, node: f"({printer.text(node.value)} IS NULL)",
    tree.Between: lambda printer, node: (
        f"({printer.text(node.value)} BETWEEN {printer.text(node.low)}"
        f" AND {printer.text(node.high)})"
    ),
    tree.InList: lambda printer, node: (
        f"({printer.text(node.value)} IN ({printer.list(node.items)}))"
    ),
    tree.Like: _Printer.like,
    tree.Case: _Printer.case,
    tree.Coalesce: lambda printer, node: f"COALESCE({printer.list(node.arguments)})",
    tree.NullIf: lambda printer, node: (
        f"NULLIF({printer.text(node.first)}, {printer.text(node.second)})"
    ),
    tree.Try: lambda printer, node: f"TRY({printer.text(node.value)})",
    tree.RowConstructor: lambda printer, node: f"ROW({printer.list(node.items)})",
    tree.ArrayConstructor: lambda printer, node: f"ARRAY[{printer.list(node.items)}]",
    tree.Dereference: lambda printer, node: f"{printer.text(node.value)}[{node.index + 1}]",
    tree.JsonFunction: lambda printer, node: f"{node.name}({printer.list(node.arguments)})",
    tree.ScalarSubquery: lambda _, __: "(subquery)",
    tree.Exists: lambda _, __: "EXISTS (subquery)",
    tree.InSubquery: lambda printer, node: f"({printer.text(node.value)} IN (subquery))",
    tree.QuantifiedComparison: lambda printer, node: (
        f"({printer.text(node.value)} {node.operator} {node.quantifier.value} (subquery))"
    ),
    tree.Aggregate: _Printer.aggregate,
    tree.Grouping: lambda _, node: f"GROUPING({', '.join(map(str, node.keys))})",
    tree.WindowCall: _Printer.window,
}
