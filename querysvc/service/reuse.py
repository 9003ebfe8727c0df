"""Result reuse that is never stale: an earlier result answers only for the very same plan.

A result's key is a digest of everything that it depends on: the checked statement with its
parameters bound, the session's user, zone and properties, and of every table the catalog's entry
with the exact objects that this run would read (key, size, ETag, version). The objects come from a
listing made for this run, after the storage rules: a write of anybody, through us or not, changes
the key, and the run goes ahead. Age decides only how old an equal result may be.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from querysvc.errors import QueryServiceError
from querysvc.model import Session
from querysvc.plan import AnalysedStatement, ExecutionPlan, TableScan
from querysvc.results.spool import BatchEnd, SpoolDirectory
from querysvc.service.clock import Clock
from querysvc.state.repository import QueryRepository

_ATHENA: Final = "athena"


def result_key(statement: AnalysedStatement, plan: ExecutionPlan, sql: str) -> str | None:
    """The digest of what the result depends on; None when it may differ from run to run."""
    if not statement.is_deterministic:
        return None
    digest = hashlib.sha256()
    # Athena's clients ask anew by another comment: there, another text is another question.
    text = sql if plan.session.source == _ATHENA else ""
    for part in (text, *_dependencies(plan)):
        digest.update(part.encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return digest.hexdigest()


def _dependencies(plan: ExecutionPlan) -> Iterator[str]:
    yield repr(_session(plan.session))
    yield repr(plan.columns)
    yield repr(plan.query)
    for scan in plan.scans:
        yield from _scan(scan)


def _session(session: Session) -> tuple[object, ...]:
    return session.user, session.time_zone, sorted(session.properties.items())


def _scan(scan: TableScan) -> Iterator[str]:
    yield repr((scan.reference, len(scan.partitions)))
    for partition in scan.partitions:
        yield repr((partition.values, partition.storage_descriptor, len(partition.objects)))
        for one in partition.objects:
            yield f"{one.bucket}\0{one.key}\0{one.size}\0{one.etag}\0{one.version_id}"


@dataclass(frozen=True, slots=True)
class ResultReuse:
    """Gives a query the rows of an earlier one with the same key."""

    queries: QueryRepository
    spools: SpoolDirectory
    clock: Clock

    def take(
        self, key: str, *, query_id: str, work_group: str, age_max_minutes: int
    ) -> tuple[BatchEnd, ...] | None:
        """Make the newest equal result the query's own, its batches told; None: there is none.

        The files are linked, not copied: each query's result lives as long as that query keeps it.
        """
        if age_max_minutes <= 0:
            return None
        since = self.clock.now() - timedelta(minutes=age_max_minutes)
        earlier = self.queries.find_result(key, work_group=work_group, completed_since=since)
        if earlier is None:
            return None
        target = self.spools.stream_path(query_id)
        try:
            ends = self.spools.open(earlier).ends
            target.unlink(missing_ok=True)
            os.link(self.spools.stream_path(earlier), target)
        except (QueryServiceError, FileNotFoundError):
            return None  # it has expired meanwhile, or lies on another node
        return ends
