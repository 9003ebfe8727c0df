"""JSON lines and delimited text: the schema is guessed from the first rows."""

from __future__ import annotations

import bz2
import csv
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa

from querysvc.inference.hive_types import merged, of_json, of_text
from querysvc.inference.model import Draft, Sample, Schema, UnreadableError
from querysvc_catalog.serdes import StorageFormat

_BOM: Final = b"\xef\xbb\xbf"
_ROWS_MAX: Final = 5000
_DELIMITERS: Final = (",", "\t", "|", ";", "\x01")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][\w .-]*")
_NOT_IN_NAMES: Final = re.compile(r"\W+")
_TEXT: Final = re.compile(r"[\t\r\n\x01\x20-\x7e\x80-\U0010ffff]*")
# OpenCSVSerde reads dates as days and timestamps as milliseconds: texts of them stay text.
_NOT_IN_OPEN_CSV: Final = frozenset({"date", "timestamp"})


def text(sample: Sample) -> Draft:
    """The schema of a text file; UnreadableError for what is none."""
    data = _inflated(sample)
    is_whole = sample.is_whole and len(data) < _DECODED_MAX
    try:
        decoded = data.removeprefix(b"\xef\xbb\xbf").decode(
            "utf-8", "strict" if is_whole else "ignore"
        )
    except UnicodeDecodeError as error:
        raise UnreadableError(f"it is neither a known container nor UTF-8 text: {error}") from None
    if not _TEXT.fullmatch(decoded[:4096]):
        raise UnreadableError("it is neither a known container nor text")
    lines = decoded.splitlines()
    lines = [line for line in (lines if is_whole else lines[:-1]) if line][:_ROWS_MAX]
    if not lines:
        raise UnreadableError("it holds no whole line to infer from")
    if lines[0].lstrip().startswith("{"):
        return _json(lines)
    if lines[0].lstrip().startswith("["):
        raise UnreadableError("it is a JSON array; tables want one object a line")
    return _delimited(lines)


_DECODED_MAX: Final = 4 << 20


def _inflated(sample: Sample) -> bytes:
    head = sample.head
    try:
        if head.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(31).decompress(head, _DECODED_MAX)
        if head.startswith(b"BZh"):
            return bz2.BZ2Decompressor().decompress(head, _DECODED_MAX)
        if head.startswith(b"\x28\xb5\x2f\xfd"):
            return _zstd(head)
    except (zlib.error, OSError, pa.ArrowException) as error:
        raise UnreadableError(f"it cannot be decompressed: {error}") from error
    return head


def _zstd(head: bytes) -> bytes:
    pieces: list[bytes] = []
    with pa.CompressedInputStream(pa.BufferReader(head), "zstd") as stream:
        try:
            while len(pieces) < _DECODED_MAX >> 16 and (piece := stream.read(1 << 16)):
                pieces.append(piece)
        except OSError:
            if not pieces:
                raise
    return b"".join(pieces)


def _json(lines: Sequence[str]) -> Draft:
    names: dict[str, list[str | None]] = {}
    for number, line in enumerate(lines, 1):
        try:
            row: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UnreadableError(f"its line {number} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise UnreadableError(f"its line {number} is not a JSON object")
        for name, value in row.items():
            names.setdefault(name.lower(), []).append(of_json(value))
    columns = tuple((name, merged(kinds) or "string") for name, kinds in names.items())
    return Draft(Schema(StorageFormat.OPENX_JSON, columns))


def _delimited(lines: Sequence[str]) -> Draft:
    delimiter = _delimiter(lines)
    is_quoted = any(f'"{delimiter}' in line or line.startswith('"') for line in lines)
    split = csv.reader(lines, delimiter=delimiter) if is_quoted else _split(lines, delimiter)
    rows = [row for row in split if row]
    widths = Counter(map(len, rows))
    (width, _), *others = widths.most_common()
    notes = [f"{count} rows have {size} fields, most have {width}" for size, count in others]
    rows = [row for row in rows if len(row) == width]
    kinds = _kinds(rows[1:], width)
    has_header = _is_header(rows[0], kinds)
    names = _names(rows[0]) if has_header else [f"col{index}" for index in range(width)]
    if not has_header:
        kinds = _kinds(rows, width)
    if is_quoted:
        kinds = ["string" if kind in _NOT_IN_OPEN_CSV else kind for kind in kinds]
    serde = {"separatorChar": delimiter, "quoteChar": '"'} if is_quoted else _lazy(delimiter)
    return Draft(
        Schema(
            StorageFormat.CSV if is_quoted else StorageFormat.TEXTFILE,
            tuple((name, kind or "string") for name, kind in zip(names, kinds, strict=True)),
            tuple(serde.items()),
            (("skip.header.line.count", "1"),) if has_header else (),
        ),
        tuple(notes),
    )


def _split(lines: Sequence[str], delimiter: str) -> Iterator[list[str]]:
    return (line.split(delimiter) for line in lines)


def _lazy(delimiter: str) -> dict[str, str]:
    return {"field.delim": delimiter, "serialization.format": delimiter}


def _delimiter(lines: Sequence[str]) -> str:
    """The one that splits the lines into the same, largest number of fields most often."""

    def score(delimiter: str) -> tuple[int, int]:
        counts = Counter(line.count(delimiter) for line in lines[:200])
        count, agreeing = counts.most_common(1)[0]
        return (agreeing, count) if count else (0, 0)

    return max(_DELIMITERS, key=score)


def _kinds(rows: Sequence[Sequence[str]], width: int) -> list[str | None]:
    return [merged(of_text(row[index]) for row in rows) for index in range(width)]


def _is_header(first: Sequence[str], kinds: Sequence[str | None]) -> bool:
    if len(set(first)) < len(first) or not all(map(_IDENTIFIER.fullmatch, first)):
        return False
    named = [of_text(cell) for cell in first]
    # Some column below is of another type than its name's, or all look like names.
    return any(kind not in (None, "string") for kind in kinds) or all(
        kind == "string" and cell.islower() and " " not in cell
        for kind, cell in zip(named, first, strict=True)
    )


def _names(cells: Sequence[str]) -> list[str]:
    names: list[str] = []
    for index, cell in enumerate(cells):
        name = _NOT_IN_NAMES.sub("_", cell.strip()).strip("_").lower() or f"col{index}"
        names.append(name if name not in names else f"{name}_{index}")
    return names
