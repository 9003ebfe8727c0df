"""SerDe class names, shorthands and typed properties."""

from __future__ import annotations

import pytest

from querysvc_catalog.errors import UnsupportedFormatError
from querysvc_catalog.model import SerDeInfo, StorageDescriptor
from querysvc_catalog.serde_options import (
    parse_avro_options,
    parse_csv_options,
    parse_grok_options,
    parse_json_options,
    parse_line_options,
    parse_orc_options,
    parse_parquet_options,
    parse_regex_options,
    parse_text_options,
    unescape_delimiter,
)
from querysvc_catalog.serdes import (
    CLASSES,
    STORED_AS,
    ResolvedFormat,
    StorageFormat,
    resolve_format,
    serde_properties,
    stored_as,
)

_TEXT_INPUT = "org.apache.hadoop.mapred.TextInputFormat"
_SYMLINK_INPUT = "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat"
_CLOUDTRAIL_INPUT = "com.amazon.emr.cloudtrail.CloudTrailInputFormat"


def _descriptor(library: str | None, input_format: str | None) -> StorageDescriptor:
    return StorageDescriptor(
        input_format=input_format, serde_info=SerDeInfo(serialization_library=library)
    )


@pytest.mark.parametrize("storage_format", StorageFormat)
def test_the_classes_of_every_format_resolve_to_it(storage_format: StorageFormat) -> None:
    classes = CLASSES[storage_format]
    resolved = resolve_format(_descriptor(classes.serialization_library, classes.input_format))
    assert resolved == ResolvedFormat(storage_format)


@pytest.mark.parametrize("name", STORED_AS)
def test_stored_as_is_read_in_any_case_and_resolves(name: str) -> None:
    classes = stored_as(name.lower())
    resolved = resolve_format(_descriptor(classes.serialization_library, classes.input_format))
    assert resolved.storage_format is STORED_AS[name]


def test_an_unknown_stored_as_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedFormatError, match="STORED AS kudu"):
        stored_as("kudu")


def test_a_symlink_manifest_is_told_apart_from_rows() -> None:
    parquet = CLASSES[StorageFormat.PARQUET].serialization_library
    resolved = resolve_format(_descriptor(parquet, _SYMLINK_INPUT))
    assert resolved == ResolvedFormat(StorageFormat.PARQUET, is_symlink_manifest=True)


def test_hcatalog_json_over_the_cloudtrail_input_is_cloudtrail() -> None:
    json = CLASSES[StorageFormat.JSON].serialization_library
    assert resolve_format(_descriptor(json, _CLOUDTRAIL_INPUT)).storage_format is (
        StorageFormat.CLOUDTRAIL
    )


@pytest.mark.parametrize(
    ("library", "input_format", "message"),
    [
        (None, _TEXT_INPUT, "no serialization library"),
        ("com.example.MySerDe", _TEXT_INPUT, "com.example.MySerDe is not supported"),
        ("org.openx.data.jsonserde.JsonSerDe", None, "without an input format"),
        ("org.openx.data.jsonserde.JsonSerDe", "com.example.Input", "input format com.example"),
        (CLASSES[StorageFormat.PARQUET].serialization_library, _TEXT_INPUT, "with input format"),
        (CLASSES[StorageFormat.CLOUDTRAIL].serialization_library, _SYMLINK_INPUT, "with input"),
    ],
)
def test_class_names_that_do_not_fit_are_refused(
    library: str | None, input_format: str | None, message: str
) -> None:
    with pytest.raises(UnsupportedFormatError, match=message):
        resolve_format(_descriptor(library, input_format))


def test_a_descriptor_without_serde_is_refused() -> None:
    with pytest.raises(UnsupportedFormatError):
        resolve_format(StorageDescriptor())


def test_table_parameters_win_over_serde_parameters() -> None:
    descriptor = StorageDescriptor(serde_info=SerDeInfo(parameters={"a": "serde", "b": "serde"}))
    assert serde_properties(descriptor, {"a": "table"}) == {"a": "table", "b": "serde"}


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("\\t", "\t"),
        ("\\001", "\x01"),
        ("\\u0001", "\x01"),
        ("\\x1F", "\x1f"),
        ("\\\\", "\\"),
        ("\\", "\\"),
        (",", ","),
        ("\x01", "\x01"),
        ("||", "||"),
        ("\\q", "\\q"),
    ],
)
def test_control_characters_are_read_in_each_spelling(text: str, character: str) -> None:
    assert unescape_delimiter(text) == character


def test_text_defaults_are_hives() -> None:
    options = parse_text_options({})
    assert options.field_delimiter == "\x01"
    assert options.nested_delimiters == tuple("\x01\x02\x03\x04\x05\x06\x07\x08")
    assert options.null_format == "\\N"
    assert options.escape is None
    assert options.line_delimiter is None
    assert options.lines.header_lines == 0


@pytest.mark.parametrize(
    ("properties", "delimiters"),
    [
        ({"field.delim": ","}, ",\x02\x03"),
        ({"field.delim": "\\t", "collection.delim": "|", "mapkey.delim": ":"}, "\t|:"),
        ({"colelction.delim": "|"}, "\x01|\x03"),
        ({"field.delim": "44"}, ",\x02\x03"),
        ({"field.delim": "9"}, "\t\x02\x03"),
        ({"serialization.format": "1"}, "\x01\x02\x03"),
        ({"serialization.format": ";"}, ";\x02\x03"),
        ({"field.delim": "", "serialization.format": ","}, ",\x02\x03"),
    ],
)
def test_text_delimiters_follow_hives_rules(properties: dict[str, str], delimiters: str) -> None:
    assert "".join(parse_text_options(properties).nested_delimiters[:3]) == delimiters


def test_text_options_read_the_other_properties() -> None:
    options = parse_text_options(
        {
            "escape.delim": "\\",
            "line.delim": "\n",
            "serialization.null.format": "",
            "serialization.last.column.takes.rest": "TRUE",
            "serialization.encoding": "ISO-8859-1",
            "skip.header.line.count": " 2 ",
            "skip.footer.line.count": "1",
            "timestamp.formats": "yyyy-MM-dd, millis",
        }
    )
    assert options.escape == "\\"
    assert options.line_delimiter == "\n"
    assert options.null_format == ""
    assert options.last_column_takes_rest
    assert options.lines.encoding == "ISO-8859-1"
    assert (options.lines.header_lines, options.lines.footer_lines) == (2, 1)
    assert options.timestamp_formats == ("yyyy-MM-dd", "millis")


@pytest.mark.parametrize("text", ["||", "ab", "¦", "-25", "\\u00e7"])
def test_a_delimiter_that_is_not_one_ascii_character_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedFormatError, match=r"field\.delim"):
        parse_text_options({"field.delim": text})


@pytest.mark.parametrize("text", ["-1", "one", "1.0", "²", "99999999999"])
def test_a_wrong_header_count_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedFormatError, match=r"skip\.header\.line\.count"):
        parse_line_options({"skip.header.line.count": text})


def test_csv_options_have_opencsvs_defaults_and_spellings() -> None:
    default = parse_csv_options({})
    assert (default.separator, default.quote, default.escape) == (",", '"', "\\")
    given = parse_csv_options({"separatorChar": "\\t", "quoteChar": "'", "escapeChar": '"'})
    assert (given.separator, given.quote, given.escape) == ("\t", "'", '"')
    off = parse_csv_options({"quoteChar": "\\0", "escapeChar": "\\0"})
    assert (off.quote, off.escape) == (None, None)


def test_json_options_read_mappings_and_switches() -> None:
    options = parse_json_options(
        {
            "mapping.TS": "time.stamp",
            "mapping.": "ignored",
            "ignore.malformed.json": "true",
            "case.insensitive": "FALSE",
            "dots.in.keys": "yes",
        }
    )
    assert options.mapping == {"ts": "time.stamp"}
    assert options.ignore_malformed
    assert not options.is_case_insensitive
    assert not options.dots_in_keys
    assert parse_json_options({}).is_case_insensitive


def test_regex_and_grok_need_their_pattern() -> None:
    with pytest.raises(UnsupportedFormatError, match=r"input\.regex is required"):
        parse_regex_options({})
    with pytest.raises(UnsupportedFormatError, match=r"input\.format is required"):
        parse_grok_options({"input.format": ""})
    regex = parse_regex_options({"input.regex": "(a)", "input.regex.case.insensitive": "true"})
    assert (regex.pattern, regex.is_case_insensitive) == ("(a)", True)


def test_grok_custom_patterns_are_read_line_by_line() -> None:
    options = parse_grok_options(
        {"input.format": "%{A:a}", "input.grokCustomPatterns": "A [a-z ]+\n\nB  \\d"}
    )
    assert options.custom_patterns == {"A": "[a-z ]+", "B": "\\d"}
    with pytest.raises(UnsupportedFormatError, match="pattern C is empty"):
        parse_grok_options({"input.format": "x", "input.grokCustomPatterns": "C"})


def test_columnar_access_is_unset_unless_said() -> None:
    assert parse_parquet_options({}).by_index is None
    assert parse_parquet_options({"parquet.column.index.access": "true"}).by_index is True
    assert parse_orc_options({"orc.column.index.access": "false"}).by_index is False


def test_avro_schema_comes_as_text_or_address() -> None:
    options = parse_avro_options({"avro.schema.literal": "{}", "avro.schema.url": ""})
    assert (options.schema_literal, options.schema_url) == ("{}", None)
