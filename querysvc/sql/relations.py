"""FROM: tables and views, derived tables, joins, and their columns in sight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from querysvc import tree
from querysvc.errors import ErrorCode, StatementError
from querysvc.sql import query_syntax as qs
from querysvc.sql import syntax
from querysvc.sql.expressions.coercion import coerce
from querysvc.sql.expressions.operators import apply_operator
from querysvc.sql.metadata import TableInfo, ViewInfo, not_versioned
from querysvc.sql.parser import parse_query
from querysvc.sql.restrictions import Restriction
from querysvc.sql.scope import NamedQuery, Scope, ScopeField, fail
from querysvc.sql.sources import Source, coerce_query, relation_source
from querysvc.sql.suggestions import close_names
from querysvc.sql.table_functions import exclude_columns, sequence
from querysvc.sql.versions import table_version
from querysvc.sql.view_columns import staleness
from querysvc.sql.walk import check_scalar, everything_in
from querysvc.types import algebra
from querysvc.types.algebra import BIGINT, BOOLEAN, UNKNOWN
from querysvc.types.coercion import common_super_type

if TYPE_CHECKING:
    from querysvc.sql.queries import QueryAnalyser

_VIEW_DEPTH_MAX: Final = 32
_NAME_PARTS_MAX: Final = 3


class RelationAnalyser:
    """Types what stands in FROM."""

    def __init__(self, queries: QueryAnalyser) -> None:
        self._queries = queries
        self._context = queries.context
        self._views: list[tuple[str, str, str]] = []
        self._restriction = Restriction(queries)

    def analyse(self, node: qs.Relation, scope: Scope) -> Source:
        """The typed relation; `scope` is what a lateral reference can see."""
        source: Source = _HANDLERS[type(node)](self, node, scope)
        return source

    # Tables, views, and queries of WITH.

    def _table(self, node: qs.Table, scope: Scope) -> Source:
        if len(node.name) == 1:
            named = scope.named_query(node.name[0].name.lower())
            if named is not None:
                return self._named(node, named)
        catalog, database, name = self._full_name(node)
        found = self._context.relation(catalog, database, name)
        if found is None:
            raise self._missing(node, catalog, database, name)
        parts = tuple(part.name.lower() for part in node.name)
        place = (catalog, database, name)
        self._restriction.require_some(place, found.visible)
        if node.period is not None:
            found = self._at_version(node.period, place, found)
        if isinstance(found, ViewInfo):
            source = self._view(node, found, place, parts)
        else:
            source = self._scan(found, (catalog, database), parts)
        return self._restriction.applied(node, source, place, found.visible)

    def _at_version(
        self, node: qs.QueryPeriod, place: tuple[str, str, str], found: TableInfo | ViewInfo
    ) -> TableInfo:
        """The table as it was. Trino reads a view as it is, whatever version is asked for."""
        if isinstance(found, ViewInfo) or not found.table.is_iceberg:
            raise not_versioned()
        version = table_version(node, self._queries)
        then = self._context.metadata.at_version(*place, version)
        return replace(then, visible=found.visible)

    def _named(self, node: qs.Table, named: NamedQuery) -> Source:
        if named.is_open:
            message = "recursive reference not allowed in this context"
            raise fail(ErrorCode.INVALID_RECURSIVE_REFERENCE, node, message)
        relation = tree.CteReference(self._context.next_relation(), named.fields, named.cte)
        return relation_source(relation, (node.name[0].name.lower(),))

    def _full_name(self, node: qs.Table) -> tuple[str, str, str]:
        parts = [part.name.lower() for part in node.name]
        if len(parts) > _NAME_PARTS_MAX:
            raise StatementError(
                ErrorCode.SYNTAX_ERROR, f"Too many dots in table name: {'.'.join(parts)}"
            )
        defaults = self._queries.names
        catalog, database, name = (*defaults[: _NAME_PARTS_MAX - len(parts)], *parts)
        return catalog, database, name

    def _missing(self, node: qs.Table, catalog: str, database: str, name: str) -> StatementError:
        metadata = self._context.metadata
        if not metadata.catalog_exists(catalog):
            return fail(ErrorCode.CATALOG_NOT_FOUND, node, f"Catalog '{catalog}' not found")
        if not metadata.schema_exists(catalog, database):
            return fail(ErrorCode.SCHEMA_NOT_FOUND, node, f"Schema '{database}' does not exist")
        message = f"Table '{catalog}.{database}.{name}' does not exist"
        suggestions = close_names(name, metadata.relation_names(catalog, database))
        return fail(ErrorCode.TABLE_NOT_FOUND, node, message, suggestions)

    def _scan(self, info: TableInfo, place: tuple[str, str], name: tuple[str, ...]) -> Source:
        index = self._context.table_index(*place, info)
        relation = tree.Scan(
            self._context.next_relation(),
            tuple(tree.Field(column.name, column.type) for column in info.columns),
            index,
            tuple(range(len(info.columns))),
        )
        fields = tuple(
            ScopeField(
                column.name,
                tree.ColumnReference(column.type, relation.id, position),
                name,
                column.is_hidden,
            )
            for position, column in enumerate(info.columns)
        )
        return Source(relation, fields)

    def _view(
        self,
        node: qs.Table,
        view: ViewInfo,
        place: tuple[str, str, str],
        name: tuple[str, ...],
    ) -> Source:
        if place == self._context.replaced_view:
            message = "Statement would create a recursive view"
            raise fail(ErrorCode.VIEW_IS_RECURSIVE, node, message)
        if place in self._views or len(self._views) >= _VIEW_DEPTH_MAX:
            raise fail(ErrorCode.VIEW_IS_RECURSIVE, node, "View is recursive")
        self._views.append(place)
        try:
            parsed = self._context.views.get(view.sql)
            if parsed is None:
                parsed = self._context.views[view.sql] = parse_query(view.sql)
            query = self._queries.analyse_view(
                parsed, (view.catalog or place[0], view.database or place[1])
            )
        except StatementError as error:
            if error.code is ErrorCode.PERMISSION_DENIED:
                raise
            message = f"Failed analyzing stored view '{'.'.join(place)}': {error}"
            raise fail(ErrorCode.INVALID_VIEW, node, message) from error
        finally:
            self._views.pop()
        types = tuple(column.type for column in view.columns)
        reason = staleness(view.columns, query.output)
        if reason is not None:
            message = f"View '{'.'.join(place)}' is stale or in invalid state: {reason}"
            raise fail(ErrorCode.VIEW_IS_STALE, node, message)
        query = coerce_query(query, types, self._context.next_relation())
        fields = tuple(tree.Field(column.name, column.type) for column in view.columns)
        relation = tree.Subquery(self._context.next_relation(), fields, query)
        return relation_source(relation, name)

    # Derived tables.

    def _subquery(self, node: qs.TableSubquery, scope: Scope) -> Source:
        return self._derived(node.query, scope, is_lateral=False)

    def _lateral(self, node: qs.Lateral, scope: Scope) -> Source:
        return self._derived(node.query, scope, is_lateral=True)

    def _derived(self, query: qs.Query, scope: Scope, *, is_lateral: bool) -> Source:
        typed = self._queries.analyse(query, scope)
        relation = self._context.next_relation()
        return relation_source(tree.Subquery(relation, typed.output, typed, is_lateral))

    def _aliased(self, node: qs.AliasedRelation, scope: Scope) -> Source:
        source = self.analyse(node.relation, scope)
        name = (node.alias.name.lower(),)
        if node.columns is None:
            return Source(
                source.item, tuple(replace(item, relation=name) for item in source.fields)
            )
        visible = source.visible
        if len(visible) != len(node.columns):
            message = (
                f"Column alias list has {len(node.columns)} entries but "
                f"'{node.alias.name.lower()}' has {len(visible)} columns available"
            )
            raise fail(ErrorCode.MISMATCHED_COLUMN_ALIASES, node, message)
        return Source(
            source.item,
            tuple(
                ScopeField(column.name, item.expression, name)
                for column, item in zip(node.columns, visible, strict=True)
            ),
        )

    def _unnest(self, node: qs.Unnest, scope: Scope) -> Source:
        arguments, fields = [], list[tree.Field]()
        for argument in node.arguments:
            check_scalar(argument, "UNNEST")
            typed = self._queries.expressions.analyse(argument, scope)
            fields.extend(_unnested(typed.type))
            arguments.append(typed)
        if node.with_ordinality:
            fields.append(tree.Field(None, BIGINT))
        relation = tree.Unnest(
            self._context.next_relation(), tuple(fields), tuple(arguments), node.with_ordinality
        )
        return relation_source(relation)

    def _sampled(self, node: qs.SampledRelation, scope: Scope) -> Source:
        for part in everything_in(node.percentage):
            if isinstance(part, syntax.Identifier | syntax.Dereference):
                message = "Sample percentage cannot contain column references"
                raise fail(ErrorCode.EXPRESSION_NOT_CONSTANT, node.percentage, message)
        typed = self._queries.expressions.analyse(node.percentage, Scope())
        if typed.type == UNKNOWN:
            message = "Sample percentage cannot be NULL"
            raise fail(ErrorCode.INVALID_ARGUMENTS, node.percentage, message)
        if not typed.type.is_numeric:
            message = "Sample percentage should be a numeric expression"
            raise fail(ErrorCode.TYPE_MISMATCH, node.percentage, message)
        if not isinstance(typed, tree.Literal) or typed.value is None:
            message = "TABLESAMPLE with a percentage that is not a number is not supported"
            raise fail(ErrorCode.NOT_SUPPORTED, node.percentage, message)
        percentage = float(typed.value)  # type: ignore[arg-type]  # a numeric literal's value
        if not 0 <= percentage <= 100:
            bound = "greater than or equal to 0" if percentage < 0 else "less than or equal to 100"
            message = f"Sample percentage must be {bound}"
            raise fail(ErrorCode.NUMERIC_VALUE_OUT_OF_RANGE, node.percentage, message)
        source = self.analyse(node.relation, scope)
        if isinstance(source.item, tree.Join):
            raise fail(ErrorCode.NOT_SUPPORTED, node, "TABLESAMPLE of a join is not supported")
        base = source.item
        relation = tree.Sample(
            self._context.next_relation(), base.fields, base, node.method, percentage
        )
        return Source(
            relation,
            tuple(
                replace(item, expression=_moved(item.expression, relation.id))
                for item in source.fields
            ),
        )

    def _table_function(self, node: qs.TableFunctionCall, scope: Scope) -> Source:
        name = node.name[-1].name.lower()
        if name == "sequence":
            return sequence(self._context, self._queries.expressions, node)
        if name == "exclude_columns":
            return exclude_columns(self._context, node, lambda table: self.analyse(table, scope))
        message = f"Table function '{name}' not registered"
        raise fail(ErrorCode.FUNCTION_NOT_FOUND, node.name[0], message)

    # Joins.

    def _join(self, node: qs.Join, scope: Scope) -> Source:
        if node.is_natural:
            raise fail(ErrorCode.NOT_SUPPORTED, node, "Natural join not supported")
        left = self.analyse(node.left, scope)
        kind = tree.JoinKind(node.kind)
        lateral = _lateral_of(node.right)
        right_scope = scope
        if lateral is not None:
            self._check_lateral(node, lateral)
            right_scope = Scope(left.fields, parent=scope)
        right = self.analyse(node.right, right_scope)
        if lateral is not None and kind in (tree.JoinKind.RIGHT, tree.JoinKind.FULL):
            self._check_uncorrelated(lateral, left, kind)
        if node.using is not None:
            return self._using(node, kind, left, right)
        fields = (*left.fields, *right.fields)
        condition = None
        if node.condition is not None:
            condition = self._condition(node.condition, Scope(fields, parent=scope))
        return Source(tree.Join(kind, left.item, right.item, condition), fields)

    def _condition(self, node: syntax.Expression, scope: Scope) -> tree.Expression:
        check_scalar(node, "JOIN clause")
        typed = self._queries.expressions.analyse(node, scope)
        if typed.type not in (BOOLEAN, UNKNOWN):
            message = f"JOIN ON clause must evaluate to a boolean: actual type {typed.type}"
            raise fail(ErrorCode.TYPE_MISMATCH, node, message)
        return coerce(typed, BOOLEAN)

    def _check_lateral(self, node: qs.Join, lateral: qs.Relation) -> None:
        if not isinstance(lateral, qs.Unnest) or node.kind == "CROSS":
            return
        is_true = node.condition == syntax.BooleanLiteral((0, 0), value=True)
        if not is_true:
            place = node.condition or (node.using[0] if node.using else node)
            message = f"{node.kind} JOIN involving UNNEST is only supported with condition ON TRUE"
            raise fail(ErrorCode.NOT_SUPPORTED, place, message)

    def _check_uncorrelated(self, lateral: qs.Relation, left: Source, kind: tree.JoinKind) -> None:
        columns = {item.expression for item in left.fields}
        for node in everything_in(lateral):
            if isinstance(node, syntax.Expression) and self._context.type_of(node) in columns:
                message = f"LATERAL reference not allowed in {kind.value} JOIN"
                raise fail(ErrorCode.INVALID_COLUMN_REFERENCE, node, message)

    def _using(self, node: qs.Join, kind: tree.JoinKind, left: Source, right: Source) -> Source:
        merged, terms, taken = [], [], set[int]()
        seen: set[str] = set()
        left_scope, right_scope = Scope(left.fields), Scope(right.fields)
        for column in node.using or ():
            name = column.name.lower()
            if name in seen:
                message = f"Column '{column.name}' appears multiple times in USING clause"
                raise fail(ErrorCode.DUPLICATE_COLUMN_NAME, column, message)
            seen.add(name)
            sides = [
                _side(column, left_scope, "left"),
                _side(column, right_scope, "right"),
            ]
            taken.update(map(id, sides))
            values = [side.expression for side in sides]
            terms.append(apply_operator("=", column, (values[0], values[1])))
            merged.append(ScopeField(column.name, _merged(kind, values)))
        rest = (item for item in (*left.fields, *right.fields) if id(item) not in taken)
        join = tree.Join(kind, left.item, right.item, tree.conjunction(tuple(terms)))
        return Source(join, (*merged, *rest))


def _side(column: syntax.Identifier, scope: Scope, side: str) -> ScopeField:
    found = scope.find((column.name,), column)
    if found is None:
        message = f"Column '{column.name}' is missing from {side} side of join"
        raise fail(ErrorCode.COLUMN_NOT_FOUND, column, message)
    return found


def _merged(kind: tree.JoinKind, values: list[tree.Expression]) -> tree.Expression:
    """USING's column: one side's where that is never null for the other's sake, else either's."""
    common = common_super_type(values[0].type, values[1].type)
    assert common is not None  # `=` was resolved
    left, right = (coerce(value, common) for value in values)
    if kind in (tree.JoinKind.INNER, tree.JoinKind.LEFT):
        return left
    if kind is tree.JoinKind.RIGHT:
        return right
    return tree.Coalesce(common, (left, right))


def _lateral_of(node: qs.Relation) -> qs.Relation | None:
    """The UNNEST or LATERAL under aliases, which sees what stands to its left."""
    while isinstance(node, qs.AliasedRelation):
        node = node.relation
    return node if isinstance(node, qs.Unnest | qs.Lateral) else None


def _moved(expression: tree.Expression, relation: int) -> tree.Expression:
    if not isinstance(expression, tree.ColumnReference):
        return expression  # what stands for a column that may not be read
    return tree.ColumnReference(expression.type, relation, expression.field)


def _unnested(type_: algebra.TrinoType) -> list[tree.Field]:
    if isinstance(type_, algebra.Map):
        return [tree.Field(None, type_.key), tree.Field(None, type_.value)]
    if not isinstance(type_, algebra.Array):
        raise StatementError(ErrorCode.INVALID_FUNCTION_ARGUMENT, f"Cannot unnest type: {type_}")
    if isinstance(type_.element, algebra.Row):
        return [tree.Field(item.name, item.type) for item in type_.element.fields]
    return [tree.Field(None, type_.element)]


_HANDLERS: Final[dict[type[qs.Relation], Callable[..., Any]]] = {  # each takes its own node type
    qs.Table: RelationAnalyser._table,
    qs.TableSubquery: RelationAnalyser._subquery,
    qs.Lateral: RelationAnalyser._lateral,
    qs.AliasedRelation: RelationAnalyser._aliased,
    qs.Unnest: RelationAnalyser._unnest,
    qs.SampledRelation: RelationAnalyser._sampled,
    qs.TableFunctionCall: RelationAnalyser._table_function,
    qs.Join: RelationAnalyser._join,
}
