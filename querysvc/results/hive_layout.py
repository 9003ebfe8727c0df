"""DESCRIBE and SHOW COLUMNS as Hive's part of Athena prints them: cells padded to twenty places.

Athena's clients read a row of DESCRIBE as one text with tabs in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from querysvc.model import ResultColumn

_WIDTH: Final = 20
_PADDED: Final = frozenset({("col_name", "data_type", "comment"), ("field",)})

Cells = tuple[str | None, ...]


def hive_row(columns: Sequence[ResultColumn], row: Cells) -> Cells:
    """The row as Athena gives it: one padded text for what Hive describes, else as it is."""
    if tuple(column.name for column in columns) not in _PADDED:
        return row
    return ("\t".join(f"{cell or '':<{_WIDTH}}" for cell in row),)
