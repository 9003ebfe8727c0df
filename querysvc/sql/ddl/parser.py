"""Reads DDL and utility statements; what is not there is refused by its own name.

CREATE TABLE is Hive's and goes through sqlglot (`create_table`); the others are short and are read
from the token stream, in Hive's spelling (back-quoted names) and in Trino's (double-quoted ones).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from querysvc.errors import StatementError
from querysvc.sql.ddl import alter, show, views
from querysvc.sql.ddl import statements as ddl
from querysvc.sql.ddl.create_table import parse_create_table
from querysvc.sql.ddl.refused import refuse_repair, refuse_statement, unsupported_statement
from querysvc.sql.ddl.tokens import DdlTokens
from querysvc.sql.ddl.trino_table import is_trino_table, trino_table
from querysvc.sql.parser import ParsedStatement


def parse_ddl(parsed: ParsedStatement) -> ddl.Statement:
    """The typed statement; SYNTAX_ERROR or NOT_SUPPORTED, with its place, when there is none."""
    tokens = DdlTokens(parsed)
    refuse_statement(tokens)
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
    if is_trino_table(tokens):
        tokens.read_as_trino()
        return trino_table(tokens)
    statement = parse_create_table(sql)
    tokens.rest()  # another parser has read it
    return statement


def _drop_table(tokens: DdlTokens, _: str) -> ddl.Statement:
    tokens.expect("DROP", "TABLE")
    if_exists = tokens.take("IF", "EXISTS")
    return ddl.DropTable(tokens.object_name(), if_exists)


def _repair_table(tokens: DdlTokens, _: str) -> ddl.Statement:
    tokens.expect("MSCK", "REPAIR", "TABLE")
    table = tokens.object_name()
    refuse_repair(tokens)
    return ddl.RepairTable(table)


def _vacuum(tokens: DdlTokens, _: str) -> ddl.Statement:
    tokens.expect("VACUUM")
    return ddl.Vacuum(tokens.object_name())


_Reader = Callable[[DdlTokens, str], ddl.Statement]
_STATEMENTS: Final[tuple[tuple[tuple[str, ...], _Reader], ...]] = (
    (("CREATE", "DATABASE"), _create_database),
    (("CREATE", "SCHEMA"), _create_database),
    (("CREATE", "EXTERNAL", "TABLE"), _create_table),
    (("CREATE", "TABLE"), _create_table),
    (("CREATE", "OR", "REPLACE", "VIEW"), views.create_view),
    (("CREATE", "VIEW"), views.create_view),
    (("DROP", "DATABASE"), _drop_database),
    (("DROP", "SCHEMA"), _drop_database),
    (("DROP", "TABLE"), _drop_table),
    (("DROP", "VIEW"), views.drop_view),
    (("ALTER", "DATABASE"), alter.alter_database),
    (("ALTER", "SCHEMA"), alter.alter_database),
    (("ALTER", "TABLE"), alter.alter_table),
    (("MSCK", "REPAIR", "TABLE"), _repair_table),
    (("VACUUM",), _vacuum),
    (("SHOW", "DATABASES"), show.show_databases),
    (("SHOW", "SCHEMAS"), show.show_databases),
    (("SHOW", "TABLES"), show.show_tables),
    (("SHOW", "PARTITIONS"), show.show_partitions),
    (("SHOW", "COLUMNS"), show.show_columns),
    (("SHOW", "CREATE", "TABLE"), show.show_create_table),
    (("SHOW", "CREATE", "VIEW"), views.show_create_view),
    (("SHOW", "TBLPROPERTIES"), show.show_properties),
    (("SHOW", "FUNCTIONS"), show.show_functions),
    (("SHOW", "VIEWS"), views.show_views),
    (("DESCRIBE",), show.describe),
    (("DESC",), show.describe),
)
"""A statement's first words, and what reads it: a new statement is one line and one function."""


def _not_supported(tokens: DdlTokens) -> StatementError:
    words = [tokens.token.key]
    following = tokens.peek(1).key
    if following.isalpha():
        words.append(following)
    return unsupported_statement(tokens, words)
