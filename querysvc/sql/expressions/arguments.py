"""The arguments of calls: which overload they choose, their coercions, and lambdas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Final

from querysvc import tree
from querysvc.errors import ErrorCode, StatementError
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
        _LambdaTyping(analyser, item, scope)
        if isinstance(item, syntax.Lambda)
        else analyser.analyse(item, scope)
        for item in nodes
    ]
    arguments: list[Argument] = [
        value.argument() if isinstance(value, _LambdaTyping) else value.type for value in typed
    ]
    with located_at(node):
        resolution = resolve(name, arguments)
    if len(nodes) > ARGUMENTS_MAX:
        message = f"Too many arguments for function call {name}()"
        raise fail(ErrorCode.TOO_MANY_ARGUMENTS, node, message)
    coerced = (
        value.coerced(type_) if isinstance(value, _LambdaTyping) else coerce(value, type_)
        for value, type_ in zip(typed, resolution.argument_types, strict=True)
    )
    return resolution, tuple(coerced)


def typed_call(
    name: str, resolution: Resolution, arguments: tuple[tree.Expression, ...]
) -> tree.Expression:
    """The scalar call; NULL when an argument is, for a function that is NULL then.

    Trino folds it so: what the other arguments would fail with is never known.
    """
    signature = resolution.signature
    is_null = any(
        _is_null(argument) and not signature.accepts_null(index)
        for index, argument in enumerate(arguments)
    )
    if is_null and next(not_scalar(arguments), None) is None:
        return tree.Literal(resolution.return_type, None)
    return tree.Call(resolution.return_type, name, resolution.key, arguments)


def _is_null(node: tree.Expression) -> bool:
    while isinstance(node, tree.Cast):
        node = node.value
    return isinstance(node, tree.Literal) and node.value is None


class _LambdaTyping:
    """A lambda argument; typed once for each choice of its parameters' types.

    Resolution asks several times, and lambdas nest: without this the work would be exponential.
    """

    def __init__(self, analyser: Analyser, node: syntax.Lambda, scope: Scope) -> None:
        self._analyser = analyser
        self._node = node
        self._scope = scope
        self._known: dict[tuple[TrinoType, ...], tree.Lambda | StatementError] = {}

    def argument(self) -> LambdaArgument:
        """What resolution needs to know of it."""
        line, column = self._node.position
        return LambdaArgument(
            len(self._node.parameters), lambda types: self._typed(types).body.type, line, column
        )

    def coerced(self, type_: TrinoType) -> tree.Lambda:
        """The lambda as a function of this type."""
        assert isinstance(type_, algebra.Function)
        found = self._typed(type_.arguments)
        return tree.Lambda(type_, found.parameters, coerce(found.body, type_.result))

    def _typed(self, types: tuple[TrinoType, ...]) -> tree.Lambda:
        known = self._known.get(types)
        if known is None:
            try:
                known = typed_lambda(self._analyser, self._node, types, self._scope)
            except StatementError as error:
                known = error
            self._known[types] = known
        if isinstance(known, StatementError):
            raise known
        return known


def typed_lambda(
    analyser: Analyser,
    node: syntax.Lambda,
    types: Sequence[TrinoType],
    scope: Scope,
) -> tree.Lambda:
    """The lambda for parameters of these types.

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
    found = next(not_scalar(body), None)
    if found is not None:
        raise fail(
            ErrorCode.EXPRESSION_NOT_SCALAR,
            node.body,
            "Lambda expression cannot contain aggregations, window functions or grouping "
            "operations",
        )
    type_ = algebra.Function(tuple(types), body.type)
    return tree.Lambda(type_, parameters, body)


def not_scalar(value: object) -> Iterator[tree.Expression]:
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
