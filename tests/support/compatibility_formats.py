"""The formats' part of docs/compatibility.md, made from the readers and their recorded cases."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from querysvc.engines.duckdb.relations import READERS
from querysvc_catalog.serdes import CLASSES, StorageFormat
from tests.support.format_cases import all_cases

_NOTES = {
    StorageFormat.PARQUET: "columns by name, by index with `parquet.column.index.access`",
    StorageFormat.ORC: "columns by name, by index with `orc.column.index.access` (ADR-0020);"
    " stripes pruned; timestamps of 1677 to 2262",
    StorageFormat.AVRO: "columns by name, defaults and aliases of `avro.schema.literal`;"
    " null, deflate, snappy, zstandard, bzip2, xz",
    StorageFormat.TEXTFILE: "a value that does not fit is NULL; MultiDelimitSerDe is read, too",
    StorageFormat.CSV: "a value that does not fit is HIVE_BAD_DATA",
    StorageFormat.OPENX_JSON: "`mapping.*`, `case.insensitive`, `dots.in.keys`,"
    " `ignore.malformed.json`; a value that does not fit is NULL",
    StorageFormat.JSON: "a value that does not fit is HIVE_BAD_DATA",
    StorageFormat.REGEX: "a line that does not match, or a value that does not fit, is NULL",
    StorageFormat.GROK: "the usual patterns, `input.grokCustomPatterns`; captures by column name",
    StorageFormat.CLOUDTRAIL: "`Records` of a document",
}
_TEXT = """
Text, CSV, JSON, Regex and Grok are read plain or by the key's extension: `.gz`, `.bz2`, `.zst`,
`.snappy` and `.lz4` (Hadoop's blocks), `.deflate`; and by `serialization.encoding`.
`querysvc.on_bad_record` = `fail`, `null` or `quarantine` overrides a format's rule for values that
do not fit (`docs/howto/bad-records.md`). A partition's own column types are coerced to the table's
as in Trino, or are HIVE_PARTITION_SCHEMA_MISMATCH.

Where a recorded case differs from Trino 476:

"""


def formats() -> Iterator[str]:
    """The section's lines."""
    cases = all_cases()
    count = Counter(case.format for case in cases)
    recorded = Counter(
        case.format for case in cases if case.data.get("source", "trino").startswith("trino")
    )
    yield "\n## Formats\n\n"
    yield "| format | SerDe | read | cases (of Trino 476) | |\n|---|---|---|---|---|\n"
    for one in StorageFormat:
        library = CLASSES[one].serialization_library.rpartition(".")[2]
        state = "yes" if one in READERS else "NOT_SUPPORTED"
        told = f"{count[one]} ({recorded[one]})" if count[one] else ""
        yield f"| {one} | {library} | {state} | {told} | {_NOTES.get(one, '')} |\n"
    yield _TEXT
    reasons: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        if "ours" in case.data:
            reasons[case.data["ours"]["why"]].append(case.name)
    for reason, names in sorted(reasons.items()):
        yield f"- {reason} ({', '.join(names)})\n"
