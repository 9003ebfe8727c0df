"""Functions on arrays, which are JSON texts to SQLite."""

from __future__ import annotations

import json
from typing import Any, Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc_drivers.pgwire.parameters import text_items


def items_of(text: str | None) -> list[Any] | None:
    """The elements of an array: JSON, or PostgreSQL's own text; None for NULL."""
    if text is None:
        return None
    if text.startswith("{"):
        return [item if item is None else item.decode() for item in text_items(text)]
    loaded = json.loads(text) if text.startswith("[") else text.split()
    return loaded if isinstance(loaded, list) else [loaded]


def array_in(text: str | None, is_numeric: int = 0) -> str | None:
    """An array from its text."""
    items = items_of(text)
    if items is None:
        return None
    return json.dumps([int(i) if is_numeric and i is not None else i for i in items])


def array_out(text: str | None) -> str | None:
    """An array's text, as PostgreSQL writes it."""
    items = items_of(text)
    if items is None:
        return None
    return "{" + ",".join("NULL" if item is None else str(item) for item in items) + "}"


def array_to_string(array: str | None, separator: str, null: str | None = None) -> str | None:
    """The elements, joined."""
    items = items_of(array)
    if items is None:
        return None
    shown = (null if item is None else str(item) for item in items)
    return separator.join(item for item in shown if item is not None)


def array_length(array: str | None, dimension: int = 1) -> int | None:
    """How many elements there are; NULL for none."""
    items = items_of(array)
    return None if not items or dimension != 1 else len(items)


def array_element(array: str | None, index: int | None) -> Any:
    """The element at an index from 1."""
    items = items_of(array)
    if items is None or index is None or not 1 <= index <= len(items):
        return None
    return items[index - 1]


def array_remove(array: str | None, value: Any) -> str | None:
    """The array without a value."""
    items = items_of(array)
    return None if items is None else json.dumps([item for item in items if item != value])


def array_position(array: str | None, value: Any) -> int | None:
    """Where a value is first, from 1."""
    items = items_of(array) or []
    return items.index(value) + 1 if value in items else None


def array_concat(first: str | None, second: str | None) -> str | None:
    """Both arrays as one."""
    return json.dumps((items_of(first) or []) + (items_of(second) or []))


def contains(array: str | None, other: str | None) -> int | None:
    """Whether the array has all elements of the other."""
    items, others = items_of(array), items_of(other)
    return None if items is None or others is None else int(set(others) <= set(items))


_SERIES_MAX: Final = 10_000


def series(start: int | None, stop: int | None, step: int = 1) -> str:
    """The numbers from start to stop."""
    if start is None or stop is None or not step:
        return "[]"
    values = range(start, stop + (1 if step > 0 else -1), step)
    if len(values) > _SERIES_MAX:
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED, f"generate_series of more than {_SERIES_MAX} values"
        )
    return json.dumps(list(values))
