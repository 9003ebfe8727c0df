"""Delimited text for LazySimpleSerDe, and quoted text for OpenCSVSerde.

A text that would be read back as something else (it holds a delimiter or a line feed and there is
no escape character, or it is the text that stands for NULL) is refused: Hive and Athena write it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final  # pyarrow is untyped

import pyarrow as pa

from querysvc.results.columnar import Converter, convert_lists, convert_maps, convert_structs
from querysvc.results.text_values import text_converter
from querysvc.results.writing.base import unwritable
from querysvc.results.writing.json_lines import base64_texts
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc.write_plan import WrittenColumn
from querysvc_catalog.serde_options import CsvOptions, TextOptions

_LINE_ENDS: Final = "\n\r"


class DelimitedLines:
    """Encodes rows for LazySimpleSerDe."""

    def __init__(self, columns: Sequence[WrittenColumn], options: TextOptions) -> None:
        self._delimiter = options.field_delimiter
        self._null = options.null_format
        self._converters = [_Column(column.name, options).whole(column.type) for column in columns]

    def lines(self, arrays: Sequence[pa.Array]) -> Iterator[bytes]:
        """The rows' lines."""
        null, delimiter = self._null, self._delimiter
        columns = [convert(array) for convert, array in zip(self._converters, arrays, strict=True)]
        for row in zip(*columns, strict=True):
            texts = (null if value is None else value for value in row)
            yield f"{delimiter.join(texts)}\n".encode()


class _Column:
    """One column's values as texts, with the delimiters of each depth."""

    def __init__(self, name: str, options: TextOptions) -> None:
        self._name = name
        self._options = options

    def whole(self, type_: TrinoType) -> Converter:
        return self._converter(type_, 1)

    def _converter(self, type_: TrinoType, depth: int) -> Converter:
        """`depth` counts the delimiters that are taken by what is around the value."""
        build = _NESTED.get(type(type_))
        if build is not None:
            return build(self, type_, depth)
        if type_ == algebra.VARBINARY:
            return base64_texts
        convert = text_converter(type_)
        if not isinstance(type_, algebra.Varchar | algebra.Char):
            return convert
        checked = self._checked(depth)
        return lambda array: [None if text is None else checked(text) for text in convert(array)]

    def _checked(self, depth: int) -> Callable[[str], str]:
        options = self._options
        special = frozenset((*options.nested_delimiters[:depth], *_LINE_ENDS))
        escape = options.escape
        null = options.null_format

        def refuse(text: str) -> str:
            if text == null:
                raise unwritable(self._name, f"{text!r} stands for NULL in this text format")
            if not special.isdisjoint(text):
                raise unwritable(
                    self._name,
                    f"{text[:100]!r} holds a delimiter or a line feed, which this text format"
                    " cannot hold; use another field_delimiter, or another format",
                )
            return text

        def escaped(text: str) -> str:
            if not frozenset(_LINE_ENDS).isdisjoint(text):
                return refuse(text)
            if text == null:
                raise unwritable(self._name, f"{text!r} stands for NULL in this text format")
            marked = special | {escape}
            return "".join(f"{escape}{one}" if one in marked else one for one in text)

        return refuse if escape is None else escaped

    def _delimiter(self, depth: int) -> str:
        delimiters = self._options.nested_delimiters
        if depth >= len(delimiters):
            raise unwritable(self._name, "is nested deeper than this text format can hold")
        return delimiters[depth]

    def _join(self, delimiter: str, texts: Sequence[str | None]) -> str:
        if list(texts) == [""]:
            raise unwritable(
                self._name, "a collection of one empty text cannot be told from an empty one"
            )
        null = self._options.null_format
        return delimiter.join(null if text is None else text for text in texts)

    def array(self, type_: algebra.Array, depth: int) -> Converter:
        delimiter = self._delimiter(depth)
        element = self._converter(type_.element, depth + 1)
        return lambda array: [
            None if items is None else self._join(delimiter, items)
            for items in convert_lists(array, element)
        ]

    def map(self, type_: algebra.Map, depth: int) -> Converter:
        entries, pair = self._delimiter(depth), self._delimiter(depth + 1)
        key = self._converter(type_.key, depth + 2)
        value = self._converter(type_.value, depth + 2)
        null = self._options.null_format

        def text(pairs: list[tuple[Any, Any]]) -> str:
            return entries.join(
                f"{name}{pair}{null if item is None else item}" for name, item in pairs
            )

        return lambda array: [
            None if pairs is None else text(pairs) for pairs in convert_maps(array, key, value)
        ]

    def row(self, type_: algebra.Row, depth: int) -> Converter:
        delimiter = self._delimiter(depth)
        fields = [self._converter(field.type, depth + 1) for field in type_.fields]
        null = self._options.null_format
        return lambda array: [
            None if row is None else delimiter.join(null if text is None else text for text in row)
            for row in convert_structs(array, fields)
        ]


# Any: each builder takes its own class of types, which is the key.
_NESTED: Final[dict[type, Callable[[_Column, Any, int], Converter]]] = {
    algebra.Array: _Column.array,
    algebra.Map: _Column.map,
    algebra.Row: _Column.row,
}


class QuotedLines:
    """Encodes rows for OpenCSVSerde: every value quoted; NULL, which the SerDe has not, is ''."""

    def __init__(self, columns: Sequence[WrittenColumn], options: CsvOptions) -> None:
        self._names = [column.name for column in columns]
        self._separator, self._quote = options.separator, options.quote or ""
        self._escape = options.escape
        self._converters = [text_converter(column.type) for column in columns]

    def lines(self, arrays: Sequence[pa.Array]) -> Iterator[bytes]:
        """The rows' lines."""
        columns = [
            [self._quoted(name, text) for text in convert(array)]
            for name, convert, array in zip(self._names, self._converters, arrays, strict=True)
        ]
        for row in zip(*columns, strict=True):
            yield f"{self._separator.join(row)}\n".encode()

    def _quoted(self, name: str, text: str | None) -> str:
        if text is None:
            return ""
        if not frozenset(_LINE_ENDS).isdisjoint(text):
            raise unwritable(
                name, f"{text[:100]!r} holds a line feed, which CSV tables cannot hold"
            )
        quote, escape = self._quote, self._escape
        if not quote:
            if self._separator in text or (escape is not None and escape in text):
                raise unwritable(name, f"{text[:100]!r} holds the separator, and nothing is quoted")
            return text
        if escape is not None and escape != quote:
            text = text.replace(escape, escape * 2)
        return f"{quote}{text.replace(quote, quote * 2)}{quote}"
