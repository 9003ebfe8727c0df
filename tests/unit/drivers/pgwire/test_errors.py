"""Every error code has its SQLSTATE."""

from __future__ import annotations

import re

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc_drivers.pgwire.errors import SQLSTATES, error_message


@pytest.mark.parametrize("code", ErrorCode, ids=lambda code: code.name)
def test_every_code_has_a_sqlstate(code: ErrorCode) -> None:
    assert re.fullmatch(r"[0-9A-Z]{5}", SQLSTATES[code])


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (ErrorCode.USER_CANCELED, "57014"),
        (ErrorCode.EXCEEDED_TIME_LIMIT, "57014"),
        (ErrorCode.TABLE_NOT_FOUND, "42P01"),
        (ErrorCode.COLUMN_NOT_FOUND, "42703"),
        (ErrorCode.AUTHENTICATION_FAILED, "28P01"),
        (ErrorCode.SYNTAX_ERROR, "42601"),
        (ErrorCode.PERMISSION_DENIED, "42501"),
        (ErrorCode.NOT_SUPPORTED, "0A000"),
    ],
)
def test_the_states_that_clients_decide_by(code: ErrorCode, state: str) -> None:
    assert SQLSTATES[code] == state


def test_a_place_that_is_not_known_in_the_clients_text_stays_in_the_message() -> None:
    error = QueryServiceError(ErrorCode.COLUMN_NOT_FOUND, "no x", line=2, column=3)
    assert b"Mline 2:3: no x\0" in error_message(error)
    assert b"Mno x\0" in error_message(error, position=9)
    assert b"P9\0" in error_message(error, position=9)
