"""The way into lowering: a typed query becomes one DuckDB SELECT and what the session must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from querysvc.engines.duckdb.functions.registry import PythonFunction
from querysvc.engines.duckdb.lowering import expressions, grouping, subqueries, windows
from querysvc.engines.duckdb.lowering.context import Context, Handler, Needs
from querysvc.engines.duckdb.lowering.expressions import may_fail
from querysvc.engines.duckdb.lowering.guards import with_guards
from querysvc.engines.duckdb.lowering.queries import lower_query
from querysvc.engines.duckdb.lowering.result_form import result_form
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Session
from querysvc.tree import Expression, Query

HANDLERS: Mapping[type[Expression], Handler] = {
    **expressions.HANDLERS,
    **subqueries.HANDLERS,
    **grouping.HANDLERS,
    **windows.HANDLERS,
}


@dataclass(frozen=True, slots=True)
class LoweredQuery:
    """A query for DuckDB: its text, and the macros and functions to install before."""

    sql: str
    macros: tuple[str, ...]
    functions: tuple[PythonFunction, ...]
    is_narrowed: bool = False
    """Should it fail by `narrow_decimals.is_narrow_overflow`, lower it again without `narrows`."""


def lower(
    query: Query,
    tables: Mapping[int, str],
    session: Session | None = None,
    *,
    narrows: bool = False,
) -> LoweredQuery:
    """Lower the query; `tables` gives, by `tree.Scan.table`, what stands after FROM.

    Such a relation has columns "c0", "c1", … by the table's column index, in storage form. The
    result's columns are named "0", "1", …, in the form of result batches. `narrows` is for those
    who can run the query again (`LoweredQuery.is_narrowed`).
    """
    needs = Needs()
    context = Context(
        handlers=HANDLERS,
        query_handler=lower_query,
        tables=tables,
        session=session or Session(),
        needs=needs,
        narrows=narrows,
    )
    try:
        guarded = with_guards(query, lambda node: _may_fail(context, node))
        sql = result_form(
            context, query.output, lower_query(context, guarded), ordered=bool(query.order_by)
        )
    except RecursionError as error:
        raise QueryServiceError(
            ErrorCode.STACK_OVERFLOW, "statement is too deeply nested to be lowered"
        ) from error
    return LoweredQuery(
        sql=sql,
        macros=tuple(macro.statement for macro in needs.macros.values()),
        functions=tuple(needs.functions.values()),
        is_narrowed=needs.is_narrowed,
    )


def _may_fail(context: Context, node: Expression) -> bool:
    scratch = replace(context, needs=Needs())
    try:
        return may_fail(node, scratch.lower(node))
    except QueryServiceError:  # a window's, or what lowering the query will refuse
        return True
