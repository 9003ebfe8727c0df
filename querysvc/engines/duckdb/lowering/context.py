"""What lowering carries down the tree, and what it collects for the session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from querysvc.engines.duckdb.functions.registry import Macro, PythonFunction
from querysvc.engines.duckdb.lowering.fragments import Sql
from querysvc.model import Session
from querysvc.tree import Expression, Query

# A handler takes the node type under which it is listed: hence Any.
Handler: TypeAlias = Callable[["Context", Any], Sql]


@dataclass(slots=True)
class Needs:
    """What the generated SQL calls: installed in the session before it runs."""

    macros: dict[str, Macro] = field(default_factory=dict)
    functions: dict[str, PythonFunction] = field(default_factory=dict)
    is_narrowed: bool = False
    """Some decimals are computed in fewer digits than their type has (`narrow_decimals`)."""

    def add_macro(self, macro: Macro) -> None:
        """Ask for the macro and for those that it uses."""
        for used in macro.uses:
            self.add_macro(used)
        self.macros.setdefault(macro.name, macro)

    def add_function(self, function: PythonFunction) -> None:
        """Ask for the function."""
        self.functions.setdefault(function.name, function)


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of the node being lowered."""

    handlers: Mapping[type[Expression], Handler]
    query_handler: Callable[[Context, Query], Sql]
    tables: Mapping[int, str]
    session: Session
    needs: Needs
    substitutions: Mapping[Expression, Sql] = field(default_factory=dict)
    """Expressions that a grouping has already computed."""
    substituted_kinds: frozenset[type[Expression]] = frozenset()
    recursion: frozenset[int] = frozenset()
    """CTEs inside whose own queries we are: there their last step's rows are read."""
    hoisted: list[Sql] | None = None
    """Inside TRY: where subqueries are moved to, since DuckDB's TRY refuses them."""
    hoist_name: str = ""
    narrows: bool = False
    """Whether what is summed may be computed in 18 digits, and fail where those do not do."""

    def lower(self, node: Expression) -> Sql:
        """The node as a fragment."""
        kind = type(node)
        if kind in self.substituted_kinds:
            found = self.substitutions.get(node)
            if found is not None:
                return found
        return self.handlers[kind](self, node)

    def lower_all(self, nodes: tuple[Expression, ...]) -> tuple[Sql, ...]:
        """The nodes as fragments."""
        return tuple(self.lower(node) for node in nodes)

    def query(self, query: Query) -> Sql:
        """The query as a SELECT statement, not parenthesised."""
        context = self if self.hoisted is None else replace(self, hoisted=None)
        return self.query_handler(context, query)

    def with_substitutions(self, found: Mapping[Expression, Sql]) -> Context:
        """The context above a grouping."""
        merged = {**self.substitutions, **found}
        return replace(self, substitutions=merged, substituted_kinds=frozenset(map(type, merged)))
