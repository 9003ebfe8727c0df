"""Builds the service from Settings: the only module that sees all parts.

Application(settings)      opens the state (and migrates it), builds the parts, starts nothing
application.start()        recovers queries, starts workers and threads
application.close()        lets running queries end or go back to the queue, then ends all
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import get_args

import structlog

from querysvc.configuration import (
    admission_limits,
    identity_tokens,
    primary_work_group,
    resource_limits,
    storage_configuration,
)
from querysvc.engines.duckdb.engine import DuckDBEngine
from querysvc.engines.duckdb.settings import SupervisorSettings
from querysvc.model import Principal
from querysvc.plan import AnalysedStatement
from querysvc.planning.access import GuardedFetcher
from querysvc.planning.discovery import PartitionDiscovery, RecentDirectories
from querysvc.planning.iceberg import IcebergReader
from querysvc.planning.metadata import CatalogMetadata
from querysvc.planning.partition_predicates import EnginePredicates
from querysvc.planning.partitions import PartitionSelector
from querysvc.planning.planner import Planner
from querysvc.planning.request import QueryPlanner
from querysvc.results.files import TextFiles
from querysvc.results.publisher import Publisher
from querysvc.results.spool import SpoolDirectory
from querysvc.results.writing.encoder import FileEncoder
from querysvc.service.admission import Admission
from querysvc.service.audit import AuditLog
from querysvc.service.auth import Authenticator, SecretBox
from querysvc.service.catalog_views import CatalogViews
from querysvc.service.clock import Clock, SharedClock, SystemClock
from querysvc.service.crawl import GATE_OPERATIONS as CRAWL_OPERATIONS
from querysvc.service.crawl import Crawler
from querysvc.service.crawlers import Crawlers, CrawlersParts
from querysvc.service.ddl_statements import DdlStatements
from querysvc.service.dispatch import Dispatcher
from querysvc.service.execution import SHUTTING_DOWN, QueryRunner, RunnerParts
from querysvc.service.explain import ExplainExecutor
from querysvc.service.gate import GateLimits, GatePool
from querysvc.service.gate_process import OPERATIONS
from querysvc.service.housekeeping import Housekeeping, Task
from querysvc.service.inspection import Inspector
from querysvc.service.optimizing import OptimizeExecutor
from querysvc.service.policies import Policies
from querysvc.service.prepared import PreparedExecutor, PreparedStatements
from querysvc.service.queries import QueryService, QueryServiceParts
from querysvc.service.quotas import Quotas
from querysvc.service.result_access import ResultAccess
from querysvc.service.reuse import ResultReuse
from querysvc.service.row_changes import RowChangeExecutor
from querysvc.service.running import RunningQueries
from querysvc.service.saved import SavedStatements
from querysvc.service.statement_reading import Prepared
from querysvc.service.statements import SelectExecutor, StatementExecutor
from querysvc.service.system_listing import Listing
from querysvc.service.system_metadata import SystemMetadata
from querysvc.service.system_tables import SystemTablePlanner, SystemTables
from querysvc.service.table_checkup import TableCheckup
from querysvc.service.table_turns import TableTurns
from querysvc.service.tags import ResourceTags
from querysvc.service.upkeep import Upkeep
from querysvc.service.watch import Watchers
from querysvc.service.work_groups import WorkGroupService
from querysvc.service.write_staging import RowStager, WriteLimits, WriterParts
from querysvc.service.write_statements import WriteExecutor
from querysvc.service.write_sweeper import WriteSweeper
from querysvc.service.write_transaction import WriteParts
from querysvc.settings import Settings
from querysvc.sql.ddl import Statement
from querysvc.sql.explain import Explain
from querysvc.state.database import catalog_engine, open_database, sqlite_url
from querysvc.state.directory import StateDirectory
from querysvc.state.migrate import upgrade
from querysvc.state.repository import State
from querysvc.state.sql import SqlState
from querysvc.storage.bucket_facts import BucketFactsCache
from querysvc.storage.client import StorageClient
from querysvc.storage.fetcher import Fetcher
from querysvc.storage.guard import StorageGuard
from querysvc.storage.publish import ResultPublisher
from querysvc.storage.s3_connection import S3Connection
from querysvc.telemetry import Metrics
from querysvc.write_plan import ChangeRows, FileWrite, OptimizeTable
from querysvc_catalog.service import CatalogService
from querysvc_catalog.sql import SqlCatalogRepository
from querysvc_drivers.pgwire import GATE_OPERATIONS

_log = structlog.get_logger(__name__)
_STOP_SECONDS = 5.0


class Application:
    """All parts of one service."""

    settings: Settings
    state: State
    catalog: CatalogService
    """All of it; what people see and change goes through `views`."""
    policies: Policies
    views: CatalogViews
    gate: GatePool
    engine: DuckDBEngine
    storage: StorageClient
    publisher: ResultPublisher
    iceberg: IcebergReader
    queries: QueryService
    work_groups: WorkGroupService
    saved: SavedStatements
    tags: ResourceTags
    authenticator: Authenticator
    metrics: Metrics

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._closers = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            self._build(stack)
            self._closers = stack.pop_all()

    def start(self) -> None:
        """Recover what an earlier process left, and begin to run queries."""
        self._fetcher.start()
        self.storage.warm_up()
        self._upkeep.recover(is_start=True)
        self._upkeep.sweep()
        self.crawlers.recover()
        self._encoder.warm()
        self._dispatcher.start()
        self._dispatcher.wake(self.state.queued_total())
        self._housekeeping.start()

    def readiness(self) -> dict[str, str]:
        """What is wrong, by part; empty when queries can run."""
        problems: dict[str, str] = {}
        for part, check in (("state", self.state.check), ("storage gateway", self._check_fetcher)):
            try:
                check()
            except Exception as error:
                # Whatever a part raises here is what a watcher is to be told.
                problems[part] = f"{type(error).__name__}: {error}"
        self.metrics.up.set(not problems)
        return problems

    def close(self) -> None:
        """Stop claiming, let running queries end or give them back, and end all parts."""
        self._dispatcher.stop()
        running = self._running
        if not running.wait_until_empty(self.settings.shutdown_grace_seconds):
            for query in running.all():
                query.stop(SHUTTING_DOWN)
            if not running.wait_until_empty(_STOP_SECONDS):
                _log.warning("Queries did not stop in time; their leases will settle them.")
        self._closers.close()

    def _build(self, stack: contextlib.ExitStack) -> None:
        self._clock: Clock = SystemClock()
        self.metrics = Metrics()
        self._directory = StateDirectory(self.settings.state_dir)
        stack.callback(self._directory.close)
        self._node = self.settings.node_name or self._directory.node_name()
        self._open_state(stack)
        self._open_storage(stack)
        self._open_views()
        self._watchers, self._running = Watchers(), RunningQueries()
        self._limits = resource_limits(self.settings)
        self._spools = SpoolDirectory(self._directory.results)
        self._texts = TextFiles(self._spools, self.engine.encode_text)
        self.gate = GatePool(self.views.metadata, gate_limits(self.settings))
        stack.callback(self.gate.close)
        self._build_people()
        self._build_queries(stack)
        self._build_crawlers(stack)

    def _open_state(self, stack: contextlib.ExitStack) -> None:
        secret_url = self.settings.database_url
        self._is_shared = secret_url is not None
        url = secret_url.get_secret_value() if secret_url else sqlite_url(self._directory.database)
        database = open_database(url)
        stack.callback(database.close)
        upgrade(database)
        self._lease_clock = SharedClock(database.now, self._clock) if secret_url else self._clock
        self.state = SqlState(database)
        engine = catalog_engine(database)
        stack.callback(engine.dispose)
        repository = SqlCatalogRepository(engine)
        self.catalog = CatalogService(repository, self._clock.now)
        self.catalog.ensure_defaults()
        self._audit = AuditLog(self.state, self._clock)
        self.policies = Policies(self.state, self._audit, self._clock)
        self._quotas = Quotas(self.state, self._clock)
        self._catalog_repository = repository

    def _open_storage(self, stack: contextlib.ExitStack) -> None:
        configuration = storage_configuration(self.settings)
        connection = S3Connection(configuration)
        stack.callback(connection.close)
        self.storage = StorageClient(connection)
        self._guard = StorageGuard(self.storage, BucketFactsCache(connection))
        self.publisher = ResultPublisher(connection)
        self._fetcher = Fetcher(configuration)
        stack.callback(self._fetcher.close)
        self.gateway = GuardedFetcher(self._fetcher)
        engine_settings = SupervisorSettings(
            scratch_directory=self._directory.scratch(), idle_workers=self.settings.idle_workers
        )
        self.engine = DuckDBEngine(self.gateway, engine_settings)
        stack.callback(self.engine.close)
        self._encoder = FileEncoder()
        stack.callback(self._encoder.close)
        self._writes = WriteParts(self.state, self.publisher, self.catalog)
        self._objects = _Objects(self.storage, self.publisher)
        self.iceberg = IcebergReader(self.catalog, self._objects)

    def _open_views(self) -> None:
        metadata = SystemMetadata(CatalogMetadata(self.catalog, self.iceberg))
        self.views = CatalogViews(
            self._catalog_repository, metadata, self.policies, self._audit, self._clock.now
        )

    def _build_people(self) -> None:
        self.work_groups = WorkGroupService(self.state, self.state, self._audit, self._clock)
        self.work_groups.ensure_primary(primary_work_group(self.settings))
        self.saved = SavedStatements(self.state, self.work_groups, self._clock)
        self._prepared = PreparedStatements(self.saved)
        self.tags = ResourceTags(self.state, self.work_groups)
        self.authenticator = Authenticator(
            self.state,
            SecretBox(self._directory.key_file),
            self._clock,
            is_required=self.settings.auth == "keys",
            rights_of=self.policies.with_work_groups,
            tokens=identity_tokens(self.settings, self._clock),
        )

    def _build_queries(self, stack: contextlib.ExitStack) -> None:
        planner = self._planner()
        self._dispatcher = Dispatcher(
            self.state,
            QueryRunner(self._runner_parts(planner)).run,
            self._lease_clock,
            node=self._node,
            running_max=self.settings.running_queries_max,
            work_group_running_max=self.settings.work_group_running_max,
            lease_seconds=self.settings.lease_seconds,
        )
        self._upkeep = Upkeep(
            queries=self.state,
            running=self._running,
            watchers=self._watchers,
            dispatcher=self._dispatcher,
            spools=self._spools,
            audit=self._audit,
            clock=self._lease_clock,
            node=self._node,
            lease_seconds=self.settings.lease_seconds,
            retention_seconds=self.settings.result_retention_seconds,
            is_shared=self._is_shared,
        )
        self._housekeeping = Housekeeping((*self._upkeep.tasks(), self._sweeping()))
        stack.callback(self._audit.flush)
        stack.callback(self._housekeeping.stop)
        stack.callback(self._dispatcher.join, _STOP_SECONDS)
        self.queries = QueryService(
            QueryServiceParts(
                queries=self.state,
                groups=self.work_groups,
                gate=self.gate,
                prepared=self._prepared,
                admission=Admission(
                    self.state,
                    admission_limits(self.settings),
                    self._clock,
                    self._quotas.key_limits,
                ),
                running=self._running,
                watchers=self._watchers,
                results=ResultAccess(self.state, self._spools, self._texts, self._running),
                inspector=self._inspector(planner),
                audit=self._audit,
                clock=self._clock,
                wake=self._dispatcher.wake,
                access_of=self.policies.access_of,
            )
        )
        self.metrics.watch(self._gauges())

    def _build_crawlers(self, stack: contextlib.ExitStack) -> None:
        self.crawler = Crawler(
            self.storage, self.gate, self.views.catalog, self.policies.access_of, self._audit
        )
        self.crawlers = Crawlers(
            CrawlersParts(self.state, self.crawler, self._audit, self._clock, self._node)
        )
        stack.callback(self.crawlers.close)
        self.checkup = TableCheckup(
            self.storage, self.crawler, self.views.catalog, self.policies.access_of
        )

    def _planner(self) -> QueryPlanner:
        predicates = EnginePredicates(self.engine, self._directory.scratch())
        discovery = self._discovery(self.settings.partition_discovery_validity_seconds)
        selector = PartitionSelector(self.catalog, predicates, discovery)
        planner = Planner(
            selector,
            self.storage,
            self._guard,
            self.gateway.expect,
            self.state,
            iceberg=self.iceberg,
        )
        address = f"http://{self.settings.host}:{self.settings.port}"
        tables = SystemTables(self._listing_of, self.state, self._node, address)
        return SystemTablePlanner(planner, tables)

    def _listing_of(self, principal: Principal) -> Listing:
        # `"t$partitions"` has no place to tell a listing's age: it takes a new one.
        return Listing(
            self.views.catalog(principal), self._discovery(validity_seconds=0), self.iceberg
        )

    def _discovery(self, validity_seconds: float) -> PartitionDiscovery:
        folders, seconds = _Directories(self.storage), self._clock.steady_seconds
        return PartitionDiscovery(
            RecentDirectories(folders, seconds, validity_seconds=validity_seconds)
        )

    def _runner_parts(self, planner: QueryPlanner) -> RunnerParts:
        return RunnerParts(
            queries=self.state,
            groups=self.work_groups,
            gate=self.gate,
            prepared=self._prepared,
            executors=self._executors(planner),
            spools=self._spools,
            texts=self._texts,
            publisher=Publisher(self.publisher),
            running=self._running,
            watchers=self._watchers,
            audit=self._audit,
            metrics=self.metrics,
            clock=self._clock,
            quotas=self._quotas,
            limits=self._limits,
            writes=self._writes,
        )

    def _executors(self, planner: QueryPlanner) -> dict[type, StatementExecutor]:
        """Who runs which statement: a new kind of statement is registered here."""
        writing, turns = self._writer_parts(planner), TableTurns()
        ddl = DdlStatements(self.views.catalog, _Directories(self.storage), self._objects)
        return {
            AnalysedStatement: SelectExecutor(
                planner,
                self.engine,
                ResultReuse(self.state, self._spools, self._clock),
                self._clock,
            ),
            Explain: ExplainExecutor(planner, self.engine, self._clock),
            **dict.fromkeys(get_args(Statement), ddl),
            **dict.fromkeys(get_args(FileWrite), WriteExecutor(writing)),
            ChangeRows: RowChangeExecutor(RowStager(writing), self.iceberg, turns),
            OptimizeTable: OptimizeExecutor(RowStager(writing), self.iceberg, turns),
            **dict.fromkeys(
                get_args(Prepared), PreparedExecutor(self._prepared, self.saved, self.gate)
            ),
        }

    def _inspector(self, planner: QueryPlanner) -> Inspector:
        return Inspector(
            self.gate,
            self._prepared,
            planner,
            self.engine,
            clock=self._clock,
            limits=self._limits,
        )

    def _sweeping(self) -> Task:
        sweeper = WriteSweeper(self._writes, self._lease_clock, self.settings.lease_seconds)
        return Task("lost writes", self.settings.write_sweep_seconds, sweeper.sweep)

    def _writer_parts(self, planner: QueryPlanner) -> WriterParts:
        return WriterParts(
            planner=planner,
            engine=self.engine,
            encoder=self._encoder,
            parts=self._writes,
            policies=self.policies,
            iceberg=self.iceberg,
            directory=self._directory.staging(),
            clock=self._clock,
            limits=WriteLimits(
                file_bytes=self.settings.write_file_bytes,
                partitions_max=self.settings.write_partitions_max,
                staging_bytes_max=self.settings.write_staging_bytes_max,
            ),
        )

    def _check_fetcher(self) -> None:
        if self._fetcher.process_id is None:
            self._fetcher.start()

    def _gauges(self) -> dict[str, tuple[str, Callable[[], float]]]:
        return {
            "querysvc_running_queries": (
                "Queries that run on this node.",
                lambda: len(self._running.all()),
            ),
            "querysvc_queued_queries": (
                "Queries that wait, of all nodes.",
                lambda: self.state.queued_total(),
            ),
        }


class _Objects:
    """Objects to read and to write, over the storage client and the publisher."""

    def __init__(self, storage: StorageClient, publisher: ResultPublisher) -> None:
        self.read_object = storage.read_object
        self.describe = storage.describe
        self.list_locations = storage.list_locations
        self.put_bytes = publisher.put_bytes
        self.delete = publisher.delete


class _Directories:
    """A lister of folders over the storage client."""

    def __init__(self, storage: StorageClient) -> None:
        self._storage = storage

    def directories(self, locations: Sequence[str]) -> list[list[str]]:
        """The names of the folders directly under each location."""
        return [
            [prefix.rstrip("/").rpartition("/")[2] for prefix in prefixes]
            for prefixes in self._storage.list_prefixes(locations)
        ]


def gate_limits(settings: Settings) -> GateLimits:
    """What the analysis of one statement may take."""
    return GateLimits(
        processes=settings.analysis_processes,
        timeout_seconds=settings.analysis_timeout_seconds,
        memory_bytes=settings.analysis_memory_bytes,
        operations={**OPERATIONS, **GATE_OPERATIONS, **CRAWL_OPERATIONS},
    )
