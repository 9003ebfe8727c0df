"""Special forms' helpers and the session's functions: typeof, uuid, fail, current_user …

https://trino.io/docs/current/functions/conditional.html and session.html
"""

from __future__ import annotations

from typing import Final

from querysvc.engines.duckdb.functions.registry import CallSite, ScalarTable
from querysvc.engines.duckdb.lowering.fragments import Sql, fail, part, text_literal
from querysvc.errors import ErrorCode


def _typeof(site: CallSite) -> Sql:
    return text_literal(str(site.types[0]))


def _fail(site: CallSite) -> Sql:
    return fail(ErrorCode.GENERIC_USER_ERROR, part(site.arguments[-1]))


SCALARS: Final[ScalarTable] = {
    "$current_catalog": lambda site: text_literal(site.context.session.catalog),
    "$current_schema": lambda site: text_literal(site.context.session.database),
    "$current_user": lambda site: text_literal(site.context.session.user),
    # Clients choose their metadata queries by it; our answers are those of this version.
    "version": lambda _: text_literal("476"),
    "$not": "(NOT {0})",
    "fail": _fail,
    "typeof": _typeof,
    "uuid": "uuid()",
}
