"""Logs (structlog) and metrics (Prometheus)."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from querysvc.model import QueryExecution
from querysvc.state.repository import Completion

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_SECRET_WORDS = ("secret", "password", "token", "authorization", "credential", "api_key")


def configure_logging(
    log_format: Literal["console", "json"], level: str, stream: TextIO | None = None
) -> None:
    """Write structured lines to `stream` (stderr); members that are called secrets are masked."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # Rich's tracebacks print local variables, secrets too, and import modules while they
            # do: without a descriptor left that ended the thread which only wanted to log.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            mask_secrets,
            structlog.processors.StackInfoRenderer(),
            *([structlog.processors.format_exc_info] if log_format == "json" else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


def mask_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the values of members whose name says that they are secret."""
    for name in event:
        if any(word in name.lower() for word in _SECRET_WORDS):
            event[name] = "***"
    return event


class _Gauges(Collector):
    """Values that are asked for when they are scraped."""

    def __init__(self, values: dict[str, tuple[str, Callable[[], float]]]) -> None:
        self._values = values

    def collect(self) -> list[GaugeMetricFamily]:
        """Ask for all values."""
        return [
            GaugeMetricFamily(name, help_text, value=read())
            for name, (help_text, read) in self._values.items()
        ]


class Metrics:
    """The service's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._ended = Counter(
            "querysvc_queries",
            "Queries that have ended.",
            ("work_group", "state", "error"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "querysvc_query_seconds",
            "Time from submission to end.",
            ("work_group",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._queued_seconds = Histogram(
            "querysvc_query_queued_seconds",
            "Time from submission to start.",
            ("work_group",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._scanned = Counter(
            "querysvc_scanned_bytes",
            "Bytes of data objects that queries read.",
            ("work_group",),
            registry=self.registry,
        )
        self._rows = Counter(
            "querysvc_result_rows", "Rows of results.", ("work_group",), registry=self.registry
        )
        self.up = Gauge("querysvc_ready", "Whether queries can run.", registry=self.registry)

    def watch(self, values: dict[str, tuple[str, Callable[[], float]]]) -> None:
        """Add gauges: name to (help, how to read the value when scraped)."""
        self.registry.register(_Gauges(values))

    def query_ended(self, execution: QueryExecution, completion: Completion) -> None:
        """Count a query that has ended."""
        group = execution.work_group
        statistics = completion.statistics
        error = completion.error.code if completion.error else ""
        self._ended.labels(group, completion.state.value, error).inc()
        self._seconds.labels(group).observe(statistics.total_milliseconds / 1000)
        self._queued_seconds.labels(group).observe(statistics.queued_milliseconds / 1000)
        self._scanned.labels(group).inc(statistics.scanned_bytes)
        self._rows.labels(group).inc(statistics.result_rows)

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)
