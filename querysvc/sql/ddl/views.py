"""Statements on views: CREATE [OR REPLACE] VIEW, DROP VIEW, SHOW CREATE VIEW, SHOW VIEWS."""

from __future__ import annotations

from querysvc.sql.ddl import statements as ddl
from querysvc.sql.ddl.tokens import DdlTokens
from querysvc.sql.lexer import Kind


def create_view(tokens: DdlTokens, _: str) -> ddl.Statement:
    """CREATE [OR REPLACE] VIEW name [COMMENT 'x'] [SECURITY DEFINER | INVOKER] AS query."""
    tokens.expect("CREATE")
    is_replace = tokens.take("OR", "REPLACE")
    tokens.expect("VIEW")
    name = tokens.object_name()
    comment = tokens.string() if tokens.take("COMMENT") else None
    security = None
    if tokens.take("SECURITY"):
        security = tokens.take_any("DEFINER", "INVOKER") or tokens.mismatched(
            "'DEFINER'", "'INVOKER'"
        )
    if not tokens.at("AS"):
        tokens.mismatched("'AS'", "'COMMENT'", "'SECURITY'")
    tokens.advance()
    if tokens.token.kind is Kind.END:
        tokens.mismatched("<query>")
    sql, place = tokens.rest()
    return ddl.CreateView(name, sql, place, is_replace, comment, security == "INVOKER")


def drop_view(tokens: DdlTokens, _: str) -> ddl.Statement:
    """DROP VIEW [IF EXISTS] name."""
    tokens.expect("DROP", "VIEW")
    if_exists = tokens.take("IF", "EXISTS")
    return ddl.DropView(tokens.object_name(), if_exists)


def show_create_view(tokens: DdlTokens, _: str) -> ddl.Statement:
    """SHOW CREATE VIEW name."""
    tokens.expect("SHOW", "CREATE", "VIEW")
    return ddl.ShowCreateView(tokens.object_name())


def show_views(tokens: DdlTokens, _: str) -> ddl.Statement:
    """SHOW VIEWS [IN | FROM database] [LIKE 'pattern']."""
    tokens.expect("SHOW", "VIEWS")
    database = tokens.qualified_names()[-1] if tokens.take_any("IN", "FROM") else None
    return ddl.ShowViews(database, tokens.pattern())
