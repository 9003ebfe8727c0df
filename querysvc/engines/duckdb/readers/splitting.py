"""Rows into fields exactly as the SerDes split them: the slow path of the text readers."""

from __future__ import annotations

from collections.abc import Callable

from querysvc_catalog.serde_options import CsvOptions, TextOptions

Splitter = Callable[[str], list[str | None]]


def text_splitter(options: TextOptions, columns: int) -> Splitter:
    """LazySimpleSerDe's: delimiter and escape character; the null format is NULL."""
    delimiter, escape = options.field_delimiter, options.escape

    def plain(line: str) -> list[str]:
        parts_max = columns - 1 if options.last_column_takes_rest else -1
        return line.split(delimiter, parts_max)

    def escaped(line: str) -> list[str]:
        fields: list[str] = []
        current: list[str] = []
        index = 0
        while index < len(line):
            character = line[index]
            if character == escape and index + 1 < len(line):
                current.append("\x00" + line[index + 1])
                index += 2
                continue
            if character == delimiter and not (
                options.last_column_takes_rest and len(fields) == columns - 1
            ):
                fields.append("".join(current))
                current = []
            else:
                current.append(character)
            index += 1
        fields.append("".join(current))
        return fields

    split = plain if escape is None else escaped

    def fields(line: str) -> list[str | None]:
        # The null format is compared with what stands there, before escapes are taken away.
        raw = split(line)
        found: list[str | None] = []
        for value in raw[:columns]:
            if value.replace("\x00", escape or "") == options.null_format:
                found.append(None)
            else:
                found.append(_unescape(value) if escape is not None else value)
        return found

    return fields


def _unescape(value: str) -> str:
    return value.replace("\x00", "")


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
