"""What becomes of a value that does not fit: the table's choice, else its SerDe's rule.

`querysvc.on_bad_record` is `fail` (HIVE_BAD_DATA naming object, line, column and value), `null`, or
`quarantine` (the row is set aside); without it LazySimpleSerDe and RegexSerDe give NULL, and the
other SerDes fail, as in Athena.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from querysvc.engines.duckdb.readers.base import FileGroup
from querysvc.engines.duckdb.readers.physical import Source
from querysvc.engines.duckdb.readers.quarantine import PROPERTY, QUARANTINE, QuarantineSource
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.types.algebra import TrinoType


@dataclass(frozen=True, slots=True)
class NullSource(Source):
    """A source whose bad values are NULL."""

    def failure(self, _value: str) -> str:
        """NULL, whose type the branches beside it tell."""
        return "NULL"

    def rejected(self, _text: str, _type: TrinoType) -> str:
        """NULL."""
        return "NULL"


Usual = TypeVar("Usual", type[Source], None)


def on_bad_record(group: FileGroup, usual: Usual) -> type[Source] | Usual:
    """The kind of source that follows the table's property, or the SerDe's usual one."""
    table = group.reference.table
    choice = table.parameters.get(PROPERTY)
    if choice is None:
        return usual
    found = _CHOICES.get(choice.strip().lower())
    if found is None:
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED, f"table {table.full_name}: {PROPERTY}={choice}"
        )
    return found


_CHOICES: Final[dict[str, type[Source]]] = {
    "fail": Source,
    "null": NullSource,
    QUARANTINE: QuarantineSource,
}
