"""From a checked statement to a plan: partitions ► listing ► guard ► limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import ExecutionPlan, PartitionScan, StoredObject, TableReference, TableScan
from querysvc.planning.iceberg import IcebergReader
from querysvc.planning.listing import Lister, list_selections
from querysvc.planning.partitions import PartitionSelection, PartitionSelector
from querysvc.planning.request import PlannedQuery, PlanRequest
from querysvc.planning.visibility import CommittedWrites, without_hidden
from querysvc.state.values import GuardPolicy, GuardPolicyName, StorageClassScope
from querysvc.storage.configuration import BucketAccess
from querysvc.storage.guard import GuardedTable, GuardReport
from querysvc.storage.guard_policy import GuardPolicy as StoragePolicy
from querysvc.storage.guard_policy import StorageClassScope as StorageScope
from querysvc.storage.locations import Location, parse_location

Listed = Mapping[Location, tuple[StoredObject, ...]]
OnAccess = Callable[[str, Mapping[str, BucketAccess]], None]
"""(query id, access by bucket): told before the engine runs the plan."""


class Guard(Protocol):
    """The storage rules (storage.guard.StorageGuard)."""

    def check(self, tables: Sequence[GuardedTable], policy: StoragePolicy) -> GuardReport:
        """Refuse the query with a StorageRuleError, or tell what it may read."""
        ...


class Planner:
    """Plans queries. Thread-safe."""

    def __init__(
        self,
        selector: PartitionSelector,
        lister: Lister,
        guard: Guard,
        on_access: OnAccess,
        writes: CommittedWrites | None = None,
        *,
        iceberg: IcebergReader | None = None,
    ) -> None:
        self._selector = selector
        self._lister = lister
        self._guard = guard
        self._on_access = on_access
        self._writes = writes
        self._iceberg = iceberg

    def plan(self, request: PlanRequest) -> PlannedQuery:
        """Prune partitions, list objects, apply the storage rules; raises QueryServiceErrors."""
        selections, listed = self._listed(request)
        hive = iter([_scan(selection, listed) for selection in selections])
        scans = [
            self._iceberg.scan(reference)
            if self._iceberg and reference.table.is_iceberg
            else next(hive)
            for reference in request.statement.tables
        ]
        report = self._check(request, scans)
        self._on_access(request.query_id, report.buckets)
        plan = ExecutionPlan(
            query_id=request.query_id,
            query=request.statement.query,
            columns=request.statement.columns,
            scans=tuple(
                _permitted(scan, objects)
                for scan, objects in zip(scans, report.objects, strict=True)
            ),
            session=request.session,
            limits=request.limits,
            owner=request.owner,
        )
        return PlannedQuery(
            plan,
            skipped_archived_objects=report.skipped_archived_objects,
            skipped_archived_bytes=report.skipped_archived_bytes,
            warnings=(*_warnings(report), *(w for one in selections for w in one.warnings)),
        )

    def _listed(self, request: PlanRequest) -> tuple[list[PartitionSelection], Listed]:
        """The partitions and their objects, as of the writes committed before either is read."""
        now = request.session.started_at or datetime.now(UTC)
        if not request.statement.tables:
            return [], {}
        committed = self._writes.committed_writes() if self._writes else 0
        selections = [
            self._selector.select(reference, now, request.session, request.go_on)
            for reference in request.statement.tables
            if self._iceberg is None or not reference.table.is_iceberg
        ]
        listed: Listed = list_selections(self._lister, selections, request.go_on)
        if self._writes is not None:
            listed = without_hidden(listed, self._writes.hidden_writes(committed))
        return selections, listed

    def _check(self, request: PlanRequest, scans: Sequence[TableScan]) -> GuardReport:
        policy = storage_policy(request.guard)
        needs_locations = policy.storage_class_scope is StorageScope.TABLE
        tables = [
            GuardedTable(
                name=_name(scan.reference),
                locations=self._locations(scan) if needs_locations else (),
                objects=_objects(scan),
            )
            for scan in scans
        ]
        if not tables:
            return GuardReport(objects=(), buckets={})
        return self._guard.check(tables, policy)

    def _locations(self, scan: TableScan) -> tuple[str, ...]:
        """Where all of the table lies; of an Iceberg table, where its snapshot does."""
        if scan.iceberg is None:
            return self._selector.locations(scan.reference)
        return tuple(part.storage_descriptor.location or "" for part in scan.partitions[:1])


def storage_policy(policy: GuardPolicy) -> StoragePolicy:
    """The work group's policy as the guard takes it."""
    if policy.name is GuardPolicyName.ATHENA:
        return StoragePolicy.athena(
            allows_requester_pays=policy.allows_requester_pays,
            read_restored_glacier_objects=policy.read_restored_glacier_objects,
        )
    return StoragePolicy(
        storage_class_scope=_SCOPES[policy.storage_class_scope],
        read_restored_glacier_objects=policy.read_restored_glacier_objects,
        allows_requester_pays=policy.allows_requester_pays,
        counts_sse_s3_as_unencrypted=policy.counts_sse_s3_as_unencrypted,
    )


_SCOPES = {
    StorageClassScope.SCAN: StorageScope.SCAN,
    StorageClassScope.TABLE: StorageScope.TABLE,
    StorageClassScope.BUCKET: StorageScope.BUCKET,
}


def _scan(selection: PartitionSelection, listed: Listed) -> TableScan:
    partitions = tuple(
        PartitionScan(
            partition.values,
            partition.storage_descriptor,
            listed[parse_location(partition.location)],
        )
        for partition in selection.partitions
    )
    return TableScan(selection.reference, partitions, selection.total)


def _permitted(scan: TableScan, objects: tuple[StoredObject, ...]) -> TableScan:
    """The scan with only the objects that the guard lets pass."""
    if sum(len(partition.objects) for partition in scan.partitions) == len(objects):
        return scan
    if scan.iceberg is not None:
        # Without a data file rows would be missing, without a delete file they would be too many.
        raise QueryServiceError(
            ErrorCode.OBJECT_ARCHIVED,
            f"Iceberg table {_name(scan.reference)} has files that are archived; restore them, for"
            " all files of a snapshot are needed",
        )
    kept = {one.address for one in objects}
    return TableScan(
        scan.reference,
        tuple(
            PartitionScan(
                partition.values,
                partition.storage_descriptor,
                tuple(one for one in partition.objects if one.address in kept),
            )
            for partition in scan.partitions
        ),
        scan.total_partitions,
    )


def _objects(scan: TableScan) -> tuple[StoredObject, ...]:
    return tuple(one for partition in scan.partitions for one in partition.objects)


def _name(reference: TableReference) -> str:
    return f"{reference.database}.{reference.table.name}"


def _warnings(report: GuardReport) -> tuple[str, ...]:
    objects, size = report.skipped_archived_objects, report.skipped_archived_bytes
    if not objects:
        return ()
    return (f"{objects} archived objects ({size} bytes) in GLACIER or DEEP_ARCHIVE were not read",)
