"""Walking Arrow columns: nested ones are converted by converting their children once.

A converter takes an array and gives a list of the same length, with None for NULL. All of these
respect slices, whose children Arrow hands out whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

Converter = Callable[[pa.Array], list[Any]]
"""Values are what the encoder that uses the converter writes; hence Any."""


def convert_lists(array: pa.ListArray, element: Converter) -> list[list[Any] | None]:
    """Each row's elements, converted."""
    values = element(array.flatten())
    rows: list[list[Any] | None] = []
    start = 0
    for length in pc.list_value_length(array).to_pylist():
        if length is None:
            rows.append(None)
            continue
        rows.append(values[start : start + length])
        start += length
    return rows


def convert_maps(
    array: pa.MapArray, key: Converter, value: Converter
) -> list[list[tuple[Any, Any]] | None]:
    """Each row's (key, value) pairs, converted."""
    offsets = array.offsets.to_pylist()
    first, last = offsets[0], offsets[-1]
    keys = key(array.keys.slice(first, last - first))
    values = value(array.items.slice(first, last - first))
    rows: list[list[tuple[Any, Any]] | None] = []
    for is_valid, start, end in zip(array.is_valid(), offsets, offsets[1:], strict=False):
        span = slice(start - first, end - first)
        pairs = list(zip(keys[span], values[span], strict=True))
        rows.append(pairs if is_valid.as_py() else None)
    return rows


def convert_structs(
    array: pa.StructArray, fields: Sequence[Converter]
) -> list[tuple[Any, ...] | None]:
    """Each row's fields, converted."""
    columns = [convert(child) for convert, child in zip(fields, array.flatten(), strict=True)]
    rows: list[tuple[Any, ...] | None] = [
        item if is_valid.as_py() else None
        for is_valid, item in zip(array.is_valid(), zip(*columns, strict=True), strict=True)
    ]
    return rows
