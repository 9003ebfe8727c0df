"""Questions to pg_catalog and information_schema, answered from our catalog.

The API process reads the catalog; the query itself, which is the client's text, is read and run in
a process of the gate (ADR-0016).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pyarrow as pa

from querysvc.model import Principal
from querysvc.service.system_listing import Listing
from querysvc.types import algebra
from querysvc_drivers.pgwire.catalog.evaluation import CatalogRows
from querysvc_drivers.pgwire.catalog.reading import CatalogReading
from querysvc_drivers.pgwire.catalog.snapshot import SessionFacts, take_snapshot
from querysvc_drivers.pgwire.types import ELEMENTS, Column, Oid, PgType, pg_type, trino_type

__all__ = ["GATE_OPERATIONS", "CatalogAnswer", "CatalogQueries", "SessionFacts"]

GATE_OPERATIONS: Final[Mapping[str, str]] = {
    "pg_catalog_read": "querysvc_drivers.pgwire.catalog.reading:read_catalog_query",
    "pg_catalog_run": "querysvc_drivers.pgwire.catalog.evaluation:evaluate",
}
"""What the gate must know to do."""

_ARROW: Final[Mapping[int, tuple[pa.DataType, algebra.TrinoType]]] = {
    Oid.BOOL: (pa.bool_(), algebra.BOOLEAN),
    Oid.INT2: (pa.int16(), algebra.SMALLINT),
    Oid.INT4: (pa.int32(), algebra.INTEGER),
    Oid.INT8: (pa.int64(), algebra.BIGINT),
    Oid.OID: (pa.int64(), algebra.BIGINT),
    Oid.XID: (pa.int64(), algebra.BIGINT),
    Oid.FLOAT4: (pa.float32(), algebra.REAL),
    Oid.FLOAT8: (pa.float64(), algebra.DOUBLE),
}
_TEXT: Final = (pa.string(), algebra.VARCHAR)
_NAME_BYTES: Final = 64
_SIZES: Final = {Oid.NAME: _NAME_BYTES, Oid.CHAR: 1, Oid.OID: 4, Oid.XID: 4}
_TEXTS: Final = frozenset({Oid.NAME, Oid.CHAR, Oid.VARCHAR, Oid.TEXT, Oid.INT2VECTOR})


class OperatingGate(Protocol):
    """What is needed of the gate."""

    def call(self, operation: str, *arguments: object) -> Any:
        """Run an operation; its result is as the operation's module declares it."""
        ...


@dataclass(frozen=True, slots=True)
class CatalogAnswer:
    """Rows, and what set_config has set."""

    columns: tuple[Column, ...]
    batch: pa.RecordBatch
    settings: tuple[tuple[str, str], ...]


class CatalogQueries:
    """Answers queries on pg_catalog."""

    def __init__(self, gate: OperatingGate, listing_of: Callable[[Principal], Listing]) -> None:
        self._gate = gate
        self._listing_of = listing_of

    def answer(
        self,
        sql: str,
        literals: tuple[str | None, ...],
        facts: SessionFacts,
        principal: Principal,
    ) -> CatalogAnswer | None:
        """The answer of what the principal may know; None when the query asks something else."""
        reading = self._read(sql)
        if reading is None:
            return None
        snapshot = take_snapshot(
            self._listing_of(principal),
            facts,
            has_relations=reading.needs_relations,
            has_columns=reading.needs_columns,
        )
        rows: CatalogRows = self._gate.call("pg_catalog_run", sql, literals, snapshot)
        columns = tuple(_column(name, oid) for name, oid in rows.columns)
        arrays = [
            pa.array([row[index] for row in rows.rows], _storage(column))
            for index, column in enumerate(columns)
        ]
        names = [str(index) for index in range(len(columns))]
        return CatalogAnswer(columns, pa.RecordBatch.from_arrays(arrays, names), rows.settings)

    def parameter_types(self, sql: str) -> Mapping[int, int] | None:
        """The types of `$n` by their numbers, as far as casts tell; None as for `answer`."""
        reading = self._read(sql)
        return None if reading is None else reading.parameter_types

    def _read(self, sql: str) -> CatalogReading | None:
        found: CatalogReading | None = self._gate.call("pg_catalog_read", sql)
        return found


def _column(name: str, oid: int) -> Column:
    element = ELEMENTS.get(oid)
    if element is not None:
        inner = trino_type(element) or algebra.VARCHAR
        if element in _ARROW:
            inner = _ARROW[element][1]
        return Column(name, PgType(oid), algebra.Array(inner))
    if oid in _ARROW:
        _, type_ = _ARROW[oid]
        size = _SIZES.get(Oid(oid)) or pg_type(type_).size
        return Column(name, PgType(oid, size), type_)
    known = oid if oid in _TEXTS else int(Oid.TEXT)
    return Column(name, PgType(known, _SIZES.get(Oid(known), -1)), algebra.VARCHAR)


def _storage(column: Column) -> pa.DataType:
    element = ELEMENTS.get(column.pg.oid)
    if element is not None:
        return pa.list_(_ARROW.get(element, _TEXT)[0])
    return _ARROW.get(column.pg.oid, _TEXT)[0]
