"""COPY TO STDOUT: its options, and rows in its text and CSV formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from querysvc.errors import ErrorCode, StatementError
from querysvc_drivers.pgwire.lexer import Cursor, Kind, Token, string_value
from querysvc_drivers.pgwire.messages import MESSAGE_HEAD_BYTES, message
from querysvc_drivers.pgwire.rows import (
    COPY_BINARY_END,
    COPY_BINARY_HEADER,
    RowFormat,
    copy_binary_rows,
    copy_lines,
)

_BINARY: Final = pa.large_binary()
_TEXT: Final = pa.large_string()
_TEXT_ESCAPES: Final = (
    ("\\", "\\\\"),
    ("\b", "\\b"),
    ("\f", "\\f"),
    ("\n", "\\n"),
    ("\r", "\\r"),
    ("\t", "\\t"),
    ("\v", "\\v"),
)


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """How COPY writes; what is None is the format's default."""

    format: str = "text"
    has_header: bool = False
    delimiter: str | None = None
    null: str | None = None
    quote: str = '"'
    escape: str | None = None
    quotes_all: bool = False

    @property
    def is_csv(self) -> bool:
        """Whether the format is CSV."""
        return self.format == "csv"

    @property
    def is_binary(self) -> bool:
        """Whether the format is binary."""
        return self.format == "binary"


def read_copy_options(cursor: Cursor) -> CopyOptions:
    """[WITH] (FORMAT csv, HEADER, …), or the older list without parentheses."""
    cursor.take("WITH")
    has_parentheses = cursor.take("(")
    options = CopyOptions()
    while (token := cursor.take_any()) is not None and token.key != ")":
        if token.key != ",":
            options = _with_option(options, token, cursor)
    if has_parentheses:
        cursor.end()
    for name, value in (("delimiter", options.delimiter), ("quote", options.quote)):
        if value is not None and len(value.encode()) != 1:
            raise _invalid(f"COPY {name} must be a single one-byte character")
    if options.is_binary and (options.has_header or options.delimiter or options.null):
        raise _invalid("cannot specify HEADER, DELIMITER or NULL in BINARY mode")
    return options


def _with_option(options: CopyOptions, token: Token, cursor: Cursor) -> CopyOptions:
    key = token.key
    if key in ("CSV", "BINARY", "TEXT"):
        return replace(options, format=key.lower())
    read = _OPTIONS.get(key)
    if read is None:
        raise StatementError(
            ErrorCode.NOT_SUPPORTED, f"COPY's option {token.text} is not supported"
        )
    return read(options, cursor)


def _format(options: CopyOptions, cursor: Cursor) -> CopyOptions:
    name = cursor.name()
    if name not in ("csv", "binary", "text"):
        raise _invalid(f'COPY format "{name}" not recognized')
    return replace(options, format=name)


def _force(options: CopyOptions, cursor: Cursor) -> CopyOptions:
    cursor.take("QUOTE")
    if not cursor.take("*"):
        raise StatementError(
            ErrorCode.NOT_SUPPORTED, "COPY's FORCE_QUOTE of single columns is not supported"
        )
    return replace(options, quotes_all=True)


def _encoding(options: CopyOptions, cursor: Cursor) -> CopyOptions:
    if _string(cursor).lower() not in ("utf8", "utf-8"):
        raise _invalid("only the encoding UTF8 can be had here")
    return options


_OPTIONS: Final[Mapping[str, Callable[[CopyOptions, Cursor], CopyOptions]]] = {
    "FORMAT": _format,
    "HEADER": lambda options, cursor: replace(options, has_header=_boolean(cursor)),
    "FORCE_QUOTE": _force,
    "FORCE": _force,
    "ENCODING": _encoding,
    "DELIMITER": lambda options, cursor: replace(options, delimiter=_string(cursor)),
    "NULL": lambda options, cursor: replace(options, null=_string(cursor)),
    "QUOTE": lambda options, cursor: replace(options, quote=_string(cursor)),
    "ESCAPE": lambda options, cursor: replace(options, escape=_string(cursor)),
}


def _boolean(cursor: Cursor) -> bool:
    word = cursor.take_one("TRUE", "FALSE", "ON", "OFF", "MATCH")
    if word == "MATCH":
        raise _invalid("HEADER MATCH is for COPY FROM")
    return word in (None, "TRUE", "ON")


def _string(cursor: Cursor) -> str:
    cursor.take("AS")
    token = cursor.take_any()
    if token is None or token.kind not in (Kind.STRING, Kind.ESCAPED):
        raise cursor.wrong()
    return string_value(token)


def _invalid(message: str) -> StatementError:
    return StatementError(ErrorCode.INVALID_FUNCTION_ARGUMENT, message)


class BinaryCopy:
    """Rows in the binary format; its header goes with the first row, in one message."""

    def __init__(self, form: RowFormat) -> None:
        self._form = form
        self._head = COPY_BINARY_HEADER

    def rows(self, batch: pa.RecordBatch) -> bytes | memoryview:
        """A CopyData message for each row."""
        if not self._head:
            return copy_binary_rows(batch, self._form)
        first = copy_binary_rows(batch.slice(0, 1), self._form)[MESSAGE_HEAD_BYTES:]
        rest = copy_binary_rows(batch.slice(1), self._form)
        return self._with_head(bytes(first)) + bytes(rest)

    def end(self) -> bytes:
        """The last message."""
        return self._with_head(COPY_BINARY_END)

    def _with_head(self, data: bytes) -> bytes:
        head, self._head = self._head, b""
        return message(b"d", head + data)


def copy_texts(batch: pa.RecordBatch, form: RowFormat, options: CopyOptions) -> memoryview:
    """A CopyData message for each row, in the text or the CSV format."""
    write = _csv_cells if options.is_csv else _text_cells
    cells = [write(payload.cast(_TEXT), options) for payload in form.payloads(batch)]
    return copy_lines(b"d", _lines(cells, options, batch.num_rows))


def header_line(form: RowFormat, options: CopyOptions) -> memoryview:
    """The message of the columns' names."""
    write = _csv_cells if options.is_csv else _text_cells
    cells = [write(pa.array([column.name], _TEXT), options) for column in form.columns]
    return copy_lines(b"d", _lines(cells, options, 1))


def _lines(cells: list[pa.Array], options: CopyOptions, rows: int) -> pa.Array:
    delimiter = options.delimiter or ("," if options.is_csv else "\t")
    if not cells:
        return pa.array([b"\n"] * rows, _BINARY)
    joined = pc.binary_join_element_wise(*cells, pa.scalar(delimiter, _TEXT))
    ends = pc.binary_join_element_wise(joined, pa.scalar("\n", _TEXT), pa.scalar("", _TEXT))
    return ends.cast(_BINARY)


def _text_cells(texts: pa.Array, options: CopyOptions) -> pa.Array:
    escapes = list(_TEXT_ESCAPES)
    if options.delimiter not in (None, "\t"):
        escapes.append((options.delimiter or "", f"\\{options.delimiter}"))
    for plain, escaped in escapes:
        texts = pc.replace_substring(texts, plain, escaped)
    return pc.fill_null(texts, "\\N" if options.null is None else options.null)


def _csv_cells(texts: pa.Array, options: CopyOptions) -> pa.Array:
    null = options.null or ""
    quote = options.quote
    escape = options.escape or quote
    delimiter = options.delimiter or ","
    needs = pc.equal(texts, null)
    for special in (delimiter, quote, "\n", "\r"):
        needs = pc.or_(needs, pc.match_substring(texts, special))
    # A line of a backslash and a dot alone ends the data for some readers.
    needs = pc.or_(needs, pc.equal(texts, "\\."))
    if options.quotes_all:
        needs = pc.is_valid(texts)
    inner = texts if escape == quote else pc.replace_substring(texts, escape, escape * 2)
    inner = pc.replace_substring(inner, quote, escape + quote)
    mark = pa.scalar(quote, _TEXT)
    quoted = pc.binary_join_element_wise(mark, inner, mark, pa.scalar("", _TEXT))
    return pc.fill_null(pc.if_else(needs, quoted, texts), null)
