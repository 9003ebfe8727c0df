"""SerDe properties as typed options, one value class per family of formats.

Each parser takes the merged properties (`serdes.serde_properties`) and raises
UnsupportedFormatError for a value that we could not honour exactly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from querysvc_catalog.errors import UnsupportedFormatError

NESTING_DELIMITERS: Final = tuple(map(chr, range(1, 9)))  # LazySimpleSerDe's \x01 … \x08
_ESCAPES: Final = {
    "t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "0": "\0", "\\": "\\",
    "'": "'", '"': '"', "Z": "\x1a",
}  # fmt: skip
_OCTAL_ESCAPE: Final = re.compile(r"\\([0-3][0-7]{2})")
_UNICODE_ESCAPE: Final = re.compile(r"\\u([0-9A-Fa-f]{4})")
_HEXADECIMAL_ESCAPE: Final = re.compile(r"\\x([0-9A-Fa-f]{2})")
_BYTE: Final = re.compile(r"[+-]?[0-9]{1,3}")
_LINES_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class LineOptions:
    """What all line-oriented formats share."""

    header_lines: int = 0
    footer_lines: int = 0
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class TextOptions:
    """LazySimpleSerDe's options; `nested_delimiters[n]` separates at depth n, 0 being fields."""

    lines: LineOptions = LineOptions()
    nested_delimiters: tuple[str, ...] = NESTING_DELIMITERS
    line_delimiter: str | None = None
    escape: str | None = None
    null_format: str = "\\N"
    last_column_takes_rest: bool = False
    timestamp_formats: tuple[str, ...] = ()
    delimiter_in_rest: str | None = None
    """What stands for further delimiters in the last column (MultiDelimitSerDe)."""

    @property
    def field_delimiter(self) -> str:
        """The delimiter between columns."""
        return self.nested_delimiters[0]


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """OpenCSVSerde's options; an absent quote or escape character is None."""

    lines: LineOptions = LineOptions()
    separator: str = ","
    quote: str | None = '"'
    escape: str | None = "\\"


@dataclass(frozen=True, slots=True)
class JsonOptions:
    """The options of openx's and hcatalog's JSON SerDes; `mapping` is column name to key."""

    lines: LineOptions = LineOptions()
    ignore_malformed: bool = False
    is_case_insensitive: bool = True
    dots_in_keys: bool = False
    explicit_null: bool = False
    mapping: Mapping[str, str] = field(default_factory=dict)
    timestamp_formats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RegexOptions:
    """RegexSerDe's options: one capturing group for each column."""

    pattern: str
    lines: LineOptions = LineOptions()
    is_case_insensitive: bool = False
    output_format: str | None = None


@dataclass(frozen=True, slots=True)
class GrokOptions:
    """GrokSerDe's options: the pattern and the custom patterns it may name."""

    pattern: str
    lines: LineOptions = LineOptions()
    custom_patterns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ColumnarOptions:
    """Parquet's and ORC's option: columns by index, by name, or (None) as is the format's rule."""

    by_index: bool | None = None


@dataclass(frozen=True, slots=True)
class AvroOptions:
    """Avro's reader schema, as text or as an address."""

    schema_literal: str | None = None
    schema_url: str | None = None


def parse_line_options(properties: Mapping[str, str]) -> LineOptions:
    """Parse the header, footer and encoding properties."""
    return LineOptions(
        header_lines=_line_count(properties, "skip.header.line.count"),
        footer_lines=_line_count(properties, "skip.footer.line.count"),
        encoding=properties.get("serialization.encoding") or "utf-8",
    )


def parse_text_options(properties: Mapping[str, str]) -> TextOptions:
    """Parse LazySimpleSerDe's properties, with Hive's defaults for each delimiter."""
    collection = properties.get("collection.delim") or properties.get("colelction.delim")
    given = (
        ("field.delim", properties.get("field.delim") or properties.get("serialization.format")),
        ("collection.delim", collection),  # `colelction.delim` is Hive 2's own spelling
        ("mapkey.delim", properties.get("mapkey.delim")),
    )
    delimiters = list(NESTING_DELIMITERS)
    for depth, (name, text) in enumerate(given):
        if text:
            delimiters[depth] = _byte_character(name, text)
    escape = properties.get("escape.delim")
    line = properties.get("line.delim")
    return TextOptions(
        lines=parse_line_options(properties),
        nested_delimiters=tuple(delimiters),
        line_delimiter=_byte_character("line.delim", line) if line else None,
        escape=_byte_character("escape.delim", escape) if escape else None,
        null_format=properties.get("serialization.null.format", "\\N"),
        last_column_takes_rest=_boolean(properties, "serialization.last.column.takes.rest"),
        timestamp_formats=_texts(properties, "timestamp.formats"),
    )


def parse_multi_delimit_options(properties: Mapping[str, str]) -> TextOptions:
    """Parse MultiDelimitSerDe's properties: LazySimpleSerDe's with any text between columns."""
    text = _required(properties, "field.delim")
    others = {name: value for name, value in properties.items() if name != "field.delim"}
    if properties.get("escape.delim"):
        raise UnsupportedFormatError("MultiDelimitSerDe with escape.delim is not supported")
    options = parse_text_options(others)
    return replace(
        options,
        nested_delimiters=(text, *options.nested_delimiters[1:]),
        last_column_takes_rest=True,
        delimiter_in_rest=NESTING_DELIMITERS[0],
    )


def parse_csv_options(properties: Mapping[str, str]) -> CsvOptions:
    """Parse OpenCSVSerde's properties; `\\0` switches quoting or escaping off."""
    separator = _character(properties, "separatorChar", ",")
    if separator is None:
        raise UnsupportedFormatError("SerDe property separatorChar must not be the NUL character")
    return CsvOptions(
        lines=parse_line_options(properties),
        separator=separator,
        quote=_character(properties, "quoteChar", '"'),
        escape=_character(properties, "escapeChar", "\\"),
    )


def parse_json_options(properties: Mapping[str, str]) -> JsonOptions:
    """Parse the properties of the JSON SerDes."""
    prefix = "mapping."
    return JsonOptions(
        lines=parse_line_options(properties),
        ignore_malformed=_boolean(properties, "ignore.malformed.json"),
        is_case_insensitive=_boolean(properties, "case.insensitive", default=True),
        dots_in_keys=_boolean(properties, "dots.in.keys"),
        explicit_null=_boolean(properties, "explicit.null"),
        mapping={
            name[len(prefix) :].lower(): key
            for name, key in properties.items()
            if name.startswith(prefix) and len(name) > len(prefix)
        },
        timestamp_formats=_texts(properties, "timestamp.formats"),
    )


def parse_regex_options(properties: Mapping[str, str]) -> RegexOptions:
    """Parse RegexSerDe's properties; the pattern is required, and is Java's, not Python's."""
    return RegexOptions(
        pattern=_required(properties, "input.regex"),
        lines=parse_line_options(properties),
        is_case_insensitive=_boolean(properties, "input.regex.case.insensitive"),
        output_format=properties.get("output.format.string"),
    )


def parse_grok_options(properties: Mapping[str, str]) -> GrokOptions:
    """Parse GrokSerDe's properties; custom patterns stand one on a line, name first."""
    custom: dict[str, str] = {}
    for line in properties.get("input.grokCustomPatterns", "").splitlines():
        if not line.strip():
            continue
        name, _, pattern = line.strip().partition(" ")
        if not pattern.strip():
            raise UnsupportedFormatError(f"grok custom pattern {name} is empty")
        custom[name] = pattern.strip()
    return GrokOptions(
        pattern=_required(properties, "input.format"),
        lines=parse_line_options(properties),
        custom_patterns=custom,
    )


def parse_parquet_options(properties: Mapping[str, str]) -> ColumnarOptions:
    """Parse Parquet's column access property."""
    return _columnar(properties, "parquet.column.index.access")


def parse_orc_options(properties: Mapping[str, str]) -> ColumnarOptions:
    """Parse ORC's column access property."""
    return _columnar(properties, "orc.column.index.access")


def parse_avro_options(properties: Mapping[str, str]) -> AvroOptions:
    """Parse Avro's reader schema properties."""
    return AvroOptions(
        schema_literal=properties.get("avro.schema.literal") or None,
        schema_url=properties.get("avro.schema.url") or None,
    )


def unescape_delimiter(text: str) -> str:
    r"""Read the spellings of a control character: `\t`, `\001`, `\u0001`, `\x01`, or itself."""
    for pattern, base in ((_OCTAL_ESCAPE, 8), (_UNICODE_ESCAPE, 16), (_HEXADECIMAL_ESCAPE, 16)):
        match = pattern.fullmatch(text)
        if match is not None:
            return chr(int(match[1], base))
    if len(text) == 2 and text[0] == "\\" and text[1] in _ESCAPES:
        return _ESCAPES[text[1]]
    return text


def _byte_character(name: str, text: str) -> str:
    """Read a LazySimpleSerDe delimiter, whose decimal number is a byte's value (`9` is a tab)."""
    if _BYTE.fullmatch(text) and -128 <= int(text) <= 127:
        character = chr(int(text) % 256)
    else:
        character = _one_character(name, text)
    if not character.isascii():  # Hive would cut it to one byte, which is no character of UTF-8
        raise UnsupportedFormatError(
            f"SerDe property {name} must be an ASCII character, but is {text!r}"
        )
    return character


def _one_character(name: str, text: str) -> str:
    character = unescape_delimiter(text)
    if len(character) != 1:
        # Hive would silently use the first character alone, and split rows where nobody meant it.
        raise UnsupportedFormatError(
            f"SerDe property {name} must be one character, but is {text!r}"
        )
    return character


def _character(properties: Mapping[str, str], name: str, default: str) -> str | None:
    text = properties.get(name)
    if not text:
        return default
    character = _one_character(name, text)
    return None if character == "\0" else character


def _line_count(properties: Mapping[str, str], name: str) -> int:
    text = properties.get(name)
    if not text:
        return 0
    stripped = text.strip()
    if not (stripped.isascii() and stripped.isdigit()) or int(stripped) > _LINES_MAX:
        raise UnsupportedFormatError(f"property {name} must be a number of lines, not {text!r}")
    return int(stripped)


def _boolean(properties: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    """Read a boolean as Java's Boolean.parseBoolean does: anything but `true` is false."""
    text = properties.get(name)
    return default if text is None else text.strip().lower() == "true"


def _texts(properties: Mapping[str, str], name: str) -> tuple[str, ...]:
    text = properties.get(name, "")
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _required(properties: Mapping[str, str], name: str) -> str:
    text = properties.get(name)
    if not text:
        raise UnsupportedFormatError(f"SerDe property {name} is required")
    return text


def _columnar(properties: Mapping[str, str], name: str) -> ColumnarOptions:
    return ColumnarOptions(by_index=_boolean(properties, name) if name in properties else None)
