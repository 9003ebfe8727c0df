"""What EXECUTE names is found and bound before anything else looks at the statement."""

from __future__ import annotations

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.service.clock import SystemClock
from querysvc.service.prepared import BoundStatement, PreparedStatements
from querysvc.service.saved import SavedStatements
from querysvc.sql.positions import Place
from querysvc.state.values import PreparedStatement
from tests.unit.service.conftest import ADA, Harness


@pytest.fixture
def saved(harness: Harness) -> SavedStatements:
    return SavedStatements(harness.state, harness.groups, SystemClock())


@pytest.fixture
def prepared(saved: SavedStatements) -> PreparedStatements:
    for name, sql in (("pick", "SELECT ?, ?"), ("Mixed", "SELECT 1"), ("loop", "EXECUTE loop")):
        saved.create_prepared_statement(PreparedStatement(name, "primary", sql), ADA)
    return PreparedStatements(saved)


def bound(prepared: PreparedStatements, sql: str, *parameters: str) -> BoundStatement:
    return prepared.bound(sql, parameters, "primary", ADA)


@pytest.mark.parametrize(
    ("sql", "parameters", "expected"),
    [
        ("SELECT 1", ("2",), BoundStatement("SELECT 1", ("2",))),
        ("EXECUTE pick USING 1, 'a, b'", (), BoundStatement("SELECT ?, ?", ("1", "'a, b'"))),
        (
            "execute PICK using f(1, 2), ARRAY[1, 2] -- x\n;",
            (),
            BoundStatement("SELECT ?, ?", ("f(1, 2)", "ARRAY[1, 2] -- x")),
        ),
        ("EXECUTE pick", ("1", "2"), BoundStatement("SELECT ?, ?", ("1", "2"))),
        ("EXECUTE Mixed", (), BoundStatement("SELECT 1")),
        (
            "EXECUTE IMMEDIATE 'SELECT ''x'', ?' USING NULL",
            (),
            BoundStatement("SELECT 'x', ?", ("NULL",), Place(1, 20)),
        ),
    ],
)
def test_a_statement_is_bound(
    prepared: PreparedStatements, sql: str, parameters: tuple[str, ...], expected: BoundStatement
) -> None:
    assert bound(prepared, sql, *parameters) == expected


@pytest.mark.parametrize(
    ("sql", "parameters", "code", "told"),
    [
        ("EXECUTE nope", (), ErrorCode.NOT_FOUND, "Prepared statement not found: nope"),
        ("EXECUTE mixed", (), ErrorCode.NOT_FOUND, "Prepared statement not found: mixed"),
        ("EXECUTE pick USING 1", ("2",), ErrorCode.INVALID_PARAMETER_USAGE, "given twice"),
        ("EXECUTE pick USING", (), ErrorCode.SYNTAX_ERROR, "mismatched input '<EOF>'"),
        ("EXECUTE pick USING 1,,2", (), ErrorCode.SYNTAX_ERROR, "mismatched input ','"),
        ("EXECUTE pick 1", (), ErrorCode.SYNTAX_ERROR, "mismatched input '1'"),
        ("EXECUTE", (), ErrorCode.SYNTAX_ERROR, "mismatched input '<EOF>'"),
        ("EXECUTE loop", (), ErrorCode.NOT_SUPPORTED, "Invalid statement type"),
        (
            "EXECUTE IMMEDIATE 'EXECUTE pick'",
            (),
            ErrorCode.NOT_SUPPORTED,
            "Invalid statement type for prepared statement: EXECUTE",
        ),
    ],
)
def test_what_cannot_be_bound_is_told(
    prepared: PreparedStatements,
    sql: str,
    parameters: tuple[str, ...],
    code: ErrorCode,
    told: str,
) -> None:
    with pytest.raises(QueryServiceError, match=told.replace("?", r"\?")) as raised:
        bound(prepared, sql, *parameters)
    assert raised.value.code is code


def test_an_execution_is_classified_as_what_it_executes(
    harness: Harness, prepared: PreparedStatements
) -> None:
    query = harness.submit("EXECUTE pick USING 1, 2")
    assert (query.sql, query.substatement_type) == ("EXECUTE pick USING 1, 2", "SELECT")


def test_a_name_is_prepared_once(harness: Harness, saved: SavedStatements) -> None:
    value = PreparedStatement("twice", "primary", "SELECT 1")
    saved.create_prepared_statement(value, ADA)
    with pytest.raises(QueryServiceError, match="already exists in WorkGroup primary"):
        saved.create_prepared_statement(value, ADA)
