"""`*` and `target.*` in a SELECT."""

from __future__ import annotations

from collections.abc import Sequence

from querysvc import tree
from querysvc.errors import ErrorCode
from querysvc.sql import query_syntax as qs
from querysvc.sql import syntax
from querysvc.sql.context import ExpressionAnalyser
from querysvc.sql.scope import Scope, ScopeField, fail, name_parts
from querysvc.types.algebra import Row


def expand(
    expressions: ExpressionAnalyser, node: qs.AllColumns, scope: Scope
) -> Sequence[ScopeField]:
    """The columns that the item stands for."""
    if node.target is None:
        return _all(node, scope)
    parts = name_parts(node.target)
    if parts is not None:
        table = _table(parts, scope)
        if table:
            return _renamed(node, table)
        if len(parts) == 1 or not scope.is_column_reference((*parts, "*")):
            message = f"Unable to resolve reference {'.'.join(parts).lower()}"
            raise fail(ErrorCode.TABLE_NOT_FOUND, node.target, message)
    typed = expressions.analyse(node.target, scope)
    if not isinstance(typed.type, Row):
        if parts is not None:
            message = f"Unable to resolve reference {'.'.join(parts).lower()}"
            raise fail(ErrorCode.TABLE_NOT_FOUND, node.target, message)
        message = f"expected expression of type Row, got {typed.type}"
        raise fail(ErrorCode.TYPE_MISMATCH, node.target, message)
    fields = [
        ScopeField(field.name, tree.Dereference(field.type, typed, index))
        for index, field in enumerate(typed.type.fields)
    ]
    return _renamed(node, fields)


def _all(node: qs.AllColumns, scope: Scope) -> list[ScopeField]:
    fields = scope.all_fields()
    if fields:
        return fields
    where = (
        "from relation that has no columns" if scope.fields else "in queries without FROM clause"
    )
    raise fail(ErrorCode.COLUMN_NOT_FOUND, node, f"SELECT * not allowed {where}")


def _table(parts: tuple[str, ...], scope: Scope) -> list[ScopeField]:
    """The fields of the nearest relation of that name, here or outside."""
    level: Scope | None = scope
    while level is not None:
        fields = level.all_fields(parts)
        if fields:
            return fields
        level = level.parent
    return []


def _renamed(node: qs.AllColumns, fields: list[ScopeField]) -> list[ScopeField]:
    if not node.aliases:
        return fields
    if len(node.aliases) != len(fields):
        message = (
            f"Column alias list has {len(node.aliases)} entries but relation has "
            f"{len(fields)} columns"
        )
        raise fail(ErrorCode.MISMATCHED_COLUMN_ALIASES, node.aliases[0], message)
    return [
        ScopeField(_canonical(alias), field.expression)
        for alias, field in zip(node.aliases, fields, strict=True)
    ]


def _canonical(alias: syntax.Identifier) -> str:
    # Trino keeps the alias's canonical form here, which is upper case unless delimited.
    return alias.name if alias.is_delimited else alias.name.upper()
