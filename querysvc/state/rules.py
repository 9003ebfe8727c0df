"""What every store decides alike: page tokens, and the fate of queries that lost their runner."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import Enum

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import ErrorInfo, QueryState
from querysvc.state.repository import Completion
from querysvc.state.values import Grant
from querysvc.tokens import decode_token, encode_token

CLAIMS_MAX = 2
"""A query that lost its runner twice may be what kills runners: it is not run a third time."""


class Fate(Enum):
    """What becomes of a running query that nobody runs any more."""

    REQUEUE = "requeue"
    FAIL = "fail"
    CANCEL = "cancel"


def fate_of_lost_query(
    *, substatement_type: str | None, claims: int, cancel_requested: bool, results_exposed: bool
) -> Fate:
    """Only a SELECT that showed nobody a row may run again: writes could happen twice."""
    if cancel_requested:
        return Fate.CANCEL
    may_run_again = substatement_type == "SELECT" and claims < CLAIMS_MAX and not results_exposed
    return Fate.REQUEUE if may_run_again else Fate.FAIL


def completion_of_lost_query(fate: Fate, now: datetime) -> Completion:
    """How a lost query ends, when it is not queued again."""
    if fate is Fate.CANCEL:
        return Completion(
            state=QueryState.CANCELLED,
            completed_at=now,
            error=ErrorInfo(ErrorCode.USER_CANCELED.name, "Query was canceled"),
        )
    return Completion(
        state=QueryState.FAILED,
        completed_at=now,
        error=ErrorInfo(
            ErrorCode.SERVER_SHUTTING_DOWN.name,
            "The service stopped while the query was running; it was not run a second time."
            " Submit it again.",
        ),
    )


def idempotency_mismatch() -> QueryServiceError:
    """A client token came back with another submission."""
    return QueryServiceError(
        ErrorCode.IDEMPOTENCY_MISMATCH,
        "Idempotent parameters do not match: the client request token was used for another"
        " submission.",
    )


def in_order(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """Grants by the times that they were made."""
    return tuple(sorted(grants, key=lambda grant: (str(grant.created_at), grant.id)))


def encode_sequence_token(sequence: int) -> str:
    """The token of the page that starts below `sequence`."""
    return encode_token("s", sequence)


def decode_sequence_token(token: str) -> int:
    """The sequence that a page token holds; INVALID_REQUEST when it is none of ours."""
    return decode_token("s", token)
