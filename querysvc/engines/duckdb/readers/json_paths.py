"""Which way a group of JSON files is read: DuckDB's readers, or the exact one in Python."""

from __future__ import annotations

from querysvc.engines.duckdb.readers.base import (
    FileGroup,
    Part,
    ReaderContext,
    used_columns,
    with_files,
)
from querysvc.engines.duckdb.readers.json import read_json
from querysvc.engines.duckdb.readers.json_rows import read_json_rows
from querysvc.engines.duckdb.readers.lines import codec
from querysvc.engines.duckdb.readers.quarantine import PROPERTY
from querysvc.engines.duckdb.readers.typed import options_of
from querysvc.types.algebra import VARBINARY
from querysvc_catalog.serde_options import JsonOptions, parse_json_options
from querysvc_catalog.serdes import StorageFormat, resolve_format

_KNOWN_TO_DUCKDB = (None, "gzip")
"""Of which a watch sees the lines, too."""


def read_json_files(group: FileGroup, context: ReaderContext) -> list[Part]:
    """Read each file by the faster way that is right for it."""
    options = options_of(group, parse_json_options)
    lines = options.lines
    needs_rows = (
        context.reads_json_rows
        or options.dots_in_keys
        or options.ignore_malformed
        or options.timestamp_formats
        or lines.header_lines
        or lines.footer_lines
        or lines.encoding.lower() != "utf-8"
        or PROPERTY in group.reference.table.parameters
        or (_is_hcatalog(group) and _differs(group, options))
    )
    if needs_rows:
        return read_json_rows(group, context)
    parts = []
    by_way: dict[bool, list[int]] = {}
    for position, file in enumerate(group.files):
        by_way.setdefault(codec(file) in _KNOWN_TO_DUCKDB, []).append(position)
    for is_fast, positions in by_way.items():
        some = with_files(group, [group.files[position] for position in positions])
        parts += read_json(some, context) if is_fast else read_json_rows(some, context)
    return parts


def _is_hcatalog(group: FileGroup) -> bool:
    return resolve_format(group.descriptor).storage_format is StorageFormat.JSON


def _differs(group: FileGroup, options: JsonOptions) -> bool:
    """Whether hcatalog's SerDe, which knows none of openx's properties, needs its own way."""
    has_bytes = any(column.type == VARBINARY for _i, column in used_columns(group.reference))
    return has_bytes or bool(options.mapping) or not options.is_case_insensitive
