"""The services' models: botocore's service-2.json, which every AWS client is generated from."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import regex
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape

_DEPTH_MAX: Final = 48
_PATTERN_SECONDS: Final = 0.5
# Java's patterns name the pairs of UTF-16 that stand for characters beyond the first plane.
_SURROGATES: Final = r"\uD800\uDC00-\uDBFF\uDFFF"
_BEYOND: Final = r"\U00010000-\U0010FFFF"


class ShapeError(Exception):
    """A document does not fit its shape; the message is one sentence for the client."""


@cache
def service_model(name: str) -> ServiceModel:
    """The model of a service, in botocore's newest version of its API."""
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


def operation_names(name: str) -> frozenset[str]:
    """All operations of a service, those that we do not serve too."""
    return frozenset(service_model(name).operation_names)


@cache
def operation(service: str, name: str) -> OperationModel:
    """One operation of a service."""
    return service_model(service).operation_model(name)


def checked(shape: Shape, value: Any, path: str = "", depth: int = 0) -> Any:
    """The document without its null members; ShapeError where it does not fit the shape."""
    if depth > _DEPTH_MAX:
        raise ShapeError(f"the document is nested deeper than {_DEPTH_MAX} levels")
    kind = shape.type_name
    is_expected = isinstance(value, _TYPES[kind])
    if not is_expected or (isinstance(value, bool) and kind != "boolean"):
        raise ShapeError(f"Value at '{path or 'request'}' must be of type {kind}")
    if kind == "structure":
        return _structure(shape, value, path, depth)
    _check_bounds(shape, value, path)
    if kind == "list":
        return [
            checked(shape.member, item, f"{path}.{index + 1}.member", depth + 1)
            for index, item in enumerate(value)
        ]
    if kind == "map":
        return {
            checked(shape.key, key, f"{path}.key", depth + 1): checked(
                shape.value, item, f"{path}.{key}", depth + 1
            )
            for key, item in value.items()
        }
    return value


def _structure(shape: Shape, value: dict[str, Any], path: str, depth: int) -> dict[str, Any]:
    given = {name: item for name, item in value.items() if item is not None}
    prefix = f"{path}." if path else ""
    for name in given:
        if name not in shape.members:
            raise ShapeError(f"Unknown member '{prefix}{name}'")
    for name in shape.required_members:
        if name not in given:
            raise ShapeError(_failed("null", f"{prefix}{name}", "must not be null"))
    return {
        name: checked(shape.members[name], item, f"{prefix}{name}", depth + 1)
        for name, item in given.items()
    }


def _check_bounds(shape: Shape, value: Any, path: str) -> None:
    metadata = shape.metadata
    size, what = _size(shape.type_name, value)
    low, high = metadata.get("min"), metadata.get("max")
    if size is not None and low is not None and size < low:
        raise ShapeError(_failed(value, path, f"must have {what} greater than or equal to {low}"))
    if size is not None and high is not None and size > high:
        raise ShapeError(_failed(value, path, f"must have {what} less than or equal to {high}"))
    if not isinstance(value, str):
        return
    pattern = metadata.get("pattern")
    if pattern is not None and not _matches(pattern, value):
        raise ShapeError(
            _failed(value, path, f"must satisfy regular expression pattern: {pattern}")
        )
    values = metadata.get("enum")
    if values and value not in values:
        raise ShapeError(
            _failed(value, path, f"must satisfy enum value set: [{', '.join(values)}]")
        )


def _size(kind: str, value: Any) -> tuple[Any, str]:
    if kind in ("string", "list", "map", "blob"):
        return len(value), "length"
    if kind in ("integer", "long", "float", "double"):
        return value, "value"
    return None, ""


def _matches(pattern: str, value: str) -> bool:
    try:
        return compiled(pattern).fullmatch(value, timeout=_PATTERN_SECONDS) is not None
    except TimeoutError:
        return False


@cache
def compiled(pattern: str) -> regex.Pattern:
    """A model's pattern, which is one of Java's."""
    return regex.compile(pattern.replace(_SURROGATES, _BEYOND))


def _failed(value: Any, path: str, constraint: str) -> str:
    text = str(value)
    shown = text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"
    return (
        f"1 validation error detected: Value '{shown}' at '{path}' failed to satisfy constraint:"
        f" Member {constraint}"
    )


_SHOWN_MAX: Final = 200
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "blob": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
}
