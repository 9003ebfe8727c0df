"""The spool: query results as an Arrow IPC stream in storage forms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final  # Arrow is untyped

import pyarrow as pa

from querysvc.engines.duckdb.functions.arrow_types import arrow_type
from querysvc.engines.duckdb.lowering.types import is_fine
from querysvc.model import ResultColumn
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

TYPES_KEY: Final = "trino.types"
NAMES_KEY: Final = "trino.names"
_TEXTS: Final = frozenset({algebra.UUID, algebra.IPADDRESS})


def spool_schema(columns: tuple[ResultColumn, ...]) -> Any:
    """The Arrow schema of a spool: columns named by index, the Trino types in the metadata."""
    fields = [pa.field(str(i), _type(column.type)) for i, column in enumerate(columns)]
    metadata = {
        TYPES_KEY: json.dumps([column.type.wire_name for column in columns]),
        NAMES_KEY: json.dumps([column.name for column in columns]),
    }
    return pa.schema(fields, metadata=metadata)


def conform(batches: Iterable[Any], schema: Any) -> Iterator[Any]:
    """Give the engine's batches exactly the spool's schema; drop empty ones."""
    for batch in batches:
        if not batch.num_rows:
            continue
        columns = [
            _conforming(column, field.type)
            for column, field in zip(batch.columns, schema, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _conforming(column: Any, type_: Any) -> Any:
    if column.type == type_:
        return column
    if column.null_count == len(column):  # DuckDB's NULL without a type comes as an integer
        return pa.nulls(len(column), type_)
    return column.cast(type_)


def _type(type_: TrinoType) -> Any:
    """The storage form, but texts for what results hold as texts, however deep."""
    if type_ in _TEXTS or is_fine(type_):
        return pa.string()
    if isinstance(type_, algebra.Array):
        return pa.list_(_type(type_.element))
    if isinstance(type_, algebra.Map):
        return pa.map_(_type(type_.key), _type(type_.value))
    if isinstance(type_, algebra.Row):
        return pa.struct([(f"f{i}", _type(field.type)) for i, field in enumerate(type_.fields)])
    return arrow_type(type_)
