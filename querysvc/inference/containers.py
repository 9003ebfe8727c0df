"""Parquet, ORC and Avro: the schema is in the file."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final

import fastavro
import fastavro.schema
import pyarrow as pa
from pyarrow import orc, parquet

from querysvc.inference.hive_types import common, of_arrow
from querysvc.inference.model import Draft, Sample, Schema, UnreadableError
from querysvc_catalog.serdes import StorageFormat

_AVRO: Final = {
    "boolean": "boolean",
    "int": "int",
    "long": "bigint",
    "float": "float",
    "double": "double",
    "string": "string",
    "enum": "string",
    "bytes": "binary",
    "fixed": "binary",
    "null": "string",
}
_DAMAGE: Final = (
    *(pa.ArrowException, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError),
    *(fastavro.schema.SchemaParseException, fastavro.schema.UnknownType, RecursionError),
)
"""What pyarrow and fastavro raise of files that are not what they seem."""
_AVRO_LOGICAL: Final = {
    "date": "date",
    "timestamp-millis": "timestamp",
    "timestamp-micros": "timestamp",
}


def container(sample: Sample) -> Draft | None:
    """The schema of a file that carries its own; None when it is another format."""
    for magic, read in _READERS.items():
        if sample.head.startswith(magic):
            try:
                return read(sample)
            except _DAMAGE as error:
                raise UnreadableError(f"its schema cannot be read: {error}") from error
    return None


def _parquet(sample: Sample) -> Draft:
    return _arrow(StorageFormat.PARQUET, parquet.read_schema(pa.BufferReader(sample.tail)))


def _orc(sample: Sample) -> Draft:
    return _arrow(StorageFormat.ORC, orc.ORCFile(pa.BufferReader(sample.tail)).schema)


def _arrow(storage_format: StorageFormat, schema: pa.Schema) -> Draft:
    columns = tuple((field.name.lower(), of_arrow(field.type)) for field in schema)
    return Draft(Schema(storage_format, columns))


def _avro(sample: Sample) -> Draft:
    schema = fastavro.reader(io.BytesIO(sample.head)).writer_schema
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise UnreadableError("its Avro schema is not a record")
    columns = tuple((one["name"].lower(), _avro_type(one["type"])) for one in schema["fields"])
    return Draft(Schema(StorageFormat.AVRO, columns))


def _avro_type(schema: Any) -> str:
    if isinstance(schema, list):
        kinds = [_avro_type(one) for one in schema if one != "null"]
        result = kinds[0] if kinds else "string"
        for kind in kinds[1:]:
            result = common(result, kind)
        return result
    if isinstance(schema, str):
        return _AVRO.get(schema, "string")
    kind, logical = schema["type"], schema.get("logicalType")
    if logical == "decimal":
        return f"decimal({schema['precision']},{schema.get('scale', 0)})"
    if logical in _AVRO_LOGICAL:
        return _AVRO_LOGICAL[logical]
    if kind == "array":
        return f"array<{_avro_type(schema['items'])}>"
    if kind == "map":
        return f"map<string,{_avro_type(schema['values'])}>"
    if kind == "record":
        fields = (f"`{one['name']}`:{_avro_type(one['type'])}" for one in schema["fields"])
        return f"struct<{','.join(fields)}>"
    return _avro_type(kind)


_READERS: Final[dict[bytes, Callable[[Sample], Draft]]] = {
    b"PAR1": _parquet,
    b"ORC": _orc,
    b"Obj\x01": _avro,
}
