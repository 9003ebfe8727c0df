"""The syntax tree of expressions: a query as the user wrote it, in the shape of Trino's own tree.

The parser is the only producer, the analyser the only consumer. Every node knows its `position`,
the 1-based (line, column) that Trino's errors give for it: an operator's is its symbol's, any
other node's its first token's. Equality ignores positions. `query_syntax` has the queries.

Functions are `FunctionCall`s whatever their name, except for the forms that Trino's parser turns
into nodes of their own (COALESCE, IF, NULLIF, TRY, CAST, EXTRACT, TRIM, the JSON_* forms …) and
those that it rewrites: POSITION(a IN b) is strpos(b, a), SUBSTRING(a FROM b) is substr(a, b),
NORMALIZE(a) is normalize(a, 'NFC'), FORMAT stays a call. `x NOT IN y` and its like are Not(In).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from querysvc.sql.query_syntax import Query

Position: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Node:
    position: Position = field(compare=False)


@dataclass(frozen=True, slots=True)
class Expression(Node):
    pass


@dataclass(frozen=True, slots=True)
class Identifier(Expression):
    """A name, or a reference to a column; `name` keeps the case, matching ignores it always."""

    name: str
    is_delimited: bool = False


# Literals.


@dataclass(frozen=True, slots=True)
class NullLiteral(Expression):
    pass


@dataclass(frozen=True, slots=True)
class BooleanLiteral(Expression):
    value: bool


@dataclass(frozen=True, slots=True)
class StringLiteral(Expression):
    """'x' or U&'x', decoded."""

    value: str


@dataclass(frozen=True, slots=True)
class BinaryLiteral(Expression):
    """X'…', decoded."""

    value: bytes


@dataclass(frozen=True, slots=True)
class IntegerLiteral(Expression):
    """A whole number within bigint; its type is integer where that holds it."""

    value: int


@dataclass(frozen=True, slots=True)
class DecimalLiteral(Expression):
    """A number with a point and no exponent: its digits as written (without `_`)."""

    text: str


@dataclass(frozen=True, slots=True)
class DoubleLiteral(Expression):
    """A number with an exponent."""

    value: float


@dataclass(frozen=True, slots=True)
class GenericLiteral(Expression):
    """A type's name and a string: DATE '…', DECIMAL '1.10', JSON '…', double precision '…'."""

    type_name: str
    value: str


@dataclass(frozen=True, slots=True)
class IntervalLiteral(Expression):
    """INTERVAL -'1 2' DAY TO HOUR; fields upper case, `sign` 1 or -1."""

    value: str
    sign: int
    start_field: str
    end_field: str | None = None


@dataclass(frozen=True, slots=True)
class Parameter(Expression):
    """A `?`, counted from 0."""

    index: int


# Operators and predicates.


@dataclass(frozen=True, slots=True)
class Dereference(Expression):
    base: Expression
    field: Identifier


@dataclass(frozen=True, slots=True)
class Subscript(Expression):
    base: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class ArithmeticUnary(Expression):
    """`-x` or `+x`; a minus before a number is that number, negative."""

    operator: str
    value: Expression


@dataclass(frozen=True, slots=True)
class ArithmeticBinary(Expression):
    """One of + - * / %."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Concatenation(Expression):
    """left || right."""

    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class AtTimeZone(Expression):
    """value AT TIME ZONE zone, the zone a string or an interval literal."""

    value: Expression
    zone: Expression


@dataclass(frozen=True, slots=True)
class Comparison(Expression):
    """One of = <> < <= > >= and IS DISTINCT FROM (whose NOT is a Not around it)."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class QuantifiedComparison(Expression):
    """value operator ALL|ANY (query); SOME is ANY."""

    operator: str
    quantifier: str
    value: Expression
    query: Query


@dataclass(frozen=True, slots=True)
class Between(Expression):
    value: Expression
    low: Expression
    high: Expression


@dataclass(frozen=True, slots=True)
class InList(Expression):
    value: Expression
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class InSubquery(Expression):
    value: Expression
    query: Query


@dataclass(frozen=True, slots=True)
class Like(Expression):
    value: Expression
    pattern: Expression
    escape: Expression | None = None


@dataclass(frozen=True, slots=True)
class IsNull(Expression):
    value: Expression


@dataclass(frozen=True, slots=True)
class Not(Expression):
    value: Expression


@dataclass(frozen=True, slots=True)
class Logical(Expression):
    """terms joined by AND or OR; a chain of one operator is one node."""

    operator: str
    terms: tuple[Expression, ...]


# Special forms.


@dataclass(frozen=True, slots=True)
class Case(Expression):
    """CASE; simple when it has an operand."""

    operand: Expression | None
    branches: tuple[tuple[Expression, Expression], ...]
    default: Expression | None


@dataclass(frozen=True, slots=True)
class If(Expression):
    condition: Expression
    true_value: Expression
    false_value: Expression | None = None


@dataclass(frozen=True, slots=True)
class NullIf(Expression):
    first: Expression
    second: Expression


@dataclass(frozen=True, slots=True)
class Coalesce(Expression):
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Try(Expression):
    value: Expression


@dataclass(frozen=True, slots=True)
class TypeName(Node):
    """A type as written, for `querysvc.types.parse.parse_type`; the position is where it starts."""

    text: str


@dataclass(frozen=True, slots=True)
class Cast(Expression):
    value: Expression
    type: TypeName
    is_try: bool = False


@dataclass(frozen=True, slots=True)
class RowConstructor(Expression):
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class ArrayConstructor(Expression):
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Lambda(Expression):
    parameters: tuple[Identifier, ...]
    body: Expression


@dataclass(frozen=True, slots=True)
class SubqueryExpression(Expression):
    query: Query


@dataclass(frozen=True, slots=True)
class Exists(Expression):
    query: Query


@dataclass(frozen=True, slots=True)
class Extract(Expression):
    """EXTRACT(field FROM value); the field is upper case and not yet checked."""

    field: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Trim(Expression):
    """TRIM; `specification` is BOTH, LEADING or TRAILING."""

    specification: str
    value: Expression
    characters: Expression | None = None


@dataclass(frozen=True, slots=True)
class CurrentTime(Expression):
    """CURRENT_DATE, CURRENT_TIME, CURRENT_TIMESTAMP, LOCALTIME or LOCALTIMESTAMP."""

    kind: str
    precision: int | None = None


@dataclass(frozen=True, slots=True)
class CurrentIdentity(Expression):
    """CURRENT_USER, CURRENT_CATALOG, CURRENT_SCHEMA or CURRENT_PATH."""

    kind: str


@dataclass(frozen=True, slots=True)
class Grouping(Expression):
    """GROUPING(columns): Identifiers and Dereferences."""

    columns: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class JsonInput(Node):
    """A value in a JSON form, with its FORMAT clause: None, JSON, UTF8, UTF16 or UTF32."""

    value: Expression
    format: str | None = None


@dataclass(frozen=True, slots=True)
class JsonPassing(Node):
    """PASSING value AS name."""

    value: JsonInput
    name: Identifier


@dataclass(frozen=True, slots=True)
class JsonPathCall(Expression):
    """JSON_EXISTS, JSON_VALUE or JSON_QUERY (`kind`): input, path, arguments and clauses.

    `options` are the clauses that were written: returning (with the type in `returning`), format,
    wrapper, quotes, on_empty, on_error, as upper-case words; a DEFAULT has its expression in
    `default_on_empty` or `default_on_error`.
    """

    kind: str
    input: JsonInput
    path: StringLiteral
    passing: tuple[JsonPassing, ...] = ()
    returning: TypeName | None = None
    options: tuple[tuple[str, str], ...] = ()
    default_on_empty: Expression | None = None
    default_on_error: Expression | None = None


@dataclass(frozen=True, slots=True)
class JsonObject(Expression):
    """JSON_OBJECT(key: value, …); `options`: on_null, unique_keys, format."""

    members: tuple[tuple[Expression, JsonInput], ...]
    returning: TypeName | None = None
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class JsonArray(Expression):
    """JSON_ARRAY(value, …); `options`: on_null, format."""

    items: tuple[JsonInput, ...]
    returning: TypeName | None = None
    options: tuple[tuple[str, str], ...] = ()


# Function calls and windows.


@dataclass(frozen=True, slots=True)
class SortItem(Node):
    """A sort key; `nulls_first` is None when not written."""

    value: Expression
    is_descending: bool = False
    nulls_first: bool | None = None


@dataclass(frozen=True, slots=True)
class FrameBound(Node):
    """`kind` is a tree.BoundKind's value; `value` stands before PRECEDING or FOLLOWING."""

    kind: str
    value: Expression | None = None


@dataclass(frozen=True, slots=True)
class WindowFrame(Node):
    """`unit` is ROWS, RANGE or GROUPS; `end` is None when BETWEEN was not written."""

    unit: str
    start: FrameBound
    end: FrameBound | None = None


@dataclass(frozen=True, slots=True)
class WindowReference(Node):
    """OVER name."""

    name: Identifier


@dataclass(frozen=True, slots=True)
class WindowSpecification(Node):
    """OVER (existing PARTITION BY … ORDER BY … frame)."""

    existing: Identifier | None = None
    partition_by: tuple[Expression, ...] = ()
    order_by: tuple[SortItem, ...] = ()
    frame: WindowFrame | None = None


@dataclass(frozen=True, slots=True)
class FunctionCall(Expression):
    """A call by name; `is_star` is f(*), `null_treatment` is IGNORE, RESPECT or None.

    `options` are LISTAGG's: separator, overflow, filler, count.
    """

    name: tuple[str, ...]
    arguments: tuple[Expression, ...] = ()
    is_distinct: bool = False
    is_star: bool = False
    order_by: tuple[SortItem, ...] = ()
    filter: Expression | None = None
    window: WindowReference | WindowSpecification | None = None
    null_treatment: str | None = None
    options: tuple[tuple[str, str], ...] = ()


def position(node: Node) -> Position:
    """The 1-based line and column where Trino's errors place the node."""
    return node.position
