"""The grammar of writes: Trino's CREATE TABLE AS and INSERT, Athena's UNLOAD."""

from __future__ import annotations

from dataclasses import dataclass

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.lexer import Kind, Token
from querysvc.sql.parser import ParsedStatement
from querysvc.sql.query_parser import QueryParser
from querysvc.sql.query_syntax import Query
from querysvc.sql.syntax import Expression, Identifier, Position
from querysvc.sql.token_stream import deep_recursion


@dataclass(frozen=True, slots=True)
class Property:
    """name = value, in WITH (…)."""

    position: Position
    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class CreateTableAsSyntax:
    """CREATE TABLE [IF NOT EXISTS] name [(aliases)] [COMMENT] [WITH (…)] AS query [WITH DATA]."""

    name: tuple[Identifier, ...]
    query: Query
    aliases: tuple[Identifier, ...] | None = None
    comment: str | None = None
    properties: tuple[Property, ...] = ()
    if_not_exists: bool = False
    with_data: bool = True


@dataclass(frozen=True, slots=True)
class InsertSyntax:
    """INSERT INTO name [(columns)] query."""

    name: tuple[Identifier, ...]
    query: Query
    columns: tuple[Identifier, ...] | None = None


@dataclass(frozen=True, slots=True)
class UnloadSyntax:
    """UNLOAD (query) TO 'location' [WITH (…)]."""

    query: Query
    location: str
    properties: tuple[Property, ...] = ()


class WriteParser(QueryParser):
    """Reads one write statement; `parameters` counts its `?`."""

    def __init__(self, statement: ParsedStatement) -> None:
        tokens: list[Token] = list(statement.tokens)
        super().__init__(statement.sql, tokens)

    @property
    def parameters(self) -> int:
        """How many `?` were read."""
        return self._parameters

    def create_table_as(self) -> CreateTableAsSyntax:
        """Read a CREATE TABLE AS."""
        self.expect("CREATE", "TABLE")
        if_not_exists = self.take("IF", "NOT", "EXISTS")
        name = self.qualified_name()
        aliases = self.identifiers() if self.at("(") else None
        comment = self._text() if self.take("COMMENT") else None
        properties = self._properties() if self.take("WITH") else ()
        self.expect("AS")
        query = self._query()
        with_data = True
        if self.take("WITH"):
            with_data = not self.take("NO")
            self.expect("DATA")
        self._end()
        return CreateTableAsSyntax(
            name, query, aliases, comment, properties, if_not_exists, with_data
        )

    def insert(self) -> InsertSyntax:
        """Read an INSERT."""
        self.expect("INSERT")
        if self.at("OVERWRITE"):
            raise self.unsupported("INSERT OVERWRITE")
        self.expect("INTO")
        name = self.qualified_name()
        columns = self.identifiers() if self.at("(") and self.at_identifier(1) else None
        query = self._query()
        self._end()
        return InsertSyntax(name, query, columns)

    def unload(self) -> UnloadSyntax:
        """Read an UNLOAD."""
        self.expect("UNLOAD")
        self.expect("(")
        query = self._query()
        self.expect(")")
        self.expect("TO")
        location = self._text()
        properties = self._properties() if self.take("WITH") else ()
        self._end()
        return UnloadSyntax(query, location, properties)

    def _query(self) -> Query:
        with deep_recursion():
            return self.query()

    def _properties(self) -> tuple[Property, ...]:
        self.expect("(")
        found = [self._property()]
        while self.take(","):
            found.append(self._property())
        self.expect(")")
        return tuple(found)

    def _property(self) -> Property:
        position = self.position
        name = self.identifier().name.lower()
        self.expect("=")
        return Property(position, name, self.expression())

    def _text(self) -> str:
        token = self.token
        if token.kind is not Kind.STRING:
            self.mismatched("<string>")
        self.advance()
        return token.text[1:-1].replace("''", "'")

    def _end(self) -> None:
        if self.token.kind is not Kind.END:
            self.mismatched("<EOF>")


def refuse_duplicates(properties: tuple[Property, ...]) -> None:
    """DUPLICATE_PROPERTY where a name comes twice."""
    seen: set[str] = set()
    for item in properties:
        if item.name in seen:
            line, column = item.position
            raise StatementError(
                ErrorCode.DUPLICATE_PROPERTY,
                f"Duplicate property: {item.name}",
                line=line,
                column=column,
            )
        seen.add(item.name)
