"""What Hive and Trino know and Athena does not run: each is refused by its own name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.ddl.tokens import DdlTokens

Names = tuple[tuple[str, ...], ...]


def _names(text: str) -> Names:
    """The lines' words, longer names first."""
    return tuple(sorted((tuple(line.split()) for line in text.strip().splitlines()), key=_length))


def _length(words: tuple[str, ...]) -> int:
    return -len(words)


_STATEMENTS: Final = _names("""
ABORT TRANSACTIONS
ALTER INDEX
ALTER MATERIALIZED VIEW
ANALYZE
CALL
CREATE CATALOG
CREATE FUNCTION
CREATE INDEX
CREATE MATERIALIZED VIEW
CREATE OR REPLACE MATERIALIZED VIEW
CREATE OR REPLACE FUNCTION
CREATE OR REPLACE TABLE
CREATE OR REPLACE VIEW IF NOT EXISTS
CREATE PROTECTED MULTI DIALECT VIEW
CREATE ROLE
CREATE TEMPORARY FUNCTION
CREATE TEMPORARY MACRO
CREATE TEMPORARY TABLE
CREATE VIEW IF NOT EXISTS
DENY
DFS
DROP FUNCTION
DROP INDEX
DROP MATERIALIZED VIEW
DROP ROLE
DROP TEMPORARY FUNCTION
DROP TEMPORARY MACRO
EXPORT TABLE
GRANT
GRANT ROLE
IMPORT TABLE
KILL QUERY
LOAD DATA
LOCK DATABASE
LOCK TABLE
REFRESH MATERIALIZED VIEW
RELOAD FUNCTIONS
REVOKE
REVOKE ROLE
SHOW CURRENT ROLES
SHOW ROLE GRANT
SHOW TABLE EXTENDED
UNLOCK DATABASE
UNLOCK TABLE
USE
""")
_ALTERATIONS: Final = _names("""
ADD CONSTRAINT
ALTER COLUMN
ARCHIVE PARTITION
CHANGE COLUMN
CLUSTERED BY
COMPACT
CONCATENATE
DISABLE NO_DROP
DISABLE OFFLINE
DROP CONSTRAINT
ENABLE NO_DROP
ENABLE OFFLINE
EXCHANGE PARTITION
NOT CLUSTERED
NOT SKEWED
NOT SORTED
NOT STORED AS DIRECTORIES
PARTITION COLUMN
SET AUTHORIZATION
SET FILEFORMAT
SET OWNER
SET PROPERTIES
SET SERDE
SET SERDEPROPERTIES
SET SKEWED LOCATION
SKEWED BY
TOUCH
UNARCHIVE PARTITION
UPDATE COLUMNS
""")
_REPAIRS: Final = _names("""
ADD PARTITIONS
DROP PARTITIONS
SYNC PARTITIONS
""")
_OF_TABLES: Final = frozenset({("CHANGE", "COLUMN")})
"""Of these, what is refused of partitions alone."""


def refuse_statement(tokens: DdlTokens) -> None:
    """NOT_SUPPORTED when the statement begins with one of the names."""
    words = _found(tokens, _STATEMENTS)
    if words is not None:
        raise unsupported_statement(tokens, words)


def unsupported_statement(tokens: DdlTokens, words: Sequence[str]) -> StatementError:
    """NOT_SUPPORTED of a statement with this name, to be raised."""
    line, column = tokens.position
    message = f"{' '.join(words)} statements are not supported"
    return StatementError(ErrorCode.NOT_SUPPORTED, message, line=line, column=column)


def refuse_alteration(tokens: DdlTokens, *, of_partition: bool = False) -> None:
    """NOT_SUPPORTED when what comes after ALTER TABLE's name is one of the names."""
    words = _found(tokens, _ALTERATIONS)
    if words is None or (words in _OF_TABLES and not of_partition):
        return
    partition = "PARTITION … " if of_partition else ""
    raise tokens.unsupported(f"ALTER TABLE … {partition}{' '.join(words)}")


def refuse_repair(tokens: DdlTokens) -> None:
    """NOT_SUPPORTED when MSCK REPAIR TABLE is to do more than to add partitions."""
    words = _found(tokens, _REPAIRS)
    if words is not None:
        raise tokens.unsupported(f"MSCK REPAIR TABLE … {' '.join(words)}")


def _found(tokens: DdlTokens, names: Names) -> tuple[str, ...] | None:
    return next((words for words in names if tokens.at(*words)), None)
