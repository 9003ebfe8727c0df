"""The typed tree: a checked statement, every expression with its Trino type.

The analyser (`querysvc.sql`) is the only producer, an engine's lowering the only consumer. Names
are gone: a column is (relation id, field index), an output its index, a lambda parameter an id.
Coercions are `Cast` nodes: operands have the types of the signature. Values of literals:

    boolean bool · integers int · real, double float · decimal Decimal · varchar, char, json,
    uuid, ipaddress str · varbinary bytes · date int (days since 1970-01-01) · time(p) int
    (picoseconds of the day) · timestamp(p) int (picoseconds since the epoch, of the local clock) ·
    timestamp(p) with time zone (int picoseconds since the epoch in UTC, zone name) · time(p) with
    time zone (int picoseconds of the local clock, offset in minutes) · interval day to second int
    (milliseconds) · interval year to month int (months) · any type None (NULL)
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from querysvc.types.algebra import BOOLEAN, TrinoType

LiteralValue: TypeAlias = (
    bool | int | float | Decimal | str | bytes | tuple[int, str] | tuple[int, int] | None
)


@dataclass(frozen=True, slots=True)
class Expression:
    """A node that yields one value of `type`."""

    type: TrinoType


@dataclass(frozen=True, slots=True)
class Literal(Expression):
    """A constant; see the module's docstring for the value's form."""

    value: LiteralValue


@dataclass(frozen=True, slots=True)
class ColumnReference(Expression):
    """A field of a relation in scope; an outer relation's when the query is correlated."""

    relation: int
    field: int


@dataclass(frozen=True, slots=True)
class OutputReference(Expression):
    """An item of the same SELECT's output (only in ORDER BY)."""

    index: int


@dataclass(frozen=True, slots=True)
class LambdaReference(Expression):
    """A parameter of an enclosing lambda."""

    parameter: int


@dataclass(frozen=True, slots=True)
class Lambda(Expression):
    """A lambda expression; `parameters` are (id, type)."""

    parameters: tuple[tuple[int, TrinoType], ...]
    body: Expression


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """A scalar function or operator with its chosen signature.

    `key` is the signature's key (`querysvc.sql.functions`), e.g. `abs(decimal(p,s))`; an operator's
    name is its symbol in Trino's spelling:
    `+ - * / % negate = <> < <= > >= || [] IS DISTINCT FROM`.
    """

    name: str
    key: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Cast(Expression):
    """CAST, or TRY_CAST when `is_try`; implicit coercions are casts too."""

    value: Expression
    is_try: bool = False


@dataclass(frozen=True, slots=True)
class Not(Expression):
    value: Expression


class LogicalOperator(StrEnum):
    AND = "AND"
    OR = "OR"


@dataclass(frozen=True, slots=True)
class Logical(Expression):
    operator: LogicalOperator
    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class IsNull(Expression):
    value: Expression


@dataclass(frozen=True, slots=True)
class Between(Expression):
    """value BETWEEN low AND high, all of one type; the value is evaluated once."""

    value: Expression
    low: Expression
    high: Expression


@dataclass(frozen=True, slots=True)
class InList(Expression):
    """value IN (items), all of one type."""

    value: Expression
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Like(Expression):
    value: Expression
    pattern: Expression
    escape: Expression | None = None


@dataclass(frozen=True, slots=True)
class Case(Expression):
    """CASE; searched when `operand` is None, else each condition is compared with the operand."""

    operand: Expression | None
    branches: tuple[tuple[Expression, Expression], ...]
    default: Expression | None


@dataclass(frozen=True, slots=True)
class Coalesce(Expression):
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class NullIf(Expression):
    """NULLIF(first, second); compared in `comparison_type`, the result keeps the first's type."""

    first: Expression
    second: Expression
    comparison_type: TrinoType


@dataclass(frozen=True, slots=True)
class Try(Expression):
    """TRY(value): NULL when evaluation fails with one of errors.CAUGHT_BY_TRY."""

    value: Expression


@dataclass(frozen=True, slots=True)
class RowConstructor(Expression):
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class ArrayConstructor(Expression):
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Dereference(Expression):
    """A field of a row, by 0-based position (`r.x`, or `r[1]` with a literal)."""

    value: Expression
    index: int


@dataclass(frozen=True, slots=True)
class JsonFunction(Expression):
    """A SQL/JSON special form: JSON_EXISTS, JSON_VALUE, JSON_QUERY, JSON_OBJECT, JSON_ARRAY.

    `options` are its clauses in normal form, e.g. (("on_empty", "NULL"), ("wrapper", "WITHOUT")).
    """

    name: str
    arguments: tuple[Expression, ...]
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ScalarSubquery(Expression):
    """(query): its single value; NULL for no row; SUBQUERY_MULTIPLE_ROWS for more than one."""

    query: Query


@dataclass(frozen=True, slots=True)
class Exists(Expression):
    query: Query


@dataclass(frozen=True, slots=True)
class InSubquery(Expression):
    value: Expression
    query: Query


class Quantifier(StrEnum):
    ALL = "ALL"
    ANY = "ANY"


@dataclass(frozen=True, slots=True)
class QuantifiedComparison(Expression):
    """value <operator> ALL|ANY (query)."""

    operator: str
    quantifier: Quantifier
    value: Expression
    query: Query


@dataclass(frozen=True, slots=True)
class SortItem:
    """One ORDER BY key. Trino's default is NULLS LAST for both directions."""

    value: Expression
    is_descending: bool = False
    nulls_first: bool = False


@dataclass(frozen=True, slots=True)
class Aggregate(Expression):
    """An aggregate call; allowed where the Select groups (explicitly or implicitly)."""

    name: str
    key: str
    arguments: tuple[Expression, ...]
    is_distinct: bool = False
    filter: Expression | None = None
    order_by: tuple[SortItem, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    """listagg's ON OVERFLOW clause and the like."""


@dataclass(frozen=True, slots=True)
class Grouping(Expression):
    """GROUPING(…): the 0-based indexes of grouping keys, first is the highest bit."""

    keys: tuple[int, ...]


class FrameUnit(StrEnum):
    ROWS = "ROWS"
    RANGE = "RANGE"
    GROUPS = "GROUPS"


class BoundKind(StrEnum):
    UNBOUNDED_PRECEDING = "UNBOUNDED PRECEDING"
    PRECEDING = "PRECEDING"
    CURRENT_ROW = "CURRENT ROW"
    FOLLOWING = "FOLLOWING"
    UNBOUNDED_FOLLOWING = "UNBOUNDED FOLLOWING"


@dataclass(frozen=True, slots=True)
class FrameBound:
    kind: BoundKind
    value: Expression | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    unit: FrameUnit
    start: FrameBound
    end: FrameBound


@dataclass(frozen=True, slots=True)
class Window:
    partition_by: tuple[Expression, ...] = ()
    order_by: tuple[SortItem, ...] = ()
    frame: Frame | None = None
    """None is SQL's default: RANGE UNBOUNDED PRECEDING to CURRENT ROW with ORDER BY, else all."""


@dataclass(frozen=True, slots=True)
class WindowCall(Expression):
    """A window function or an aggregate OVER a window."""

    name: str
    key: str
    arguments: tuple[Expression, ...]
    window: Window
    is_distinct: bool = False
    filter: Expression | None = None
    ignore_nulls: bool = False
    order_by: tuple[SortItem, ...] = ()
    options: tuple[tuple[str, str], ...] = ()


# Relations: what stands in FROM. Ids are unique in the statement.


@dataclass(frozen=True, slots=True)
class Field:
    """A visible column of a relation or an output: its name (None when unnamed) and type."""

    name: str | None
    type: TrinoType


@dataclass(frozen=True, slots=True)
class Relation:
    """A source of rows with typed fields."""

    id: int
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Scan(Relation):
    """A catalog table; `table` indexes `Statement.tables`, `columns` its columns by position."""

    table: int
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Values(Relation):
    """Inline rows; every row has the relation's types."""

    rows: tuple[tuple[Expression, ...], ...]


@dataclass(frozen=True, slots=True)
class Subquery(Relation):
    """A derived table; sees what is left of it when lateral; a barrier hides rows that it drops."""

    query: Query
    is_lateral: bool = False
    is_barrier: bool = False


@dataclass(frozen=True, slots=True)
class CteReference(Relation):
    """A reference to `Query.ctes` of this or an enclosing query, by the CTE's id."""

    cte: int


@dataclass(frozen=True, slots=True)
class Unnest(Relation):
    """UNNEST(arrays and maps) [WITH ORDINALITY]; may refer to relations to its left.

    Fields: an array of rows gives the row's fields, another array one, a map two; the shorter
    ones are padded with NULL; the ordinality (bigint, 1-based) comes last.
    """

    arguments: tuple[Expression, ...]
    with_ordinality: bool = False


@dataclass(frozen=True, slots=True)
class TableFunction(Relation):
    """A table function's call, e.g. sequence(start, stop, step), with constant arguments."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Sample(Relation):
    """TABLESAMPLE; same fields as its source, percentage 0-100."""

    source: FromItem
    method: str
    percentage: float


class JoinKind(StrEnum):
    INNER = "INNER"
    LEFT = "LEFT"
    RIGHT = "RIGHT"
    FULL = "FULL"
    CROSS = "CROSS"


@dataclass(frozen=True, slots=True)
class Join:
    """A join; it has no fields of its own: USING's merged columns are Coalesce expressions."""

    kind: JoinKind
    left: FromItem
    right: FromItem
    condition: Expression | None


FromItem: TypeAlias = Relation | Join


# Queries.


@dataclass(frozen=True, slots=True)
class GroupBy:
    """Grouping keys and the sets over them, each a tuple of key indexes.

    A plain GROUP BY a, b is keys (a, b), sets ((0, 1),); a global aggregation is keys (), sets
    ((),). Sets keep duplicates. `is_distinct` is GROUP BY DISTINCT.
    """

    keys: tuple[Expression, ...]
    sets: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT. Evaluated: source, where, group_by, having, windows and items, distinct.

    In a grouped Select, an expression in items, having or order_by that equals a grouping key is
    that key (structural equality); everything else there is made of keys, Aggregates and literals.
    """

    items: tuple[Expression, ...]
    source: FromItem | None = None
    where: Expression | None = None
    group_by: GroupBy | None = None
    having: Expression | None = None
    is_distinct: bool = False


class SetOperator(StrEnum):
    UNION = "UNION"
    INTERSECT = "INTERSECT"
    EXCEPT = "EXCEPT"


@dataclass(frozen=True, slots=True)
class SetOperation:
    """left op right; both sides already have the result's types."""

    operator: SetOperator
    is_all: bool
    left: Query
    right: Query


@dataclass(frozen=True, slots=True)
class ValuesBody:
    """VALUES as a query."""

    rows: tuple[tuple[Expression, ...], ...]


QueryBody: TypeAlias = Select | SetOperation | ValuesBody


@dataclass(frozen=True, slots=True)
class Cte:
    """WITH name AS (query); recursive when the query refers to its own id."""

    id: int
    query: Query
    is_recursive: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A query: CTEs, body, and the order and limit (or FETCH FIRST … WITH TIES) of its rows.

    `order_by` keys are OutputReferences, or (over a Select that is not distinct) expressions over
    the Select's source, or grouping keys and aggregates.
    """

    output: tuple[Field, ...]
    body: QueryBody
    ctes: tuple[Cte, ...] = ()
    order_by: tuple[SortItem, ...] = ()
    offset: int | None = None
    limit: int | None = None
    with_ties: bool = False


def conjunction(terms: tuple[Expression, ...]) -> Expression | None:
    """AND of the terms; None for none of them."""
    if len(terms) <= 1:
        return terms[0] if terms else None
    return Logical(type=BOOLEAN, operator=LogicalOperator.AND, terms=terms)
