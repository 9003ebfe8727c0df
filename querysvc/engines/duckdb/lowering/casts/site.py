"""What a cast's builder sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from querysvc.engines.duckdb.functions.registry import Macro, call_macro
from querysvc.engines.duckdb.lowering.context import Context
from querysvc.engines.duckdb.lowering.fragments import Sql
from querysvc.engines.duckdb.lowering.types import storage_type
from querysvc.types.algebra import TrinoType


@dataclass(frozen=True, slots=True)
class CastSite:
    """One conversion: the lowered value, from which type to which."""

    value: Sql
    source: TrinoType
    target: TrinoType
    context: Context

    @property
    def target_type(self) -> str:
        """The DuckDB type of the result."""
        return storage_type(self.target)

    def call_macro(self, macro: Macro, *arguments: Sql) -> Sql:
        """A call of the macro, which the session will have."""
        return call_macro(self.context, macro, *arguments)


CastBuilder: TypeAlias = Callable[[CastSite], Sql]
CastTable: TypeAlias = Mapping[tuple[str, str], CastBuilder]
"""From base names (`TrinoType.base_name`) of source and target to the builder."""
