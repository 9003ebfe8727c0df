"""A DuckDB instance for one query: prepared while the worker is idle, then given its limits.

Each query has an instance of its own (6-10 ms, hidden in the idle time): nothing that a statement
does can reach the next one. `seal` is the last step before generated SQL runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from querysvc.engines.duckdb.lowering.settings import statements
from querysvc.engines.duckdb.readers.sqltext import quote_text
from querysvc.plan import ResourceLimits

if TYPE_CHECKING:
    import duckdb

_FIXED: Final[dict[str, str | bool]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
    # A path names immutable bytes (it holds the ETag's digest): nothing to ask again.
    "validate_external_file_cache": "NO_VALIDATION",
    "threads": "1",  # none of its own before `limit`: instances are made ahead
}
_AFTER_OPENING: Final = (
    "SET streaming_buffer_size = '16MB'",
    # A statement opens its files when it is bound, and again when it runs.
    "SET parquet_metadata_cache = true",
    "SET enable_progress_bar = true",  # counts; nothing is printed
    "SET enable_progress_bar_print = false",
)
MEMORY_SHARE: Final = 0.8
"""Of a query's memory, what DuckDB's buffers may take; the rest is for what it does not count."""


def prepare(scratch: str) -> duckdb.DuckDBPyConnection:
    """Open an instance that knows no files and cannot load code; set what every query needs."""
    import duckdb  # not in the zygote: importing it opens an instance

    connection = duckdb.connect(":memory:", config=dict(_FIXED, temp_directory=scratch))
    for statement in (*statements(), *_AFTER_OPENING):
        connection.execute(statement)
    return connection


def limit(connection: duckdb.DuckDBPyConnection, limits: ResourceLimits, *, rereads: bool) -> None:
    """Give the instance its memory, threads and spill space.

    `rereads` keeps what was read in DuckDB's file cache, for a table that is scanned twice.
    """
    settings = {
        "memory_limit": f"'{max(int(limits.memory_bytes * MEMORY_SHARE), 32 << 20)}B'",
        "threads": limits.threads,
        "max_temp_directory_size": f"'{limits.spill_bytes}B'",
        "enable_external_file_cache": str(rereads).lower(),
    }
    for name, value in settings.items():
        connection.execute(f"SET {name} = {value}")


def seal(connection: duckdb.DuckDBPyConnection, paths: Iterable[str]) -> None:
    """Let the instance open exactly these paths, and forbid any further change of settings."""
    connection.execute(f"SET allowed_paths = [{', '.join(map(quote_text, paths))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
