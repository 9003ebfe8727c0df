"""Places of statements inside of others: a view's query, the text of EXECUTE IMMEDIATE."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from querysvc.errors import QueryServiceError


@dataclass(frozen=True, slots=True)
class Place:
    """Where a statement inside of another begins; positions in it are told from there."""

    line: int = 1
    column: int = 1

    def moved(self, error: QueryServiceError) -> QueryServiceError:
        """The error with its position in the whole statement."""
        if error.line is None or error.column is None or self == START:
            return error
        is_first_line = error.line == 1
        column = error.column + self.column - 1 if is_first_line else error.column
        return type(error)(
            error.code, error.message, line=error.line + self.line - 1, column=column
        )


START: Final = Place()
"""Where a statement begins that is in no other."""


@contextmanager
def errors_moved(place: Place) -> Iterator[None]:
    """Errors raised inside get their positions in the whole statement."""
    try:
        yield
    except QueryServiceError as error:
        raise place.moved(error) from error.__cause__
