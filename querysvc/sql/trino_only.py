"""What only Trino runs, in one place: a call site names the entry, a Trino engine would take it.

Functions that the DuckDB engine refuses stand beside those it runs (`Unsupported` in the tables of
`engines/duckdb/functions`), types in `engines/duckdb/lowering/types.py`.
"""

from __future__ import annotations

from enum import Enum

from querysvc.errors import ErrorCode, StatementError


class TrinoOnly(Enum):
    """A construct of Trino's grammar that the parser knows and no engine here runs, and why."""

    INLINE_FUNCTION = (
        "WITH FUNCTION (an inline function)",
        "routines have variables, loops and returns; Athena has none either",
    )
    JSON_TABLE = ("JSON_TABLE", "plans of nested paths join their rows by rules of their own")
    MATCH_RECOGNIZE = (
        "MATCH_RECOGNIZE",
        "patterns of rows want an automaton with memory",
    )
    PATTERN_IN_WINDOW = (
        "Row pattern recognition in a window",
        "frames end where a pattern of rows does",
    )

    @property
    def construct(self) -> str:
        """How the refusal names it."""
        return self.value[0]

    @property
    def reason(self) -> str:
        """Why it is not run here."""
        return self.value[1]

    def refusal(self, position: tuple[int, int]) -> StatementError:
        """NOT_SUPPORTED at the line and column, to be raised."""
        line, column = position
        return StatementError(
            ErrorCode.NOT_SUPPORTED, f"{self.construct} is not supported", line=line, column=column
        )
