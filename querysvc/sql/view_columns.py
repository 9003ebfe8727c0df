"""A view's stored columns against what its query gives now."""

from __future__ import annotations

from querysvc import tree
from querysvc.model import ResultColumn
from querysvc.types.coercion import can_coerce


def staleness(columns: tuple[ResultColumn, ...], output: tuple[tree.Field, ...]) -> str | None:
    """Why the query's output is not what the view was created with, in Trino's words."""
    if len(columns) != len(output):
        return (
            f"stored view column count ({len(columns)}) does not match column count derived from"
            f" the view query analysis ({len(output)})"
        )
    for position, (column, field) in enumerate(zip(columns, output, strict=True)):
        stored = f"column [{column.name}] of type {column.type} stored in view definition"
        given = f"of type {field.type} projected from query view at position {position}"
        if field.name is None:
            return f"a column {given} has no name"
        given = f"column [{field.name}] {given}"
        if field.name.lower() != column.name.lower():
            return f"{given} has a different name from {stored}"
        if not can_coerce(field.type, column.type):
            return f"{given} cannot be coerced to {stored}"
    return None
