"""How a reader's SQL tells that a value does not fit: DuckDB's error() with a coded text.

The text carries what the SQL knows (column, value, declared type, the file's index in the plan);
the worker turns it into HIVE_BAD_DATA, and finds the line where the format has lines.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from querysvc.engines.duckdb.readers.sqltext import quote_text

MARK: Final = "\u2402querysvc bad value"
"""Starts the text; no function of ours says it, and a worker can only fool its own query."""
_FORM: Final = re.compile(re.escape(MARK) + "(\\[.*?\\])\u2401([0-9]*)\u2401(.*)\u2403", re.DOTALL)
_VALUE_CHARACTERS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class BadValue:
    """A value that does not fit: where it is, what it is, what it should be."""

    ordinal: int | None
    """The file's number among those that the parts claimed (`ReaderContext.ordinals`)."""
    column: str
    type: str
    value: str


def bad_value(column: str, type_: str, value: str, ordinal: str) -> str:
    """SQL that fails; `value` and `ordinal` are SQL expressions."""
    head = quote_text(MARK + json.dumps([column, type_]) + "\u2401")
    return (
        f"error({head} || coalesce(CAST({ordinal} AS VARCHAR), '') || '\u2401'"
        f" || left(coalesce(CAST({value} AS VARCHAR), ''), {_VALUE_CHARACTERS_MAX}) || '\u2403')"
    )


def find_bad_value(message: str) -> BadValue | None:
    """Read what `bad_value` wrote out of DuckDB's error text."""
    match = _FORM.search(message)
    if match is None:
        return None
    column, type_ = json.loads(match[1])
    return BadValue(int(match[2]) if match[2] else None, column, type_, match[3])
