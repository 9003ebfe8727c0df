"""The syntax tree of queries and relations; `syntax` has the expressions inside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from querysvc.sql.syntax import (
    Expression,
    Identifier,
    Node,
    Parameter,
    SortItem,
    WindowSpecification,
)

# Relations.


@dataclass(frozen=True, slots=True)
class Relation(Node):
    pass


@dataclass(frozen=True, slots=True)
class QueryPeriod(Node):
    """FOR TIMESTAMP|VERSION AS OF value (`kind` says which)."""

    kind: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Table(Relation):
    name: tuple[Identifier, ...]
    period: QueryPeriod | None = None


@dataclass(frozen=True, slots=True)
class TableSubquery(Relation):
    """(query), in FROM or as a query's body."""

    query: Query


@dataclass(frozen=True, slots=True)
class Lateral(Relation):
    query: Query


@dataclass(frozen=True, slots=True)
class Unnest(Relation):
    arguments: tuple[Expression, ...]
    with_ordinality: bool = False


@dataclass(frozen=True, slots=True)
class TableFunctionCall(Relation):
    """TABLE(name(arguments)); an argument is (name or None, value)."""

    name: tuple[Identifier, ...]
    arguments: tuple[tuple[Identifier | None, Expression | TableArgument | Descriptor], ...]


@dataclass(frozen=True, slots=True)
class TableArgument(Node):
    """TABLE(name) or TABLE(query) as an argument."""

    relation: Table | TableSubquery


@dataclass(frozen=True, slots=True)
class Descriptor(Node):
    columns: tuple[Identifier, ...]


@dataclass(frozen=True, slots=True)
class AliasedRelation(Relation):
    relation: Relation
    alias: Identifier
    columns: tuple[Identifier, ...] | None = None


@dataclass(frozen=True, slots=True)
class SampledRelation(Relation):
    relation: Relation
    method: str
    percentage: Expression


@dataclass(frozen=True, slots=True)
class Join(Relation):
    """`kind` is a tree.JoinKind's value; at most one of condition, using, is_natural is set."""

    kind: str
    left: Relation
    right: Relation
    condition: Expression | None = None
    using: tuple[Identifier, ...] | None = None
    is_natural: bool = False
    is_implicit: bool = False


# Queries.


@dataclass(frozen=True, slots=True)
class SingleColumn(Node):
    expression: Expression
    alias: Identifier | None = None


@dataclass(frozen=True, slots=True)
class AllColumns(Node):
    """`*`, or `target.*` with optional AS (aliases)."""

    target: Expression | None = None
    aliases: tuple[Identifier, ...] = ()


SelectItem: TypeAlias = SingleColumn | AllColumns


@dataclass(frozen=True, slots=True)
class GroupingElement(Node):
    """`kind` is SIMPLE (one set), ROLLUP, CUBE or GROUPING SETS."""

    kind: str
    sets: tuple[tuple[Expression, ...], ...]


@dataclass(frozen=True, slots=True)
class GroupBy(Node):
    elements: tuple[GroupingElement, ...]
    is_distinct: bool = False
    is_auto: bool = False


@dataclass(frozen=True, slots=True)
class WindowDefinition(Node):
    name: Identifier
    window: WindowSpecification


@dataclass(frozen=True, slots=True)
class QuerySpecification(Node):
    items: tuple[SelectItem, ...]
    is_distinct: bool = False
    source: Relation | None = None
    where: Expression | None = None
    group_by: GroupBy | None = None
    having: Expression | None = None
    windows: tuple[WindowDefinition, ...] = ()


@dataclass(frozen=True, slots=True)
class SetOperation(Node):
    """UNION, INTERSECT or EXCEPT; the position is that word."""

    operator: str
    is_all: bool
    left: QueryBody
    right: QueryBody


@dataclass(frozen=True, slots=True)
class Values(Node):
    rows: tuple[Expression, ...]


QueryBody: TypeAlias = QuerySpecification | SetOperation | Values | Table | TableSubquery


@dataclass(frozen=True, slots=True)
class WithQuery(Node):
    name: Identifier
    query: Query
    columns: tuple[Identifier, ...] | None = None


@dataclass(frozen=True, slots=True)
class With(Node):
    queries: tuple[WithQuery, ...]
    is_recursive: bool = False


@dataclass(frozen=True, slots=True)
class RowCount(Node):
    """A row count of OFFSET, LIMIT or FETCH: a number, a parameter, or None for LIMIT ALL."""

    value: int | Parameter | None


@dataclass(frozen=True, slots=True)
class Query(Node):
    """WITH, a body, and the order and limit of its rows; FETCH FIRST is a limit."""

    body: QueryBody
    with_: With | None = None
    order_by: tuple[SortItem, ...] = ()
    offset: RowCount | None = None
    limit: RowCount | None = None
    is_fetch: bool = False
    with_ties: bool = False
