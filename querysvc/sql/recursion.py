"""WITH RECURSIVE: where a query may refer to itself, as Trino has it."""

from __future__ import annotations

from querysvc.errors import ErrorCode
from querysvc.sql import query_syntax as qs
from querysvc.sql import syntax
from querysvc.sql.scope import fail
from querysvc.sql.walk import everything_in

_OUTER_SIDES = {"LEFT": ("right",), "RIGHT": ("left",), "FULL": ("left", "right")}


def references(node: syntax.Node, name: str) -> list[qs.Table]:
    """The tables of that unqualified name in a query, in the order in which they are written."""
    return [
        found
        for found in everything_in(node)
        if isinstance(found, qs.Table)
        and len(found.name) == 1
        and found.name[0].name.lower() == name
    ]


def recursive_union(item: qs.WithQuery) -> qs.SetOperation | None:
    """The base UNION step of a query that refers to itself; None when it is something else.

    Raises Trino's errors for clauses and references that a recursive query must not have.
    """
    query, body, name = item.query, item.query.body, item.name.name.lower()
    if not isinstance(body, qs.SetOperation) or body.operator != "UNION":
        return None
    _check_clauses(query)
    in_base = references(body.left, name)
    if in_base:
        raise _invalid(
            in_base[0], "WITH table name is referenced in the base relation of recursion"
        )
    in_step = references(body.right, name)
    if len(in_step) > 1:
        raise _invalid(
            in_step[1], "multiple recursive references in the step relation of recursion"
        )
    source = _step_source(body.right)
    if source is None or not references(source, name):
        raise _invalid(
            in_step[0],
            "recursive reference outside of FROM clause of the step relation of recursion",
        )
    _check_joins(source, name)
    return body


def _check_clauses(query: qs.Query) -> None:
    clauses: tuple[tuple[syntax.Node | None, ErrorCode, str], ...] = (
        (query.with_, ErrorCode.NOT_SUPPORTED, "WITH"),
        (query.order_by[0] if query.order_by else None, ErrorCode.NOT_SUPPORTED, "ORDER BY"),
        (query.offset, ErrorCode.NOT_SUPPORTED, "OFFSET"),
        (query.limit, ErrorCode.INVALID_LIMIT_CLAUSE, "FETCH FIRST / LIMIT"),
    )
    for node, code, clause in clauses:
        if node is not None:
            raise fail(code, node, f"immediate {clause} clause in recursive query")


def _step_source(body: qs.QueryBody) -> syntax.Node | None:
    """The FROM of the step, under parentheses."""
    while isinstance(body, qs.TableSubquery) and body.query.with_ is None:
        body = body.query.body
    if isinstance(body, qs.QuerySpecification):
        return body.source
    return body if isinstance(body, qs.Table) else None


def _check_joins(source: syntax.Node, name: str) -> None:
    for join in everything_in(source):
        if not isinstance(join, qs.Join):
            continue
        for side in _OUTER_SIDES.get(join.kind, ()):
            found = references(join.left if side == "left" else join.right, name)
            if found:
                message = f"recursive reference in {side} source of {join.kind} join"
                raise _invalid(found[0], message)


def _invalid(node: syntax.Node, message: str) -> Exception:
    return fail(ErrorCode.INVALID_RECURSIVE_REFERENCE, node, message)
