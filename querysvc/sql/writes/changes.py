"""Checks and types DELETE, UPDATE and MERGE, and makes one query of the rows that change.

The query scans the target with the hidden columns `$path` and `$pos`, which tell each of its rows
apart; `write_plan.ChangeRows` says what it gives. All that a statement asks is asked in this one
query: a function such as random() must not answer differently for what goes and what comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from querysvc import tree
from querysvc.errors import ErrorCode, StatementError
from querysvc.model import Session
from querysvc.sql import syntax
from querysvc.sql.analyser import analyse_with, analysis_context, check_parameter_count
from querysvc.sql.expressions.coercion import coerce
from querysvc.sql.expressions.operators import apply_operator
from querysvc.sql.metadata import MetadataReader
from querysvc.sql.parser import ParsedStatement
from querysvc.sql.queries import QueryAnalyser
from querysvc.sql.scope import Scope, ScopeField, fail
from querysvc.sql.sources import Source
from querysvc.sql.walk import check_scalar
from querysvc.sql.writes.change_parser import (
    ChangeParser,
    ChangeSyntax,
    DeleteSyntax,
    MergeCase,
    MergeSyntax,
    UpdateSyntax,
)
from querysvc.sql.writes.changed_table import PATH, ChangedTable, at_start
from querysvc.types.algebra import BOOLEAN, INTEGER, UNKNOWN, TrinoType
from querysvc.write_plan import CHANGES, ChangeRows, RowAction

_POSITION: Final = "$pos"
_NO_CASE: Final = -1


def analyse_change(
    statement: ParsedStatement,
    session: Session,
    metadata: MetadataReader,
    parameters: Sequence[str] = (),
) -> ChangeRows:
    """Check and type the statement; raises StatementError."""
    parser = ChangeParser(statement)
    node = parser.statement()
    check_parameter_count(len(parameters), parser.parameters)
    context = analysis_context(session, metadata, parameters)
    target = ChangedTable(node.table.name, statement.kind, context)
    query = analyse_with(lambda queries: _query(node, target, queries), context)
    return ChangeRows(target.info.table, query, statement.kind, _actions(node))


def _actions(node: ChangeSyntax) -> frozenset[RowAction]:
    if isinstance(node, MergeSyntax):
        return frozenset(RowAction(case.action) for case in node.cases)
    is_delete = isinstance(node, DeleteSyntax)
    return frozenset({RowAction.DELETE if is_delete else RowAction.UPDATE})


def _query(node: ChangeSyntax, target: ChangedTable, queries: QueryAnalyser) -> tree.Query:
    if isinstance(node, MergeSyntax):
        return _Merge(node, target, queries).query()
    source = queries.relations.analyse(node.table, Scope())
    scope = Scope(source.fields)
    if isinstance(node, UpdateSyntax):
        columns = target.positions([one.column for one in node.assignments], _update_error)
    where = None
    if node.where is not None:
        where = condition_of(queries, node.where, scope, "WHERE clause")
    items: tuple[tree.Expression, ...] = ()
    if isinstance(node, UpdateSyntax):
        values = [_value(queries, one.value, scope) for one in node.assignments]
        target.check_types(columns, values, "UPDATE table column types don't match SET expressions")
        items = target.row(columns, values, source.fields)
    told = _told(source, is_new=bool(items), case=tree.Literal(INTEGER, 0))
    return _changes(target, (*items, *told), tree.Select((*items, *told), source.item, where))


def _told(source: Source, *, is_new: bool, case: tree.Expression) -> tuple[tree.Expression, ...]:
    """The columns of CHANGES, where every row has a row of the target."""
    row = (_hidden(source.fields, name) for name in (PATH, _POSITION))
    return (tree.Literal(BOOLEAN, is_new), case, *row)


def _changes(
    target: ChangedTable, items: tuple[tree.Expression, ...], select: tree.Select
) -> tree.Query:
    written = [column.name for column in target.columns][: len(items) - len(CHANGES)]
    names = (*written, *CHANGES)
    output = tuple(tree.Field(name, item.type) for name, item in zip(names, items, strict=True))
    return tree.Query(output, select)


class _Merge:
    """One MERGE: the join with the case that each pair falls in, and around it the new rows."""

    def __init__(self, node: MergeSyntax, target: ChangedTable, queries: QueryAnalyser) -> None:
        self._node = node
        self._target = target
        self._queries = queries

    def query(self) -> tree.Query:
        """The rows that change, and those matched without change: they may not match twice."""
        node, relations = self._node, self._queries.relations
        target = relations.analyse(node.target, Scope())
        source = relations.analyse(node.source, Scope())
        fields = (*target.fields, *source.fields)
        condition = condition_of(
            self._queries, node.condition, Scope(fields), "The MERGE predicate", "MERGE condition"
        )
        is_matched = tree.Not(BOOLEAN, tree.IsNull(BOOLEAN, _hidden(target.fields, _POSITION)))
        columns, cases = [], []
        for case in node.cases:
            columns.append(self._columns(case))
            cases.append(self._applies(case, is_matched, Scope(fields)))
        inserts = any(case.action == RowAction.INSERT for case in node.cases)
        kind = tree.JoinKind.LEFT if inserts else tree.JoinKind.INNER
        join = tree.Join(kind, source.item, target.item, condition)
        number = tree.Case(INTEGER, None, _numbered(cases), tree.Literal(INTEGER, _NO_CASE))
        return self._rows(join, fields, number, columns)

    def _columns(self, case: MergeCase) -> list[int]:
        if case.action == RowAction.INSERT and not case.columns:
            columns = list(range(len(self._target.columns)))
        else:
            columns = self._target.positions(case.columns, _merge_error)
        if len(columns) != len(case.values):
            raise fail(
                ErrorCode.TYPE_MISMATCH,
                syntax.Node(case.position),
                f"Number of merge columns ({len(columns)}) isn't equal to number of expressions"
                f" ({len(case.values)})",
            )
        return columns

    def _applies(
        self, case: MergeCase, is_matched: tree.Expression, scope: Scope
    ) -> tree.Expression:
        is_insert = case.action == RowAction.INSERT
        base = tree.Not(BOOLEAN, is_matched) if is_insert else is_matched
        if case.condition is None:
            return base
        condition = condition_of(
            self._queries, case.condition, scope, "WHERE clause predicate", "WHEN clause"
        )
        return tree.Logical(BOOLEAN, tree.LogicalOperator.AND, (base, condition))

    def _rows(
        self,
        join: tree.Join,
        fields: tuple[ScopeField, ...],
        number: tree.Expression,
        columns: Sequence[Sequence[int]],
    ) -> tree.Query:
        """SELECT new row, … FROM (SELECT fields, case FROM join) WHERE it matters."""
        items = (*(item.expression for item in fields), number)
        output = (
            *(tree.Field(item.name, item.expression.type) for item in fields),
            tree.Field(None, INTEGER),
        )
        inner = tree.Query(output, tree.Select(items, join))
        relation = tree.Subquery(self._queries.context.next_relation(), output, inner)
        references = [
            tree.ColumnReference(field.type, relation.id, index)
            for index, field in enumerate(output)
        ]
        moved = tuple(
            replace(item, expression=reference)
            for item, reference in zip(fields, references, strict=False)
        )
        case = references[-1]
        rows = [self._row(index, moved, columns[index]) for index in range(len(self._node.cases))]
        is_new = _chosen(
            case, [tree.Literal(BOOLEAN, bool(row)) for row in rows], tree.Literal(BOOLEAN, False)
        )
        position = _hidden(moved, _POSITION)
        told = (is_new, case, _hidden(moved, PATH), position)
        written = self._written(case, rows)
        acts = apply_operator(">=", self._node.table, (case, tree.Literal(INTEGER, 0)))
        is_matched = tree.Not(BOOLEAN, tree.IsNull(BOOLEAN, position))
        where = tree.Logical(BOOLEAN, tree.LogicalOperator.OR, (acts, is_matched))
        selected = (*written, *told)
        return _changes(self._target, selected, tree.Select(selected, relation, where))

    def _row(
        self, index: int, fields: tuple[ScopeField, ...], columns: Sequence[int]
    ) -> tuple[tree.Expression, ...]:
        """The new row of a case; none for a DELETE."""
        case = self._node.cases[index]
        if case.action == RowAction.DELETE:
            return ()
        scope = Scope(fields)
        values = [_value(self._queries, one, scope) for one in case.values]
        message = f"MERGE table column types don't match for MERGE case {index}, SET expressions"
        self._target.check_types(columns, values, message, case.position)
        is_update = case.action == RowAction.UPDATE
        return self._target.row(columns, values, fields if is_update else None)

    def _written(
        self, case: tree.Expression, rows: Sequence[tuple[tree.Expression, ...]]
    ) -> tuple[tree.Expression, ...]:
        """Each column's value by the case; none when no case gives a row."""
        if not any(rows):
            return ()
        return tuple(
            _chosen(case, [row[index] if row else None for row in rows], _null(column.type))
            for index, column in enumerate(self._target.columns)
        )


def _numbered(
    cases: Sequence[tree.Expression],
) -> tuple[tuple[tree.Expression, tree.Expression], ...]:
    return tuple((applies, tree.Literal(INTEGER, index)) for index, applies in enumerate(cases))


def _chosen(
    case: tree.Expression, values: Sequence[tree.Expression | None], default: tree.Expression
) -> tree.Expression:
    branches = tuple(
        (tree.Literal(INTEGER, index), value)
        for index, value in enumerate(values)
        if value is not None
    )
    return tree.Case(default.type, case, branches, default)


def _null(type_: TrinoType) -> tree.Expression:
    return tree.Literal(type_, None)


def _hidden(fields: Sequence[ScopeField], name: str) -> tree.Expression:
    """A hidden column of the target, whose fields come first."""
    return next(item.expression for item in fields if item.name == name and item.is_hidden)


def condition_of(
    queries: QueryAnalyser,
    node: syntax.Expression,
    scope: Scope,
    what: str,
    clause: str = "WHERE clause",
) -> tree.Expression:
    """The typed condition; Trino's error where it is none."""
    check_scalar(node, clause)
    typed = queries.expressions.analyse(node, scope)
    if typed.type not in (BOOLEAN, UNKNOWN):
        message = f"{what} must evaluate to a boolean: actual type {typed.type}"
        raise fail(ErrorCode.TYPE_MISMATCH, node, message)
    return coerce(typed, BOOLEAN)


def _value(queries: QueryAnalyser, node: syntax.Expression, scope: Scope) -> tree.Expression:
    check_scalar(node, "SET expression")
    return queries.expressions.analyse(node, scope)


_WORDS: Final = {
    ErrorCode.COLUMN_NOT_FOUND: "does not exist in target table",
    ErrorCode.DUPLICATE_COLUMN_NAME: "is specified more than once",
}


def _merge_error(code: ErrorCode, column: syntax.Identifier) -> StatementError:
    return at_start(code, f"Merge column name {_WORDS[code]}: {column.name.lower()}")


def _update_error(code: ErrorCode, column: syntax.Identifier) -> StatementError:
    if code is ErrorCode.COLUMN_NOT_FOUND:
        message = f"The UPDATE SET target column {column.name} doesn't exist"
        return fail(code, column, message)
    return fail(code, column, f"Update column name {_WORDS[code]}: {column.name.lower()}")
