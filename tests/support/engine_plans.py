"""Plans for engine tests, built without catalog or planner."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from querysvc.model import Progress, ResultColumn, Session
from querysvc.plan import (
    REJECT_COLUMNS,
    REJECTS,
    Domain,
    ExecutionPlan,
    PartitionScan,
    ReadEstimate,
    ResourceLimits,
    StoredObject,
    TableColumn,
    TableReference,
    TableScan,
)
from querysvc.tree import Field, LiteralValue, Query, ValuesBody
from querysvc.types.algebra import TrinoType
from querysvc_catalog.model import Column, SerDeInfo, StorageDescriptor, Table
from querysvc_catalog.serdes import CLASSES, StorageFormat

MODIFIED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


@dataclass
class RecordingControl:
    """An ExecutionControl that notes what it was told."""

    estimates: list[ReadEstimate] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    batches: list[tuple[int, int]] = field(default_factory=list)
    refusal: Exception | None = None
    stall_after_estimate: threading.Event | None = None
    started: threading.Event = field(default_factory=threading.Event)
    _actions: list[Callable[[], None]] = field(default_factory=list)
    _is_cancelled: bool = False

    def is_cancelled(self) -> bool:
        return self._is_cancelled

    def on_cancel(self, action: Callable[[], None]) -> None:
        self._actions.append(action)
        if self._is_cancelled:
            action()

    def cancel(self) -> None:
        self._is_cancelled = True
        for action in self._actions:
            action()

    def on_estimate(self, estimate: ReadEstimate) -> None:
        self.estimates.append(estimate)
        if self.stall_after_estimate is not None:
            self.stall_after_estimate.set()
        self.started.set()
        if self.refusal is not None:
            raise self.refusal

    def on_progress(self, progress: Progress) -> None:
        self.progress.append(progress)

    def on_batch(self, end_offset: int, rows: int) -> None:
        self.batches.append((end_offset, rows))


def descriptor(
    storage_format: StorageFormat, parameters: Mapping[str, str] | None = None
) -> StorageDescriptor:
    classes = CLASSES[storage_format]
    return StorageDescriptor(
        input_format=classes.input_format,
        output_format=classes.output_format,
        serde_info=SerDeInfo(
            serialization_library=classes.serialization_library, parameters=parameters or {}
        ),
    )


def stored(key: str, data: bytes) -> StoredObject:
    return StoredObject("bucket", key, len(data), f"etag-{key}-{hash(data)}", MODIFIED)


def scan(
    columns: Sequence[TableColumn],
    partitions: Sequence[tuple[tuple[LiteralValue, ...], Mapping[str, bytes]]],
    storage: StorageDescriptor,
    *,
    used: Sequence[int] | None = None,
    domains: Mapping[int, Domain] | None = None,
    table_parameters: Mapping[str, str] | None = None,
    hive_types: Mapping[str, str] | None = None,
    tells_rejects: bool = False,
) -> TableScan:
    data_columns = tuple(
        Column(c.name, (hive_types or {}).get(c.name))
        for c in columns
        if not (c.is_partition_key or c.is_hidden)
    )
    table = Table(
        "t",
        "db",
        storage_descriptor=StorageDescriptor(columns=data_columns),
        partition_keys=tuple(Column(c.name) for c in columns if c.is_partition_key),
        parameters=table_parameters or {},
        table_type=REJECTS if tells_rejects else None,
    )
    if tells_rejects:
        columns = (*REJECT_COLUMNS, *(column for column in columns if column.is_partition_key))
    reference = TableReference(
        "awsdatacatalog",
        "db",
        table,
        tuple(columns),
        tuple(used) if used is not None else tuple(range(len(columns))),
        domains or {},
    )
    scans = tuple(
        PartitionScan(values, storage, tuple(stored(key, data) for key, data in objects.items()))
        for values, objects in partitions
    )
    return TableScan(reference, scans, len(scans))


def plan(
    scans: Sequence[TableScan],
    columns: Sequence[tuple[str, TrinoType]],
    *,
    query_id: str = "q",
    query: Query | None = None,
    **limits: Any,
) -> ExecutionPlan:
    return ExecutionPlan(
        query_id=query_id,
        query=query
        or Query(output=tuple(Field(n, t) for n, t in columns), body=ValuesBody(rows=())),
        columns=tuple(ResultColumn(name, type_) for name, type_ in columns),
        scans=tuple(scans),
        session=Session(),
        limits=ResourceLimits(**limits),
    )


def spooled(path: Path) -> list[tuple[Any, ...]]:
    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as reader:
        table = reader.read_all()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
