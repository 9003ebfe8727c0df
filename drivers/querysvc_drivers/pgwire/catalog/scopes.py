"""What names mean inside of a query."""

from __future__ import annotations

from dataclasses import dataclass, field

Columns = list[tuple[str, int]]
"""Names with the OIDs of their types."""


@dataclass(slots=True)
class Scope:
    """What names mean in a query: its sources' columns, then those of the query around it."""

    parent: Scope | None = None
    sources: dict[str, Columns] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    prefers_outputs: bool = False
    """In ORDER BY, a name is an output's before it is a source's."""

    def find(self, table: str, name: str) -> int | None:
        """A column's type."""
        scope: Scope | None = self
        while scope is not None:
            for alias, columns in scope.sources.items():
                if table in ("", alias):
                    for known, oid in columns:
                        if known == name:
                            return oid
            if not table and name in scope.outputs:
                return scope.outputs[name]
            scope = scope.parent
        return None
