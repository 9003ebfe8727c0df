"""What the API process asks of a worker, and the order of a plan's objects."""

from __future__ import annotations

from dataclasses import dataclass

from querysvc.model import ResultColumn
from querysvc.plan import ExecutionPlan, StoredObject


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Run a plan, or only estimate it. Descriptors: [gateway socket, window][, spool].

    The first two are for plans with objects alone.
    """

    plan: ExecutionPlan
    is_estimate: bool = False
    raw_sql: str | None = None
    """Test hook (WorkerSettings.allows_raw_sql): runs instead of the plan's query."""


@dataclass(frozen=True, slots=True)
class EncodeText:
    """Turn a spool into Athena's CSV. Descriptors: spool, target."""

    columns: tuple[ResultColumn, ...]


@dataclass(frozen=True, slots=True)
class Proceed:
    """The estimate was accepted: go on."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Interrupt what runs."""


def plan_objects(plan: ExecutionPlan) -> tuple[StoredObject, ...]:
    """A plan's objects in the order by which workers and the gateway number them."""
    return tuple(
        stored
        for scan in plan.scans
        for partition in scan.partitions
        for stored in partition.objects
    )
