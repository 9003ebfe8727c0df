"""The spool as Athena's result CSV: header and values quoted, NULL bare (contract items 21, 26).

Batches are turned into columns of text and written by pyarrow's CSV writer, so that memory is
bounded by one batch. The results layer says how a value is spelled (WorkerSettings'
`text_converter`); for the commonest types Arrow's kernels spell it alike, a hundred times faster.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final  # Arrow is untyped

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from querysvc.model import ResultColumn
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

TextConverter = Callable[[TrinoType], Callable[[Any], list[str | None]]]

_BUFFER_BYTES: Final = 4 << 20


def encode_text(
    spool: int, target: int, columns: tuple[ResultColumn, ...], converter: TextConverter
) -> None:
    """Write the spooled rows to `target`; takes over both descriptors."""
    with os.fdopen(spool, "rb") as source, os.fdopen(target, "wb", _BUFFER_BYTES) as sink:
        sink.write(_header(columns))
        if not columns:
            return
        schema = pa.schema([pa.field(str(i), pa.string()) for i in range(len(columns))])
        options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid")
        with (
            pa.ipc.open_stream(source) as reader,
            pyarrow.csv.CSVWriter(
                pa.PythonFile(sink, mode="w"), schema, write_options=options
            ) as writer,
        ):
            for batch in reader:
                arrays = [
                    _texts(column, each.type, converter)
                    for column, each in zip(batch.columns, columns, strict=True)
                ]
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def _header(columns: tuple[ResultColumn, ...]) -> bytes:
    names = ['"' + column.name.replace('"', '""') + '"' for column in columns]
    return (",".join(names) + "\n").encode()


def _texts(array: Any, type_: TrinoType, converter: TextConverter) -> Any:
    if type_ in _SAME_AS_CAST:
        return array.cast(pa.string())
    if isinstance(type_, algebra.Varchar | algebra.Char):
        return array
    if type_ == algebra.DOUBLE:
        return _doubles(array, converter)
    return pa.array(converter(type_)(array), pa.string())


_SAME_AS_CAST: Final = frozenset({algebra.BOOLEAN, *algebra.INTEGER_TYPES})


def _doubles(array: Any, converter: TextConverter) -> Any:
    """Java's texts: from 10^-3 to 10^7 they are Arrow's, save that ".0" follows whole numbers."""
    texts = array.cast(pa.string())
    whole = pc.invert(pc.match_substring(texts, "."))
    texts = pc.if_else(whole, pc.binary_join_element_wise(texts, ".0", ""), texts)
    size = pc.abs(array)
    is_plain = pc.or_(
        pc.and_(pc.greater_equal(size, 1e-3), pc.less(size, 1e7)), pc.equal(size, 0.0)
    )
    others = pc.invert(pc.fill_null(is_plain, True))
    if not pc.any(others).as_py():
        return texts
    spelled = pa.array(converter(algebra.DOUBLE)(array.filter(others)), pa.string())
    return pc.replace_with_mask(texts, others, spelled)
