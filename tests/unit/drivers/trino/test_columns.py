"""Column documents: texts and signatures as a real Trino 476 sends them."""

from __future__ import annotations

from typing import Any

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import QueryState, ResultColumn
from querysvc.types.parse import parse_type
from querysvc_drivers.trino.columns import column_document
from querysvc_drivers.trino.errors import error_document
from querysvc_drivers.trino.stats import STATES


def long(value: int) -> dict[str, Any]:
    return {"kind": "LONG", "value": value}


def raw(name: str, *arguments: dict[str, Any]) -> dict[str, Any]:
    return {"rawType": name, "arguments": list(arguments)}


def of(signature: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "TYPE", "value": signature}


def named(signature: dict[str, Any], name: str | None = None) -> dict[str, Any]:
    value: dict[str, Any] = {} if name is None else {"fieldName": {"name": name}}
    return {"kind": "NAMED_TYPE", "value": {**value, "typeSignature": signature}}


@pytest.mark.parametrize(
    ("text", "wire", "signature"),
    [
        ("integer", "integer", raw("integer")),
        ("varchar", "varchar", raw("varchar", long(2147483647))),
        ("varchar(3)", "varchar(3)", raw("varchar", long(3))),
        ("char(1)", "char(1)", raw("char", long(1))),
        ("decimal(2,1)", "decimal(2, 1)", raw("decimal", long(2), long(1))),
        ("timestamp(0)", "timestamp(0)", raw("timestamp", long(0))),
        (
            "timestamp(6) with time zone",
            "timestamp(6) with time zone",
            raw("timestamp with time zone", long(6)),
        ),
        ("interval day to second", "INTERVAL DAY TO SECOND", raw("interval day to second")),
        (
            "map(varchar(1), decimal(2,1))",
            "map(varchar(1), decimal(2, 1))",
            raw("map", of(raw("varchar", long(1))), of(raw("decimal", long(2), long(1)))),
        ),
        (
            'row(x integer, "y z" varchar(3))',
            'row(x integer, "y z" varchar(3))',
            raw("row", named(raw("integer"), "x"), named(raw("varchar", long(3)), "y z")),
        ),
        ("row(integer)", "row(integer)", raw("row", named(raw("integer")))),
    ],
)
def test_columns_are_described_as_trino_does(
    text: str, wire: str, signature: dict[str, Any]
) -> None:
    column = ResultColumn("c", parse_type(text))
    expected = {"name": "c", "type": wire, "typeSignature": signature}
    assert column_document(column, parametric_datetime=True) == expected


@pytest.mark.parametrize(
    ("text", "wire", "signature"),
    [
        ("timestamp(6)", "timestamp", raw("timestamp")),
        (
            "array(timestamp(6) with time zone)",
            "array(timestamp with time zone)",
            raw("array", of(raw("timestamp with time zone"))),
        ),
        (
            'row("y z" time(6))',
            'row("y z" time)',
            raw("row", named(raw("time"), "y z")),
        ),
    ],
)
def test_clients_without_the_capability_see_no_precision(
    text: str, wire: str, signature: dict[str, Any]
) -> None:
    column = ResultColumn("c", parse_type(text))
    found = column_document(column, parametric_datetime=False)
    assert (found["type"], found["typeSignature"]) == (wire, signature)


@pytest.mark.parametrize("code", ErrorCode, ids=lambda code: code.name)
def test_every_error_code_has_its_form(code: ErrorCode) -> None:
    document = error_document(QueryServiceError(code, "no", line=2, column=3))
    assert document["errorCode"] == code.number
    assert document["errorName"] == code.name
    assert document["errorType"] in {
        "USER_ERROR",
        "INTERNAL_ERROR",
        "INSUFFICIENT_RESOURCES",
        "EXTERNAL",
    }
    assert document["message"] == "line 2:3: no"
    assert document["failureInfo"]["errorInfo"]["code"] == code.number


def test_every_state_has_a_name() -> None:
    assert set(STATES) == set(QueryState)
