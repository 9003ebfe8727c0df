"""SHOW and DESCRIBE."""

from __future__ import annotations

from typing import Final

from querysvc.sql.ddl import statements as ddl
from querysvc.sql.ddl.tokens import DdlTokens
from querysvc.sql.lexer import Kind

_OTHERS: Final = ("DATABASE", "FUNCTION", "SCHEMA")
"""What Hive's DESCRIBE also tells of. A table may have such a name: then no name follows it."""


def show_databases(tokens: DdlTokens, _: str) -> ddl.Statement:
    """SHOW DATABASES | SCHEMAS [LIKE 'pattern']."""
    tokens.advance()
    tokens.advance()
    return ddl.ShowDatabases(tokens.pattern())


def show_tables(tokens: DdlTokens, _: str) -> ddl.Statement:
    """SHOW TABLES [IN | FROM database] [[LIKE] 'pattern']."""
    tokens.expect("SHOW", "TABLES")
    database = tokens.qualified_names()[-1] if tokens.take_any("IN", "FROM") else None
    return ddl.ShowTables(database, tokens.pattern())


def show_partitions(tokens: DdlTokens, _: str) -> ddl.Statement:
    """SHOW PARTITIONS table."""
    tokens.expect("SHOW", "PARTITIONS")
    return ddl.ShowPartitions(tokens.object_name())


def show_columns(tokens: DdlTokens, _: str) -> ddl.Statement:
    """SHOW COLUMNS IN | FROM table [IN | FROM database]."""
    tokens.expect("SHOW", "COLUMNS")
    if not tokens.take_any("IN", "FROM"):
        tokens.mismatched("'FROM'", "'IN'")
    table = tokens.object_name()
    if tokens.take_any("IN", "FROM"):
        table = ddl.ObjectName(table.name, tokens.name())
    return ddl.ShowColumns(table)


def show_create_table(tokens: DdlTokens, _: str) -> ddl.Statement:
    """SHOW CREATE TABLE name."""
    tokens.expect("SHOW", "CREATE", "TABLE")
    return ddl.ShowCreateTable(tokens.object_name())


def show_properties(tokens: DdlTokens, _: str) -> ddl.Statement:
    """SHOW TBLPROPERTIES table [('key')]."""
    tokens.expect("SHOW", "TBLPROPERTIES")
    table = tokens.object_name()
    key = None
    if tokens.take("("):
        key = tokens.string()
        tokens.expect(")")
    return ddl.ShowTableProperties(table, key)


def show_functions(tokens: DdlTokens, _: str) -> ddl.Statement:
    """SHOW FUNCTIONS [LIKE 'pattern']."""
    tokens.expect("SHOW", "FUNCTIONS")
    return ddl.ShowFunctions(tokens.pattern())


def describe(tokens: DdlTokens, _: str) -> ddl.Statement:
    """DESCRIBE [EXTENDED | FORMATTED] table [PARTITION (…)] [column[.field …]]."""
    tokens.advance()
    if tokens.at_any(*_OTHERS) and tokens.at_name(1) and tokens.peek(1).key != "PARTITION":
        raise tokens.unsupported(f"DESCRIBE {tokens.token.key}")
    detail = None
    # A table may be named «formatted»: the word is a detail only when a name follows.
    is_detail = tokens.at_name(1) and tokens.peek(1).key != "PARTITION"
    if is_detail and tokens.at_any("EXTENDED", "FORMATTED"):
        detail = tokens.advance().key
    names = tokens.qualified_names()
    partition = tokens.partition_spec() if tokens.at("PARTITION") else None
    column: tuple[str, ...] = ()
    if tokens.token.kind is not Kind.END:
        column = _column_path(tokens)
    return ddl.DescribeTable(ddl.ObjectName(*reversed(names[-3:])), detail, partition, column)


def _column_path(tokens: DdlTokens) -> tuple[str, ...]:
    parts = [tokens.name()]
    while tokens.take("."):
        parts.append(tokens.string() if tokens.at_string() else tokens.name())
    return tuple(parts)
