"""The token stream with what DDL needs: back-quoted names, Hive's strings, property lists."""

from __future__ import annotations

from typing import Final

from querysvc.sql.ddl.statements import ObjectName, PartitionSpec
from querysvc.sql.lexer import Kind
from querysvc.sql.token_stream import TokenStream

_NAMES: Final = frozenset({Kind.WORD, Kind.BACKQUOTED, Kind.DELIMITED, Kind.DIGIT_WORD})
_CONSTANTS: Final = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.DOUBLE, Kind.STRING})


class DdlTokens(TokenStream):
    """Reads names in either spelling; they come out in lower case, as the catalog keeps them."""

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
        if token.kind is Kind.STRING:
            self.advance()
            return token.text[1:-1].replace("''", "'")
        if token.kind is Kind.DELIMITED:
            self.advance()
            return token.text[1:-1].replace('""', '"')
        raise self.mismatch("<string>")

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
            found[key] = self.string()
            if not self.take(","):
                break
        self.expect(")")
        return found

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
