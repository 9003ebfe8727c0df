"""Flight SQL's messages, errors, literals and handles, each alone."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf import any_pb2
from pyarrow import flight

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal
from querysvc_drivers.flightsql.errors import ERRORS, flight_error, translated
from querysvc_drivers.flightsql.literals import literal, parameters_of
from querysvc_drivers.flightsql.messages import new, optional, packed, unpacked
from querysvc_drivers.flightsql.sql_info import sql_info, xdbc_types
from querysvc_drivers.flightsql.statements import Statement, Statements


@pytest.mark.parametrize("code", ErrorCode)
def test_every_error_is_one_of_flights_own_with_its_name(code: ErrorCode) -> None:
    raised = flight_error(QueryServiceError(code, "what happened", line=1, column=8))
    assert isinstance(raised, flight.FlightError), "another one would carry a traceback"
    assert f"{code.name}: line 1:8: what happened" in str(raised)


def test_the_table_is_whole() -> None:
    assert set(ERRORS) == set(ErrorCode)


def test_an_unforeseen_failure_tells_nothing() -> None:
    with pytest.raises(flight.FlightInternalError) as caught, translated():
        raise ValueError("secret")
    assert "secret" not in str(caught.value)


def test_messages_come_back_with_what_was_not_sent() -> None:
    sent = new("CommandGetTables", catalog="c", table_types=["TABLE"], include_schema=True)
    name, found = unpacked(packed(sent))
    assert (name, found) == ("CommandGetTables", sent)
    assert (optional(found, "catalog"), optional(found, "db_schema_filter_pattern")) == ("c", None)


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\xff\xff", bytes(range(256))])
def test_broken_bytes_are_an_invalid_request(data: bytes) -> None:
    with pytest.raises(QueryServiceError) as caught:
        unpacked(data)
    assert caught.value.code in (ErrorCode.INVALID_REQUEST, ErrorCode.NOT_SUPPORTED)


def test_unknown_commands_are_refused_by_name() -> None:
    kind = "type.googleapis.com/arrow.flight.protocol.sql.CommandStatementSubstraitPlan"
    with pytest.raises(QueryServiceError, match="CommandStatementSubstraitPlan") as caught:
        unpacked(any_pb2.Any(type_url=kind).SerializeToString())
    assert caught.value.code is ErrorCode.NOT_SUPPORTED


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, pa.int32(), "NULL"),
        (True, pa.bool_(), "TRUE"),
        (-5, pa.int64(), "-5"),
        (1.5, pa.float64(), "DOUBLE '1.5'"),
        (float("nan"), pa.float64(), "DOUBLE 'NaN'"),
        (float("-inf"), pa.float64(), "DOUBLE '-Infinity'"),
        (Decimal("1E+3"), pa.decimal128(10, 0), "DECIMAL '1000'"),
        ("it's", pa.string(), "'it''s'"),
        (b"\x00\xff", pa.binary(), "X'00ff'"),
        (datetime.date(2024, 2, 29), pa.date32(), "DATE '2024-02-29'"),
        (datetime.time(1, 2, 3, 4), pa.time64("us"), "TIME '01:02:03.000004'"),
        (
            datetime.datetime(2024, 1, 1, 12),
            pa.timestamp("s"),
            "TIMESTAMP '2024-01-01 12:00:00.000000'",
        ),
        (
            datetime.datetime(2024, 1, 1, 12, tzinfo=datetime.UTC),
            pa.timestamp("us", "UTC"),
            "TIMESTAMP '2024-01-01 12:00:00.000000 UTC'",
        ),
    ],
)
def test_values_become_literals(value: Any, kind: pa.DataType, text: str) -> None:
    assert literal(pa.scalar(value, kind)) == text


def test_what_has_no_literal_is_refused_by_name() -> None:
    with pytest.raises(QueryServiceError, match="list<item: int64>"):
        literal(pa.scalar([1]))
    with pytest.raises(QueryServiceError, match="1001 runs"):
        parameters_of(pa.table({"a": range(1001)}))


def test_each_row_of_parameters_is_a_run() -> None:
    table = pa.table({"a": [1, None], "b": ["x", "it's"]})
    assert parameters_of(table) == (("1", "'x'"), ("NULL", "'it''s'"))


def test_a_handle_is_its_principals_alone() -> None:
    statements = Statements()
    ada, eve = Principal("ada"), Principal("eve")
    handle = statements.add(Statement("SELECT 1", ada))
    assert statements.get(handle, ada).sql == "SELECT 1"
    for stranger, name in ((eve, handle), (ada, b"unknown")):
        with pytest.raises(QueryServiceError, match="unknown"):
            statements.get(name, stranger)
    with pytest.raises(QueryServiceError):
        statements.remove(handle, eve)
    statements.remove(handle, ada)
    with pytest.raises(QueryServiceError):
        statements.get(handle, ada)


def test_info_is_filtered_by_code() -> None:
    assert sql_info(frozenset({0})).to_pylist() == [{"info_name": 0, "value": "querysvc"}]
    everything = {row["info_name"]: row["value"] for row in sql_info(frozenset()).to_pylist()}
    assert (everything[3], everything[8], everything[504]) == (False, 1, '"')
    assert [row["type_name"] for row in xdbc_types(12).to_pylist()] == ["varchar"]
    assert xdbc_types(None).num_rows > 10
