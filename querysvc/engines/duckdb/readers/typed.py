"""From columns of text to the used columns in storage form, for all text formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from querysvc.engines.duckdb.readers.base import File, FileGroup, ReaderContext, used_columns
from querysvc.engines.duckdb.readers.physical import Source
from querysvc.engines.duckdb.readers.quarantine import Origin, select_rows
from querysvc.engines.duckdb.readers.values import checked_value, try_value
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.types.algebra import TrinoType
from querysvc_catalog.errors import UnsupportedFormatError
from querysvc_catalog.serdes import serde_properties

Options = TypeVar("Options")
Converter = Callable[[str, TrinoType, Source], "str | None"]


def select_typed(
    group: FileGroup,
    files: Sequence[File],
    relation: str,
    *,
    ordinal: str,
    null: str,
    convert: Converter,
    context: ReaderContext,
    source_type: type[Source] = Source,
    origin: Origin | None = None,
) -> str:
    """SELECT the used columns from a relation with texts "x<i>" and a file position "file".

    Two layers: texts and tried values below, checked values above. `null` is the condition, with
    {0} for the text, under which a value is NULL; `convert` may take a column over; `source_type`
    decides what becomes of a bad value.
    """
    below = ['"file"', *(origin.names() if origin is not None else ())]
    data: dict[int, str] = {}
    raw: dict[int, str] = {}
    for index, column in used_columns(group.reference):
        if column.is_partition_key or column.is_hidden:
            continue
        text, tried = f'"x{index}"', f'"v{index}"'
        source = source_type(column.name, column.type, ordinal)
        below.append(text)
        raw[index] = text
        converted = convert(text, column.type, source)
        if converted is None:
            below.append(f"{try_value(text, column.type)} AS {tried}")
            converted = checked_value(text, tried, column.type, source, null.format(text))
        data[index] = converted
    texts = f"(SELECT {', '.join(below)} FROM {relation})"
    return select_rows(group, files, texts, data, context=context, raw=raw, origin=origin)


def options_of(group: FileGroup, parse: Callable[[Mapping[str, str]], Options]) -> Options:
    """The SerDe's options, or NOT_SUPPORTED by name."""
    try:
        return parse(serde_properties(group.descriptor, group.reference.table.parameters))
    except UnsupportedFormatError as error:
        raise unsupported(group, error.message) from error


def unsupported(group: FileGroup, what: str) -> QueryServiceError:
    """NOT_SUPPORTED, naming the table."""
    name = group.reference.table.full_name
    return QueryServiceError(ErrorCode.NOT_SUPPORTED, f"table {name}: {what} is not supported")
