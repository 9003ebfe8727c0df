"""Permissions as part of the query: a table is what may be read of it, whoever refers to it how.

A table or view with restrictions becomes a derived table of its visible rows, in which a cell that
no grant shows is NULL. `*` means the columns that may be read; naming another one is an error.
Row filters see all columns, and are analysed with the rights of whoever granted them: what they
ask of other tables is not restricted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from querysvc import tree
from querysvc.errors import ErrorCode, StatementError
from querysvc.sql import query_syntax as qs
from querysvc.sql import syntax
from querysvc.sql.expressions.coercion import coerce
from querysvc.sql.metadata import Visibility, VisibleCells
from querysvc.sql.parser import parse_parameter
from querysvc.sql.scope import Scope, ScopeField
from querysvc.sql.sources import Source
from querysvc.sql.walk import check_scalar
from querysvc.tree import Expression
from querysvc.types.algebra import BOOLEAN, UNKNOWN

if TYPE_CHECKING:
    from querysvc.sql.queries import QueryAnalyser

_Place = tuple[str, str, str]


class Restriction:
    """Narrows the sources of one statement to what may be read of them."""

    def __init__(self, queries: QueryAnalyser) -> None:
        self._queries = queries
        self._is_trusted = False

    def require_some(self, place: _Place, visible: Visibility) -> None:
        """PERMISSION_DENIED when nothing of the table or view may be read."""
        if visible == () and not self._is_trusted:
            raise _refused(place)

    def applied(self, node: qs.Table, source: Source, place: _Place, visible: Visibility) -> Source:
        """The source with its visible rows and columns only."""
        if visible is None or self._is_trusted:
            return source
        denied = [item for item in source.fields if not _covering(item, visible)]
        if not denied and all(cells.row_filter is None for cells in visible):
            return source
        return self._narrowed(source, place, visible)

    def _narrowed(self, source: Source, place: _Place, visible: tuple[VisibleCells, ...]) -> Source:
        filters = {
            text: self._filter(text, source, place)
            for text in dict.fromkeys(cells.row_filter for cells in visible)
            if text is not None
        }
        kept = [item for item in source.fields if _covering(item, visible)]
        if not kept:
            raise _refused(place)
        shown = _any_of(visible, filters)
        items = tuple(_cell(item, visible, filters) for item in kept)
        output = tuple(tree.Field(item.name, item.expression.type) for item in kept)
        query = tree.Query(output, tree.Select(items, source.item, where=shown))
        relation = tree.Subquery(
            self._queries.context.next_relation(), output, query, is_barrier=bool(filters)
        )
        columns = {
            id(item): tree.ColumnReference(item.expression.type, relation.id, index)
            for index, item in enumerate(kept)
        }
        name = ".".join(place)
        fields = (
            replace(item, expression=columns[id(item)])
            if id(item) in columns
            else _denied(item, name)
            for item in source.fields
        )
        return Source(relation, tuple(fields))

    def _filter(self, text: str, source: Source, place: _Place) -> Expression:
        """The typed row filter, over the columns of the source."""
        name = ".".join(place)
        fields = tuple(replace(item, relation=place) for item in source.fields)
        saved_names, saved_trust = self._queries.names, self._is_trusted
        self._queries.names, self._is_trusted = place[:2], True
        try:
            node = self._parsed(text)
            check_scalar(node, f"Row filter for '{name}'")
            typed = self._queries.expressions.analyse(node, Scope(fields))
        except StatementError as error:
            message = f"Invalid row filter for '{name}': {error.message}"
            raise StatementError(ErrorCode.INVALID_ROW_FILTER, message) from error
        finally:
            self._queries.names, self._is_trusted = saved_names, saved_trust
        if typed.type not in (BOOLEAN, UNKNOWN):
            raise StatementError(
                ErrorCode.TYPE_MISMATCH,
                f"Expected row filter for '{name}' to be of type BOOLEAN, but was {typed.type}",
            )
        return coerce(typed, BOOLEAN)

    def _parsed(self, text: str) -> syntax.Expression:
        held = self._queries.context.row_filters
        if text not in held:
            held[text] = parse_parameter(text)
        return held[text]


def _refused(place: _Place) -> StatementError:
    message = f"Access Denied: Cannot select from table or view {'.'.join(place)}"
    return StatementError(ErrorCode.PERMISSION_DENIED, message)


def _covering(item: ScopeField, visible: tuple[VisibleCells, ...]) -> tuple[VisibleCells, ...]:
    """The parts that show the column."""
    name = (item.name or "").lower()
    return tuple(cells for cells in visible if cells.columns is None or name in cells.columns)


def _any_of(visible: tuple[VisibleCells, ...], filters: dict[str, Expression]) -> Expression | None:
    """What holds of the rows that some of the parts show; None: all rows."""
    texts = {cells.row_filter for cells in visible}
    if None in texts:
        return None
    terms = tuple(filters[text] for text in filters if text in texts)
    if len(terms) == 1:
        return terms[0]
    return tree.Logical(BOOLEAN, tree.LogicalOperator.OR, terms)


def _cell(
    item: ScopeField, visible: tuple[VisibleCells, ...], filters: dict[str, Expression]
) -> Expression:
    """The column, or NULL in rows that only other columns' parts show."""
    condition = _any_of(_covering(item, visible), filters)
    if condition is None or condition == _any_of(visible, filters):
        return item.expression
    type_ = item.expression.type
    branch = (condition, item.expression)
    return tree.Case(type_, None, (branch,), tree.Literal(type_, None))


def _denied(item: ScopeField, name: str) -> ScopeField:
    nothing = tree.Literal(item.expression.type, None)
    return replace(item, expression=nothing, is_hidden=True, denied_in=name)
