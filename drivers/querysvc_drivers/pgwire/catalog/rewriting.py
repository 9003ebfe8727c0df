"""A query of PostgreSQL's as SQLite's, with the names and types of its columns.

Arrays are JSON texts, booleans 0 and 1, OIDs numbers. Types are followed bottom-up, for a cast to
text means another thing for a boolean, an array, or the number of a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlglot import exp

from querysvc.errors import ErrorCode, StatementError
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
from querysvc_drivers.pgwire.catalog.reading import cast_type, cte_names, relation_name
from querysvc_drivers.pgwire.catalog.relations import definitions
from querysvc_drivers.pgwire.lexer import Kind, Token, string_value
from querysvc_drivers.pgwire.types import ARRAYS, ELEMENTS, Oid

Columns = list[tuple[str, int]]
Typed = tuple[exp.Expr, int]
_CONVERSIONS: Final = {
    int(Oid.REGCLASS): "regclass",
    int(Oid.REGTYPE): "regtype",
    int(Oid.REGPROC): "regproc",
    int(Oid.REGNAMESPACE): "regnamespace",
}
_TEXTUAL: Final = frozenset(
    int(oid) for oid in (Oid.TEXT, Oid.NAME, Oid.VARCHAR, Oid.BPCHAR, Oid.CHAR, Oid.UNKNOWN)
)
_NUMERIC: Final = frozenset(
    int(oid) for oid in (Oid.INT2, Oid.INT4, Oid.INT8, Oid.OID, Oid.FLOAT4, Oid.FLOAT8, Oid.NUMERIC)
)
_INT4_MAX: Final = 2**31 - 1
_SYSTEM_COLUMNS: Final = {"tableoid": OID, "ctid": TEXT, "xmin": INT8, "xmax": INT8}
_CLASS_NUMBERS: Final = {"pg_type": 1247, "pg_class": 1259, "pg_proc": 1255, "pg_namespace": 2615}


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

    def has_source(self, name: str) -> bool:
        """Whether a source is called so."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.sources:
                return True
            scope = scope.parent
        return False


class Rewriter:
    """Rewrites one tree in place."""

    def __init__(self, functions: Mapping[str, Function], literals: Sequence[exp.Expr]) -> None:
        self._functions = functions
        self._literals = literals
        self._ctes: dict[str, Columns] = {}
        self._cte_names: frozenset[str] = frozenset()
        self._each: dict[str, dict[str, str]] = {}
        """The columns of functions in FROM, as json_each calls them, by alias."""
        self.relations: set[str] = set()

    def rewrite(self, tree: exp.Expr) -> tuple[exp.Expr, Columns]:
        """The query and its columns."""
        self._cte_names = cte_names(tree)
        columns = self._query(tree, None)
        return tree, columns

    def _query(self, node: exp.Expr, parent: Scope | None) -> Columns:
        self._with(node, parent)
        if isinstance(node, exp.Subquery):
            return self._query(node.this, parent)
        if isinstance(node, exp.SetOperation):
            columns = self._query(node.this, parent)
            self._query(node.expression, parent)
            scope = Scope(parent, {"": columns})
            self._clauses(node, scope)
            return columns
        if isinstance(node, exp.Values):
            return self._values(node, parent)
        if not isinstance(node, exp.Select):
            raise _unsupported(type(node).__name__)
        return self._select(node, parent)

    def _with(self, node: exp.Expr, parent: Scope | None) -> None:
        clause = node.args.get("with_")
        if clause is None:
            return
        for cte in clause.expressions:
            name = cte.alias.lower()
            names = [column.name.lower() for column in cte.args["alias"].columns]
            inner = cte.this
            if clause.recursive and isinstance(inner, exp.SetOperation):
                columns = _renamed(self._query(inner.this, parent), names)
                self._ctes[name] = columns
                self._query(inner.expression, parent)
            else:
                columns = _renamed(self._query(inner, parent), names)
            self._ctes[name] = columns

    def _select(self, node: exp.Select, parent: Scope | None) -> Columns:
        if node.args.get("distinct") is not None and node.args["distinct"].args.get("on"):
            raise _unsupported("DISTINCT ON")
        scope = Scope(parent)
        source = node.args.get("from_")
        if source is not None:
            self._source(source.this, scope, source)
        self._joins(node, scope)
        columns: Columns = []
        projections: list[exp.Expr] = []
        for projection in node.expressions:
            projections += self._projection(projection, scope, columns)
        node.set("expressions", projections)
        scope.outputs = dict(columns)
        self._clauses(node, scope)
        return columns

    def _clauses(self, node: exp.Expr, scope: Scope) -> None:
        for key in ("where", "group", "having", "order", "limit", "offset"):
            clause = node.args.get(key)
            if clause is not None:
                scope.prefers_outputs = key == "order"
                self._children(clause, scope)
        scope.prefers_outputs = False

    def _source(self, node: exp.Expr, scope: Scope, holder: exp.Expr) -> None:
        if isinstance(node, exp.Lateral):
            node = node.this if isinstance(node.this, exp.Subquery) else node
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Func):
            self._table_function(node, node.this, scope, holder)
        elif isinstance(node, exp.Unnest):
            self._table_function(node, node, scope, holder)
        elif isinstance(node, exp.Table):
            self._table(node, scope)
        elif isinstance(node, exp.Subquery):
            self._derived(node, scope, holder)
        elif isinstance(node, exp.Values):
            self._derived(exp.Subquery(this=node, alias=node.args.get("alias")), scope, holder)
        else:
            raise _unsupported(f"{type(node).__name__} in FROM")

    def _table(self, node: exp.Table, scope: Scope) -> None:
        name = relation_name(node, self._cte_names)
        alias = (node.alias or node.name).lower()
        if name is None:
            columns = self._ctes.get(node.name.lower())
            if columns is None:
                raise StatementError(
                    ErrorCode.TABLE_NOT_FOUND, f'relation "{node.name}" does not exist'
                )
        else:
            known = definitions().get(name)
            if known is None:
                raise StatementError(ErrorCode.TABLE_NOT_FOUND, f'relation "{name}" does not exist')
            self.relations.add(name)
            columns = [(column.name, column.type_oid) for column in known]
            node.set("this", exp.to_identifier(name, quoted=True))
            node.set("db", None)
            node.set("catalog", None)
        node.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
        scope.sources[alias] = columns
        self._joins(node, scope)

    def _joins(self, node: exp.Expr, scope: Scope) -> None:
        for join in node.args.get("joins") or ():
            self._source(join.this, scope, join)
            if join.args.get("on") is not None:
                join.set("on", self._expression(join.args["on"], scope)[0])

    def _derived(self, node: exp.Subquery, scope: Scope, holder: exp.Expr) -> None:
        inner = node.this
        if isinstance(inner, exp.Table) or (
            isinstance(inner, exp.Subquery) and not node.alias and inner.alias
        ):  # FROM (a JOIN b …)
            self._source(inner, scope, node)
            self._joins(node, scope)
            return
        if isinstance(inner, exp.Subquery) and not node.alias:
            self._derived(inner, scope, node)
            self._joins(node, scope)
            return
        columns = self._query(inner, scope.parent)
        alias = (node.alias or f"_derived{len(scope.sources)}").lower()
        names = [column.name.lower() for column in _alias_columns(node)]
        if isinstance(inner, exp.Values):
            names = names or [name for name, _ in columns]
            chosen = [f'column{i} AS "{name}"' for i, name in enumerate(names, 1)]
            wrapped = exp.select(*chosen).from_(exp.Subquery(this=inner.copy()))
            columns = _renamed(columns, names)
            node = exp.Subquery(this=wrapped)
            holder.set("this", node)
        elif names:
            raise _unsupported("A list of columns after a derived table")
        node.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
        scope.sources[alias] = columns
        self._joins(node, scope)

    def _table_function(
        self,
        node: exp.Expr,
        function: exp.Expr,
        scope: Scope,
        holder: exp.Expr,
    ) -> None:
        """unnest and generate_series are json_each over their array."""
        alias_node = node.args.get("alias")
        alias = node.alias.lower() or "unnest"
        names = [column.name.lower() for column in alias_node.columns] if alias_node else []
        if isinstance(function, exp.ExplodingGenerateSeries | exp.GenerateSeries):
            arguments = [function.args[k] for k in ("start", "end", "step") if function.args.get(k)]
            given = [self._expression(argument, scope)[0] for argument in arguments]
            array: exp.Expr = _call("generate_series", *given)
            element = INT4
        elif isinstance(function, exp.Unnest) or _function_name(function) in _UNNESTING:
            array, oid = self._expression(_arguments(function)[0], scope)
            element = ELEMENTS.get(oid, TEXT)
        elif _function_name(function) == "pg_get_keywords":
            array, element, names = exp.Literal.string("[]"), TEXT, names or ["word"]
        else:
            raise _unsupported(f"the function {_function_name(function)} in FROM")
        has_order = bool(node.args.get("offset")) or len(names) > 1
        first = names[0] if names else alias
        columns: Columns = [(first, element)]
        chosen = [f'"value" AS "{first}"']
        if has_order:
            second = names[1] if len(names) > 1 else "ordinality"
            columns.append((second, INT8))
            chosen.append(f'"key" + 1 AS "{second}"')
        # A derived table could not see the tables before it; json_each itself can.
        each = _call("json_each", array)
        source = exp.Table(
            this=each, alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True))
        )
        holder.set("this", source)
        scope.sources[alias] = columns
        self._each[alias] = {first: "value", **({columns[1][0]: "key"} if has_order else {})}

    def _values(self, node: exp.Values, parent: Scope | None) -> Columns:
        scope = Scope(parent)
        columns: Columns = []
        for row in node.expressions:
            typed = [self._expression(item, scope) for item in row.expressions]
            row.set("expressions", [item for item, _ in typed])
            columns = columns or [(f"column{i}", oid) for i, (_, oid) in enumerate(typed, 1)]
        return columns

    def _projection(self, node: exp.Expr, scope: Scope, columns: Columns) -> list[exp.Expr]:
        table = None
        if isinstance(node, exp.Star):
            table = ""
        elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            table = node.table.lower()
        if table is not None:
            return self._star(table, scope, columns)
        alias = node.args.get("alias") if isinstance(node, exp.Alias) else None
        inner = node.this if isinstance(node, exp.Alias) else node
        name = _output_name(inner) if alias is None else _identifier(alias)
        typed, oid = self._expression(inner, scope)
        columns.append((name, oid))
        return [exp.alias_(typed, name, quoted=True)]

    def _star(self, table: str, scope: Scope, columns: Columns) -> list[exp.Expr]:
        found: list[exp.Expr] = []
        for alias, known in scope.sources.items():
            if table not in ("", alias):
                continue
            for name, oid in known:
                columns.append((name, oid))
                found.append(exp.alias_(self._physical(alias, name), name, quoted=True))
        if not found:
            raise StatementError(
                ErrorCode.TABLE_NOT_FOUND, f'missing FROM-clause entry for table "{table}"'
            )
        return found

    def _physical(self, alias: str, name: str) -> exp.Expr:
        own = self._each.get(alias, {}).get(name)
        column = exp.column(own or name, table=alias, quoted=True)
        return exp.Add(this=column, expression=exp.Literal.number(1)) if own == "key" else column

    def _children(self, node: exp.Expr, scope: Scope) -> None:
        """Rewrite what an expression or clause holds."""
        for key, value in tuple(node.args.items()):
            if isinstance(value, exp.Expr):
                node.set(key, self._expression(value, scope)[0])
            elif isinstance(value, list):
                items = [
                    self._expression(item, scope)[0] if isinstance(item, exp.Expr) else item
                    for item in value
                ]
                node.set(key, items)

    def _expression(self, node: exp.Expr, scope: Scope) -> Typed:
        handler = _HANDLERS.get(type(node))
        if handler is not None:
            return handler(self, node, scope)
        if isinstance(node, exp.Query):
            columns = self._query(node, scope)
            return node, columns[0][1] if columns else TEXT
        if isinstance(node, exp.Func) and type(node) not in _NATIVE_NODES:
            return self._function(node, scope)
        self._children(node, scope)
        return node, self._type(node, scope)

    def _type(self, node: exp.Expr, scope: Scope) -> int:
        kind = type(node)
        if kind in _NODE_TYPES:
            return _NODE_TYPES[kind]
        if isinstance(node, exp.Predicate | exp.Connector | exp.Not):
            return BOOL
        if isinstance(node, exp.Binary):
            return self._type_again(node.this, scope)
        return TEXT

    def _type_again(self, node: exp.Expr, scope: Scope) -> int:
        """The type of something rewritten already."""
        return self._expression(node.copy(), scope)[1] if isinstance(node, exp.Column) else INT4

    def column(self, node: exp.Column, scope: Scope) -> Typed:
        """A column, or a function without parentheses that looks like one."""
        name = _identifier(node.this)
        table = (
            node.table.lower() if not node.args.get("table") else _identifier(node.args["table"])
        )
        oid = scope.find(table, name)
        if oid is None and name in _SYSTEM_COLUMNS and table:
            return exp.Literal.number(_CLASS_NUMBERS.get(table, 0)), _SYSTEM_COLUMNS[name]
        if oid is None and table and scope.has_source(table) is False and node.args.get("db"):
            oid = scope.find(table, name)
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
                    return self._physical(alias, name), oid
            return exp.column(name, quoted=True), oid
        return self._physical(table, name), oid

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
        inner, oid = self._expression(node.this, scope)
        node.set("this", inner)
        return node, oid

    def alias(self, node: exp.Alias, scope: Scope) -> Typed:
        """x AS name, inside of a list."""
        return self._expression(node.this, scope)

    def cast(self, node: exp.Cast, scope: Scope) -> Typed:
        """x::type."""
        target = cast_type(node.to)
        if target is None:
            raise StatementError(
                ErrorCode.TYPE_NOT_FOUND,
                f'type "{node.to.sql(dialect="postgres")}" does not exist',
            )
        value, source = self._expression(node.this, scope)
        return _converted(value, source, target), target

    def dot(self, node: exp.Dot, scope: Scope) -> Typed:
        """schema.function(…), or a field of a composite."""
        inner = node.expression
        if isinstance(node.this, exp.Identifier) and isinstance(inner, exp.Func):
            return self._expression(inner, scope)
        if isinstance(node.this, exp.Paren | exp.Anonymous):
            return _call("_rows", self._expression(node.this, scope)[0]), INT4
        raise _unsupported("a field of a composite")

    def operator(self, node: exp.Operator, scope: Scope) -> Typed:
        """x OPERATOR(pg_catalog.~) y."""
        symbol = str(node.args["operator"]).rpartition(".")[2]
        made = _OPERATORS.get(symbol)
        if made is None:
            raise _unsupported(f"OPERATOR({symbol})")
        self._children(node, scope)
        return made(node.this, node.expression), BOOL

    def collate(self, node: exp.Collate, scope: Scope) -> Typed:
        """Every collation is C here."""
        return self._expression(node.this, scope)

    def matches(self, node: exp.Expr, scope: Scope) -> Typed:
        """x ~ y, x LIKE y and their like."""
        self._children(node, scope)
        call = _call(_MATCHERS[type(node)], node.this, node.expression)
        return exp.Not(this=call) if node.args.get("negate") else call, BOOL

    def escape(self, node: exp.Escape, scope: Scope) -> Typed:
        """x LIKE y ESCAPE z."""
        call, _ = self._expression(node.this, scope)
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
        left, left_type = self._expression(node.this, scope)
        right, right_type = self._expression(other, scope)
        if left_type in _CONVERSIONS and right_type in _TEXTUAL:
            right = _converted(right, right_type, left_type)
        if right_type in _CONVERSIONS and left_type in _TEXTUAL:
            left = _converted(left, left_type, right_type)
        if left_type in _NUMERIC and isinstance(right, exp.Literal) and right.is_string:
            right = _as_number(right)
        if right_type in _NUMERIC and isinstance(left, exp.Literal) and left.is_string:
            left = _as_number(left)
        node.set("this", left)
        node.set("expression", right)
        return node, BOOL

    def _quantified(
        self, node: exp.Binary, other: exp.Expr, scope: Scope, *, is_all: bool
    ) -> exp.Expr:
        is_equal = isinstance(node, exp.EQ)
        if is_equal == is_all or not isinstance(node, exp.EQ | exp.NEQ):
            raise _unsupported("ANY or ALL of another operator than = ANY and <> ALL")
        inner = other.expressions[0] if isinstance(other, exp.Anonymous) else other.this
        while isinstance(inner, exp.Paren):
            inner = inner.this
        left, _ = self._expression(node.this, scope)
        if isinstance(inner, exp.Query):
            self._query(inner, scope)
            members = inner if isinstance(inner, exp.Subquery) else exp.Subquery(this=inner)
        else:
            array, _ = self._expression(inner, scope)
            if isinstance(array, exp.Literal):
                array = _call("_array_in", array)
            members = exp.Subquery(this=exp.select('"value"').from_(_call("json_each", array)))
        test = exp.In(this=left, query=members)
        return exp.Not(this=test) if is_all else test

    def array(self, node: exp.Array, scope: Scope) -> Typed:
        """ARRAY[…], or ARRAY(query)."""
        if len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Query):
            query = node.expressions[0]
            columns = self._query(query, scope)
            name, oid = columns[0]
            value = exp.func("json_group_array", exp.column(name, quoted=True))
            rows = exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("_rows")))
            return exp.Subquery(this=exp.select(value).from_(rows)), ARRAYS.get(oid, TEXTS)
        items = [self._expression(item, scope) for item in node.expressions]
        oid = items[0][1] if items else TEXT
        return _call("json_array", *(item for item, _ in items)), ARRAYS.get(oid, TEXTS)

    def bracket(self, node: exp.Bracket, scope: Scope) -> Typed:
        """array[index]; sqlglot counts from 0."""
        array, oid = self._expression(node.this, scope)
        index, _ = self._expression(node.expressions[0], scope)
        one = exp.Literal.number(1)
        call = _call("_element", array, exp.Add(this=exp.Paren(this=index), expression=one))
        return call, ELEMENTS.get(oid, TEXT)

    def contains(self, node: exp.Binary, scope: Scope) -> Typed:
        """array @> array."""
        self._children(node, scope)
        return _call("_contains", node.this, node.expression), BOOL

    def case(self, node: exp.Case, scope: Scope) -> Typed:
        """CASE: the first branch that is no NULL gives the type."""
        types: list[int] = []
        if node.this is not None:
            node.set("this", self._expression(node.this, scope)[0])
        for branch in node.args["ifs"]:
            condition, _ = self._expression(branch.this, scope)
            value, oid = self._expression(branch.args["true"], scope)
            branch.set("this", condition)
            branch.set("true", value)
            types += [] if isinstance(value, exp.Null) else [oid]
        default = node.args.get("default")
        if default is not None:
            value, oid = self._expression(default, scope)
            node.set("default", value)
            types += [] if isinstance(value, exp.Null) else [oid]
        return node, types[0] if types else TEXT

    def coalesce(self, node: exp.Coalesce, scope: Scope) -> Typed:
        """COALESCE."""
        typed = [self._expression(item, scope) for item in (node.this, *node.expressions)]
        node.set("this", typed[0][0])
        node.set("expressions", [item for item, _ in typed[1:]])
        types = [oid for item, oid in typed if not isinstance(item, exp.Null)]
        return node, types[0] if types else TEXT

    def same_type(self, node: exp.Expr, scope: Scope) -> Typed:
        """Functions whose result has their argument's type: max, min, nullif, window functions."""
        inner, oid = self._expression(node.this, scope)
        node.set("this", inner)
        for key, value in tuple(node.args.items()):
            if key != "this" and isinstance(value, exp.Expr):
                self._children(value, scope) if isinstance(
                    value, exp.Order | exp.Where | exp.WindowSpec
                ) else node.set(key, self._expression(value, scope)[0])
        return node, oid

    def array_agg(self, node: exp.ArrayAgg, scope: Scope) -> Typed:
        """array_agg(x ORDER BY …): SQLite of this age takes no order."""
        inner = node.this.this if isinstance(node.this, exp.Order) else node.this
        value, oid = self._expression(inner, scope)
        return _call("json_group_array", value), ARRAYS.get(oid, TEXTS)

    def group_concat(self, node: exp.GroupConcat, scope: Scope) -> Typed:
        """string_agg(x, separator ORDER BY …)."""
        inner = node.this.this if isinstance(node.this, exp.Order) else node.this
        value, _ = self._expression(inner, scope)
        separator = node.args.get("separator") or exp.Literal.string(",")
        return _call("group_concat", value, self._expression(separator, scope)[0]), TEXT

    def position(self, node: exp.StrPosition, scope: Scope) -> Typed:
        """strpos, position."""
        text, _ = self._expression(node.this, scope)
        part, _ = self._expression(node.args["substr"], scope)
        return _call("instr", text, part), INT4

    def rows_function(self, node: exp.Expr, scope: Scope) -> Typed:
        """A function that gives rows, in a place for values; its arguments bind it to its row."""
        given = [self._expression(argument, scope)[0] for argument in _arguments(node)]
        return _call("_rows", *given), INT4

    def concat(self, node: exp.Concat, scope: Scope) -> Typed:
        """concat: NULL is the empty text."""
        items = [self._expression(item, scope)[0] for item in node.expressions]
        return _call("concat", *items), TEXT

    def _function(self, node: exp.Expr, scope: Scope) -> Typed:
        name = _function_name(node)
        if name in _ROW_FUNCTIONS:
            return self.rows_function(node, scope)
        arguments = _arguments(node)
        given = [self._expression(argument, scope)[0] for argument in arguments]
        known = self._functions.get(name)
        if known is None and name not in NATIVE:
            raise StatementError(
                ErrorCode.FUNCTION_NOT_FOUND, f"function {name}({len(given)}) does not exist"
            )
        oid = NATIVE[name] if known is None else known.type_oid
        return _call(_SQLITE_NAMES.get(name, name), *given), oid


def _function_name(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    assert isinstance(node, exp.Func), "what the caller has seen"
    return _FUNCTION_NODES.get(type(node)) or node.sql_name().lower()


def _arguments(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.Anonymous):
        return list(node.expressions)
    arguments: list[exp.Expr] = []
    for value in node.args.values():
        if isinstance(value, exp.Expr):
            arguments.append(value)
        elif isinstance(value, list):
            arguments += value
    return arguments


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _identifier(node: Any) -> str:
    """A name: in lower case unless it was quoted."""
    if isinstance(node, exp.Identifier):
        return node.name if node.quoted else node.name.lower()
    return str(node)


def _alias_columns(node: exp.Expr) -> list[exp.Identifier]:
    alias = node.args.get("alias")
    return [] if alias is None else list(alias.columns)


def _renamed(columns: Columns, names: list[str]) -> Columns:
    return [(names[i] if i < len(names) else name, oid) for i, (name, oid) in enumerate(columns)]


def _output_name(node: exp.Expr) -> str:
    """What PostgreSQL calls a column without an alias."""
    while isinstance(node, exp.Cast | exp.Paren | exp.Collate):
        if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal | exp.Null):
            oid = node.to.sql(dialect="postgres").lower()
            return oid.removeprefix("pg_catalog.").partition("(")[0]
        node = node.this
    if isinstance(node, exp.Dot):
        node = node.expression
    if isinstance(node, exp.Column | exp.Identifier):
        return _identifier(node.this if isinstance(node, exp.Column) else node)
    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    return _FUNCTION_NODES.get(type(node)) or _OUTPUT_NAMES.get(type(node), "?column?")


def _converted(value: exp.Expr, source: int, target: int) -> exp.Expr:
    """A cast, where it changes anything."""
    if target in _CONVERSIONS:
        if source in _TEXTUAL:
            return _call(f"_{_CONVERSIONS[target]}_in", value)
        return value
    if target in _TEXTUAL:
        return _as_text(value, source)
    if target == BOOL:
        return _call("_bool_in", value)
    if target in ELEMENTS or target == Oid.INT2VECTOR:
        is_numeric = exp.Literal.number(int(ELEMENTS.get(target, INT4) in _NUMERIC))
        return _call("_array_in", value, is_numeric) if source in _TEXTUAL else value
    if target in _NUMERIC:
        is_whole = target not in (Oid.FLOAT4, Oid.FLOAT8, Oid.NUMERIC)
        to = "INTEGER" if is_whole else "REAL"
        return exp.Cast(this=value, to=exp.DataType.build(to, dialect="sqlite"))
    return value


def _as_text(value: exp.Expr, source: int) -> exp.Expr:
    if source in _TEXTUAL:
        return value
    if source in _CONVERSIONS:
        return _call(f"_{_CONVERSIONS[source]}_out", value)
    if source in ELEMENTS:
        return _call("_array_out", value)
    if source == BOOL:
        return _either(value, "true", "false")
    return exp.Cast(this=value, to=exp.DataType.build("TEXT", dialect="sqlite"))


def _either(value: exp.Expr, yes: str, no: str) -> exp.Expr:
    return exp.Case(
        ifs=[
            exp.If(this=value, true=exp.Literal.string(yes)),
            exp.If(this=exp.Not(this=exp.Paren(this=value.copy())), true=exp.Literal.string(no)),
        ]
    )


def _as_number(literal: exp.Literal) -> exp.Expr:
    text = literal.name.strip()
    is_number = text.lstrip("-").isdecimal()
    return exp.Literal.number(text) if is_number and not text.startswith("-") else literal


def _unsupported(what: str) -> StatementError:
    return StatementError(
        ErrorCode.NOT_SUPPORTED, f"{what} is not supported in queries on pg_catalog"
    )


_MATCHERS: Final[Mapping[type, str]] = {
    exp.RegexpLike: "_matches",
    exp.RegexpILike: "_imatches",
    exp.Like: "_like",
    exp.ILike: "_ilike",
}


def _operator(name: str, *, is_negated: bool = False) -> Callable[..., exp.Expr]:
    def make(left: exp.Expr, right: exp.Expr) -> exp.Expr:
        call = _call(name, left, right)
        return exp.Not(this=call) if is_negated else call

    return make


_OPERATORS: Final[Mapping[str, Callable[..., exp.Expr]]] = {
    "~": _operator("_matches"),
    "~*": _operator("_imatches"),
    "!~": _operator("_matches", is_negated=True),
    "!~*": _operator("_imatches", is_negated=True),
    "~~": _operator("_like"),
    "!~~": _operator("_like", is_negated=True),
    "=": lambda left, right: exp.EQ(this=left, expression=right),
    "<>": lambda left, right: exp.NEQ(this=left, expression=right),
    "@>": _operator("_contains"),
}
_FUNCTION_NODES: Final[Mapping[type, str]] = {
    exp.CurrentSchema: "current_schema",
    exp.CurrentSchemas: "current_schemas",
    exp.CurrentVersion: "version",
    exp.CurrentUser: "current_user",
    exp.SessionUser: "session_user",
    exp.CurrentCatalog: "current_catalog",
    exp.CurrentDatabase: "current_database",
}
_UNNESTING: Final = frozenset({"unnest", "explode"})
_SQLITE_NAMES: Final = {
    "json_build_object": "json_object",
    "logical_and": "min",
    "logical_or": "max",
}
_ROW_FUNCTIONS: Final = frozenset(
    {"_pg_expandarray", "unnest", "explode", "generate_subscripts", "aclexplode"}
)
"""Functions that give rows: where values stand, they are refused when a row reaches them."""
_NATIVE_NODES: Final = frozenset(
    {
        *(exp.Length, exp.Lower, exp.Upper, exp.Replace, exp.Substring, exp.Trim, exp.Count),
        *(exp.Sum, exp.RowNumber, exp.Abs, exp.Exists, exp.And, exp.Or, exp.If, exp.LogicalOr),
    }
)
_NODE_TYPES: Final[Mapping[type, int]] = {
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
_OUTPUT_NAMES: Final[Mapping[type, str]] = {
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
}
_HANDLERS: Final[Mapping[type, Callable[[Rewriter, Any, Scope], Typed]]] = {
    # Any: each takes its own node, which is the key.
    exp.Column: Rewriter.column,
    exp.Literal: Rewriter.literal,
    exp.ByteString: Rewriter.byte_string,
    exp.Parameter: Rewriter.parameter,
    exp.Paren: Rewriter.paren,
    exp.Alias: Rewriter.alias,
    exp.Cast: Rewriter.cast,
    exp.Dot: Rewriter.dot,
    exp.Operator: Rewriter.operator,
    exp.Collate: Rewriter.collate,
    exp.RegexpLike: Rewriter.matches,
    exp.RegexpILike: Rewriter.matches,
    exp.Like: Rewriter.matches,
    exp.ILike: Rewriter.matches,
    exp.Escape: Rewriter.escape,
    exp.EQ: Rewriter.comparison,
    exp.NEQ: Rewriter.comparison,
    exp.Array: Rewriter.array,
    exp.Bracket: Rewriter.bracket,
    exp.ArrayContainsAll: Rewriter.contains,
    exp.Case: Rewriter.case,
    exp.Coalesce: Rewriter.coalesce,
    exp.Max: Rewriter.same_type,
    exp.Min: Rewriter.same_type,
    exp.Nullif: Rewriter.same_type,
    exp.Window: Rewriter.same_type,
    exp.Filter: Rewriter.same_type,
    exp.ArrayAgg: Rewriter.array_agg,
    exp.GroupConcat: Rewriter.group_concat,
    exp.StrPosition: Rewriter.position,
    exp.ExplodingGenerateSeries: Rewriter.rows_function,
    exp.GenerateSeries: Rewriter.rows_function,
    exp.Unnest: Rewriter.rows_function,
    exp.Concat: Rewriter.concat,
}
