"""TABLE(sequence(…)) and TABLE(exclude_columns(…))."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from querysvc import tree
from querysvc.errors import ErrorCode, StatementError
from querysvc.sql import query_syntax as qs
from querysvc.sql import syntax
from querysvc.sql.context import AnalysisContext, ExpressionAnalyser
from querysvc.sql.expressions.coercion import coerce
from querysvc.sql.scope import Scope, fail
from querysvc.sql.sources import Source, relation_source
from querysvc.sql.walk import everything_in
from querysvc.types.algebra import BIGINT
from querysvc.types.coercion import can_coerce

_Argument = syntax.Expression | qs.TableArgument | qs.Descriptor

_SEQUENCE: Final = ("START", "STOP", "STEP")
_EXCLUDE_COLUMNS: Final = ("INPUT", "COLUMNS")


def sequence(
    context: AnalysisContext, expressions: ExpressionAnalyser, node: qs.TableFunctionCall
) -> Source:
    """sequence(start => 0, stop, step => 1): bigints in one column, `sequential_number`."""
    given = _bound(node, _SEQUENCE, required=("STOP",))
    bounds = [_constant(expressions, given.get(name)) for name in _SEQUENCE]
    start, stop, step = (
        default if bound is None else bound
        for default, bound in zip((_whole(0), None, _whole(1)), bounds, strict=True)
    )
    arguments = tuple(item for item in (start, stop, step) if item is not None)
    _check_step(arguments)
    relation = tree.TableFunction(
        context.next_relation(),
        (tree.Field("sequential_number", BIGINT),),
        "sequence",
        arguments,
    )
    return relation_source(relation)


def _whole(value: int) -> tree.Expression:
    return tree.Literal(BIGINT, value)


def _check_step(arguments: tuple[tree.Expression, ...]) -> None:
    values = [item.value for item in arguments if isinstance(item, tree.Literal)]
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) != len(_SEQUENCE):
        return
    start, stop, step = numbers
    wanted = "positive" if start < stop else "negative"
    if (start < stop and step <= 0) or (start > stop and step >= 0):
        raise StatementError(
            ErrorCode.INVALID_FUNCTION_ARGUMENT,
            f"Step must be {wanted} for sequence [{start}, {stop}]",
        )


def _constant(
    expressions: ExpressionAnalyser, argument: _Argument | None
) -> tree.Expression | None:
    if argument is None:
        return None
    if not isinstance(argument, syntax.Expression):
        message = "Invalid argument. Expected expression"
        raise fail(ErrorCode.INVALID_FUNCTION_ARGUMENT, argument, message)
    for part in everything_in(argument):
        if isinstance(part, syntax.Identifier | syntax.Dereference | qs.Query):
            message = "Constant expression cannot contain column references or subqueries"
            raise fail(ErrorCode.EXPRESSION_NOT_CONSTANT, argument, message)
    typed = expressions.analyse(argument, Scope())
    if not can_coerce(typed.type, BIGINT):
        message = f"Cannot cast type {typed.type} to bigint"
        raise fail(ErrorCode.TYPE_MISMATCH, argument, message)
    return coerce(typed, BIGINT)


def exclude_columns(
    context: AnalysisContext,
    node: qs.TableFunctionCall,
    analyse: Callable[[qs.Relation], Source],
) -> Source:
    """exclude_columns(input => TABLE(t), columns => DESCRIPTOR(a, b)): the other columns."""
    given = _bound(node, _EXCLUDE_COLUMNS, required=_EXCLUDE_COLUMNS)
    table, descriptor = given["INPUT"], given["COLUMNS"]
    if not isinstance(table, qs.TableArgument) or not isinstance(descriptor, qs.Descriptor):
        message = "exclude_columns takes a table and a descriptor"
        raise fail(ErrorCode.INVALID_FUNCTION_ARGUMENT, node, message)
    source = analyse(table.relation)
    excluded = {column.name.lower() for column in descriptor.columns}
    present = {(item.name or "").lower() for item in source.visible}
    missing = sorted(excluded - present)
    if missing:
        raise StatementError(
            ErrorCode.INVALID_FUNCTION_ARGUMENT,
            f"Excluded columns: [{', '.join(missing)}] not present in the table",
        )
    kept = [item for item in source.visible if (item.name or "").lower() not in excluded]
    if not kept:
        raise StatementError(ErrorCode.INVALID_FUNCTION_ARGUMENT, "All columns are excluded")
    output = tuple(tree.Field(item.name, item.expression.type) for item in kept)
    select = tree.Select(tuple(item.expression for item in kept), source.item)
    relation = tree.Subquery(context.next_relation(), output, tree.Query(output, select))
    return relation_source(relation)


def _bound(
    node: qs.TableFunctionCall, names: tuple[str, ...], *, required: tuple[str, ...]
) -> Mapping[str, _Argument]:
    """The arguments by parameter name."""
    place = node.arguments[0][0] or node.arguments[0][1] if node.arguments else node
    is_named = [name is not None for name, _ in node.arguments]
    if len(node.arguments) > len(names):
        message = (
            f"Too many arguments. Expected at most {len(names)} arguments, "
            f"got {len(node.arguments)} arguments"
        )
        raise fail(ErrorCode.INVALID_ARGUMENTS, place, message)
    if any(is_named) and not all(is_named):
        message = "All arguments must be passed by name or all must be passed positionally"
        raise fail(ErrorCode.INVALID_ARGUMENTS, place, message)
    bound: dict[str, _Argument] = {}
    for position, (name, value) in enumerate(node.arguments):
        key = names[position] if name is None else name.name.upper()
        if key not in names:
            message = f"Unexpected argument name: {key}"
            raise fail(ErrorCode.INVALID_ARGUMENTS, name or value, message)
        if key in bound:
            message = f"Duplicate argument name: {key}"
            raise fail(ErrorCode.INVALID_ARGUMENTS, name or value, message)
        bound[key] = value
    for key in required:
        if key not in bound:
            raise fail(ErrorCode.MISSING_ARGUMENT, place, f"Missing argument: {key}")
    return bound
