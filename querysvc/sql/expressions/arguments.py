"""The arguments of calls: which overload they choose, their coercions, and lambdas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Final

from querysvc import tree
from querysvc.errors import ErrorCode
from querysvc.sql import syntax
from querysvc.sql.expressions.coercion import coerce
from querysvc.sql.expressions.errors import fail, located_at
from querysvc.sql.functions.binding import Argument, LambdaArgument
from querysvc.sql.functions.resolve import Resolution, resolve
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

if TYPE_CHECKING:
    from querysvc.sql.expressions.analyser import Analyser
    from querysvc.sql.scope import Scope

ARGUMENTS_MAX: Final = 127


def resolve_call(
    analyser: Analyser, node: syntax.FunctionCall, scope: Scope, name: str
) -> tuple[Resolution, tuple[tree.Expression, ...]]:
    """The overload that the call means, and its arguments in the types that it asks for."""
    nodes = () if node.is_star else node.arguments
    typed = [
        None if isinstance(item, syntax.Lambda) else analyser.analyse(item, scope) for item in nodes
    ]
    arguments: list[Argument] = [
        _lambda_argument(analyser, item, scope) if value is None else value.type
        for item, value in zip(nodes, typed, strict=True)
    ]
    with located_at(node):
        resolution = resolve(name, arguments)
    if len(nodes) > ARGUMENTS_MAX:
        message = f"Too many arguments for function call {name}()"
        raise fail(ErrorCode.TOO_MANY_ARGUMENTS, node, message)
    coerced = (
        _coerced(analyser, item, value, type_, scope)
        for item, value, type_ in zip(nodes, typed, resolution.argument_types, strict=True)
    )
    return resolution, tuple(coerced)


def _coerced(
    analyser: Analyser,
    node: syntax.Expression,
    value: tree.Expression | None,
    type_: TrinoType,
    scope: Scope,
) -> tree.Expression:
    if value is not None:
        return coerce(value, type_)
    assert isinstance(node, syntax.Lambda)
    assert isinstance(type_, algebra.Function)
    return typed_lambda(analyser, node, type_.arguments, scope, result=type_.result)


def _lambda_argument(analyser: Analyser, node: syntax.Expression, scope: Scope) -> LambdaArgument:
    assert isinstance(node, syntax.Lambda)

    def infer(types: tuple[TrinoType, ...]) -> TrinoType:
        return typed_lambda(analyser, node, types, scope).body.type

    line, column = node.position
    return LambdaArgument(len(node.parameters), infer, line, column)


def typed_lambda(
    analyser: Analyser,
    node: syntax.Lambda,
    types: Sequence[TrinoType],
    scope: Scope,
    *,
    result: TrinoType | None = None,
) -> tree.Lambda:
    """The lambda for parameters of these types; its body coerced to the result where given.

    Parameters are numbered by how deep their lambda is nested, so that lambdas written twice are
    equal.
    """
    with analyser.lambda_parameters(len(types)) as ids:
        parameters = tuple(zip(ids, types, strict=True))
        references: dict[str, tree.Expression] = {
            name.name.lower(): tree.LambdaReference(type_, id_)
            for name, (id_, type_) in zip(node.parameters, parameters, strict=True)
        }
        body = analyser.analyse(node.body, scope.with_lambda(references))
    found = next(_not_scalar(body), None)
    if found is not None:
        raise fail(
            ErrorCode.EXPRESSION_NOT_SCALAR,
            node.body,
            "Lambda expression cannot contain aggregations, window functions or grouping "
            "operations",
        )
    if result is not None:
        body = coerce(body, result)
    type_ = algebra.Function(tuple(types), body.type)
    return tree.Lambda(type_, parameters, body)


def _not_scalar(value: object) -> Iterator[tree.Expression]:
    """The aggregates, windows and grouping operations in a typed expression."""
    pending: list[object] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, tree.Aggregate | tree.WindowCall | tree.Grouping):
            yield item
        if isinstance(item, tuple):
            pending.extend(item)
        elif isinstance(item, tree.Expression):
            pending.extend(getattr(item, name.name) for name in fields(item))
