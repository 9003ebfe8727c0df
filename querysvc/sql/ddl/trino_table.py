"""CREATE TABLE … WITH (…) as Trino's Hive connector reads it: a table over files that exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.ddl.statements import CreateTable
from querysvc.sql.ddl.tokens import DdlTokens
from querysvc.sql.lexer import Kind
from querysvc_catalog.model import Column, SerDeInfo, StorageDescriptor
from querysvc_catalog.serdes import CLASSES, StorageFormat

SERDE_PROPERTIES: Final = {
    "csv_escape": "escapeChar",
    "csv_quote": "quoteChar",
    "csv_separator": "separatorChar",
    "null_format": "serialization.null.format",
    "textfile_field_separator": "field.delim",
    "textfile_field_separator_escape": "escape.delim",
    "regex": "input.regex",
}
"""Trino's table properties, and the SerDe properties that they are."""
LINE_COUNTS: Final = {
    "skip_footer_line_count": "skip.footer.line.count",
    "skip_header_line_count": "skip.header.line.count",
}
"""Trino's table properties, and the table's parameters that they are."""
_KNOWN: Final = frozenset(
    {
        *("format", "external_location", "partitioned_by", "bucketed_by", "bucket_count"),
        *SERDE_PROPERTIES,
        *LINE_COUNTS,
    }
)

Value = str | tuple[str, ...]


def is_trino_table(tokens: DdlTokens) -> bool:
    """Whether a CREATE TABLE has `WITH (` outside of all parentheses."""
    depth = distance = 0
    while (token := tokens.peek(distance)).kind is not Kind.END:
        depth += {"(": 1, ")": -1}.get(token.key, 0)
        if depth == 0 and token.key == "WITH" and tokens.peek(distance + 1).key == "(":
            return tokens.peek(distance - 1).kind is not Kind.STRING or _is_comment(
                tokens, distance
            )
        distance += 1
    return False


def _is_comment(tokens: DdlTokens, distance: int) -> bool:
    """Whether the string before WITH is a comment; Hive's follows a SerDe's name."""
    return tokens.peek(distance - 2).key == "COMMENT"


def trino_table(tokens: DdlTokens) -> CreateTable:
    """Read the statement."""
    tokens.expect("CREATE", "TABLE")
    if_not_exists = tokens.take("IF", "NOT", "EXISTS")
    name = tokens.object_name()
    columns = tokens.columns()
    comment = tokens.string() if tokens.take("COMMENT") else None
    tokens.expect("WITH")
    properties = _properties(tokens)
    keys = _names(properties.get("partitioned_by", ()))
    if keys != tuple(column.name for column in columns[len(columns) - len(keys) :]):
        raise StatementError(
            ErrorCode.HIVE_COLUMN_ORDER_MISMATCH,
            "Partition keys must be the last columns in the table and in the same order as the"
            f" table properties: [{', '.join(keys)}]",
        )
    data = columns[: len(columns) - len(keys)]
    counts = {LINE_COUNTS[key]: str(text) for key, text in properties.items() if key in LINE_COUNTS}
    return CreateTable(
        name=name,
        storage_descriptor=_descriptor(data, properties),
        partition_keys=columns[len(data) :],
        parameters={"EXTERNAL": "TRUE", **counts},
        comment=comment,
        if_not_exists=if_not_exists,
    )


def _descriptor(columns: Sequence[Column], properties: dict[str, Value]) -> StorageDescriptor:
    location = properties.get("external_location")
    if not isinstance(location, str):
        raise StatementError(
            ErrorCode.NOT_SUPPORTED,
            "CREATE TABLE without external_location is not supported: data stays where it lies",
        )
    if not location.lower().startswith(("s3://", "s3a://", "s3n://")):
        raise _invalid(f"external_location '{location}' is not in S3: it must begin with s3://")
    classes = CLASSES[_format(properties.get("format", "ORC"))]
    buckets = str(properties.get("bucket_count", "0"))
    serde = {
        parameter: str(properties[key])
        for key, parameter in SERDE_PROPERTIES.items()
        if key in properties
    }
    return StorageDescriptor(
        columns=tuple(columns),
        location=location,
        input_format=classes.input_format,
        output_format=classes.output_format,
        serde_info=SerDeInfo(serialization_library=classes.serialization_library, parameters=serde),
        bucket_columns=_names(properties.get("bucketed_by", ())),
        number_of_buckets=int(buckets) if buckets.isdecimal() and buckets != "0" else None,
    )


def _format(value: Value) -> StorageFormat:
    try:
        found = StorageFormat(str(value).upper())
        CLASSES[found]
    except (ValueError, KeyError) as error:
        raise _invalid(f"format '{value}' is not supported") from error
    return found


def _properties(tokens: DdlTokens) -> dict[str, Value]:
    found: dict[str, Value] = {}
    tokens.expect("(")
    while True:
        position = tokens.position
        name = tokens.name()
        if name not in _KNOWN:
            line, column = position
            message = f"table property '{name}' is not supported"
            raise StatementError(ErrorCode.NOT_SUPPORTED, message, line=line, column=column)
        if name in found:
            raise tokens.error(f"Duplicate property '{name}'", position)
        tokens.expect("=")
        found[name] = _value(tokens)
        if not tokens.take(","):
            break
    tokens.expect(")")
    return found


def _value(tokens: DdlTokens) -> Value:
    if tokens.take("ARRAY"):
        tokens.expect("[")
        names = [tokens.string()] if tokens.key != "]" else []
        while tokens.take(","):
            names.append(tokens.string())
        tokens.expect("]")
        return tuple(names)
    return tokens.advance().text if tokens.token.kind is Kind.INTEGER else tokens.string()


def _names(value: Value) -> tuple[str, ...]:
    if isinstance(value, str):
        raise _invalid(f"'{value}' is no list of columns: write ARRAY['{value}']")
    return tuple(name.lower() for name in value)


def _invalid(message: str) -> StatementError:
    return StatementError(ErrorCode.INVALID_TABLE_PROPERTY, message)
