"""How Trino's messages print a syntax node; only forms that messages show are printed in full."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from querysvc.sql import syntax


def printed(node: syntax.Expression) -> str:
    """The expression as SQL, as Trino formats it."""
    form = _FORMS.get(type(node))
    return "(...)" if form is None else form(node)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(node: syntax.Identifier) -> str:
    return f'"{node.name}"' if node.is_delimited else node.name


def _items(nodes: tuple[syntax.Expression, ...]) -> str:
    return ", ".join(map(printed, nodes))


def _call(node: syntax.FunctionCall) -> str:
    inside = "*" if node.is_star else _items(node.arguments)
    distinct = "DISTINCT " if node.is_distinct else ""
    over = "" if node.window is None else " OVER (...)"
    return f"{'.'.join(node.name)}({distinct}{inside}){over}"


def _cast(node: syntax.Cast) -> str:
    word = "TRY_CAST" if node.is_try else "CAST"
    return f"{word}({printed(node.value)} AS {node.type.text})"


_FORMS: Final[dict[type[syntax.Node], Callable[[Any], str]]] = {  # each takes its own node type
    syntax.Identifier: _name,
    syntax.Dereference: lambda node: f"{printed(node.base)}.{_name(node.field)}",
    syntax.NullLiteral: lambda _: "null",
    syntax.BooleanLiteral: lambda node: str(node.value).lower(),
    syntax.StringLiteral: lambda node: _quoted(node.value),
    syntax.IntegerLiteral: lambda node: str(node.value),
    syntax.DecimalLiteral: lambda node: f"DECIMAL {_quoted(node.text)}",
    syntax.GenericLiteral: lambda node: f"{node.type_name.upper()} {_quoted(node.value)}",
    syntax.ArithmeticBinary: lambda node: (
        f"({printed(node.left)} {node.operator} {printed(node.right)})"
    ),
    syntax.Comparison: lambda node: f"({printed(node.left)} {node.operator} {printed(node.right)})",
    syntax.Subscript: lambda node: f"{printed(node.base)}[{printed(node.index)}]",
    syntax.RowConstructor: lambda node: f"ROW ({_items(node.items)})",
    syntax.ArrayConstructor: lambda node: f"ARRAY[{_items(node.items)}]",
    syntax.Cast: _cast,
    syntax.FunctionCall: _call,
}
