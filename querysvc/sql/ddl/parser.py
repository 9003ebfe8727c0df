"""Reads DDL and utility statements; what is not there is refused by its own name.

CREATE TABLE is Hive's and goes through sqlglot (`create_table`); the others are short and are read
from the token stream, in Hive's spelling (back-quoted names) and in Trino's (double-quoted ones).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.ddl import statements as ddl
from querysvc.sql.ddl.create_table import parse_create_table
from querysvc.sql.ddl.tokens import DdlTokens
from querysvc.sql.ddl.views import create_view, drop_view, show_create_view, show_views
from querysvc.sql.parser import ParsedStatement


def parse_ddl(parsed: ParsedStatement) -> ddl.Statement:
    """The typed statement; SYNTAX_ERROR or NOT_SUPPORTED, with its place, when there is none."""
    tokens = DdlTokens(parsed.sql, list(parsed.tokens))
    for words, read in _STATEMENTS:
        if tokens.at(*words):
            statement = read(tokens, parsed.sql)
            tokens.end()
            return statement
    raise _not_supported(tokens)


def _create_database(tokens: DdlTokens, _: str) -> ddl.Statement:
    tokens.advance()
    tokens.advance()
    if_not_exists = tokens.take("IF", "NOT", "EXISTS")
    name = tokens.name()
    comment = tokens.string() if tokens.take("COMMENT") else None
    location = tokens.string() if tokens.take("LOCATION") else None
    properties = tokens.properties() if tokens.take("WITH", "DBPROPERTIES") else {}
    return ddl.CreateDatabase(name, if_not_exists, comment, location, properties)


def _drop_database(tokens: DdlTokens, _: str) -> ddl.Statement:
    tokens.advance()
    tokens.advance()
    if_exists = tokens.take("IF", "EXISTS")
    name = tokens.name()
    cascade = tokens.take("CASCADE")
    if not cascade:
        tokens.take("RESTRICT")
    return ddl.DropDatabase(name, if_exists, cascade)


def _create_table(tokens: DdlTokens, sql: str) -> ddl.Statement:
    statement = parse_create_table(sql)
    tokens.rest()  # another parser has read it
    return statement


def _drop_table(tokens: DdlTokens, _: str) -> ddl.Statement:
    tokens.expect("DROP", "TABLE")
    if_exists = tokens.take("IF", "EXISTS")
    return ddl.DropTable(tokens.object_name(), if_exists)


def _alter_table(tokens: DdlTokens, _: str) -> ddl.Statement:
    tokens.expect("ALTER", "TABLE")
    table = tokens.object_name()
    if tokens.at("ADD", "PARTITION") or tokens.at("ADD", "IF", "NOT", "EXISTS", "PARTITION"):
        tokens.advance()
        if_not_exists = tokens.take("IF", "NOT", "EXISTS")
        partitions = [tokens.partition_spec(allow_location=True)]
        while tokens.at("PARTITION"):
            partitions.append(tokens.partition_spec(allow_location=True))
        return ddl.AddPartitions(table, tuple(partitions), if_not_exists)
    if tokens.at("DROP", "PARTITION") or tokens.at("DROP", "IF", "EXISTS", "PARTITION"):
        tokens.advance()
        if_exists = tokens.take("IF", "EXISTS")
        partitions = [tokens.partition_spec()]
        while tokens.take(","):
            partitions.append(tokens.partition_spec())
        return ddl.DropPartitions(table, tuple(partitions), if_exists)
    raise tokens.unsupported(f"ALTER TABLE … {tokens.token.text}")


def _repair_table(tokens: DdlTokens, _: str) -> ddl.Statement:
    tokens.expect("MSCK", "REPAIR", "TABLE")
    return ddl.RepairTable(tokens.object_name())


def _show_databases(tokens: DdlTokens, _: str) -> ddl.Statement:
    tokens.advance()
    tokens.advance()
    return ddl.ShowDatabases(tokens.pattern())


def _show_tables(tokens: DdlTokens, _: str) -> ddl.Statement:
    tokens.expect("SHOW", "TABLES")
    database = None
    if tokens.take_any("IN", "FROM"):
        database = tokens.qualified_names()[-1]
    return ddl.ShowTables(database, tokens.pattern())


def _show_partitions(tokens: DdlTokens, _: str) -> ddl.Statement:
    tokens.expect("SHOW", "PARTITIONS")
    return ddl.ShowPartitions(tokens.object_name())


def _show_columns(tokens: DdlTokens, _: str) -> ddl.Statement:
    tokens.expect("SHOW", "COLUMNS")
    if not tokens.take_any("IN", "FROM"):
        tokens.mismatched("'FROM'", "'IN'")
    table = tokens.object_name()
    if tokens.take_any("IN", "FROM"):
        table = ddl.ObjectName(table.name, tokens.name())
    return ddl.ShowColumns(table)


def _describe(tokens: DdlTokens, _: str) -> ddl.Statement:
    tokens.advance()
    detail = None
    # A table may be named «formatted»: the word is a detail only when a name follows.
    if tokens.at_any("EXTENDED", "FORMATTED") and tokens.at_name(1):
        detail = tokens.advance().key
    return ddl.DescribeTable(tokens.object_name(), detail)


_Reader = Callable[[DdlTokens, str], ddl.Statement]
_STATEMENTS: Final[tuple[tuple[tuple[str, ...], _Reader], ...]] = (
    (("CREATE", "DATABASE"), _create_database),
    (("CREATE", "SCHEMA"), _create_database),
    (("CREATE", "EXTERNAL", "TABLE"), _create_table),
    (("CREATE", "TABLE"), _create_table),
    (("CREATE", "OR", "REPLACE", "VIEW"), create_view),
    (("CREATE", "VIEW"), create_view),
    (("DROP", "DATABASE"), _drop_database),
    (("DROP", "SCHEMA"), _drop_database),
    (("DROP", "TABLE"), _drop_table),
    (("DROP", "VIEW"), drop_view),
    (("ALTER", "TABLE"), _alter_table),
    (("MSCK", "REPAIR", "TABLE"), _repair_table),
    (("SHOW", "DATABASES"), _show_databases),
    (("SHOW", "SCHEMAS"), _show_databases),
    (("SHOW", "TABLES"), _show_tables),
    (("SHOW", "PARTITIONS"), _show_partitions),
    (("SHOW", "COLUMNS"), _show_columns),
    (("SHOW", "CREATE", "VIEW"), show_create_view),
    (("SHOW", "VIEWS"), show_views),
    (("DESCRIBE",), _describe),
    (("DESC",), _describe),
)
"""A statement's first words, and what reads it: a new statement is one line and one function."""


def _not_supported(tokens: DdlTokens) -> StatementError:
    words = [tokens.token.key]
    following = tokens.peek(1).key
    if following.isalpha():
        words.append(following)
    line, column = tokens.position
    return StatementError(
        ErrorCode.NOT_SUPPORTED,
        f"{' '.join(words)} statements are not supported",
        line=line,
        column=column,
    )
