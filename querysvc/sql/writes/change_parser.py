"""The grammar of Trino's DELETE, UPDATE and MERGE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from querysvc.sql import query_syntax as qs
from querysvc.sql.parser import ParsedStatement
from querysvc.sql.query_parser import QueryParser
from querysvc.sql.syntax import Expression, Identifier, Position
from querysvc.sql.token_stream import CHAIN_MAX, deep_recursion


@dataclass(frozen=True, slots=True)
class DeleteSyntax:
    """DELETE FROM table [WHERE condition]."""

    table: qs.Table
    where: Expression | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """column = value."""

    column: Identifier
    value: Expression


@dataclass(frozen=True, slots=True)
class UpdateSyntax:
    """UPDATE table SET column = value, … [WHERE condition]."""

    table: qs.Table
    assignments: tuple[Assignment, ...]
    where: Expression | None = None


@dataclass(frozen=True, slots=True)
class MergeCase:
    """WHEN [NOT] MATCHED [AND condition] THEN …; the `action` is DELETE, UPDATE or INSERT.

    No `columns` of an INSERT means all of the table's.
    """

    position: Position
    action: str
    condition: Expression | None = None
    columns: tuple[Identifier, ...] = ()
    values: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class MergeSyntax:
    """MERGE INTO target USING source ON condition, and its cases; the target may have an alias."""

    table: qs.Table
    target: qs.Relation
    source: qs.Relation
    condition: Expression
    cases: tuple[MergeCase, ...]


ChangeSyntax: TypeAlias = DeleteSyntax | UpdateSyntax | MergeSyntax

KINDS: Final = ("DELETE", "UPDATE", "MERGE")
"""The first words of the statements that change rows."""


class ChangeParser(QueryParser):
    """Reads one statement that changes rows; `parameters` counts its `?`."""

    def __init__(self, statement: ParsedStatement) -> None:
        super().__init__(statement.sql, list(statement.tokens))

    @property
    def parameters(self) -> int:
        """How many `?` were read."""
        return self._parameters

    def statement(self) -> ChangeSyntax:
        """Read the statement to its end."""
        reads: dict[str, Callable[[], ChangeSyntax]] = {
            "DELETE": self._delete,
            "UPDATE": self._update,
            "MERGE": self._merge,
        }
        with deep_recursion():
            found = reads[self.key]()
        self.end()
        return found

    def _delete(self) -> DeleteSyntax:
        self.expect("DELETE")
        self.expect("FROM")
        return DeleteSyntax(self._table(), self._where())

    def _update(self) -> UpdateSyntax:
        self.expect("UPDATE")
        table = self._table()
        self.expect("SET")
        return UpdateSyntax(table, self._assignments(), self._where())

    def _table(self) -> qs.Table:
        return qs.Table(self.position, self.qualified_name())

    def _where(self) -> Expression | None:
        return self.expression() if self.take("WHERE") else None

    def _assignments(self) -> tuple[Assignment, ...]:
        found = [self._assignment()]
        while self.take(","):
            found.append(self._assignment())
        return tuple(found)

    def _assignment(self) -> Assignment:
        column = self.identifier()
        self.expect("=")
        return Assignment(column, self.expression())

    # MERGE.

    def _merge(self) -> MergeSyntax:
        self.expect("MERGE")
        self.expect("INTO")
        table = self._table()
        target: qs.Relation = table
        if self.take("AS") or self.at_identifier():
            target = qs.AliasedRelation(table.position, table, self.identifier())
        self.expect("USING")
        source = self.relation()
        self.expect("ON")
        condition = self.expression()
        cases = [self._merge_case()]
        for _ in range(CHAIN_MAX):
            if not self.at("WHEN"):
                return MergeSyntax(table, target, source, condition, tuple(cases))
            cases.append(self._merge_case())
        raise self.too_deep()

    def _merge_case(self) -> MergeCase:
        position = self.position
        self.expect("WHEN")
        is_matched = not self.take("NOT")
        self.expect("MATCHED")
        condition = self.expression() if self.take("AND") else None
        self.expect("THEN")
        if not is_matched:
            return self._inserting(position, condition)
        if self.take("DELETE"):
            return MergeCase(position, "DELETE", condition)
        if not self.at("UPDATE"):
            self.mismatched("'DELETE'", "'UPDATE'")
        self.expect("UPDATE", "SET")
        assignments = self._assignments()
        columns = tuple(one.column for one in assignments)
        values = tuple(one.value for one in assignments)
        return MergeCase(position, "UPDATE", condition, columns, values)

    def _inserting(self, position: Position, condition: Expression | None) -> MergeCase:
        self.expect("INSERT")
        columns = self.identifiers() if self.at("(") else ()
        self.expect("VALUES", "(")
        values = self.expressions()
        self.expect(")")
        return MergeCase(position, "INSERT", condition, columns, values)
