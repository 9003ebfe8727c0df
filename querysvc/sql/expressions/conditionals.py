"""CASE, IF, COALESCE, NULLIF and TRY."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from querysvc import tree
from querysvc.sql import syntax
from querysvc.sql.expressions.coercion import coerce, coerce_to, coerce_to_common
from querysvc.sql.expressions.errors import mismatch
from querysvc.types.algebra import BOOLEAN, TrinoType
from querysvc.types.coercion import can_coerce, common_super_type

if TYPE_CHECKING:
    from querysvc.sql.expressions.analyser import Analyser
    from querysvc.sql.scope import Scope


def case(analyser: Analyser, node: syntax.Case, scope: Scope) -> tree.Expression:
    """CASE, simple or searched; the results are brought to one type."""
    operand, conditions = _conditions(analyser, node, scope)
    nodes = [result for _, result in node.branches]
    if node.default is not None:
        nodes.append(node.default)
    results = [(result, analyser.analyse(result, scope)) for result in nodes]
    type_, coerced = coerce_to_common(results, "All CASE results")
    default = coerced.pop() if node.default is not None else None
    return tree.Case(type_, operand, tuple(zip(conditions, coerced, strict=True)), default)


def _conditions(
    analyser: Analyser, node: syntax.Case, scope: Scope
) -> tuple[tree.Expression | None, list[tree.Expression]]:
    nodes = [condition for condition, _ in node.branches]
    if node.operand is None:
        return None, [
            coerce_to((when, analyser.analyse(when, scope)), BOOLEAN, "CASE WHEN clause")
            for when in nodes
        ]
    operand = analyser.analyse(node.operand, scope)
    values = []
    common = operand.type
    for when in nodes:
        value = analyser.analyse(when, scope)
        wider = common_super_type(common, value.type)
        if wider is None:
            raise mismatch(
                when,
                "CASE operand type does not match WHEN clause operand type: "
                f"{operand.type} vs {value.type}",
            )
        values.append(value)
        common = wider
    return coerce(operand, common), [coerce(value, common) for value in values]


def if_(analyser: Analyser, node: syntax.If, scope: Scope) -> tree.Expression:
    """IF(condition, value[, other])."""
    condition = analyser.analyse(node.condition, scope)
    condition = coerce_to((node.condition, condition), BOOLEAN, "IF condition")
    value = analyser.analyse(node.true_value, scope)
    if node.false_value is None:
        return tree.Case(value.type, None, ((condition, value),), None)
    other = analyser.analyse(node.false_value, scope)
    type_ = common_type(value.type, other.type)
    if type_ is None:
        raise mismatch(node, f"Result types for IF must be the same: {value.type} vs {other.type}")
    branch = (condition, coerce(value, type_))
    return tree.Case(type_, None, (branch,), coerce(other, type_))


def common_type(one: TrinoType, other: TrinoType) -> TrinoType | None:
    """The supertype that both really coerce to."""
    common = common_super_type(one, other)
    if common is None or not (can_coerce(one, common) and can_coerce(other, common)):
        return None
    return common


def coalesce(analyser: Analyser, node: syntax.Coalesce, scope: Scope) -> tree.Expression:
    """COALESCE(…)."""
    typed = [(item, analyser.analyse(item, scope)) for item in node.arguments]
    type_, items = coerce_to_common(typed, "All COALESCE operands")
    return tree.Coalesce(type_, tuple(items))


def null_if(analyser: Analyser, node: syntax.NullIf, scope: Scope) -> tree.Expression:
    """NULLIF(first, second): the first's type; compared in the common one."""
    first = analyser.analyse(node.first, scope)
    second = analyser.analyse(node.second, scope)
    type_ = common_super_type(first.type, second.type)
    if type_ is None:
        raise mismatch(node, f"Types are not comparable with NULLIF: {first.type} vs {second.type}")
    return tree.NullIf(first.type, first, second, type_)


def try_(analyser: Analyser, node: syntax.Try, scope: Scope) -> tree.Expression:
    """TRY(value)."""
    value = analyser.analyse(node.value, scope)
    return tree.Try(value.type, value)


HANDLERS: Final[dict[type[syntax.Node], Callable[..., Any]]] = {  # each takes its own node type
    syntax.Case: case,
    syntax.If: if_,
    syntax.Coalesce: coalesce,
    syntax.NullIf: null_if,
    syntax.Try: try_,
}
