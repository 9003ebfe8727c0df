"""Formulas of a result's length, precision or scale: `min(38, p - s + min(1, s))`."""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

_BINARY: Final[dict[type[ast.operator], Callable[[int, int], int]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.floordiv,
}
_CALLS: Final[dict[str, Callable[[int, int], int]]] = {"min": min, "max": max}


@dataclass(frozen=True, slots=True)
class Calculation:
    """A formula over long variables: integers, + - * /, min and max."""

    text: str
    formula: ast.expr

    def __call__(self, values: Mapping[str, int]) -> int:
        """The formula's value."""
        return _evaluate(self.formula, values)


def parse_calculation(text: str) -> Calculation:
    """The formula that the text means; variable names are folded to lower case."""
    return Calculation(text, ast.parse(text.lower(), mode="eval").body)


def _evaluate(node: ast.expr, values: Mapping[str, int]) -> int:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name):
            return values[name]
        case ast.BinOp(left=left, op=operation, right=right):
            return _BINARY[type(operation)](_evaluate(left, values), _evaluate(right, values))
        case ast.Call(func=ast.Name(id=name), args=[first, second]):
            return _CALLS[name](_evaluate(first, values), _evaluate(second, values))
    raise ValueError(f"not a formula: {ast.unparse(node)}")
