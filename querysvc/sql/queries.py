"""Queries: WITH, set operations, VALUES, and the order and limit of rows."""

from __future__ import annotations

from dataclasses import replace

from querysvc import tree
from querysvc.errors import ErrorCode
from querysvc.sql import query_syntax as qs
from querysvc.sql import syntax
from querysvc.sql.context import AnalysisContext, ExpressionAnalyser
from querysvc.sql.expressions.coercion import coerce
from querysvc.sql.ordering import row_count, sort_items
from querysvc.sql.recursion import recursive_union, references
from querysvc.sql.relations import RelationAnalyser
from querysvc.sql.scope import NamedQuery, Scope, ScopeField, fail
from querysvc.sql.selects import SelectAnalyser
from querysvc.sql.sources import coerce_query, named_fields
from querysvc.sql.walk import check_scalar
from querysvc.types.algebra import Row, RowField, TrinoType
from querysvc.types.coercion import can_coerce, common_super_type


class QueryAnalyser:
    """Types whole queries, and hands their parts to the analysers of relations and SELECTs.

    `names` are the catalog and database of unqualified table names.
    """

    def __init__(self, context: AnalysisContext, expressions: ExpressionAnalyser) -> None:
        self.context = context
        self.expressions = expressions
        self.names = (context.session.catalog.lower(), context.session.database.lower())
        self.relations = RelationAnalyser(self)

    def analyse(self, query: qs.Query, outer: Scope) -> tree.Query:
        """The typed query; `outer` is what its expressions see beyond its own FROM."""
        ctes: tuple[tree.Cte, ...] = ()
        if query.with_ is not None:
            ctes, outer = self._with(query.with_, outer)
        typed = self._limited(query, self._body(query, outer))
        return replace(typed, ctes=(*ctes, *typed.ctes)) if ctes else typed

    def analyse_view(self, query: qs.Query, names: tuple[str, str]) -> tree.Query:
        """A view's query, which sees nothing of the query that uses it."""
        saved, self.names = self.names, names
        try:
            return self.analyse(query, Scope())
        finally:
            self.names = saved

    # WITH.

    def _with(self, node: qs.With, outer: Scope) -> tuple[tuple[tree.Cte, ...], Scope]:
        ctes: list[tree.Cte] = []
        named: dict[str, NamedQuery] = {}
        scope = Scope(parent=outer, named_queries=named)
        for item in node.queries:
            if id(item) in self.context.skipped:
                continue
            name = item.name.name.lower()
            if name in named:
                message = f"WITH query name '{name}' specified more than once"
                raise fail(ErrorCode.DUPLICATE_NAMED_QUERY, item, message)
            _check_column_names(item)
            if node.is_recursive and item.columns is None:
                message = "missing column aliases in recursive WITH query"
                raise fail(ErrorCode.MISSING_COLUMN_ALIASES, item, message)
            is_recursive = node.is_recursive and bool(references(item.query, name))
            cte = self._recursive(item, scope) if is_recursive else self._plain(item, scope)
            ctes.append(cte)
            self.context.with_queries[cte.id] = item
            named[name] = NamedQuery(cte.id, _cte_fields(item, cte.query))
        return tuple(ctes), scope

    def _plain(self, item: qs.WithQuery, scope: Scope) -> tree.Cte:
        return tree.Cte(self.context.next_relation(), self.analyse(item.query, scope))

    def _recursive(self, item: qs.WithQuery, scope: Scope) -> tree.Cte:
        """Base UNION step: the step sees the query with the base's types."""
        name = item.name.name.lower()
        body = recursive_union(item)
        if body is None:
            named = {name: NamedQuery(-1, (), is_open=True)}
            return self._plain(item, Scope(parent=scope, named_queries=named))
        base = self._operand(body.left, scope)
        identity = self.context.next_relation()
        fields = _cte_fields(item, base)
        opened = {name: NamedQuery(identity, fields)}
        step = self._operand(body.right, Scope(parent=scope, named_queries=opened))
        types = tuple(field.type for field in base.output)
        self._check_step(body, types, step)
        step = coerce_query(step, types, self.context.next_relation())
        union = tree.SetOperation(tree.SetOperator.UNION, body.is_all, base, step)
        return tree.Cte(identity, tree.Query(base.output, union), is_recursive=True)

    def _check_step(
        self, body: qs.SetOperation, types: tuple[TrinoType, ...], step: tree.Query
    ) -> None:
        if len(types) != len(step.output):
            message = (
                f"base and step relations of recursion have different number of fields: "
                f"{len(types)}, {len(step.output)}"
            )
            raise fail(ErrorCode.TYPE_MISMATCH, body.right, message)
        for position, (wanted, field) in enumerate(zip(types, step.output, strict=True), 1):
            if not can_coerce(field.type, wanted):
                message = (
                    f"recursion step relation output type ({field.type}) is not coercible to "
                    f"recursion base relation output type ({wanted}) at column {position}"
                )
                raise fail(ErrorCode.TYPE_MISMATCH, body.right, message)

    # Bodies.

    def _body(self, query: qs.Query, outer: Scope) -> tree.Query:
        """The body with its ORDER BY."""
        body = query.body
        if isinstance(body, qs.QuerySpecification):
            return SelectAnalyser(self, body, query.order_by, outer).analyse()
        typed = self._operand(body, outer)
        if not query.order_by:
            return typed
        if typed.order_by or typed.limit is not None or typed.offset is not None:
            typed = self._wrapped(typed)
        outputs = tuple(
            tree.OutputReference(field.type, index) for index, field in enumerate(typed.output)
        )
        fields = tuple(
            ScopeField(field.name, output)
            for field, output in zip(typed.output, outputs, strict=True)
        )
        for item in query.order_by:
            check_scalar(item.value, "ORDER BY clause")
        scope = Scope(fields, parent=outer)
        keys = sort_items(self.expressions, query.order_by, scope, outputs, query)
        return replace(typed, order_by=keys)

    def _operand(self, body: qs.QueryBody, outer: Scope) -> tree.Query:
        """A body without order: SELECT, VALUES, TABLE, a set operation, (query)."""
        if isinstance(body, qs.QuerySpecification):
            return SelectAnalyser(self, body, (), outer).analyse()
        if isinstance(body, qs.SetOperation):
            return self._set_operation(body, outer)
        if isinstance(body, qs.Values):
            return self._values(body, outer)
        if isinstance(body, qs.TableSubquery):
            return self.analyse(body.query, outer)
        source = self.relations.analyse(body, outer)
        fields = tuple(tree.Field(item.name, item.expression.type) for item in source.visible)
        items = tuple(item.expression for item in source.visible)
        return tree.Query(fields, tree.Select(items, source.item))

    def _wrapped(self, query: tree.Query) -> tree.Query:
        """SELECT * FROM (query)."""
        relation = self.context.next_relation()
        items = tuple(
            tree.ColumnReference(field.type, relation, index)
            for index, field in enumerate(query.output)
        )
        select = tree.Select(items, tree.Subquery(relation, query.output, query))
        return tree.Query(query.output, select)

    def _set_operation(self, node: qs.SetOperation, outer: Scope) -> tree.Query:
        left = self._operand(node.left, outer)
        right = self._operand(node.right, outer)
        types = _set_types(node, left, right)
        output = tuple(
            tree.Field(field.name, type_) for field, type_ in zip(left.output, types, strict=True)
        )
        body = tree.SetOperation(
            tree.SetOperator(node.operator),
            node.is_all,
            coerce_query(left, types, self.context.next_relation()),
            coerce_query(right, types, self.context.next_relation()),
        )
        return tree.Query(output, body)

    def _values(self, node: qs.Values, outer: Scope) -> tree.Query:
        rows = [self._row(item, outer) for item in node.rows]
        first = [value.type for value in rows[0]]
        types = list(first)
        for row in rows[1:]:
            if len(row) != len(types):
                message = f"Values rows have mismatched sizes: {len(types)} vs {len(row)}"
                raise fail(ErrorCode.TYPE_MISMATCH, node, message)
            common = [common_super_type(a, b.type) for a, b in zip(types, row, strict=True)]
            if None in common:
                message = (
                    f"Values rows have mismatched types: {_row_type(types)} vs "
                    f"{_row_type([value.type for value in row])}"
                )
                raise fail(ErrorCode.TYPE_MISMATCH, node, message)
            types = [type_ for type_ in common if type_ is not None]
        fields = tuple(tree.Field(None, type_) for type_ in types)
        return tree.Query(
            fields,
            tree.ValuesBody(tuple(tuple(map(coerce, row, types)) for row in rows)),
        )

    def _row(self, node: syntax.Expression, outer: Scope) -> tuple[tree.Expression, ...]:
        typed = self.expressions.analyse(node, outer)
        if isinstance(typed, tree.RowConstructor):
            return typed.items
        if isinstance(typed.type, Row):
            return tuple(
                tree.Dereference(field.type, typed, index)
                for index, field in enumerate(typed.type.fields)
            )
        return (typed,)

    # OFFSET, LIMIT, FETCH FIRST.

    def _limited(self, query: qs.Query, typed: tree.Query) -> tree.Query:
        if query.offset is None and query.limit is None:
            return typed
        clause = "FETCH FIRST" if query.is_fetch else "LIMIT"
        offset = row_count(self.expressions, query.offset, "OFFSET")
        limit = row_count(self.expressions, query.limit, clause)
        if query.with_ties and not query.order_by:
            message = "FETCH FIRST WITH TIES clause requires ORDER BY"
            raise fail(ErrorCode.MISSING_ORDER_BY, query.limit or query, message)
        if typed.limit is not None or typed.offset is not None:
            typed = self._wrapped(typed)
        return replace(typed, offset=offset or None, limit=limit, with_ties=query.with_ties)


def _set_types(node: qs.SetOperation, left: tree.Query, right: tree.Query) -> tuple[TrinoType, ...]:
    operator = node.operator
    if len(left.output) != len(right.output):
        message = (
            f"{operator} query has different number of fields: "
            f"{len(left.output)}, {len(right.output)}"
        )
        raise fail(ErrorCode.TYPE_MISMATCH, node, message)
    types = []
    for position, (one, other) in enumerate(zip(left.output, right.output, strict=True), 1):
        common = common_super_type(one.type, other.type)
        if common is None:
            message = (
                f"column {position} in {operator} query has incompatible types: "
                f"{one.type}, {other.type}"
            )
            raise fail(ErrorCode.TYPE_MISMATCH, node, message)
        needs_equality = operator != "UNION" or not node.is_all
        if needs_equality and not common.is_comparable:
            suffix = f" {'ALL' if node.is_all else 'DISTINCT'}" if operator == "UNION" else ""
            message = (
                f"Type {common} is not comparable and therefore cannot be used in "
                f"{operator}{suffix}"
            )
            raise fail(ErrorCode.TYPE_MISMATCH, node, message)
        types.append(common)
    return tuple(types)


def _row_type(types: list[TrinoType]) -> Row:
    return Row(tuple(RowField(None, type_) for type_ in types))


def _check_column_names(item: qs.WithQuery) -> None:
    seen: set[str] = set()
    for column in item.columns or ():
        if column.name.lower() in seen:
            message = f"Column name '{column.name.lower()}' specified more than once"
            raise fail(ErrorCode.DUPLICATE_COLUMN_NAME, column, message)
        seen.add(column.name.lower())


def _cte_fields(item: qs.WithQuery, query: tree.Query) -> tuple[tree.Field, ...]:
    if item.columns is None:
        return query.output
    if len(item.columns) != len(query.output):
        message = (
            f"Column alias list has {len(item.columns)} entries but relation has "
            f"{len(query.output)} columns"
        )
        raise fail(ErrorCode.MISMATCHED_COLUMN_ALIASES, item.columns[0], message)
    return named_fields(query.output, tuple(column.name for column in item.columns))
