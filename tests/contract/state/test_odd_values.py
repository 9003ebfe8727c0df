"""Values that no column takes are the request's fault, on either database, and leave no trace."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.state.database import Database
from querysvc.state.repository import State
from querysvc.state.sql import SqlState
from querysvc.state.tables import api_keys
from querysvc.state.values import ApiKey

CANARY = "canary-4f1d"
HOUR = datetime(2024, 1, 1, tzinfo=UTC)
ODD: dict[str, Callable[[State], object]] = {
    "half a surrogate pair": lambda state: state.find_token("ada", "\ud800"),
    "a number beyond 64 bits": lambda state: state.add_usage("user:ada", HOUR, 1 << 70, ()),
}
ODD_ON_POSTGRESQL: dict[str, Callable[[State], object]] = {
    "a NUL": lambda state: state.find_token("ada", "a\0b"),
    "a NUL in a key": lambda state: state.add_api_key(ApiKey("k\0", CANARY, "ada")),
    "a long id": lambda state: state.add_api_key(ApiKey("k" * 33, CANARY, "ada")),
}


@pytest.mark.parametrize("what", [*ODD, *ODD_ON_POSTGRESQL])
def test_a_value_that_no_column_takes_is_refused(database: Database, what: str) -> None:
    state = SqlState(database)
    if database.is_sqlite and what in ODD_ON_POSTGRESQL:
        ODD_ON_POSTGRESQL[what](state)  # SQLite's columns take it
        return
    with pytest.raises(QueryServiceError) as caught:
        (ODD | ODD_ON_POSTGRESQL)[what](state)
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert CANARY not in caught.value.message
    assert state.get_work_group("primary") is None  # the connection can be used


def test_errors_of_the_database_hide_what_was_to_be_stored(database: Database) -> None:
    key = insert(api_keys).values(id="k", document=CANARY)
    with database.write() as connection:
        connection.execute(key)
    with pytest.raises(IntegrityError) as caught, database.write() as connection:
        connection.execute(key)
    assert CANARY not in str(caught.value)
