"""Avro's types in Arrow, and what decoded values need before Arrow takes them.

Logical types are taken off the schema that decodes, so that dates and timestamps stay numbers,
which Arrow takes as they are; only decimals, maps and unions of one branch are made in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Final  # Avro schemas are JSON documents, decoded values anything

import pyarrow as pa

Convert = Callable[[Any], Any]
_LOGICAL: Final = ("logicalType", "precision", "scale")
_DECIMAL_CONTEXT: Final = Context(prec=100)
_DECIMAL_DIGITS_MAX: Final = 38
_NESTING_MAX: Final = 64


class UnsupportedAvroError(Exception):
    """A type that has no place in a table; tells which."""


@dataclass(frozen=True, slots=True)
class ArrowForm:
    """An Arrow type, and the conversion that a decoded value needs (None: none)."""

    type: Any
    convert: Convert | None = None


_PRIMITIVES: Final[dict[str, Any]] = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
}
_LOGICAL_TYPES: Final[dict[tuple[str, str], Any]] = {
    ("int", "date"): pa.date32(),
    ("int", "time-millis"): pa.time32("ms"),
    ("long", "time-micros"): pa.time64("us"),
    ("long", "timestamp-millis"): pa.timestamp("ms"),
    ("long", "timestamp-micros"): pa.timestamp("us"),
    ("long", "timestamp-nanos"): pa.timestamp("ns"),
    ("long", "local-timestamp-millis"): pa.timestamp("ms"),
    ("long", "local-timestamp-micros"): pa.timestamp("us"),
}


class SchemaReader:
    """Reads one file's schema: named types are known once they were defined."""

    def __init__(self, schema: Any) -> None:
        self._named: dict[str, Any] = {}
        with _well_formed():
            self._note_names(schema, "", 0)

    def form(self, schema: Any, namespace: str = "") -> ArrowForm:
        """The Arrow form of a schema."""
        with _well_formed():
            return self._form(schema, namespace, 0)

    def _form(self, schema: Any, namespace: str, depth: int) -> ArrowForm:
        if depth > _NESTING_MAX:
            raise UnsupportedAvroError("a type that contains itself")
        if isinstance(schema, list):
            return self._union(schema, namespace, depth)
        if isinstance(schema, str):
            if schema in _PRIMITIVES:
                return ArrowForm(_PRIMITIVES[schema])
            found = self._named.get(_full_name(schema, namespace), self._named.get(schema))
            if found is None:
                raise UnsupportedAvroError(f"the unknown type {schema}")
            return self._form(found, namespace, depth + 1)
        return self._complex(schema, namespace, depth)

    def _complex(self, schema: dict[str, Any], namespace: str, depth: int) -> ArrowForm:
        kind = schema.get("type")
        logical = schema.get("logicalType")
        if logical == "decimal" and kind in ("bytes", "fixed"):
            return _decimal(schema)
        arrow = _LOGICAL_TYPES.get((str(kind), str(logical)))
        if arrow is not None:
            return ArrowForm(arrow)
        if kind == "fixed":
            return ArrowForm(pa.binary())
        if kind == "enum":
            return ArrowForm(pa.string())
        make = {"array": self._array, "map": self._map, "record": self._record}.get(str(kind))
        if make is not None:
            return make(schema, schema.get("namespace", namespace), depth + 1)
        return self._form(kind, namespace, depth + 1)

    def _union(self, branches: list[Any], namespace: str, depth: int) -> ArrowForm:
        others = [branch for branch in branches if branch != "null"]
        if len(others) != 1:
            raise UnsupportedAvroError("a union of several types")
        return self._form(others[0], namespace, depth + 1)

    def _array(self, schema: dict[str, Any], namespace: str, depth: int) -> ArrowForm:
        item = self._form(schema["items"], namespace, depth)
        convert = item.convert
        if convert is None:
            return ArrowForm(pa.list_(item.type))
        return ArrowForm(
            pa.list_(item.type), _unless_none(lambda values: [convert(one) for one in values])
        )

    def _map(self, schema: dict[str, Any], namespace: str, depth: int) -> ArrowForm:
        value = self._form(schema["values"], namespace, depth)
        convert = value.convert or _as_it_is
        return ArrowForm(
            pa.map_(pa.string(), value.type),
            _unless_none(lambda found: [(key, convert(one)) for key, one in found.items()]),
        )

    def _record(self, schema: dict[str, Any], namespace: str, depth: int) -> ArrowForm:
        forms = {f["name"]: self._form(f["type"], namespace, depth) for f in schema["fields"]}
        arrow = pa.struct([pa.field(name, form.type) for name, form in forms.items()])
        converts = {name: form.convert for name, form in forms.items() if form.convert is not None}
        if not converts:
            return ArrowForm(arrow)

        def convert(record: dict[str, Any]) -> dict[str, Any]:
            return record | {name: make(record[name]) for name, make in converts.items()}

        return ArrowForm(arrow, _unless_none(convert))

    def _note_names(self, schema: Any, namespace: str, depth: int) -> None:
        if depth > _NESTING_MAX:
            raise UnsupportedAvroError("types nested this deep")
        if isinstance(schema, list):
            for branch in schema:
                self._note_names(branch, namespace, depth + 1)
        if not isinstance(schema, dict):
            return
        if "name" in schema and schema.get("type") in ("record", "enum", "fixed"):
            namespace = schema.get("namespace", namespace)
            self._named[_full_name(schema["name"], namespace)] = schema
        for part in ("type", "items", "values"):
            self._note_names(schema.get(part), namespace, depth + 1)
        for field in schema.get("fields", ()):
            self._note_names(field.get("type"), namespace, depth + 1)


@contextmanager
def _well_formed() -> Iterator[None]:
    """Files come with any JSON for a schema: members may lack, or be of other kinds."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnsupportedAvroError(f"a malformed type ({error!r})") from error


def without_logical_types(schema: Any) -> Any:
    """The schema by which values are decoded as they are stored."""
    if isinstance(schema, list):
        return [without_logical_types(one) for one in schema]
    if isinstance(schema, dict):
        return {
            name: without_logical_types(value) if name not in ("default", "symbols") else value
            for name, value in schema.items()
            if not (name in _LOGICAL and "type" in schema and not _is_field(schema))
        }
    return schema


def _is_field(schema: dict[str, Any]) -> bool:
    """Whether this is a record's field, whose own properties mean nothing to its type."""
    return "name" in schema and schema.get("type") not in ("record", "enum", "fixed")


def _decimal(schema: dict[str, Any]) -> ArrowForm:
    precision, scale = int(schema["precision"]), int(schema.get("scale", 0))
    if precision > _DECIMAL_DIGITS_MAX:
        raise UnsupportedAvroError(f"a decimal of {precision} digits")

    def convert(data: bytes) -> Decimal:
        number = int.from_bytes(data, "big", signed=True)
        return Decimal(number).scaleb(-scale, _DECIMAL_CONTEXT)

    return ArrowForm(pa.decimal128(precision, scale), _unless_none(convert))


def _unless_none(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _as_it_is(value: Any) -> Any:
    return value


def _full_name(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"
