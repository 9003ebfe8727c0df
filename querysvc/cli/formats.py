"""How rows, schemas and summaries look on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from querysvc.client import JsonObject

TABLE_ROWS_MAX = 1000


class OutputFormat(StrEnum):
    """What `query -o` writes."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    ARROW = "arrow"


MEDIA_TYPES = {
    OutputFormat.CSV: "text/csv",
    OutputFormat.JSONL: "application/x-ndjson",
    OutputFormat.PARQUET: "application/vnd.apache.parquet",
    OutputFormat.ARROW: "application/vnd.apache.arrow.stream",
}
_RIGHT_ALIGNED = ("tinyint", "smallint", "integer", "bigint", "real", "double", "decimal")
_BYTE_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def print_table(columns: Sequence[JsonObject], rows: Iterable[Sequence[Any]]) -> None:
    """Draw rows as a table; NULL is dimmed so that it differs from the text «NULL»."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, header_style="bold", show_edge=False, pad_edge=False)
    for column in columns:
        is_number = str(column["type"]).startswith(_RIGHT_ALIGNED)
        table.add_column(Text(column["name"]), justify="right" if is_number else "left")
    for row in rows:
        cells = [Text("NULL", style="dim") if v is None else Text(value_text(v)) for v in row]
        table.add_row(*cells)
    Console(soft_wrap=False).print(table)


def value_text(value: Any) -> str:
    """A JSON value as a person reads it: text bare, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def byte_text(count: int) -> str:
    """1536 as `1.5 KB`: powers of 1000, as S3's prices are."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_BYTE_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{count} B" if unit == 0 else f"{value:.1f} {_BYTE_UNITS[unit]}"


def summary(execution: JsonObject) -> str:
    """One line on what a finished query took."""
    statistics = execution["statistics"]
    milliseconds = statistics["total_milliseconds"]
    seconds = f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
    rows = statistics["result_rows"]
    parts = [f"{rows:,} row{'' if rows == 1 else 's'} in {seconds}"]
    if execution["reused_previous_result"]:
        parts.append("an earlier result, nothing has changed since")
    elif statistics["total_files"]:
        source = f"{statistics['scanned_files']:,} of {statistics['total_files']:,} files"
        if statistics["total_partitions"] > 1:
            partitions = statistics["scanned_partitions"], statistics["total_partitions"]
            source += ", {:,} of {:,} partitions".format(*partitions)
        parts.append(f"{byte_text(statistics['scanned_bytes'])} scanned ({source})")
    if statistics["rejected_rows"]:
        parts.append(f"{statistics['rejected_rows']:,} rejected")
    return ", ".join(parts)


def print_history(executions: Sequence[JsonObject]) -> None:
    """List query executions."""
    columns = [{"name": n, "type": "varchar"} for n in ("id", "state", "submitted", "took", "sql")]
    print_table(columns, [_history_row(execution) for execution in executions])


def _history_row(execution: JsonObject) -> list[str]:
    submitted = datetime.fromisoformat(execution["submitted_at"]).astimezone()
    return [
        execution["id"],
        execution["state"],
        submitted.strftime("%Y-%m-%d %H:%M:%S"),
        f"{execution['statistics']['total_milliseconds']} ms",
        " ".join(execution["sql"].split())[:80],
    ]
