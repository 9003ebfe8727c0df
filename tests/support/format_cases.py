"""Cases of formats as data: a Hive table, its objects, and the answer of Trino or Athena.

A file of tests/conformance/formats holds the cases of one SerDe, as a JSON list of

    name, columns [[name, Hive type]], serde {property: value}, table {property: value}
    objects {key: {"text" | "base64" | "file": …}}          file: below formats/objects
    expected {"rows": […]} or {"error_name": …, "error_message": part of it}
    source    "trino-476" (recorded by `python -m tests.support.format_oracle`), or why it is not

`ours` may stand beside an expected answer: where we differ on purpose, with the reason.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from querysvc.errors import QueryServiceError
from querysvc.model import ResultColumn
from querysvc.plan import TableColumn
from querysvc.results.json_values import json_rows
from querysvc.types.algebra import Char
from querysvc.types.hive import from_hive
from querysvc_catalog.serdes import StorageFormat
from querysvc_catalog.types import parse_type
from tests.support.engine_bench import EngineBench
from tests.support.engine_plans import descriptor

FORMATS = Path(__file__).parents[1] / "conformance" / "formats"


@dataclass(frozen=True)
class Case:
    """One table and its answer."""

    format: StorageFormat
    data: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.data["name"])

    @property
    def expected(self) -> dict[str, Any]:
        """What we must answer."""
        return dict(self.data.get("ours") or self.data["expected"])

    @property
    def columns(self) -> list[TableColumn]:
        return [
            TableColumn(name, from_hive(parse_type(hive))) for name, hive in self.data["columns"]
        ]

    def objects(self) -> dict[str, bytes]:
        return {key: _content(value) for key, value in self.data["objects"].items()}

    def ask(self, bench: EngineBench) -> dict[str, Any]:
        """Our answer, in the form of Trino's wire."""
        columns = self.columns
        try:
            bench.select(
                descriptor(self.format, self.data.get("serde")),
                columns,
                [((), self.objects())],
                f"SELECT {', '.join(map(_output, range(len(columns)), columns))} FROM t0",
                table_parameters=self.data.get("table"),
                hive_types=dict(self.data["columns"]),
            )
        except QueryServiceError as error:
            return {"error_name": error.code.name, "error_message": error.message}
        results = tuple(ResultColumn(column.name, column.type) for column in columns)
        with pa.OSFile(str(bench.spool)) as source, pa.ipc.open_stream(source) as reader:
            rows = [row for batch in reader for row in json_rows(results, batch)]
        return {
            "columns": [one.name for one in results],
            "types": [one.type.wire_name for one in results],
            "rows": rows,
        }


def load(path: Path) -> list[Case]:
    """The cases of one file, whose name is the format's."""
    storage_format = StorageFormat(path.stem.upper().replace("-", "_"))
    return [Case(storage_format, data) for data in json.loads(path.read_text())]


def all_cases() -> list[Case]:
    """Every case of every format."""
    return [case for path in sorted(FORMATS.glob("*.json")) for case in load(path)]


def _output(index: int, column: TableColumn) -> str:
    """A column as the lowering gives it out: char values are padded there."""
    if isinstance(column.type, Char):
        return f'rpad("c{index}", {column.type.length}, chr(32))'
    return f'"c{index}"'


def _content(value: dict[str, str]) -> bytes:
    if "text" in value:
        return value["text"].encode()
    if "base64" in value:
        return base64.b64decode(value["base64"])
    return (FORMATS / "objects" / value["file"]).read_bytes()
