"""An answer's `data`: rows as they are, or encoded in an inline or a spooled segment."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson
import pyarrow as pa

COMPRESSED_BYTES_MIN: Final = 8 << 10
"""Smaller segments are sent as they are; clients see that by the missing `uncompressedSize`."""
INLINE_BYTES_MAX: Final = 1 << 20
"""Rows that are larger as text lie in a spooled segment: it costs its client a connection."""

_CODECS: Final[Mapping[str, pa.Codec | None]] = {
    "json": None,
    "json+lz4": pa.Codec("lz4_raw"),
    # Level -3 takes a quarter less time than 1; the rows' text is a quarter of its size, not a
    # sixth: who is far away may want another.
    "json+zstd": pa.Codec("zstd", compression_level=-3),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """A page's rows as the text of a JSON list, and where in the result they are."""

    text: bytes
    first_row: int
    row_count: int


@dataclass(frozen=True, slots=True)
class SpooledAddress:
    """Where a client fetches a segment, where it says that it has it, and until when."""

    uri: str
    ack_uri: str
    expires_at: str


class Spool(Protocol):
    """Takes a segment; None when there is no room."""

    def __call__(self, body: bytes, /) -> SpooledAddress | None: ...


def data_member(rows: Rows, encoding: str | None, spool: Spool | None = None) -> bytes:
    """The value of `data` as JSON text; large rows go to the spool, if there is one."""
    if encoding is None:
        return rows.text
    codec, body = _CODECS[encoding], rows.text
    metadata: dict[str, Any] = {"rowOffset": rows.first_row, "rowsCount": rows.row_count}
    if codec is not None and len(body) >= COMPRESSED_BYTES_MIN:
        metadata["uncompressedSize"] = len(body)
        body = codec.compress(body, asbytes=True)
    metadata["segmentSize"] = len(body)
    is_large = spool is not None and len(rows.text) > INLINE_BYTES_MAX
    address = spool(body) if spool is not None and is_large else None
    segment = _inline(metadata, body) if address is None else _spooled(metadata, address)
    name = encoding.encode()
    return b"".join((b'{"encoding":"', name, b'","metadata":{},"segments":[', segment, b"]}"))


def _inline(metadata: dict[str, Any], body: bytes) -> bytes:
    head = orjson.dumps({"type": "inline", "metadata": metadata})[:-1]
    return b"".join((head, b',"data":"', base64.b64encode(body), b'"}'))


def _spooled(metadata: dict[str, Any], address: SpooledAddress) -> bytes:
    metadata["expiresAt"] = address.expires_at
    return orjson.dumps(
        {
            "type": "spooled",
            "uri": address.uri,
            "ackUri": address.ack_uri,
            "metadata": metadata,
        }
    )
