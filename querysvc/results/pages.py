"""A page of a result: typed Arrow rows, with the token of the next page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from querysvc.model import ResultColumn
from querysvc.results.json_values import JsonValue, json_rows
from querysvc.results.text_values import text_rows
from querysvc.tokens import decode_token, encode_token


class ResultFormat(StrEnum):
    """How a whole result can be streamed."""

    JSON = "json"
    """One object {"columns": […], "rows": [[…], …]}."""
    NDJSON = "ndjson"
    """One object a row, keyed by column name."""
    CSV = "csv"
    """Athena's: header, every value quoted, NULL bare."""
    ARROW = "arrow"
    """Arrow IPC stream with the columns' own names."""
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Rows `first_row` … of a result; `next_token` is None on the last page.

    While the query still runs (`is_complete` false), a page may be empty and still have a token.
    """

    columns: tuple[ResultColumn, ...]
    batches: tuple[pa.RecordBatch, ...]
    first_row: int
    next_token: str | None
    is_complete: bool = True

    @property
    def row_count(self) -> int:
        """How many rows the page holds."""
        return sum(batch.num_rows for batch in self.batches)

    def json_rows(self) -> Iterator[list[JsonValue]]:
        """The rows as Trino's client protocol writes them: one list a row."""
        for batch in self.batches:
            yield from json_rows(self.columns, batch)

    def text_rows(self) -> Iterator[tuple[str | None, ...]]:
        """The rows as Athena's texts (GetQueryResults' VarCharValue); None is NULL."""
        for batch in self.batches:
            yield from text_rows(self.columns, batch)


def encode_page_token(row: int) -> str:
    """The opaque token of the page that starts at `row`."""
    return encode_token("r", row)


def decode_page_token(token: str) -> int:
    """The row that a page token points at; INVALID_REQUEST when it is none of ours."""
    return decode_token("r", token)
