"""An answer's `data`: rows as they are, or encoded in inline segments."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson
import pyarrow as pa

COMPRESSED_BYTES_MIN: Final = 8 << 10
"""Smaller segments are sent as they are; clients see that by the missing `uncompressedSize`."""

_CODECS: Final[Mapping[str, pa.Codec | None]] = {
    "json": None,
    "json+lz4": pa.Codec("lz4_raw"),
    "json+zstd": pa.Codec("zstd", compression_level=1),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """A page's rows as JSON text without the outer brackets, and where in the result they are."""

    text: bytes
    first_row: int
    row_count: int


def data_member(rows: Rows, encoding: str | None) -> bytes:
    """The value of `data` as JSON text."""
    if encoding is None:
        return b"[" + rows.text + b"]"
    text = b"[" + rows.text + b"]"
    codec = _CODECS[encoding]
    metadata = {"rowOffset": rows.first_row, "rowsCount": rows.row_count}
    if codec is not None and len(text) >= COMPRESSED_BYTES_MIN:
        metadata["uncompressedSize"] = len(text)
        text = codec.compress(text, asbytes=True)
    metadata["segmentSize"] = len(text)
    head = orjson.dumps({"type": "inline", "metadata": metadata})[:-1]
    segment = b"".join((head, b',"data":"', base64.b64encode(text), b'"}'))
    name = encoding.encode()
    return b"".join((b'{"encoding":"', name, b'","metadata":{},"segments":[', segment, b"]}"))
