"""JSON documents of our values, as the state stores them.

Written so that an older or newer release can read them: unknown members are ignored, missing ones
take their defaults. Types are stored by structure, since their texts fold the case of field names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import orjson

from querysvc.types import algebra
from querysvc.types.algebra import RowField, TrinoType

Value = TypeVar("Value")
# A JSON document: its members are checked when values are built from it.
Document = dict[str, Any]

_TYPE_CLASSES: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        *(algebra.Scalar, algebra.Varchar, algebra.Char, algebra.Decimal, algebra.Timestamp),
        *(algebra.TimestampTz, algebra.Time, algebra.TimeTz, algebra.Array, algebra.Map),
        *(algebra.Row, RowField, algebra.Function, algebra.QDigest),
    )
}


def dumps(document: Any, *, sort_keys: bool = False) -> str:
    """The document as JSON text."""
    option = orjson.OPT_SORT_KEYS if sort_keys else 0
    return orjson.dumps(document, option=option).decode()


def loads(text: str) -> Any:
    """The document that the JSON text holds."""
    return orjson.loads(text)


def to_document(value: Any) -> Any:
    """A value of ours as JSON-able data: members that have their default are left out."""
    if isinstance(value, TrinoType | RowField):
        return _type_document(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_document(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if not _is_default(field, getattr(value, field.name))
        }
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, frozenset):
        return sorted(to_document(item) for item in value)
    if isinstance(value, list | tuple):
        return [to_document(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_document(item) for key, item in value.items()}
    return value


def from_document(kind: type[Value], document: Document, **members: Any) -> Value:
    """The value of dataclass `kind` that the document tells, with `members` given beside it."""
    hints = _hints(kind)  # type: ignore[arg-type]  # mypy: type[Value] is not hashable
    told = {
        name: _revive(hints[name], document[name])
        for name in hints
        if name in document and name not in members
    }
    return kind(**told, **members)


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default is not dataclasses.MISSING:
        return bool(field.default == value)
    if field.default_factory is not dataclasses.MISSING:
        return bool(field.default_factory() == value)
    return False


@lru_cache(maxsize=256)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _revive(hint: Any, data: Any) -> Any:
    if data is None:
        return None
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        (hint,) = [item for item in get_args(hint) if item is not NoneType]
        return _revive(hint, data)
    if origin in (tuple, frozenset):
        return origin(_revive(get_args(hint)[0], item) for item in data)
    if origin is not None:
        return data if origin is Literal else dict(data)
    if hint is TrinoType:
        return _type_of(data)
    if hint is datetime:
        return datetime.fromisoformat(data)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return from_document(hint, data)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(data)
    return data


def _type_document(value: TrinoType | RowField) -> list[Any]:
    members = [getattr(value, field.name) for field in dataclasses.fields(value)]
    return [type(value).__name__, *(_type_member(member) for member in members)]


def _type_member(member: Any) -> Any:
    if isinstance(member, tuple):
        return {"items": [_type_document(item) for item in member]}
    return _type_document(member) if isinstance(member, TrinoType | RowField) else member


def _type_of(document: list[Any]) -> Any:
    name, *members = document
    return _TYPE_CLASSES[name](*(_member_of(member) for member in members))


def _member_of(member: Any) -> Any:
    if isinstance(member, dict):
        return tuple(_type_of(item) for item in member["items"])
    return _type_of(member) if isinstance(member, list) else member
