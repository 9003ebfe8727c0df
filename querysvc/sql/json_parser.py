"""The grammar of types and of SQL/JSON's forms."""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from querysvc.sql import syntax
from querysvc.sql.lexer import Kind
from querysvc.sql.syntax import Expression, Position
from querysvc.sql.token_stream import TokenStream

_ENCODINGS: Final = ("UTF8", "UTF16", "UTF32")
_TYPE_KINDS: Final = (Kind.WORD, Kind.DELIMITED, Kind.INTEGER)
_CLOSERS: Final = {"(": ")", "<": ">", "[": "]"}

_Options = list[tuple[str, str]]


class JsonParser(TokenStream):
    """Reads type names and JSON_EXISTS, JSON_VALUE, JSON_QUERY, JSON_OBJECT, JSON_ARRAY."""

    @abstractmethod
    def expression(self) -> Expression: ...

    @abstractmethod
    def expressions(self) -> tuple[Expression, ...]: ...

    @abstractmethod
    def value_expression(self) -> Expression: ...

    @abstractmethod
    def string_literal(self) -> syntax.StringLiteral: ...

    # Types.

    def type_name(self) -> syntax.TypeName:
        """A type, kept as text: `querysvc.types.parse` knows its grammar."""
        start, first = self.position, self.token
        self._type_primary()
        while self.take("ARRAY"):
            if self.at("["):
                self._type_group()
        return syntax.TypeName(start, self._sql[first.start : self.previous().end])

    def _type_primary(self) -> None:
        key = self.key
        if self.token.kind not in _TYPE_KINDS or self.token.kind is Kind.INTEGER:
            self.mismatched("<type>")
        if key not in ("ROW", "INTERVAL") and not self.at_identifier():
            self.mismatched("<type>")
        self.advance()
        if key == "DOUBLE":
            self.take("PRECISION")
        elif key == "INTERVAL" and self.token.kind is Kind.WORD and self.key != "ARRAY":
            self.advance()
            if self.take("TO"):
                self.advance()
        if self.key in ("(", "<") and (self.key == "(" or key in ("ARRAY", "MAP")):
            self._type_group()
        if key in ("TIMESTAMP", "TIME") and not self.take("WITH", "TIME", "ZONE"):
            self.take("WITHOUT", "TIME", "ZONE")

    def _type_group(self) -> None:
        """A balanced group of what types are made of."""
        closers = [_CLOSERS[self.advance().key]]
        while closers:
            if self.key in _CLOSERS:
                closers.append(_CLOSERS[self.key])
            elif self.key == closers[-1]:
                closers.pop()
            elif self.key != "," and self.token.kind not in _TYPE_KINDS:
                self.mismatched("','", f"'{closers[-1]}'", "<type>")
            self.advance()

    # SQL/JSON.

    def json_exists(self) -> Expression:
        start, options = self._open("JSON_EXISTS"), _Options()
        source, path, passing = self._path_call()
        behavior = self.take_any("TRUE", "FALSE", "UNKNOWN", "ERROR")
        if behavior is not None:
            self.expect("ON", "ERROR")
            options.append(("on_error", behavior))
        self.expect(")")
        return syntax.JsonPathCall(
            start, "JSON_EXISTS", source, path, passing, options=tuple(options)
        )

    def json_value(self) -> Expression:
        start, options = self._open("JSON_VALUE"), _Options()
        source, path, passing = self._path_call()
        returning = self.type_name() if self.take("RETURNING") else None
        defaults: dict[str, Expression | None] = {"EMPTY": None, "ERROR": None}
        for event in ("EMPTY", "ERROR"):
            behavior = self._value_behavior(event)
            if behavior is not None:
                options.append((f"on_{event.lower()}", behavior[0]))
                defaults[event] = behavior[1]
        self.expect(")")
        return syntax.JsonPathCall(
            *(start, "JSON_VALUE", source, path, passing, returning, tuple(options)),
            default_on_empty=defaults["EMPTY"],
            default_on_error=defaults["ERROR"],
        )

    def _value_behavior(self, event: str) -> tuple[str, Expression | None] | None:
        """(ERROR | NULL | DEFAULT expression) ON event, if that is what comes."""
        place = self.mark()
        kind = self.take_any("ERROR", "NULL", "DEFAULT")
        if kind is None:
            return None
        value = self.expression() if kind == "DEFAULT" else None
        if self.take("ON", event):
            return kind, value
        self.rewind(place)
        return None

    def json_query(self) -> Expression:
        start, options = self._open("JSON_QUERY"), _Options()
        source, path, passing = self._path_call()
        returning = self._returning(options)
        self._wrapper(options)
        quotes = self.take_any("KEEP", "OMIT")
        if quotes is not None:
            self.expect("QUOTES")
            self.take("ON", "SCALAR", "STRING")
            options.append(("quotes", quotes))
        for event in ("EMPTY", "ERROR"):
            behavior = self._query_behavior(event)
            if behavior is not None:
                options.append((f"on_{event.lower()}", behavior))
        self.expect(")")
        return syntax.JsonPathCall(
            start, "JSON_QUERY", source, path, passing, returning, tuple(options)
        )

    def _wrapper(self, options: _Options) -> None:
        mode = self.take_any("WITH", "WITHOUT")
        if mode is None:
            return
        condition = self.take_any("CONDITIONAL", "UNCONDITIONAL") if mode == "WITH" else None
        self.take("ARRAY")
        self.expect("WRAPPER")
        value = mode if mode == "WITHOUT" else condition or "UNCONDITIONAL"
        options.append(("wrapper", value))

    def _query_behavior(self, event: str) -> str | None:
        place = self.mark()
        behavior = self.take_any("ERROR", "NULL")
        if behavior is None and self.take("EMPTY"):
            kind = self.take_any("ARRAY", "OBJECT")
            behavior = f"EMPTY {kind}" if kind else None
        if behavior is not None and self.take("ON", event):
            return behavior
        self.rewind(place)
        return None

    def json_object(self) -> Expression:
        start, options = self._open("JSON_OBJECT"), _Options()
        members = []
        if not self.at(")") and not self.at("RETURNING"):
            members.append(self._member())
            while self.take(","):
                members.append(self._member())
            self._null_handling(options)
            self._unique_keys(options)
        returning = self._returning(options)
        self.expect(")")
        return syntax.JsonObject(start, tuple(members), returning, tuple(options))

    def _member(self) -> tuple[Expression, syntax.JsonInput]:
        is_keyed = self.at("KEY") and self.peek().key not in (":", "VALUE", ".", "(", "[")
        if is_keyed:
            self.advance()
        key = self.expression()
        if is_keyed or not self.take(":"):
            self.expect("VALUE")
        return key, self._json_input()

    def _unique_keys(self, options: _Options) -> None:
        mode = self.take_any("WITH", "WITHOUT")
        if mode is not None:
            self.expect("UNIQUE")
            self.take("KEYS")
            options.append(("unique_keys", mode))

    def json_array(self) -> Expression:
        start, options = self._open("JSON_ARRAY"), _Options()
        items = []
        if not self.at(")") and not self.at("RETURNING"):
            items.append(self._json_input())
            while self.take(","):
                items.append(self._json_input())
            self._null_handling(options)
        returning = self._returning(options)
        self.expect(")")
        return syntax.JsonArray(start, tuple(items), returning, tuple(options))

    def _null_handling(self, options: _Options) -> None:
        mode = self.take_any("NULL", "ABSENT")
        if mode is not None:
            self.expect("ON", "NULL")
            options.append(("on_null", mode))

    def _open(self, name: str) -> Position:
        start = self.position
        self.expect(name, "(")
        return start

    def _path_call(
        self,
    ) -> tuple[syntax.JsonInput, syntax.StringLiteral, tuple[syntax.JsonPassing, ...]]:
        source = self._json_input()
        self.expect(",")
        path = self.string_literal()
        if self.take("AS"):
            self.identifier()
        passing = []
        if self.take("PASSING"):
            passing.append(self._passing())
            while self.take(","):
                passing.append(self._passing())
        return source, path, tuple(passing)

    def _passing(self) -> syntax.JsonPassing:
        start = self.position
        value = self._json_input()
        self.expect("AS")
        return syntax.JsonPassing(start, value, self.identifier())

    def _json_input(self) -> syntax.JsonInput:
        start = self.position
        value = self.expression()
        return syntax.JsonInput(start, value, self._format())

    def _format(self) -> str | None:
        if not self.take("FORMAT"):
            return None
        self.expect("JSON")
        if not self.take("ENCODING"):
            return "JSON"
        encoding = self.take_any(*_ENCODINGS)
        if encoding is None:
            self.mismatched("'UTF16'", "'UTF32'", "'UTF8'")
        return encoding

    def _returning(self, options: _Options) -> syntax.TypeName | None:
        if not self.take("RETURNING"):
            return None
        type_ = self.type_name()
        format_ = self._format()
        if format_ is not None:
            options.append(("format", format_))
        return type_
