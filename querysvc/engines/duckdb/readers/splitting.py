"""Rows into fields exactly as the SerDes split them: the slow path of the text readers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc_catalog.serde_options import CsvOptions, TextOptions

Splitter = Callable[[str], list[str | None]]


def text_splitter(
    options: TextOptions, columns: int, nested: Collection[int] = frozenset()
) -> Splitter:
    """LazySimpleSerDe's: delimiter and escape character; the null format is NULL.

    Nested columns keep their escapes, marked (`marked`): their parts are found by delimiters.
    """
    delimiter, escape = options.field_delimiter, options.escape

    def plain(line: str) -> list[str | None]:
        parts_max = columns - 1 if options.last_column_takes_rest else -1
        parts = line.split(delimiter, parts_max)[:columns]
        if options.delimiter_in_rest is not None:
            parts[-1] = parts[-1].replace(delimiter, options.delimiter_in_rest)
        return [None if part == options.null_format else part for part in parts]

    if escape is None:
        return plain
    null = marked(options.null_format, options)

    def escaped(line: str) -> list[str | None]:
        parts_max = columns - 1 if options.last_column_takes_rest else -1
        # The null format is compared with what stands there, before escapes are taken away.
        parts = marked(line, options).split(delimiter, parts_max)[:columns]
        return [
            None if part == null else part if index in nested else unmarked(part, options)
            for index, part in enumerate(parts)
        ]

    return escaped


MARK: Final = "\uffff"
"""Stands for the escape character; no character, so that no text holds it."""


def marked(text: str, options: TextOptions) -> str:
    """The text with its escapes marked; escaped delimiters are letters, and part nothing more."""
    escape = options.escape
    if MARK in text:
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED, "escaped text that holds U+FFFF is not supported"
        )
    if escape is None or escape not in text:
        return text
    letters = delimiter_letters(options)
    found: list[str] = []
    index = 0
    while index < len(text):
        character = text[index]
        if character == escape and index + 1 < len(text):
            index += 1
            letter = letters.get(text[index])
            found.append(MARK + text[index] if letter is None else MARK + MARK + letter)
        else:
            found.append(character)
        index += 1
    return "".join(found)


def unmarked(text: str, options: TextOptions) -> str:
    """The text without its escapes."""
    for delimiter, letter in delimiter_letters(options).items():
        text = text.replace(MARK + MARK + letter, delimiter)
    return text.replace(MARK, "")


def delimiter_letters(options: TextOptions) -> dict[str, str]:
    """What stands for each delimiter that is escaped."""
    return {one: chr(ord("a") + depth) for depth, one in enumerate(options.nested_delimiters)}


def csv_splitter(options: CsvOptions, columns: int) -> Splitter:
    """OpenCSVSerde's: opencsv 2.3's CSVParser on single lines, whose quirks are its users' data.

    An escape character counts only inside quotes and before a quote or itself, and vanishes
    elsewhere; a quote in the middle of a field stays; a quoted field without an end is lost.
    """
    separator, quote, escape = options.separator, options.quote, options.escape

    def fields(line: str) -> list[str | None]:
        found: list[str | None] = []
        current: list[str] = []
        is_quoted = False
        index, size = 0, len(line)
        while index < size:
            character = line[index]
            following = line[index + 1] if index + 1 < size else None
            if character == escape:
                if is_quoted and following is not None and following in (quote, escape):
                    current.append(following)
                    index += 1
            elif character == quote:
                if is_quoted and following == quote:
                    current.append(character)
                    index += 1
                else:
                    _on_quote(line, index, current, character, separator)
                    is_quoted = not is_quoted
            elif character == separator and not is_quoted:
                found.append("".join(current))
                current = []
            else:
                current.append(character)
            index += 1
        if not is_quoted:
            found.append("".join(current))
        return found[:columns]

    return fields


def _on_quote(line: str, index: int, current: list[str], quote: str, separator: str) -> None:
    """A quote that opens or closes; in the middle of a field it is text as well."""
    is_inside = (
        index > 2
        and line[index - 1] != separator
        and index + 1 < len(line)
        and line[index + 1] != separator
    )
    if not is_inside:
        return
    if current and not "".join(current).strip():
        current.clear()
    else:
        current.append(quote)
