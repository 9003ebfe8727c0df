"""A query of PostgreSQL's as SQLite's, with the names and types of its columns.

Arrays are JSON texts, booleans 0 and 1, OIDs numbers. Types are followed bottom-up, for a cast to
text means another thing for a boolean, an array, or the number of a table.
"""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from querysvc.errors import ErrorCode, StatementError
from querysvc_drivers.pgwire.catalog.conversions import (
    UNNESTING,
    alias_columns,
    arguments_of,
    call_of,
    function_name,
    identifier,
    output_name,
    renamed,
    unsupported,
)
from querysvc_drivers.pgwire.catalog.definitions import definitions
from querysvc_drivers.pgwire.catalog.expressions import ExpressionRewriter
from querysvc_drivers.pgwire.catalog.functions import (
    INT4,
    INT8,
    OID,
    TEXT,
)
from querysvc_drivers.pgwire.catalog.reading import cte_names, relation_name
from querysvc_drivers.pgwire.catalog.scopes import Columns, Scope
from querysvc_drivers.pgwire.types import ELEMENTS

Typed = tuple[exp.Expr, int]
_SYSTEM_COLUMNS: Final = {"tableoid": OID, "ctid": TEXT, "xmin": INT8, "xmax": INT8}
_CLASS_NUMBERS: Final = {"pg_type": 1247, "pg_class": 1259, "pg_proc": 1255, "pg_namespace": 2615}


class Rewriter(ExpressionRewriter):
    """Rewrites one tree in place."""

    def rewrite(self, tree: exp.Expr) -> tuple[exp.Expr, Columns]:
        """The query and its columns."""
        self.cte_names = cte_names(tree)
        columns = self.query(tree, None)
        return tree, columns

    def query(self, node: exp.Expr, parent: Scope | None) -> Columns:
        self._with(node, parent)
        if isinstance(node, exp.Subquery):
            return self.query(node.this, parent)
        if isinstance(node, exp.SetOperation):
            columns = self.query(node.this, parent)
            self.query(node.expression, parent)
            scope = Scope(parent, {"": columns})
            self._clauses(node, scope)
            return columns
        if isinstance(node, exp.Values):
            return self._values(node, parent)
        if not isinstance(node, exp.Select):
            raise unsupported(type(node).__name__)
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
                columns = renamed(self.query(inner.this, parent), names)
                self.ctes[name] = columns
                self.query(inner.expression, parent)
            else:
                columns = renamed(self.query(inner, parent), names)
            self.ctes[name] = columns

    def _select(self, node: exp.Select, parent: Scope | None) -> Columns:
        if node.args.get("distinct") is not None and node.args["distinct"].args.get("on"):
            raise unsupported("DISTINCT ON")
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
                self.children(clause, scope)
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
            raise unsupported(f"{type(node).__name__} in FROM")

    def _table(self, node: exp.Table, scope: Scope) -> None:
        name = relation_name(node, self.cte_names)
        alias = (node.alias or node.name).lower()
        if name is None:
            columns = self.ctes.get(node.name.lower())
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
                join.set("on", self.expression(join.args["on"], scope)[0])

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
        columns = self.query(inner, scope.parent)
        alias = (node.alias or f"_derived{len(scope.sources)}").lower()
        names = [column.name.lower() for column in alias_columns(node)]
        if isinstance(inner, exp.Values):
            names = names or [name for name, _ in columns]
            chosen = [f'column{i} AS "{name}"' for i, name in enumerate(names, 1)]
            wrapped = exp.select(*chosen).from_(exp.Subquery(this=inner.copy()))
            columns = renamed(columns, names)
            node = exp.Subquery(this=wrapped)
            holder.set("this", node)
        elif names:
            raise unsupported("A list of columns after a derived table")
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
            given = [self.expression(argument, scope)[0] for argument in arguments]
            array: exp.Expr = call_of("generate_series", *given)
            element = INT4
        elif isinstance(function, exp.Unnest) or function_name(function) in UNNESTING:
            array, oid = self.expression(arguments_of(function)[0], scope)
            element = ELEMENTS.get(oid, TEXT)
        elif function_name(function) == "pg_get_keywords":
            array, element, names = exp.Literal.string("[]"), TEXT, names or ["word"]
        elif function_name(function) in self.functions:
            value, oid = self.expression(function, scope)
            first = names[0] if names else alias
            row = exp.select(exp.alias_(value, first, quoted=True))
            holder.set("this", row.subquery(exp.to_identifier(alias, quoted=True)))
            scope.sources[alias] = [(first, oid)]
            return
        else:
            raise unsupported(f"the function {function_name(function)} in FROM")
        order = node.args.get("offset")
        if isinstance(order, exp.Identifier):
            names = [*names, order.name.lower()]
        has_order = bool(order) or len(names) > 1
        first = names[0] if names else alias
        columns: Columns = [(first, element)]
        if has_order:
            second = names[1] if len(names) > 1 else "ordinality"
            columns.append((second, INT8))
        # A derived table could not see the tables before it; json_each itself can.
        each = call_of("json_each", array)
        source = exp.Table(
            this=each, alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True))
        )
        holder.set("this", source)
        scope.sources[alias] = columns
        self.each[alias] = {first: "value", **({columns[1][0]: "key"} if has_order else {})}

    def _values(self, node: exp.Values, parent: Scope | None) -> Columns:
        scope = Scope(parent)
        columns: Columns = []
        for row in node.expressions:
            typed = [self.expression(item, scope) for item in row.expressions]
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
        name = output_name(inner) if alias is None else identifier(alias)
        typed, oid = self.expression(inner, scope)
        columns.append((name, oid))
        return [exp.alias_(typed, name, quoted=True)]

    def _star(self, table: str, scope: Scope, columns: Columns) -> list[exp.Expr]:
        found: list[exp.Expr] = []
        for alias, known in scope.sources.items():
            if table not in ("", alias):
                continue
            for name, oid in known:
                columns.append((name, oid))
                found.append(exp.alias_(self.physical(alias, name), name, quoted=True))
        if not found:
            raise StatementError(
                ErrorCode.TABLE_NOT_FOUND, f'missing FROM-clause entry for table "{table}"'
            )
        return found
