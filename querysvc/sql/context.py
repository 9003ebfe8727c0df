"""What one analysis shares: session, metadata, parameters, id counters, and the typed nodes.

queries (this package)  ──►  ExpressionAnalyser.analyse(node, scope)   expressions package
expressions             ──►  context.analyse_query(query, scope)       for every subquery
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from querysvc import tree
from querysvc.model import Session
from querysvc.sql import syntax
from querysvc.sql.metadata import MetadataReader, TableInfo, ViewInfo
from querysvc.sql.query_syntax import Query, WithQuery
from querysvc.sql.scope import Scope


class ExpressionAnalyser(Protocol):
    """Types one expression; built once per analysis with the context.

    `analyse` raises Trino's error or returns the typed expression with every coercion explicit.
    It makes tree.Aggregate, tree.WindowCall and tree.Grouping nodes wherever they are written:
    whether they may stand there was checked on the syntax tree before. It records the typed form
    of every node that it visits: `context.record(node, typed)`.
    """

    def analyse(self, node: syntax.Expression, scope: Scope) -> tree.Expression: ...


@dataclass(frozen=True, slots=True)
class TableUse:
    """A table that the statement reads."""

    catalog: str
    database: str
    info: TableInfo


@dataclass(slots=True, eq=False)
class AnalysisContext:
    """The state of one statement's analysis.

    `parameters` are the expressions given for `?`, already parsed; None where the type is to be
    inferred, which none but a description can do with. `analyse_query(query, outer)`
    types a subquery whose outer references are looked up in `outer`.
    """

    session: Session
    metadata: MetadataReader
    parameters: tuple[syntax.Expression | None, ...] = ()
    analyse_query: Callable[[Query, Scope], tree.Query] = field(default=NotImplemented)
    is_deterministic: bool = True
    warnings: list[str] = field(default_factory=list)
    typed: dict[int, tree.Expression] = field(default_factory=dict)
    """By id() of the syntax node; the statement's tree outlives the analysis."""
    tables: list[TableUse] = field(default_factory=list)
    views: dict[str, Query] = field(default_factory=dict)
    """The trees of views by their text; held, so that no id of a node comes twice."""
    row_filters: dict[str, syntax.Expression] = field(default_factory=dict)
    """The trees of row filters by their text; held, as those of views."""
    relations: dict[tuple[str, str, str], TableInfo | ViewInfo | None] = field(default_factory=dict)
    """What the catalog answered, so that it is asked once and one statement sees one state."""
    replaced_view: tuple[str, str, str] | None = None
    """The view that the statement is about to replace, which it must not read."""
    with_queries: dict[int, WithQuery] = field(default_factory=dict)
    """The WITH clauses' queries by CTE id."""
    skipped: frozenset[int] = frozenset()
    """The id() of WITH clauses' queries that were checked before and that nothing refers to."""
    _relations: count[int] = field(default_factory=count)
    _lambdas: count[int] = field(default_factory=count)

    def next_relation(self) -> int:
        """A relation's or CTE's id, unique in the statement."""
        return next(self._relations)

    def next_lambda(self) -> int:
        """A lambda parameter's id, unique in the statement."""
        return next(self._lambdas)

    def table_index(self, catalog: str, database: str, info: TableInfo) -> int:
        """The index of a table that the statement reads, however often it does."""
        for index, use in enumerate(self.tables):
            same = _identity(use.info) == _identity(info)
            if same and use.catalog == catalog and use.database == database:
                return index
        self.tables.append(TableUse(catalog, database, info))
        return len(self.tables) - 1

    def relation(self, catalog: str, database: str, name: str) -> TableInfo | ViewInfo | None:
        """The catalog's table or view of that name."""
        key = (catalog, database, name)
        if key not in self.relations:
            self.relations[key] = self.metadata.relation(*key)
        return self.relations[key]

    def record(self, node: syntax.Expression, typed: tree.Expression) -> tree.Expression:
        """Remember the typed form of a node (before any coercion by what is around it)."""
        self.typed[id(node)] = typed
        return typed

    def type_of(self, node: syntax.Expression) -> tree.Expression | None:
        """The typed form of a node that was analysed."""
        return self.typed.get(id(node))


def _identity(info: TableInfo) -> tuple[str, str, int | None]:
    return info.table.name, info.table.table_type or "", info.snapshot_id
