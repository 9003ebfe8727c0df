"""Transactions in which a statement has failed: nothing but their end is taken any more."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc_drivers.trino.client_request import ClientRequest

_KEPT_MAX: Final = 10_000


class AbortedTransactions:
    """The ids of the last transactions that failed. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: OrderedDict[str, None] = OrderedDict()

    def add(self, request: ClientRequest) -> None:
        """A statement of the request's transaction, if it is in one, has failed."""
        if request.transaction_id is None or not request.is_in_transaction:
            return
        with self._lock:
            self._ids[request.transaction_id] = None
            if len(self._ids) > _KEPT_MAX:
                self._ids.popitem(last=False)

    def check(self, request: ClientRequest, word: str) -> None:
        """TRANSACTION_ALREADY_ABORTED, unless the statement, by its first word, is a ROLLBACK."""
        if request.transaction_id not in self._ids or word == "ROLLBACK":
            return
        raise StatementError(
            ErrorCode.TRANSACTION_ALREADY_ABORTED,
            "Current transaction has already been aborted"
            if word == "COMMIT"
            else "Current transaction is aborted, commands ignored until end of transaction block",
        )
