"""The audit log: queries with tables, columns and bytes; changes of the catalog."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal, Session
from querysvc.service.audit import AuditLog
from querysvc.service.catalog_views import CatalogViews
from querysvc.service.policies import GrantRequest, Policies
from querysvc.service.reads import query_of, reads_of
from querysvc.sql.analyser import analyse
from querysvc.sql.explain import Explain, read_explain
from querysvc.state.memory import MemoryState
from querysvc.state.values import AuditEntry
from querysvc.write_plan import Unload
from querysvc_catalog.memory import MemoryCatalogRepository
from querysvc_catalog.model import Database, Table
from tests.support.fakes import ManualClock
from tests.support.queries import tpch
from tests.unit.service.conftest import Harness, build, stop

SQL = "SELECT n.name, count(*) FROM nation n JOIN region r ON n.regionkey = r.regionkey GROUP BY 1"
READS = {
    "tables": "awsdatacatalog.tiny.nation, awsdatacatalog.tiny.region",
    "columns": "awsdatacatalog.tiny.nation (name, regionkey);"
    " awsdatacatalog.tiny.region (regionkey)",
}
SESSION = Session(database="tiny", started_at=datetime(2024, 1, 1, tzinfo=UTC))
ROOT = Principal("root", frozenset({"admin"}))


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    harness = build(MemoryState(), tmp_path)
    harness.dispatcher.start()
    harness.gate.statements[SQL] = analyse(SQL, SESSION, tpch())
    yield harness
    stop(harness)


def entries(state: MemoryState, audit: AuditLog) -> list[AuditEntry]:
    audit.flush()
    return list(state.list_audit()[0])


def test_a_query_is_told_with_its_tables_columns_and_bytes(harness: Harness) -> None:
    harness.run(SQL)
    harness.audit.flush()
    (entry,) = harness.state.list_audit()[0]
    assert (entry.principal, entry.action, entry.work_group) == ("ada", "query", "primary")
    assert entry.details == {**READS, "kind": "SELECT", "scanned_bytes": "100"}


def test_a_failed_query_is_told_with_what_it_was_to_read(harness: Harness) -> None:
    harness.engine.failure = QueryServiceError(ErrorCode.WORKER_CRASHED, "gone")
    harness.run(SQL)
    harness.audit.flush()
    (entry,) = harness.state.list_audit()[0]
    assert entry.details["error"] == "WORKER_CRASHED"
    assert entry.details["columns"] == READS["columns"]


def test_an_explain_and_a_write_read_what_their_query_reads() -> None:
    query = analyse(SQL, SESSION, tpch())
    explain = Explain(read_explain(f"EXPLAIN {SQL}"), query)
    assert query_of(explain) is query
    assert reads_of(explain) == READS
    assert reads_of(object()) == {}
    assert "query" in Unload.__dataclass_fields__, "what reads_of looks for in writes"


def test_changes_of_the_catalog_are_told_also_when_refused() -> None:
    state, clock = MemoryState(), ManualClock()
    audit = AuditLog(state, clock)
    policies = Policies(state, audit, clock)
    repository = MemoryCatalogRepository()
    views = CatalogViews(repository, tpch(), policies, audit, clock.now)
    catalog = views.catalog(ROOT)
    catalog.ensure_defaults()
    catalog.create_database(Database("shop"))
    policies.create(GrantRequest("user:bob", ("describe",), "table:shop.*"), ROOT)
    with pytest.raises(QueryServiceError, match="Cannot create table"):
        views.catalog(Principal("bob")).create_table(Table("t", "shop"))
    views.catalog(Principal("bob")).list_table_names(Database("shop").full_name)
    told = [(e.principal, e.action, e.subject) for e in entries(state, audit)]
    assert told[0] == ("bob", "catalog.create_table", "shop.t")
    assert ("root", "catalog.create_database", "shop") in told
    assert entries(state, audit)[0].details == {
        "error": "Access Denied: Cannot create table awsdatacatalog.shop.t"
    }
