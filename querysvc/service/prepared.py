"""Prepared statements in the core: kept in the work group, as Athena keeps them.

EXECUTE becomes the statement that it names, with its parameters, before anything looks at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from querysvc.errors import ErrorCode, QueryServiceError, StatementError
from querysvc.model import Principal, ResultColumn, StatementType
from querysvc.plan import AnalysedStatement
from querysvc.service.gate import Gate
from querysvc.service.saved import SavedStatements
from querysvc.service.statements import RunContext, StatementOutcome
from querysvc.sql.origins import ColumnOrigin
from querysvc.sql.positions import START, Place
from querysvc.sql.prepared import (
    Deallocate,
    DescribePrepared,
    Prepare,
    check_prepared,
    first_word,
    parameter_count,
    read_execute,
)
from querysvc.sql.syntax import Identifier
from querysvc.state.values import PreparedStatement
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

UNBOUND: Final = "NULL"
"""What stands for `?` while a prepared statement is described, as its type is not known."""


@dataclass(frozen=True, slots=True)
class BoundStatement:
    """The statement to run, its parameters, and where its text begins in what was sent."""

    sql: str
    parameters: tuple[str, ...] = ()
    place: Place = START


class PreparedStatements:
    """Finds what EXECUTE names."""

    def __init__(self, saved: SavedStatements) -> None:
        self._saved = saved

    def bound(
        self, sql: str, parameters: tuple[str, ...], work_group: str, principal: Principal
    ) -> BoundStatement:
        """The statement itself, or the one that it executes."""
        if first_word(sql) != "EXECUTE":
            return BoundStatement(sql, parameters)
        statement = read_execute(sql)
        if statement.parameters is not None and parameters:
            raise QueryServiceError(
                ErrorCode.INVALID_PARAMETER_USAGE,
                "Parameters are given twice: by USING and as execution parameters",
            )
        given = parameters if statement.parameters is None else statement.parameters
        if statement.sql is not None:
            return BoundStatement(statement.sql, given, statement.place)
        assert statement.name is not None, "EXECUTE names a statement or gives its text"
        return BoundStatement(self.text(statement.name, work_group, principal), given)

    def text(self, name: Identifier, work_group: str, principal: Principal) -> str:
        """The text that was prepared under the name."""
        found = self.find(name, work_group, principal)
        check_prepared(found.sql)
        return found.sql

    def find(self, name: Identifier, work_group: str, principal: Principal) -> PreparedStatement:
        """The statement of that name, as written or else in lower case."""
        for text in dict.fromkeys((name.name, name.name.lower())):
            try:
                return self._saved.get_prepared_statement(work_group, text, principal)
            except QueryServiceError as error:
                if error.code is not ErrorCode.NOT_FOUND:
                    raise
        raise StatementError(
            ErrorCode.NOT_FOUND,
            f"Prepared statement not found: {name.name} in WorkGroup {work_group}",
        )


class PreparedExecutor:
    """Runs PREPARE, DEALLOCATE PREPARE and DESCRIBE INPUT | OUTPUT on the work group's."""

    def __init__(self, prepared: PreparedStatements, saved: SavedStatements, gate: Gate) -> None:
        self._prepared = prepared
        self._saved = saved
        self._gate = gate

    def execute(
        self, statement: Prepare | Deallocate | DescribePrepared, context: RunContext
    ) -> StatementOutcome:
        """Run the statement."""
        match statement:
            case Prepare():
                return self._prepare(statement, context)
            case Deallocate():
                return self._deallocate(statement, context)
            case DescribePrepared():
                return self._describe(statement, context)

    def _prepare(self, statement: Prepare, context: RunContext) -> StatementOutcome:
        value = PreparedStatement(statement.name.name, context.work_group.name, statement.sql)
        self._saved.create_prepared_statement(value, context.principal)
        return StatementOutcome((), StatementType.DDL, "PREPARE")

    def _deallocate(self, statement: Deallocate, context: RunContext) -> StatementOutcome:
        group, principal = context.work_group.name, context.principal
        found = self._prepared.find(statement.name, group, principal)
        self._saved.delete_prepared_statement(group, found.name, principal)
        return StatementOutcome((), StatementType.DDL, "DEALLOCATE")

    def _describe(self, statement: DescribePrepared, context: RunContext) -> StatementOutcome:
        group, principal = context.work_group.name, context.principal
        sql = self._prepared.text(statement.name, group, principal)
        columns, rows = (
            input_description(sql)
            if statement.is_input
            else output_description(self._columns(sql, context))
        )
        context.write_values(columns, rows)
        return StatementOutcome(columns, StatementType.UTILITY, "DESCRIBE")

    def _columns(self, sql: str, context: RunContext) -> tuple[ResultColumn, ...]:
        unbound = (UNBOUND,) * parameter_count(sql)
        statement = self._gate.analyse(sql, context.session, unbound, context.principal)
        return statement.columns if isinstance(statement, AnalysedStatement) else ()


Description = tuple[tuple[ResultColumn, ...], tuple[tuple[Any, ...], ...]]
"""Columns, and rows of Python values of their types: hence Any."""


def input_description(sql: str, types: tuple[TrinoType | None, ...] = ()) -> Description:
    """DESCRIBE INPUT's answer: a type for every parameter, unknown where none is told."""
    columns = (ResultColumn("Position", algebra.INTEGER), ResultColumn("Type", algebra.VARCHAR))
    told = [algebra.UNKNOWN if type_ is None else type_ for type_ in types]
    told += [algebra.UNKNOWN] * (parameter_count(sql) - len(told))
    return columns, tuple((index, type_.wire_name) for index, type_ in enumerate(told))


def output_description(
    outputs: tuple[ResultColumn, ...], origins: tuple[ColumnOrigin, ...] = ()
) -> Description:
    """DESCRIBE OUTPUT's answer: the columns that the statement gives."""
    names = ("Column Name", "Catalog", "Schema", "Table", "Type")
    columns = (
        *(ResultColumn(name, algebra.VARCHAR) for name in names),
        ResultColumn("Type Size", algebra.INTEGER),
        ResultColumn("Aliased", algebra.BOOLEAN),
    )
    places = origins or (ColumnOrigin(),) * len(outputs)
    return columns, tuple(
        (
            *(column.name, place.catalog, place.schema, place.table),
            *(column.type.wire_name, _size(column.type), place.is_aliased),
        )
        for column, place in zip(outputs, places, strict=True)
    )


_SIZES: Final[Mapping[TrinoType, int]] = {
    algebra.BOOLEAN: 1,
    algebra.TINYINT: 1,
    algebra.SMALLINT: 2,
    algebra.INTEGER: 4,
    algebra.REAL: 4,
    algebra.DATE: 4,
    algebra.INTERVAL_YEAR_TO_MONTH: 4,
    algebra.BIGINT: 8,
    algebra.DOUBLE: 8,
    algebra.INTERVAL_DAY_TO_SECOND: 8,
    algebra.UNKNOWN: 1,
}


def _size(type_: TrinoType) -> int:
    """The bytes of a fixed-width type as Trino keeps it, 0 for others."""
    match type_:
        case algebra.Decimal(precision):
            return 8 if precision <= 18 else 16
        case algebra.Time() | algebra.TimeTz():
            return 8
        case algebra.Timestamp(precision):
            return 8 if precision <= 6 else 16
        case algebra.TimestampTz(precision):
            return 8 if precision <= 3 else 16
    return _SIZES.get(type_, 0)
