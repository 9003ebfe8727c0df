"""Partition values as texts, and batches cut where the partition changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final  # pyarrow is untyped

import numpy as np
import pyarrow as pa

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.results.text_values import text_converter
from querysvc.results.writing.arrays import fitted
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc.write_plan import WrittenColumn
from querysvc_catalog.names import DEFAULT_PARTITION_VALUE

_PRINTABLE: Final = re.compile(r"[ -~]*")


def runs(
    keys: Sequence[WrittenColumn], arrays: Sequence[pa.Array]
) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """(values, first row, rows) of each stretch of rows that are of one partition."""
    encoded = [
        fitted(key, array).dictionary_encode(null_encoding="encode")
        for key, array in zip(keys, arrays, strict=True)
    ]
    texts = [key_texts(key, one.dictionary) for key, one in zip(keys, encoded, strict=True)]
    indices = [one.indices.to_numpy(zero_copy_only=False) for one in encoded]
    rows = len(indices[0])
    changes = np.zeros(max(rows - 1, 0), dtype=bool)
    for column in indices:
        changes |= column[1:] != column[:-1]
    starts = [0, *(np.flatnonzero(changes) + 1).tolist()]
    for start, end in zip(starts, [*starts[1:], rows], strict=True):
        values = tuple(text[index[start]] for text, index in zip(texts, indices, strict=True))
        yield values, start, end - start


def key_texts(key: WrittenColumn, array: pa.Array) -> list[str]:
    """Partition values as Trino writes them; NULL and '' are Hive's default partition."""
    convert = _TEXTS.get(type(key.type), text_converter)(key.type)
    return [_checked(text) for text in convert(array)]


def _checked(text: str | None) -> str:
    if not text:
        return DEFAULT_PARTITION_VALUE
    if not _PRINTABLE.fullmatch(text):
        raise QueryServiceError(
            ErrorCode.HIVE_INVALID_PARTITION_VALUE,
            "Hive partition keys can only contain printable ASCII characters (0x20 - 0x7E)."
            f" Invalid value: {text.encode().hex(' ').upper()}",
        )
    return text


def _stripped(type_: TrinoType) -> Callable[[pa.Array], list[str | None]]:
    """Without zeros at a fraction's end, as Trino prints decimals and timestamps here."""
    convert = text_converter(type_)

    def texts(array: pa.Array) -> list[str | None]:
        return [
            text.rstrip("0").rstrip(".") if text is not None and "." in text else text
            for text in convert(array)
        ]

    return texts


# Any: text_converter's own form, by the class of types.
_TEXTS: Final[dict[type, Callable[[Any], Any]]] = {
    algebra.Decimal: _stripped,
    algebra.Timestamp: _stripped,
}
