"""The codecs that are written in each format; the first is Athena's default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from querysvc.write_plan import Compression
from querysvc_catalog.serdes import StorageFormat

_C = Compression
_TEXT: Final = (_C.GZIP, _C.NONE, _C.BZIP2, _C.ZSTD)
CODECS: Final[Mapping[StorageFormat, tuple[Compression, ...]]] = {
    # Parquet's LZ4 of pyarrow is LZ4_RAW, which Trino 476 does not read.
    StorageFormat.PARQUET: (_C.GZIP, _C.NONE, _C.SNAPPY, _C.ZSTD),
    StorageFormat.ORC: (_C.ZLIB, _C.NONE, _C.SNAPPY, _C.ZSTD, _C.LZ4),
    StorageFormat.AVRO: (_C.DEFLATE, _C.NONE, _C.SNAPPY, _C.ZSTD, _C.BZIP2),
    StorageFormat.JSON: _TEXT,
    StorageFormat.OPENX_JSON: _TEXT,
    StorageFormat.TEXTFILE: _TEXT,
    StorageFormat.CSV: _TEXT,
}

_SYNONYMS: Final = {
    (StorageFormat.ORC, "GZIP"): _C.ZLIB,
    (StorageFormat.AVRO, "GZIP"): _C.DEFLATE,
    **{(each, "UNCOMPRESSED"): _C.NONE for each in CODECS},
}


def codec_named(form: StorageFormat, name: str) -> Compression | None:
    """The codec of that name; None when it is not written in the format."""
    codec = _SYNONYMS.get((form, name.upper())) or Compression.__members__.get(name.upper())
    return codec if codec in CODECS[form] else None
