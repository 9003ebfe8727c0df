"""Names, casts and operators of PostgreSQL's, as SQLite knows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlglot import exp

from querysvc.errors import ErrorCode, StatementError
from querysvc_drivers.pgwire.catalog.functions import BOOL, INT4, INT8, TEXT
from querysvc_drivers.pgwire.catalog.scopes import Columns
from querysvc_drivers.pgwire.types import ELEMENTS, Oid

CONVERSIONS: Final = {
    int(Oid.REGCLASS): "regclass",
    int(Oid.REGTYPE): "regtype",
    int(Oid.REGPROC): "regproc",
    int(Oid.REGNAMESPACE): "regnamespace",
}
TEXTUAL: Final = frozenset(
    int(oid) for oid in (Oid.TEXT, Oid.NAME, Oid.VARCHAR, Oid.BPCHAR, Oid.CHAR, Oid.UNKNOWN)
)
NUMERIC: Final = frozenset(
    int(oid) for oid in (Oid.INT2, Oid.INT4, Oid.INT8, Oid.OID, Oid.FLOAT4, Oid.FLOAT8, Oid.NUMERIC)
)
_INT4_MAX: Final = 2**31 - 1


def function_name(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    assert isinstance(node, exp.Func), "what the caller has seen"
    return FUNCTION_NODES.get(type(node)) or node.sql_name().lower()


def arguments_of(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.Anonymous):
        return list(node.expressions)
    arguments: list[exp.Expr] = []
    for value in node.args.values():
        if isinstance(value, exp.Expr):
            arguments.append(value)
        elif isinstance(value, list):
            arguments += value
    return arguments


def call_of(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def identifier(node: Any) -> str:
    """A name: in lower case unless it was quoted."""
    if isinstance(node, exp.Identifier):
        return node.name if node.quoted else node.name.lower()
    return str(node)


def alias_columns(node: exp.Expr) -> list[exp.Identifier]:
    alias = node.args.get("alias")
    return [] if alias is None else list(alias.columns)


def renamed(columns: Columns, names: list[str]) -> Columns:
    return [(names[i] if i < len(names) else name, oid) for i, (name, oid) in enumerate(columns)]


def output_name(node: exp.Expr) -> str:
    """What PostgreSQL calls a column without an alias."""
    while isinstance(node, exp.Cast | exp.Paren | exp.Collate):
        if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal | exp.Null):
            oid = node.to.sql(dialect="postgres").lower()
            return oid.removeprefix("pg_catalog.").partition("(")[0]
        node = node.this
    if isinstance(node, exp.Case) and node.args.get("default") is not None:
        name = output_name(node.args["default"])
        return "case" if name == "?column?" else name
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Select):
        first = node.this.expressions[0]
        return identifier(first.args["alias"]) if first.alias else output_name(first)
    if isinstance(node, exp.Dot):
        node = node.expression
    if isinstance(node, exp.Column | exp.Identifier):
        return identifier(node.this if isinstance(node, exp.Column) else node)
    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    kind = type(node)
    return OUTPUT_NAMES.get(kind) or FUNCTION_NODES.get(kind, "?column?")


def converted(value: exp.Expr, source: int, target: int) -> exp.Expr:
    """A cast, where it changes anything."""
    if target in CONVERSIONS:
        if source in TEXTUAL:
            return call_of(f"_{CONVERSIONS[target]}_in", value)
        return value
    if target in TEXTUAL:
        return as_text(value, source)
    if target == BOOL:
        return call_of("_bool_in", value)
    if target in ELEMENTS or target == Oid.INT2VECTOR:
        is_numeric = exp.Literal.number(int(ELEMENTS.get(target, INT4) in NUMERIC))
        return call_of("_array_in", value, is_numeric) if source in TEXTUAL else value
    if target in NUMERIC:
        is_whole = target not in (Oid.FLOAT4, Oid.FLOAT8, Oid.NUMERIC)
        to = "INTEGER" if is_whole else "REAL"
        return exp.Cast(this=value, to=exp.DataType.build(to, dialect="sqlite"))
    return value


def as_text(value: exp.Expr, source: int) -> exp.Expr:
    if source in TEXTUAL:
        return value
    if source in CONVERSIONS:
        return call_of(f"_{CONVERSIONS[source]}_out", value)
    if source in ELEMENTS:
        return call_of("_array_out", value)
    if source == BOOL:
        return either(value, "true", "false")
    return exp.Cast(this=value, to=exp.DataType.build("TEXT", dialect="sqlite"))


def either(value: exp.Expr, yes: str, no: str) -> exp.Expr:
    return exp.Case(
        ifs=[
            exp.If(this=value, true=exp.Literal.string(yes)),
            exp.If(this=exp.Not(this=exp.Paren(this=value.copy())), true=exp.Literal.string(no)),
        ]
    )


def as_number(literal: exp.Literal) -> exp.Expr:
    text = literal.name.strip()
    is_number = text.lstrip("-").isdecimal()
    return exp.Literal.number(text) if is_number and not text.startswith("-") else literal


def unsupported(what: str) -> StatementError:
    return StatementError(
        ErrorCode.NOT_SUPPORTED, f"{what} is not supported in queries on pg_catalog"
    )


MATCHERS: Final[Mapping[type, str]] = {
    exp.RegexpLike: "_matches",
    exp.RegexpILike: "_imatches",
    exp.Like: "_like",
    exp.ILike: "_ilike",
}


def operator(name: str, *, is_negated: bool = False) -> Callable[..., exp.Expr]:
    def make(left: exp.Expr, right: exp.Expr) -> exp.Expr:
        call = call_of(name, left, right)
        return exp.Not(this=call) if is_negated else call

    return make


OPERATORS: Final[Mapping[str, Callable[..., exp.Expr]]] = {
    "~": operator("_matches"),
    "~*": operator("_imatches"),
    "!~": operator("_matches", is_negated=True),
    "!~*": operator("_imatches", is_negated=True),
    "~~": operator("_like"),
    "!~~": operator("_like", is_negated=True),
    "=": lambda left, right: exp.EQ(this=left, expression=right),
    "<>": lambda left, right: exp.NEQ(this=left, expression=right),
    "@>": operator("_contains"),
}
FUNCTION_NODES: Final[Mapping[type, str]] = {
    exp.CurrentSchema: "current_schema",
    exp.CurrentSchemas: "current_schemas",
    exp.CurrentVersion: "version",
    exp.CurrentUser: "current_user",
    exp.SessionUser: "session_user",
    exp.CurrentCatalog: "current_catalog",
    exp.CurrentDatabase: "current_database",
    exp.CurrentTimestamp: "_now",
}
UNNESTING: Final = frozenset({"unnest", "explode"})
SQLITE_NAMES: Final = {
    "json_build_object": "json_object",
    "logical_and": "min",
    "logical_or": "max",
}
ROW_FUNCTIONS: Final = frozenset(
    {"_pg_expandarray", "unnest", "explode", "generate_subscripts", "aclexplode"}
)
"""Functions that give rows: where values stand, they are refused when a row reaches them."""
NATIVE_NODES: Final = frozenset(
    {
        *(exp.Length, exp.Lower, exp.Upper, exp.Replace, exp.Substring, exp.Trim, exp.Count),
        *(exp.Sum, exp.RowNumber, exp.Abs, exp.Exists, exp.And, exp.Or, exp.If, exp.LogicalOr),
    }
)
NODE_TYPES: Final[Mapping[type, int]] = {
    exp.Length: INT4,
    exp.Count: INT8,
    exp.Sum: INT8,
    exp.RowNumber: INT8,
    exp.Boolean: BOOL,
    exp.Exists: BOOL,
    exp.DPipe: TEXT,
    exp.Null: TEXT,
    exp.Neg: INT4,
}
OUTPUT_NAMES: Final[Mapping[type, str]] = {
    exp.Case: "case",
    exp.Coalesce: "coalesce",
    exp.Exists: "exists",
    exp.Array: "array",
    exp.Boolean: "bool",
    exp.Count: "count",
    exp.Max: "max",
    exp.Min: "min",
    exp.Sum: "sum",
    exp.Lower: "lower",
    exp.Upper: "upper",
    exp.Length: "length",
    exp.Replace: "replace",
    exp.Substring: "substring",
    exp.ArrayAgg: "array_agg",
    exp.GroupConcat: "string_agg",
    exp.Concat: "concat",
    exp.Nullif: "nullif",
    exp.StrPosition: "strpos",
    exp.RowNumber: "row_number",
    exp.CurrentTimestamp: "now",
}
