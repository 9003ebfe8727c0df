"""From text to a parsed statement: queries become a tree, other statements keep their kind.

Nothing is passed on unread: a statement that is no query carries its tokens, for the module that
knows its grammar; a first word that no statement has is a SYNTAX_ERROR.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.lexer import Kind, Token, tokenize
from querysvc.sql.query_parser import QueryParser
from querysvc.sql.query_syntax import Query
from querysvc.sql.syntax import Expression
from querysvc.sql.token_stream import deep_recursion

QUERY: Final = "QUERY"
"""The kind of SELECT, WITH, VALUES, TABLE and parenthesized queries."""

_QUERY_WORDS: Final = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "("})
STATEMENT_WORDS: Final = frozenset(
    {
        *("ABORT", "ALTER", "ANALYZE", "CALL", "COMMENT", "COMMIT", "CREATE", "DEALLOCATE"),
        *("DELETE", "DENY", "DESC", "DESCRIBE", "DFS", "DROP", "EXECUTE", "EXPLAIN", "EXPORT"),
        *("GRANT", "IMPORT", "INSERT", "KILL", "LOAD", "LOCK", "MERGE", "MSCK", "OPTIMIZE"),
        *("PREPARE", "REFRESH", "RELOAD", "RESET", "REVOKE", "ROLLBACK", "SET", "SHOW", "START"),
        *("TRUNCATE", "UNLOAD", "UNLOCK", "UPDATE", "USE", "USING", "VACUUM"),
    }
)
"""The first words of Trino's, Athena's and Hive's statements that are no queries."""


@dataclass(frozen=True, slots=True)
class ParsedStatement:
    """A statement: its kind (QUERY or its first word), and its tree when it is a query.

    `parameters` counts the query's `?`; `tokens` have no trailing semicolons.
    """

    sql: str
    kind: str
    tokens: tuple[Token, ...]
    query: Query | None = None
    parameters: int = 0


def parse(sql: str) -> ParsedStatement:
    """Parse one statement; a trailing semicolon is allowed."""
    tokens = one_statement(tokenize(sql))
    first = tokens[0]
    if first.key in _QUERY_WORDS:
        parser = _Parser(sql, tokens)
        query = parser.whole_query()
        return ParsedStatement(sql, QUERY, tuple(tokens), query, parser.parameters)
    if first.key in STATEMENT_WORDS:
        return ParsedStatement(sql, first.key, tuple(tokens))
    words = ", ".join(f"'{word}'" for word in sorted(STATEMENT_WORDS | _QUERY_WORDS))
    raise _error(first, f"mismatched input '{first.text}'. Expecting: {words}")


def parse_query(sql: str) -> Query:
    """Parse a text that must be a query, such as a view's."""
    return _Parser(sql, one_statement(tokenize(sql))).whole_query()


def parse_expression(sql: str) -> Expression:
    """Parse a text that must be one expression."""
    return _Parser(sql, tokenize(sql)).whole_expression()


def parse_parameter(sql: str) -> Expression:
    """Parse the expression that is given for a `?`; it cannot hold any itself."""
    parser = _Parser(sql, tokenize(sql))
    expression = parser.whole_expression()
    if parser.parameters:
        raise StatementError(
            ErrorCode.INVALID_PARAMETER_USAGE, f"a parameter's value cannot hold parameters: {sql}"
        )
    return expression


class _Parser(QueryParser):
    @property
    def parameters(self) -> int:
        """How many `?` were read."""
        return self._parameters

    def whole_query(self) -> Query:
        with deep_recursion():
            query = self.query()
        self._end()
        return query

    def whole_expression(self) -> Expression:
        with deep_recursion():
            value = self.expression()
        self._end()
        return value

    def _end(self) -> None:
        if self.token.kind is not Kind.END:
            self.mismatched("<EOF>")


def one_statement(tokens: list[Token]) -> list[Token]:
    """The tokens without trailing semicolons; a semicolon elsewhere separates statements."""
    end = len(tokens) - 1
    while end > 0 and tokens[end - 1].key == ";":
        end -= 1
    kept = [*tokens[:end], tokens[-1]]
    for index, token in enumerate(kept):
        if token.key == ";":
            following = kept[index + 1]
            raise _error(
                token,
                f"mismatched input ';'. Only one sql statement is allowed. Got: {following.text}",
            )
    return kept


def _error(token: Token, message: str) -> StatementError:
    return StatementError(ErrorCode.SYNTAX_ERROR, message, line=token.line, column=token.column)
