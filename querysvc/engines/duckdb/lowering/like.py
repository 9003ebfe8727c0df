"""LIKE with Trino's rules for ESCAPE: it escapes `%`, `_` and itself, nothing else."""

from __future__ import annotations

import re
from typing import Final

from querysvc.engines.duckdb.lowering.casts.to_text import padded
from querysvc.engines.duckdb.lowering.context import Context
from querysvc.engines.duckdb.lowering.fragments import Sql, bind, case, fail, operation
from querysvc.errors import ErrorCode
from querysvc.tree import Like, Literal
from querysvc.types.algebra import Char

_NOT_ONE: Final = fail(
    ErrorCode.INVALID_FUNCTION_ARGUMENT, "Escape string must be a single character"
)
_BAD_ESCAPE: Final = fail(
    ErrorCode.INVALID_FUNCTION_ARGUMENT,
    "Escape character must be followed by '%', '_' or the escape character itself",
)


def like(context: Context, node: Like) -> Sql:
    """`value LIKE pattern [ESCAPE escape]`."""
    value, pattern = context.lower(node.value), context.lower(node.pattern)
    if isinstance(node.value.type, Char):
        value = padded(value, node.value.type)
    if node.escape is None:
        return operation("LIKE", value, pattern)
    escape = context.lower(node.escape)
    if _is_sound(node):
        return Sql(f"({value} LIKE {pattern} ESCAPE {escape})")

    def body(text: Sql, mark: Sql) -> Sql:
        rest = text
        for sound in (f"{mark} || {mark}", f"{mark} || '%'", f"{mark} || '_'"):
            rest = Sql(f"replace({rest}, {sound}, '')")
        return case(
            [
                (Sql(f"(length({mark}) <> 1)"), _NOT_ONE),
                (Sql(f"contains({rest}, {mark})"), _BAD_ESCAPE),
            ],
            Sql(f"({value} LIKE {text} ESCAPE {mark})"),
        )

    return bind([pattern, escape], body)


def _is_sound(node: Like) -> bool:
    """Whether pattern and escape are constants that Trino accepts."""
    if not isinstance(node.pattern, Literal) or not isinstance(node.escape, Literal):
        return False
    pattern, escape = node.pattern.value, node.escape.value
    if not isinstance(pattern, str) or not isinstance(escape, str) or len(escape) != 1:
        return False
    mark = re.escape(escape)
    return escape not in re.sub(f"{mark}[%_{mark}]", "", pattern)
