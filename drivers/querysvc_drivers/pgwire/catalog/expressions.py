"""Expressions of PostgreSQL's as SQLite's, with the names and types of its columns.

Arrays are JSON texts, booleans 0 and 1, OIDs numbers. Types are followed bottom-up, for a cast to
text means another thing for a boolean, an array, or the number of a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlglot import exp

from querysvc.errors import ErrorCode, StatementError
from querysvc_drivers.pgwire.catalog.conversions import (
    CONVERSIONS,
    MATCHERS,
    NATIVE_NODES,
    NODE_TYPES,
    NUMERIC,
    OPERATORS,
    ROW_FUNCTIONS,
    SQLITE_NAMES,
    TEXTUAL,
    arguments_of,
    as_number,
    call_of,
    converted,
    function_name,
    identifier,
    unsupported,
)
from querysvc_drivers.pgwire.catalog.functions import (
    BOOL,
    INT4,
    INT8,
    NATIVE,
    OID,
    TEXT,
    TEXTS,
    Function,
)
from querysvc_drivers.pgwire.catalog.reading import cast_type
from querysvc_drivers.pgwire.catalog.scopes import Columns, Scope
from querysvc_drivers.pgwire.lexer import Kind, Token, string_value
from querysvc_drivers.pgwire.types import ARRAYS, ELEMENTS, Oid

Typed = tuple[exp.Expr, int]
_SYSTEM_COLUMNS: Final = {"tableoid": OID, "ctid": TEXT, "xmin": INT8, "xmax": INT8}
_CLASS_NUMBERS: Final = {"pg_type": 1247, "pg_class": 1259, "pg_proc": 1255, "pg_namespace": 2615}
_WORDS: Final = frozenset({"user", "current_role", "current_user", "session_user"})
"""Functions that are called without parentheses."""
_INT4_MAX: Final = 2**31 - 1


class ExpressionRewriter:
    """Rewrites expressions in place; queries inside of them are its heir's."""

    def __init__(self, functions: Mapping[str, Function], literals: Sequence[exp.Expr]) -> None:
        self.functions = functions
        self._literals = literals
        self.ctes: dict[str, Columns] = {}
        self.cte_names: frozenset[str] = frozenset()
        self.each: dict[str, dict[str, str]] = {}
        """The columns of functions in FROM, as json_each calls them, by alias."""
        self.relations: set[str] = set()

    def query(self, node: exp.Expr, parent: Scope | None) -> Columns:
        """Rewrite a query inside of another; gives its columns."""
        raise NotImplementedError

    def physical(self, alias: str, name: str) -> exp.Expr:
        own = self.each.get(alias, {}).get(name)
        column = exp.column(own or name, table=alias, quoted=True)
        return exp.Add(this=column, expression=exp.Literal.number(1)) if own == "key" else column

    def children(self, node: exp.Expr, scope: Scope) -> None:
        """Rewrite what an expression or clause holds."""
        for key, value in tuple(node.args.items()):
            if isinstance(value, exp.Expr):
                node.set(key, self.expression(value, scope)[0])
            elif isinstance(value, list):
                items = [
                    self.expression(item, scope)[0] if isinstance(item, exp.Expr) else item
                    for item in value
                ]
                node.set(key, items)

    def expression(self, node: exp.Expr, scope: Scope) -> Typed:
        handler = _HANDLERS.get(type(node))
        if handler is not None:
            return handler(self, node, scope)
        if isinstance(node, exp.Query):
            columns = self.query(node, scope)
            return node, columns[0][1] if columns else TEXT
        if isinstance(node, exp.Func) and type(node) not in NATIVE_NODES:
            return self._function(node, scope)
        self.children(node, scope)
        return node, self._type(node, scope)

    def _type(self, node: exp.Expr, scope: Scope) -> int:
        kind = type(node)
        if kind in NODE_TYPES:
            return NODE_TYPES[kind]
        if isinstance(node, exp.Predicate | exp.Connector | exp.Not):
            return BOOL
        if isinstance(node, exp.Binary):
            return self._type_again(node.this, scope)
        return TEXT

    def _type_again(self, node: exp.Expr, scope: Scope) -> int:
        """The type of something rewritten already."""
        return self.expression(node.copy(), scope)[1] if isinstance(node, exp.Column) else INT4

    def column(self, node: exp.Column, scope: Scope) -> Typed:
        """A column, or a function without parentheses that looks like one."""
        name = identifier(node.this)
        table = node.table.lower() if not node.args.get("table") else identifier(node.args["table"])
        oid = scope.find(table, name)
        if oid is None and name in _SYSTEM_COLUMNS and table:
            return exp.Literal.number(_CLASS_NUMBERS.get(table, 0)), _SYSTEM_COLUMNS[name]
        if oid is None and not table and name in _WORDS:
            return self._function(call_of(name), scope)
        if oid is None:
            raise StatementError(
                ErrorCode.COLUMN_NOT_FOUND,
                f'column "{table + "." if table else ""}{name}" does not exist',
            )
        if not table:
            is_output = scope.prefers_outputs and name in scope.outputs
            # By its source, for a table that is joined later may have the name too.
            for alias, columns in () if is_output else scope.sources.items():
                if alias and name in dict(columns):
                    return self.physical(alias, name), oid
            return exp.column(name, quoted=True), oid
        return self.physical(table, name), oid

    def literal(self, node: exp.Literal, _: Scope) -> Typed:
        """A constant."""
        if node.is_string:
            return node, TEXT
        text = node.name
        if not text.isdecimal():
            return node, int(Oid.NUMERIC)
        return node, INT4 if int(text) <= _INT4_MAX else INT8

    def byte_string(self, node: exp.ByteString, _: Scope) -> Typed:
        """E'…'."""
        token = Token(Kind.ESCAPED, f"E'{node.name}'", "", 0)
        return exp.Literal.string(string_value(token)), TEXT

    def parameter(self, node: exp.Parameter, _: Scope) -> Typed:
        """A bound value."""
        number = int(node.this.name)
        if not 1 <= number <= len(self._literals):
            raise StatementError(
                ErrorCode.INVALID_PARAMETER_USAGE, f"there is no parameter ${number}"
            )
        return self._literals[number - 1].copy(), TEXT

    def paren(self, node: exp.Paren, scope: Scope) -> Typed:
        """(x)."""
        inner, oid = self.expression(node.this, scope)
        node.set("this", inner)
        return node, oid

    def alias(self, node: exp.Alias, scope: Scope) -> Typed:
        """x AS name, inside of a list."""
        return self.expression(node.this, scope)

    def cast(self, node: exp.Cast, scope: Scope) -> Typed:
        """x::type."""
        target = cast_type(node.to)
        if target is None:
            raise StatementError(
                ErrorCode.TYPE_NOT_FOUND,
                f'type "{node.to.sql(dialect="postgres")}" does not exist',
            )
        value, source = self.expression(node.this, scope)
        return converted(value, source, target), target

    def dot(self, node: exp.Dot, scope: Scope) -> Typed:
        """schema.function(…), or a field of a composite."""
        inner = node.expression
        if isinstance(node.this, exp.Identifier) and isinstance(inner, exp.Func):
            return self.expression(inner, scope)
        if isinstance(node.this, exp.Paren | exp.Anonymous):
            return call_of("_rows", self.expression(node.this, scope)[0]), INT4
        raise unsupported("a field of a composite")

    def operator(self, node: exp.Operator, scope: Scope) -> Typed:
        """x OPERATOR(pg_catalog.~) y."""
        symbol = str(node.args["operator"]).rpartition(".")[2]
        made = OPERATORS.get(symbol)
        if made is None:
            raise unsupported(f"OPERATOR({symbol})")
        self.children(node, scope)
        return made(node.this, node.expression), BOOL

    def collate(self, node: exp.Collate, scope: Scope) -> Typed:
        """Every collation is C here."""
        return self.expression(node.this, scope)

    def matches(self, node: exp.Expr, scope: Scope) -> Typed:
        """x ~ y, x LIKE y and their like."""
        self.children(node, scope)
        call = call_of(MATCHERS[type(node)], node.this, node.expression)
        return exp.Not(this=call) if node.args.get("negate") else call, BOOL

    def escape(self, node: exp.Escape, scope: Scope) -> Typed:
        """x LIKE y ESCAPE z."""
        call, _ = self.expression(node.this, scope)
        call.find(exp.Anonymous).append("expressions", node.expression)  # type: ignore[union-attr]
        return call, BOOL

    def comparison(self, node: exp.Binary, scope: Scope) -> Typed:
        """x = y, x = ANY (array), x <> ALL (array)."""
        other = node.expression
        is_all = isinstance(other, exp.All) or (
            isinstance(other, exp.Anonymous) and other.name.lower() == "all"
        )
        if isinstance(other, exp.Any) or is_all:
            return self._quantified(node, other, scope, is_all=is_all), BOOL
        left, left_type = self.expression(node.this, scope)
        right, right_type = self.expression(other, scope)
        if left_type in CONVERSIONS and right_type in TEXTUAL:
            right = converted(right, right_type, left_type)
        if right_type in CONVERSIONS and left_type in TEXTUAL:
            left = converted(left, left_type, right_type)
        if left_type in NUMERIC and isinstance(right, exp.Literal) and right.is_string:
            right = as_number(right)
        if right_type in NUMERIC and isinstance(left, exp.Literal) and left.is_string:
            left = as_number(left)
        node.set("this", left)
        node.set("expression", right)
        return node, BOOL

    def _quantified(
        self, node: exp.Binary, other: exp.Expr, scope: Scope, *, is_all: bool
    ) -> exp.Expr:
        is_equal = isinstance(node, exp.EQ)
        if is_equal == is_all or not isinstance(node, exp.EQ | exp.NEQ):
            raise unsupported("ANY or ALL of another operator than = ANY and <> ALL")
        inner = other.expressions[0] if isinstance(other, exp.Anonymous) else other.this
        while isinstance(inner, exp.Paren):
            inner = inner.this
        left, _ = self.expression(node.this, scope)
        if isinstance(inner, exp.Query):
            self.query(inner, scope)
            members = inner if isinstance(inner, exp.Subquery) else exp.Subquery(this=inner)
        else:
            array, _ = self.expression(inner, scope)
            if isinstance(array, exp.Literal):
                array = call_of("_array_in", array)
            members = exp.Subquery(this=exp.select('"value"').from_(call_of("json_each", array)))
        test = exp.In(this=left, query=members)
        return exp.Not(this=test) if is_all else test

    def array(self, node: exp.Array, scope: Scope) -> Typed:
        """ARRAY[…], or ARRAY(query)."""
        if len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Query):
            query = node.expressions[0]
            columns = self.query(query, scope)
            name, oid = columns[0]
            value = exp.func("json_group_array", exp.column(name, quoted=True))
            rows = exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("_rows")))
            return exp.Subquery(this=exp.select(value).from_(rows)), ARRAYS.get(oid, TEXTS)
        items = [self.expression(item, scope) for item in node.expressions]
        oid = items[0][1] if items else TEXT
        return call_of("json_array", *(item for item, _ in items)), ARRAYS.get(oid, TEXTS)

    def bracket(self, node: exp.Bracket, scope: Scope) -> Typed:
        """array[index]: sqlglot counts from 0 where it sees a number, else not."""
        array, oid = self.expression(node.this, scope)
        written = node.expressions[0]
        index, _ = self.expression(written, scope)
        if isinstance(written, exp.Literal):
            index = exp.Add(this=index, expression=exp.Literal.number(1))
        elif isinstance(written, exp.Add) and isinstance(written.expression, exp.Neg):
            # It may have been written so, or be sqlglot's own: what is meant cannot be told.
            raise unsupported("An index that adds a negative number")
        return call_of("_element", array, index), ELEMENTS.get(oid, TEXT)

    def contains(self, node: exp.Binary, scope: Scope) -> Typed:
        """array @> array."""
        self.children(node, scope)
        return call_of("_contains", node.this, node.expression), BOOL

    def case(self, node: exp.Case, scope: Scope) -> Typed:
        """CASE: the first branch that is no NULL gives the type."""
        types: list[int] = []
        if node.this is not None:
            node.set("this", self.expression(node.this, scope)[0])
        for branch in node.args["ifs"]:
            condition, _ = self.expression(branch.this, scope)
            value, oid = self.expression(branch.args["true"], scope)
            branch.set("this", condition)
            branch.set("true", value)
            types += [] if isinstance(value, exp.Null) else [oid]
        default = node.args.get("default")
        if default is not None:
            value, oid = self.expression(default, scope)
            node.set("default", value)
            types += [] if isinstance(value, exp.Null) else [oid]
        return node, types[0] if types else TEXT

    def coalesce(self, node: exp.Coalesce, scope: Scope) -> Typed:
        """COALESCE."""
        typed = [self.expression(item, scope) for item in (node.this, *node.expressions)]
        node.set("this", typed[0][0])
        node.set("expressions", [item for item, _ in typed[1:]])
        types = [oid for item, oid in typed if not isinstance(item, exp.Null)]
        return node, types[0] if types else TEXT

    def same_type(self, node: exp.Expr, scope: Scope) -> Typed:
        """Functions whose result has their argument's type: max, min, nullif, window functions."""
        inner, oid = self.expression(node.this, scope)
        node.set("this", inner)
        for key, value in tuple(node.args.items()):
            if key != "this" and isinstance(value, exp.Expr):
                self.children(value, scope) if isinstance(
                    value, exp.Order | exp.Where | exp.WindowSpec
                ) else node.set(key, self.expression(value, scope)[0])
        return node, oid

    def array_agg(self, node: exp.ArrayAgg, scope: Scope) -> Typed:
        """array_agg(x ORDER BY …): SQLite of this age takes no order."""
        inner = node.this.this if isinstance(node.this, exp.Order) else node.this
        value, oid = self.expression(inner, scope)
        return call_of("json_group_array", value), ARRAYS.get(oid, TEXTS)

    def group_concat(self, node: exp.GroupConcat, scope: Scope) -> Typed:
        """string_agg(x, separator ORDER BY …)."""
        inner = node.this.this if isinstance(node.this, exp.Order) else node.this
        value, _ = self.expression(inner, scope)
        separator = node.args.get("separator") or exp.Literal.string(",")
        return call_of("group_concat", value, self.expression(separator, scope)[0]), TEXT

    def position(self, node: exp.StrPosition, scope: Scope) -> Typed:
        """strpos, position."""
        text, _ = self.expression(node.this, scope)
        part, _ = self.expression(node.args["substr"], scope)
        return call_of("instr", text, part), INT4

    def rows_function(self, node: exp.Expr, scope: Scope) -> Typed:
        """A function that gives rows, in a place for values; its arguments bind it to its row."""
        given = [self.expression(argument, scope)[0] for argument in arguments_of(node)]
        return call_of("_rows", *given), INT4

    def concat(self, node: exp.Concat, scope: Scope) -> Typed:
        """concat: NULL is the empty text."""
        items = [self.expression(item, scope)[0] for item in node.expressions]
        return call_of("concat", *items), TEXT

    def _function(self, node: exp.Expr, scope: Scope) -> Typed:
        name = function_name(node)
        if name in ROW_FUNCTIONS:
            return self.rows_function(node, scope)
        arguments = arguments_of(node)
        given = [self.expression(argument, scope)[0] for argument in arguments]
        known = self.functions.get(name)
        if known is None and name not in NATIVE:
            raise StatementError(
                ErrorCode.FUNCTION_NOT_FOUND, f"function {name}({len(given)}) does not exist"
            )
        oid = NATIVE[name] if known is None else known.type_oid
        return call_of(SQLITE_NAMES.get(name, name), *given), oid


_HANDLERS: Final[Mapping[type, Callable[[ExpressionRewriter, Any, Scope], Typed]]] = {
    # Any: each takes its own node, which is the key.
    exp.Column: ExpressionRewriter.column,
    exp.Literal: ExpressionRewriter.literal,
    exp.ByteString: ExpressionRewriter.byte_string,
    exp.Parameter: ExpressionRewriter.parameter,
    exp.Paren: ExpressionRewriter.paren,
    exp.Alias: ExpressionRewriter.alias,
    exp.Cast: ExpressionRewriter.cast,
    exp.Dot: ExpressionRewriter.dot,
    exp.Operator: ExpressionRewriter.operator,
    exp.Collate: ExpressionRewriter.collate,
    exp.RegexpLike: ExpressionRewriter.matches,
    exp.RegexpILike: ExpressionRewriter.matches,
    exp.Like: ExpressionRewriter.matches,
    exp.ILike: ExpressionRewriter.matches,
    exp.Escape: ExpressionRewriter.escape,
    exp.EQ: ExpressionRewriter.comparison,
    exp.NEQ: ExpressionRewriter.comparison,
    exp.Array: ExpressionRewriter.array,
    exp.Bracket: ExpressionRewriter.bracket,
    exp.ArrayContainsAll: ExpressionRewriter.contains,
    exp.Case: ExpressionRewriter.case,
    exp.Coalesce: ExpressionRewriter.coalesce,
    exp.Max: ExpressionRewriter.same_type,
    exp.Min: ExpressionRewriter.same_type,
    exp.Nullif: ExpressionRewriter.same_type,
    exp.Window: ExpressionRewriter.same_type,
    exp.Filter: ExpressionRewriter.same_type,
    exp.ArrayAgg: ExpressionRewriter.array_agg,
    exp.GroupConcat: ExpressionRewriter.group_concat,
    exp.StrPosition: ExpressionRewriter.position,
    exp.ExplodingGenerateSeries: ExpressionRewriter.rows_function,
    exp.GenerateSeries: ExpressionRewriter.rows_function,
    exp.Unnest: ExpressionRewriter.rows_function,
    exp.Concat: ExpressionRewriter.concat,
}
