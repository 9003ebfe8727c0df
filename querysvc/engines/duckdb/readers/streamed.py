"""Where the rows of a stream of Arrow batches come from: the file's position, and their number."""

from __future__ import annotations

from typing import Any, Final  # Arrow is untyped

import numpy as np
import pyarrow as pa

from querysvc.engines.duckdb.readers.quarantine import Origin, tells_rejects
from querysvc.plan import TableReference

FILE: Final = '"file"'
_LINE: Final = "line"


def place_fields(reference: TableReference) -> list[Any]:
    """The fields that tell of a row's place: its number only where bad rows are told of."""
    fields = [pa.field("file", pa.int64())]
    return [*fields, pa.field(_LINE, pa.int64())] if tells_rejects(reference) else fields


def place_arrays(schema: Any, position: int, rows: int, before: int) -> list[Any]:
    """The values of `place_fields` for some rows of a file, after so many others."""
    arrays = [pa.repeat(pa.scalar(position, pa.int64()), rows)]
    if _LINE in schema.names:
        arrays.append(pa.array(np.arange(before + 1, before + rows + 1)))
    return arrays


def numbered_origin(reference: TableReference) -> Origin | None:
    """Where a row comes from, in a stream that numbers its rows."""
    return Origin(line=_LINE) if tells_rejects(reference) else None
