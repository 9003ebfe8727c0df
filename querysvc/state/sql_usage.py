"""Bytes read by hour and scope, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from querysvc.state.database import Database
from querysvc.state.repository import UsageCap
from querysvc.state.tables import usage_hours

_U = usage_hours


class _ExceededError(Exception):
    """Undoes the transaction that went beyond a cap."""

    def __init__(self, cap: UsageCap) -> None:
        super().__init__()
        self.cap = cap


class SqlUsage:
    """The UsageRepository in SQL."""

    _database: Database

    def add_usage(
        self, scope: str, hour: datetime, scanned_bytes: int, caps: Sequence[UsageCap]
    ) -> UsageCap | None:
        self._ensure_hour(scope, hour)
        grown = (
            update(_U)
            .where(_U.c.scope == scope, _U.c.hour == hour)
            .values(scanned_bytes=_U.c.scanned_bytes + scanned_bytes)
        )
        try:
            with self._database.write() as connection:
                # First the row of the hour: who else adds to it waits, so that none counts short.
                connection.execute(grown)
                for cap in caps if scanned_bytes > 0 else ():
                    if _used(connection, scope, cap.since) > cap.scanned_bytes_max:
                        raise _ExceededError(cap)
        except _ExceededError as error:
            return error.cap
        return None

    def usage_since(self, scope: str, since: datetime) -> int:
        with self._database.read() as connection:
            return _used(connection, scope, since)

    def _ensure_hour(self, scope: str, hour: datetime) -> None:
        is_it: tuple[ColumnElement[bool], ...] = (_U.c.scope == scope, _U.c.hour == hour)
        with self._database.read() as connection:
            if connection.scalar(select(func.count()).where(*is_it)):
                return
        try:
            with self._database.write() as connection:
                connection.execute(insert(_U).values(scope=scope, hour=hour, scanned_bytes=0))
        except IntegrityError:
            return  # another node was first


def _used(connection: Connection, scope: str, since: datetime) -> int:
    used = func.coalesce(func.sum(_U.c.scanned_bytes), 0)
    return int(connection.scalar(select(used).where(_U.c.scope == scope, _U.c.hour >= since)) or 0)
