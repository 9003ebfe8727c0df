"""Operators: which implementation the operands' types choose, and Trino's errors when none does.

Operators are named by their symbols, and their signatures' keys start with them:

- `+ - * / %`, `negate`, and `||`, which is the function concat (its keys start with `concat`);
- `= <> < <= > >=` and `IS DISTINCT FROM`, whose operands are brought to their common supertype:
  their keys are `=(T,T)`, `>(T,T)` and so on;
- `[]`, the subscript of an array or a map.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.functions.registry import OPERATORS, load_registry
from querysvc.sql.functions.resolve import Resolution, resolve, resolve_among
from querysvc.sql.functions.signature import Signature
from querysvc.types.algebra import TrinoType
from querysvc.types.coercion import common_super_type

_IMPLEMENTED_BY: Final = {"<>": "=", ">": "<", ">=": "<="}
"""Comparisons that Trino makes of another one; its messages name that other one, too."""


def resolve_operator(operator: str, operands: Sequence[TrinoType]) -> Resolution:
    """The operator's implementation for these operands; TYPE_MISMATCH when there is none.

    The signature's key and name are the operator's own, also for `<>`, `>` and `>=`.
    """
    types = tuple(operands)
    if operator == "||":
        return resolve("concat", types)
    resolution = resolve_among(_signatures(operator), types)
    if resolution is None:
        raise StatementError(ErrorCode.TYPE_MISMATCH, _mismatch(operator, types))
    return resolution


def resolve_between(value: TrinoType, low: TrinoType, high: TrinoType) -> TrinoType:
    """The type in which `value BETWEEN low AND high` compares; TYPE_MISMATCH when there is none."""
    common = common_super_type(value, low)
    common = None if common is None else common_super_type(common, high)
    if common is None or not common.is_orderable:
        raise StatementError(
            ErrorCode.TYPE_MISMATCH, f"Cannot check if {value} is BETWEEN {low} and {high}"
        )
    return common


@cache
def _signatures(operator: str) -> tuple[Signature, ...]:
    registry = load_registry((OPERATORS,))
    base = _IMPLEMENTED_BY.get(operator, operator)
    signatures = registry.overloads(base)
    if not signatures:
        raise ValueError(f"not an operator: {operator}")
    if base == operator:
        return signatures
    return tuple(_renamed(signature, base, operator) for signature in signatures)


def _renamed(signature: Signature, old: str, new: str) -> Signature:
    return replace(signature, name=new, key=new + signature.key.removeprefix(old))


def _mismatch(operator: str, types: tuple[TrinoType, ...]) -> str:
    message = _MISMATCHES.get(operator)
    if message is not None:
        return message(*types)
    left, right = types
    return f"Cannot apply operator: {left} {_IMPLEMENTED_BY.get(operator, operator)} {right}"


_MISMATCHES: Final[dict[str, Callable[..., str]]] = {
    "negate": lambda value: f"Cannot negate {value}",
    "[]": lambda base, index: f"Cannot use {index} for subscript of {base}",
    "IS DISTINCT FROM": lambda left, right: f"Cannot check if {left} is identical to {right}",
}
