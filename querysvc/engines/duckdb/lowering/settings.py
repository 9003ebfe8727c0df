"""DuckDB settings on which the generated SQL's meaning depends; every session applies them."""

from __future__ import annotations

from typing import Final

# Name, value, and why.
SETTINGS: Final[tuple[tuple[str, str, str], ...]] = (
    ("TimeZone", "UTC", "casts between TIMESTAMP and TIMESTAMPTZ must not move"),
    ("ieee_floating_point_ops", "true", "1e0 / 0 is infinity, as IEEE and Trino have it"),
    ("scalar_subquery_error_on_multiple_rows", "true", "SUBQUERY_MULTIPLE_ROWS"),
    ("default_null_order", "nulls_last", "where no NULLS is written (list_sort)"),
    ("preserve_insertion_order", "true", "the outermost SELECT keeps its subquery's order"),
    ("old_implicit_casting", "false", "no implicit casts from VARCHAR"),
    ("integer_division", "false", "`/` is never written for integers; keep the default"),
    ("errors_as_json", "false", "lowering.errors reads the plain text"),
)


def statements() -> tuple[str, ...]:
    """The SET statements; GLOBAL, for connections that are opened later too."""
    return tuple(f"SET GLOBAL {name} = '{value}'" for name, value, _ in SETTINGS)
