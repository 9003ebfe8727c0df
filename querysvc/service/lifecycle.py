"""The states of a query execution and the ways between them.

QUEUED ──► RUNNING ──► SUCCEEDED
  │  ▲        │  ├───► FAILED
  │  └────────┘  └───► CANCELLED      RUNNING ──► QUEUED: its runner was lost, or stops
  ├──► CANCELLED
  └──► FAILED
"""

from __future__ import annotations

from querysvc.model import QueryState

ALLOWED: dict[QueryState, frozenset[QueryState]] = {
    QueryState.QUEUED: frozenset({QueryState.RUNNING, QueryState.FAILED, QueryState.CANCELLED}),
    QueryState.RUNNING: frozenset(
        {QueryState.SUCCEEDED, QueryState.FAILED, QueryState.CANCELLED, QueryState.QUEUED}
    ),
    QueryState.SUCCEEDED: frozenset(),
    QueryState.FAILED: frozenset(),
    QueryState.CANCELLED: frozenset(),
}


def is_allowed(before: QueryState, after: QueryState) -> bool:
    """Whether a query may go from one state to the other."""
    return after in ALLOWED[before]
