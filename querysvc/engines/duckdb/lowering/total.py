"""Expressions that give a value for every row: evaluating one too many harms nobody.

What is not recognised here is taken to fail for some value.
"""

from __future__ import annotations

from typing import Final

from querysvc.tree import (
    Between,
    Call,
    Case,
    Cast,
    Coalesce,
    ColumnReference,
    Expression,
    InList,
    IsNull,
    LambdaReference,
    Literal,
    Logical,
    Not,
)
from querysvc.types.algebra import (
    BIGINT,
    DOUBLE,
    INTEGER,
    SMALLINT,
    TINYINT,
    UNKNOWN,
    Array,
    Char,
    Decimal,
    Map,
    Row,
    TrinoType,
    Varchar,
)

_DIGITS: Final[dict[TrinoType, int]] = {TINYINT: 3, SMALLINT: 5, INTEGER: 10, BIGINT: 19}
_COMPARISONS: Final = frozenset({"=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM"})


def is_total(node: Expression) -> bool:
    """Whether the expression cannot fail, whatever the row."""
    match node:
        case Literal() | ColumnReference() | LambdaReference():
            return True
        case Cast(value=value, is_try=False):
            return _never_fails(value.type, node.type) and is_total(value)
        case Not(value=value) | IsNull(value=value):
            return is_total(value)
        case Logical(terms=parts) | Coalesce(arguments=parts):
            return all(map(is_total, parts))
        case Between(value=value, low=low, high=high):
            return _compare(value, low, high)
        case InList(value=value, items=items):
            return _compare(value, *items)
        case Call(name=name, arguments=arguments):
            return name in _COMPARISONS and _compare(*arguments)
        case Case(operand=None, branches=branches, default=default):
            parts = tuple(part for branch in branches for part in branch)
            return all(map(is_total, parts)) and (default is None or is_total(default))
        case _:
            return False


def _compare(*values: Expression) -> bool:
    # Comparing arrays, maps and rows fails where they hold NULL.
    return all(not isinstance(v.type, Array | Map | Row) and is_total(v) for v in values)


def _never_fails(source: TrinoType, target: TrinoType) -> bool:
    """Whether the cast has a value for every value of the source type."""
    if source in (target, UNKNOWN):
        return True
    digits = _DIGITS.get(source)
    match target:
        case Decimal(precision=precision, scale=scale):
            if isinstance(source, Decimal):
                integral = source.precision - source.scale
                return precision - scale >= integral and scale >= source.scale
            return digits is not None and precision - scale >= digits
        case Varchar() | Char():
            return isinstance(source, Varchar | Char)  # what is too long is cut off
    if digits is None:
        return False
    return target == DOUBLE or digits < _DIGITS.get(target, 0)
