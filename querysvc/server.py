"""Serves the application over HTTP: one port for the REST API and the wires."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from querysvc import __version__
from querysvc.bootstrap import Application
from querysvc.configuration import storage_configuration
from querysvc.engines.duckdb.engine import DuckDBEngine
from querysvc.engines.duckdb.sandbox import Layer
from querysvc.engines.duckdb.settings import SupervisorSettings
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.rest import RestServices, create_app
from querysvc.service.audit import AuditLog
from querysvc.service.auth import Authenticator, SecretBox
from querysvc.service.clock import SystemClock
from querysvc.service.parameter_types import ParameterTypes
from querysvc.service.policies import Policies
from querysvc.service.system_listing import Listing
from querysvc.settings import Settings
from querysvc.state.database import open_database, sqlite_url
from querysvc.state.migrate import upgrade
from querysvc.state.repository import AuditRepository, State
from querysvc.state.sql import SqlState
from querysvc.storage.fetcher import Fetcher
from querysvc.storage.s3_connection import S3Connection
from querysvc.telemetry import configure_logging
from querysvc_drivers import aws_json, trino
from querysvc_drivers.athena import AthenaServices, athena_service
from querysvc_drivers.glue import GlueServices, glue_service
from querysvc_drivers.pgwire import (
    CatalogQueries,
    PgServer,
    PgServices,
    SessionServices,
    server_tls,
)
from querysvc_drivers.trino.authentication import with_api_keys

_log = structlog.get_logger(__name__)
_STOP_SECONDS = 5
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_REQUEST_THREADS = 24
"""Threads for calls of the core that block: milliseconds for a commit, seconds for the gate or S3.
asyncio's own number (cores + 4) lets six slow estimates hold up every submission; the state's pool
has 32 connections, of which the dispatcher's threads need theirs."""


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; raises CONFIGURATION_INVALID before anything is started."""
    check_exposure(settings)
    configure_logging(log_format=settings.log_format, level=settings.log_level)
    for number in _STOP_SIGNALS:
        signal.signal(number, _stop)
    application = Application(settings)
    try:
        listener = _listen(settings.host, settings.port)
        pg_port = settings.pg_port
        pg_listener = None if pg_port is None else _listen(settings.host, pg_port)
        application.start()
        gc.collect()
        gc.freeze()  # what start-up made stays: later collections need not walk it
        for layer in application.engine.containment_report():
            if not (layer.is_available and layer.is_applied):
                _log.warning("containment_layer_missing", layer=layer.name, detail=layer.detail)
            else:
                _log.info("containment_layer_holds", layer=layer.name, detail=layer.detail)
        pg = None if pg_listener is None else (pg_server(application), pg_listener)
        with flight_server(application):
            _run(http_application(application), settings, listener, pg)
    finally:
        application.close()


def http_application(application: Application) -> FastAPI:
    """The ASGI application with every wire."""
    app = create_app(
        RestServices(
            queries=application.queries,
            work_groups=application.work_groups,
            catalog_of=application.views.catalog,
            policies=application.policies,
            crawler=application.crawler,
            checkup=application.checkup,
            authenticate=application.authenticator.authenticate,
            readiness=application.readiness,
            metrics=application.metrics.exposition,
            version=__version__,
        )
    )
    services = trino.TrinoServices(
        queries=application.queries,
        metadata_of=application.views.metadata,
        authenticate=with_api_keys(application.authenticator.authenticate),
        classify=application.gate.classify,
        parameter_types=ParameterTypes(application.gate, application.views.metadata, SystemClock()),
        segments=_trino_segments(application.settings),
    )
    app.include_router(trino.router(services))
    app.include_router(aws_json.router(_aws_wire(application)))
    return app


def _trino_segments(settings: Settings) -> trino.SegmentStore:
    """In the state directory, which this process alone uses."""
    directory = settings.state_dir.expanduser().absolute() / "segments"
    return trino.SegmentStore(directory, trino.SegmentLimits(settings.trino_segments_bytes_max))


def pg_server(application: Application) -> PgServer:
    """The PostgreSQL wire."""
    settings, views, gate = application.settings, application.views, application.gate
    certificate = settings.tls_certificate_file
    tls, binding = (
        (None, None) if certificate is None else server_tls(certificate, settings.tls_key_file)
    )
    session = SessionServices(
        queries=application.queries,
        parameter_types=ParameterTypes(gate, views.metadata, SystemClock()),
        metadata_of=views.metadata,
        catalog=CatalogQueries(
            gate, lambda principal: Listing(views.catalog(principal), iceberg=application.iceberg)
        ),
    )
    return PgServer(PgServices(session, application.authenticator, tls, binding))


@contextlib.contextmanager
def flight_server(application: Application) -> Iterator[None]:
    """The Flight SQL wire, if it has a port; CONFIGURATION_INVALID without its extra."""
    settings, views = application.settings, application.views
    if settings.flight_port is None:
        yield
        return
    try:
        from querysvc_drivers.flightsql.server import FlightServices, FlightSqlServer
    except ImportError as error:
        raise QueryServiceError(
            ErrorCode.CONFIGURATION_INVALID,
            f"flight_port needs the extra flightsql (pip install querysvc[flightsql]): {error}",
        ) from error
    services = FlightServices(
        application.queries,
        ParameterTypes(application.gate, views.metadata, SystemClock()),
        lambda principal: Listing(views.catalog(principal), iceberg=application.iceberg),
        with_api_keys(application.authenticator.authenticate),
    )
    certificate, key = settings.tls_certificate_file, settings.tls_key_file
    tls = None if certificate is None or key is None else (certificate, key)
    scheme = "grpc" if tls is None else "grpc+tls"
    address = f"{scheme}://{settings.host}:{settings.flight_port}"
    with FlightSqlServer(services, address, tls) as server:
        _log.info("flight_listening", url=f"{scheme}://{settings.host}:{server.port}")
        yield


def _aws_wire(application: Application) -> aws_json.AwsWire:
    """Athena and Glue, for clients of AWS."""
    athena = AthenaServices(
        queries=application.queries,
        work_groups=application.work_groups,
        saved=application.saved,
        catalog_of=application.views.catalog,
        tags=application.tags,
    )
    glue = GlueServices(application.views.catalog, application.tags, application.crawlers)
    services = (athena_service(athena), glue_service(glue))
    return aws_json.AwsWire(services, application.authenticator, SystemClock().now)


def check_exposure(settings: Settings) -> None:
    """Refuse to listen beyond loopback without authentication, unless told so."""
    if settings.auth != "none" or settings.exposes_without_auth or _is_loopback(settings.host):
        return
    raise QueryServiceError(
        ErrorCode.CONFIGURATION_INVALID,
        f"listening on {settings.host} without authentication lets anyone there query with this"
        " service's credentials: use --auth keys (and `querysvc keys create`), or say"
        " --exposes-without-auth true if that is meant",
    )


@contextlib.contextmanager
def open_authenticator(settings: Settings) -> Iterator[Authenticator]:
    """The keys of a service, which may be running meanwhile."""
    with _open_state(settings) as (state, root):
        audit = AuditLog(state, SystemClock())
        box = SecretBox(root / "secret.key")
        yield Authenticator(state, box, SystemClock(), is_required=True, audit=audit)
        audit.flush()


@contextlib.contextmanager
def open_audit(settings: Settings) -> Iterator[AuditRepository]:
    """The audit log of a service, which may be running meanwhile."""
    with _open_state(settings) as (state, _):
        yield state


@contextlib.contextmanager
def open_policies(settings: Settings) -> Iterator[Policies]:
    """The grants of a service, which may be running meanwhile."""
    with _open_state(settings) as (state, _):
        audit = AuditLog(state, SystemClock())
        yield Policies(state, audit, SystemClock())
        audit.flush()


@contextlib.contextmanager
def _open_state(settings: Settings) -> Iterator[tuple[State, Path]]:
    root = settings.state_dir.expanduser().absolute()
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    secret = settings.database_url
    url = secret.get_secret_value() if secret else sqlite_url(root / "state.db")
    database = open_database(url)
    try:
        upgrade(database)
        yield SqlState(database), root
    finally:
        database.close()


@contextlib.contextmanager
def open_storage_connection(settings: Settings) -> Iterator[S3Connection]:
    """A connection to S3 as the service would have it."""
    connection = S3Connection(storage_configuration(settings))
    try:
        yield connection
    finally:
        connection.close()


def containment_layers(settings: Settings, scratch: Path) -> tuple[Layer, ...]:
    """The layers of containment that hold in a worker started now."""
    fetcher = Fetcher(storage_configuration(settings))
    engine = DuckDBEngine(fetcher, SupervisorSettings(scratch_directory=scratch, idle_workers=1))
    try:
        return engine.containment_report()
    finally:
        engine.close()
        fetcher.close()


def _stop(_: int, __: FrameType | None) -> None:
    """Leave `serve` through its `finally`, with exit code 0; a second signal ends at once.

    uvicorn raises the signal again when it has stopped: the default action would end the process
    before the application could give its running queries back.
    """
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    sys.exit(0)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise QueryServiceError(
            ErrorCode.CONFIGURATION_INVALID,
            f"cannot listen on {host}:{port}: {error.strerror}",
        ) from error
    listener.listen(1024)
    return listener


def _run(
    app: FastAPI,
    settings: Settings,
    listener: socket.socket,
    pg: tuple[PgServer, socket.socket] | None,
) -> None:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        threads = ThreadPoolExecutor(_REQUEST_THREADS, thread_name_prefix="request")
        asyncio.get_running_loop().set_default_executor(threads)
        host, port = listener.getsockname()[:2]
        scheme = "https" if settings.tls_certificate_file else "http"
        _log.info("listening", url=f"{scheme}://{host}:{port}", auth=settings.auth)
        if pg is None:
            yield
            return
        server, pg_listener = pg
        await server.start(pg_listener)
        yield
        await server.stop()

    app.router.lifespan_context = lifespan
    configuration = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
        ssl_certfile=settings.tls_certificate_file,
        ssl_keyfile=settings.tls_key_file,
    )
    uvicorn.Server(configuration).run(sockets=[listener])
