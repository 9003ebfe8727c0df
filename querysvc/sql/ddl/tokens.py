"""The token stream with what DDL needs: back-quoted names, Hive's strings, property lists."""

from __future__ import annotations

from typing import Final

from querysvc.errors import StatementError
from querysvc.sql.ddl.column_types import hive_type_text
from querysvc.sql.ddl.hive_strings import unescape
from querysvc.sql.ddl.statements import ObjectName, PartitionSpec
from querysvc.sql.lexer import Kind, tokenize
from querysvc.sql.parser import ParsedStatement, one_statement
from querysvc.sql.token_stream import TokenStream
from querysvc_catalog.model import Column

_NAMES: Final = frozenset({Kind.WORD, Kind.BACKQUOTED, Kind.DELIMITED, Kind.DIGIT_WORD})
_DEPTHS: Final = {"(": 1, "<": 1, "[": 1, ")": -1, ">": -1, "]": -1}
_AFTER_TYPES: Final = frozenset({",", "COMMENT", "FIRST", "AFTER", "WITH", "NOT"})
_CONSTANTS: Final = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.DOUBLE, Kind.STRING})


class DdlTokens(TokenStream):
    """Reads names in either spelling; they come out in lower case, as the catalog keeps them.

    Statements on views are Trino's, with a query in them; all others have Hive's strings.
    """

    def __init__(self, parsed: ParsedStatement) -> None:
        self._is_hive = all(token.key != "VIEW" for token in parsed.tokens[:4])
        tokens = list(parsed.tokens)
        if self._is_hive:
            tokens = one_statement(tokenize(parsed.sql, is_hive=True))
        self._parsed = parsed
        super().__init__(parsed.sql, tokens)

    def read_as_trino(self) -> None:
        """Begin again, with Trino's strings: a quote in them is doubled."""
        self._is_hive = False
        super().__init__(self._parsed.sql, list(self._parsed.tokens))

    def name(self) -> str:
        """One name: bare (also a reserved word), back-quoted or double-quoted."""
        token = self.token
        if token.kind not in _NAMES:
            self.mismatched("<identifier>")
        self.advance()
        text = token.text
        if token.kind is Kind.BACKQUOTED:
            text = text[1:-1].replace("``", "`")
        elif token.kind is Kind.DELIMITED:
            text = text[1:-1].replace('""', '"')
        return text.lower()

    def at_name(self, distance: int) -> bool:
        """Whether a name can be read that many tokens ahead."""
        return self.peek(distance).kind in _NAMES

    def at_any(self, *keys: str) -> bool:
        """Whether the current token is one of these."""
        return self.token.key in keys

    def qualified_names(self) -> list[str]:
        """name ('.' name)*; Hive's `db.table` in one pair of back quotes is two names."""
        names = [self.name()]
        while self.take("."):
            names.append(self.name())
        return names

    def object_name(self) -> ObjectName:
        """A table's name with up to two qualifiers."""
        position = self.position
        names = self.qualified_names()
        if len(names) > 3:
            raise self.error(f"Too many dots in table name: {'.'.join(names)}", position)
        return ObjectName(*reversed(names))

    def string(self) -> str:
        """A string literal: 'x', or Hive's "x"."""
        token = self.token
        if token.kind is not Kind.STRING and not (self._is_hive and token.kind is Kind.DELIMITED):
            self.mismatched("<string>")
        self.advance()
        text = token.text[1:-1]
        return unescape(text) if self._is_hive else text.replace("''", "'")

    def at_string(self) -> bool:
        """Whether a string literal comes, not a name in double quotes."""
        return self.token.kind is Kind.STRING

    def pattern(self) -> str | None:
        """[LIKE] 'pattern', if one comes."""
        is_like = self.take("LIKE")
        if is_like or self.token.kind is Kind.STRING:
            return self.string()
        return None

    def properties(self) -> dict[str, str]:
        """('key' = 'value', …)."""
        found: dict[str, str] = {}
        self.expect("(")
        while True:
            key = self.string()
            self.expect("=")
            if key in found:
                raise self.error(f"Duplicate property '{key}'")
            found[key] = self.string()
            if not self.take(","):
                break
        self.expect(")")
        return found

    def property_keys(self) -> tuple[str, ...]:
        """('key', …)."""
        self.expect("(")
        found = [self.string()]
        while self.take(","):
            found.append(self.string())
        self.expect(")")
        return tuple(found)

    def columns(self) -> tuple[Column, ...]:
        """(name type [COMMENT 'x'], …)."""
        self.expect("(")
        found = [self.column()]
        while self.take(","):
            found.append(self.column())
        self.expect(")")
        return tuple(found)

    def column(self) -> Column:
        """name [:] type [COMMENT 'x'], the type in Hive's spelling or in Trino's."""
        name = self.name()
        self.take(":")
        type_ = self.column_type()
        return Column(name, type_, self.string() if self.take("COMMENT") else None)

    def column_type(self) -> str:
        """A column's type, as Hive writes it."""
        start, position, depth = self.token, self.position, 0
        end = start.start
        while self.token.kind is not Kind.END and (
            depth or self.token.key not in _AFTER_TYPES or self.token is start
        ):
            if depth == 0 and self.token.key == ")":
                break
            depth += _DEPTHS.get(self.token.key, 0)
            end = self.advance().end
        text = self._sql[start.start : end]
        if not text:
            self.mismatched("<type>")
        try:
            return hive_type_text(text)
        except StatementError as error:
            raise StatementError(
                error.code, error.message, line=position[0], column=position[1]
            ) from error

    def partition_spec(self, *, allow_location: bool = False) -> PartitionSpec:
        """PARTITION (key = constant, …) [LOCATION 'x']."""
        self.expect("PARTITION")
        self.expect("(")
        values = [self._partition_value()]
        while self.take(","):
            values.append(self._partition_value())
        self.expect(")")
        location = self.string() if allow_location and self.take("LOCATION") else None
        return PartitionSpec(tuple(values), location)

    def _partition_value(self) -> tuple[str, str]:
        key = self.name()
        if self.token.key in ("<", ">", "<=", ">=", "<>", "!="):
            raise self.unsupported(f"a partition specification with '{self.token.text}'")
        self.expect("=")
        self.take("DATE")  # DATE '2024-01-01' is the same partition as '2024-01-01'
        sign = "-" if self.take("-") else ""
        if self.token.kind not in _CONSTANTS | {Kind.DELIMITED}:
            self.mismatched("<constant>")
        if self.token.kind in (Kind.STRING, Kind.DELIMITED):
            return key, sign + self.string()
        return key, sign + self.advance().text
