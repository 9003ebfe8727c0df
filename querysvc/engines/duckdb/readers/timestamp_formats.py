"""`timestamp.formats`: patterns by which a SerDe reads timestamps before its own form is tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from querysvc.engines.duckdb.functions.joda import joda_elements
from querysvc.engines.duckdb.functions.joda_parse import ParseError, instant_of, parse_text
from querysvc.engines.duckdb.functions.vectorised import FunctionError
from querysvc.engines.duckdb.lowering.errors import to_query_error
from querysvc.engines.duckdb.readers.base import FileGroup
from querysvc.engines.duckdb.readers.typed import unsupported

ParseTimestamp = Callable[[str], datetime | None]
_EPOCH = datetime(1970, 1, 1)


def timestamp_parser(group: FileGroup, patterns: Sequence[str]) -> ParseTimestamp:
    """A parser that gives None for a text that fits no pattern."""
    this_year = datetime.now(UTC).year  # years of two digits are about this one, as in Java
    try:
        formats = [joda_elements(pattern, this_year) for pattern in patterns]
    except FunctionError as error:
        message = to_query_error(error).message
        raise unsupported(group, f"SerDe property timestamp.formats ({message})") from error

    def parse(text: str) -> datetime | None:
        for elements in formats:
            try:
                milliseconds, _zone = instant_of(parse_text(elements, text), "UTC")
                return _EPOCH + timedelta(milliseconds=milliseconds)
            except (ParseError, FunctionError, OverflowError):
                continue
        return None

    return parse
