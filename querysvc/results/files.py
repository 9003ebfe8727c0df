"""The result as a text file beside its spool, made once."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path

from querysvc.model import ResultColumn, StatementType
from querysvc.results.hive_layout import hive_row
from querysvc.results.spool import SpoolDirectory
from querysvc.results.text_values import text_rows

EncodeText = Callable[[Path, tuple[ResultColumn, ...], Path], None]
"""(spool, columns, target): the engine writes Athena's CSV."""

_WRITES = frozenset({"CREATE_TABLE_AS_SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "UNLOAD"})


def text_suffix(statement_type: StatementType | None, substatement_type: str | None) -> str:
    """`.csv` for queries and writes, `.txt` for DDL and utility statements."""
    is_text = statement_type in (StatementType.DDL, StatementType.UTILITY)
    return ".txt" if is_text and substatement_type not in _WRITES else ".csv"


def is_write(substatement_type: str | None) -> bool:
    """Whether the statement writes data: it has an update count and a manifest."""
    return substatement_type in _WRITES


class TextFiles:
    """Makes a result's text file when it is first asked for."""

    def __init__(self, spools: SpoolDirectory, encode_text: EncodeText) -> None:
        self._spools = spools
        self._encode_text = encode_text

    def ensure(self, query_id: str, columns: tuple[ResultColumn, ...], suffix: str) -> Path:
        """The path of the text file, which is complete."""
        target = self._spools.text_path(query_id, suffix)
        if target.exists():
            return target
        draft = self._spools.root / f"{query_id}.draft-{uuid.uuid4().hex}"
        try:
            if not columns:
                draft.write_bytes(b"")
            elif suffix == ".txt":
                reader = self._spools.open(query_id)
                with draft.open("w", encoding="utf-8", newline="") as sink:
                    for batch in reader.batches():
                        rows = text_rows(columns, batch)
                        sink.writelines(_line(hive_row(columns, row)) for row in rows)
            else:
                self._spools.open(query_id)  # tells whether the result is still there
                self._encode_text(self._spools.stream_path(query_id), columns, draft)
            os.replace(draft, target)
        finally:
            draft.unlink(missing_ok=True)
        return target


def _line(row: tuple[str | None, ...]) -> str:
    return "\t".join(value or "" for value in row) + "\n"
