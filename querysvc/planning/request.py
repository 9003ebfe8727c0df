"""What the planner is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from querysvc.model import Principal, Session
from querysvc.plan import AnalysedStatement, ExecutionPlan, ResourceLimits
from querysvc.state.values import GuardPolicy

NOBODY = Principal("")


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """A checked statement, and the terms under which it is to run."""

    query_id: str
    statement: AnalysedStatement
    session: Session
    guard: GuardPolicy
    limits: ResourceLimits
    principal: Principal = NOBODY
    """Who asks: what is listed for system tables is what they may know."""
    owner: str = ""
    """As in ExecutionPlan."""
    go_on: Callable[[], None] = field(default=lambda: None, compare=False)
    """Called every now and then: raises why planning is to end, as that its time is up."""


@dataclass(frozen=True, slots=True)
class PlannedQuery:
    """The plan, and what the guard left out of it."""

    plan: ExecutionPlan
    skipped_archived_objects: int = 0
    skipped_archived_bytes: int = 0
    warnings: tuple[str, ...] = ()


class QueryPlanner(Protocol):
    """Plans queries."""

    def plan(self, request: PlanRequest) -> PlannedQuery:
        """Prune partitions, list objects, apply the storage rules; raises QueryServiceErrors."""
        ...
