"""Function calls, windows, and the forms that have a grammar of their own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

from querysvc.sql import syntax
from querysvc.sql.json_parser import JsonParser
from querysvc.sql.lexer import Kind, Token
from querysvc.sql.syntax import Expression, FunctionCall, Position
from querysvc.sql.trino_only import TrinoOnly

if TYPE_CHECKING:
    from querysvc.sql.query_syntax import Query

_NORMAL_FORMS: Final = ("NFD", "NFC", "NFKD", "NFKC")
_CURRENT_TIMES: Final = ("CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP")
_IDENTITIES: Final = ("CURRENT_USER", "CURRENT_CATALOG", "CURRENT_SCHEMA", "CURRENT_PATH")
_FRAME_UNITS: Final = ("ROWS", "RANGE", "GROUPS")
_PATTERN_CLAUSES: Final = (
    *("MEASURES", "AFTER", "INITIAL", "SEEK", "PATTERN", "SUBSET", "DEFINE"),
)
_COUNTS: Final = {
    "if": (2, 3),
    "nullif": (2, 2),
    "try": (1, 1),
    "coalesce": (2, None),
    "format": (2, None),
}

_Form = Callable[["CallParser"], Expression]


class CallParser(JsonParser):
    """Reads calls and special forms; each form is found by its first word."""

    def __init__(self, sql: str, tokens: list[Token]) -> None:
        super().__init__(sql, tokens)
        self._parameters = 0

    @abstractmethod
    def query(self) -> Query: ...

    @abstractmethod
    def parenthesized_query(self) -> Query: ...

    def next_parameter(self) -> int:
        """The index of the `?` that was just read."""
        self._parameters += 1
        return self._parameters - 1

    def special_form(self) -> Expression | None:
        """The form that starts with the current word, None when it is an ordinary name."""
        key = self.token.key
        simple = self._word_forms.get(key)
        if simple is not None:
            return simple(self)
        form = self._call_forms.get(key)
        if form is not None and self.peek().key == "(":
            return form(self)
        if key == "ARRAY" and self.peek().key == "[":
            return self._array()
        if key in _IDENTITIES:
            return syntax.CurrentIdentity(self.position, self.advance().key)
        return None

    # Forms.

    def _case(self) -> Expression:
        start = self.position
        self.expect("CASE")
        operand = None if self.at("WHEN") else self.expression()
        branches = []
        if not self.at("WHEN"):
            self.mismatched("'WHEN'")
        while self.take("WHEN"):
            condition = self.expression()
            self.expect("THEN")
            branches.append((condition, self.expression()))
        default = self.expression() if self.take("ELSE") else None
        self.expect("END")
        return syntax.Case(start, operand, tuple(branches), default)

    def _cast(self) -> Expression:
        start = self.position
        is_try = self.advance().key == "TRY_CAST"
        self.expect("(")
        value = self.expression()
        self.expect("AS")
        type_ = self.type_name()
        self.expect(")")
        return syntax.Cast(start, value, type_, is_try)

    def _array(self) -> Expression:
        start = self.position
        self.expect("ARRAY")
        return self.array_items(start)

    def array_items(self, start: Position) -> Expression:
        """'[' (expression (',' expression)*)? ']'."""
        self.expect("[")
        items = () if self.at("]") else self.expressions()
        self.expect("]")
        return syntax.ArrayConstructor(start, items)

    def _row(self) -> Expression:
        start = self.position
        self.expect("ROW", "(")
        items = self.expressions()
        self.expect(")")
        return syntax.RowConstructor(start, items)

    def _exists(self) -> Expression:
        start = self.position
        self.expect("EXISTS")
        return syntax.Exists(start, self.parenthesized_query())

    def _extract(self) -> Expression:
        start = self.position
        self.expect("EXTRACT", "(")
        field = self.identifier().name.upper()
        self.expect("FROM")
        value = self.value_expression()
        self.expect(")")
        return syntax.Extract(start, field, value)

    def _trim(self) -> Expression:
        start = self.position
        self.expect("TRIM", "(")
        specification = None
        if self.peek().key != ",":
            specification = self.take_any("LEADING", "TRAILING", "BOTH")
        characters = None
        if not self.at("FROM"):
            characters = self.value_expression()
        if self.take("FROM"):
            value = self.value_expression()
        elif specification is not None or characters is None:
            self.mismatched("'FROM'")
        else:
            value, characters = characters, None
            if self.take(","):
                characters = self.value_expression()
        self.expect(")")
        return syntax.Trim(start, specification or "BOTH", value, characters)

    def _position(self) -> Expression:
        place, start = self.mark(), self.position
        self.expect("POSITION", "(")
        if not self.at(")"):
            needle = self.value_expression()
            if self.take("IN"):
                haystack = self.value_expression()
                self.expect(")")
                return FunctionCall(start, ("strpos",), (haystack, needle))
        self.rewind(place)
        return self.function_call(start, (self.advance().text,))

    def _substring(self) -> Expression:
        place, start = self.mark(), self.position
        self.expect("SUBSTRING", "(")
        if not self.at(")"):
            arguments = [self.value_expression()]
            if self.take("FROM"):
                arguments.append(self.value_expression())
                if self.take("FOR"):
                    arguments.append(self.value_expression())
                self.expect(")")
                return FunctionCall(start, ("substr",), tuple(arguments))
        self.rewind(place)
        return self.function_call(start, (self.advance().text,))

    def _normalize(self) -> Expression:
        start = self.position
        self.expect("NORMALIZE", "(")
        value = self.value_expression()
        form, form_start = "NFC", start
        if self.take(","):
            form_start = self.position
            taken = self.take_any(*_NORMAL_FORMS)
            if taken is None:
                self.mismatched(*(f"'{name}'" for name in sorted(_NORMAL_FORMS)))
            form = taken
        self.expect(")")
        literal = syntax.StringLiteral(form_start, form)
        return FunctionCall(start, ("normalize",), (value, literal))

    def _grouping(self) -> Expression:
        start = self.position
        self.expect("GROUPING", "(")
        columns = [] if self.at(")") else [self._grouping_column()]
        while self.take(","):
            columns.append(self._grouping_column())
        self.expect(")")
        return syntax.Grouping(start, tuple(columns))

    def _grouping_column(self) -> Expression:
        start = self.position
        name, *rest = self.qualified_name()
        value: Expression = name
        for part in rest:
            value = syntax.Dereference(start, value, part)
        return value

    def _current_date(self) -> Expression:
        return syntax.CurrentTime(self.position, self.advance().key)

    def _current_time(self) -> Expression:
        start = self.position
        kind = self.advance().key
        precision = None
        if self.take("("):
            if self.token.kind is not Kind.INTEGER:
                self.mismatched("<integer>")
            precision = int(self.advance().text)
            self.expect(")")
        return syntax.CurrentTime(start, kind, precision)

    def _listagg(self) -> Expression:
        start = self.position
        self.expect("LISTAGG", "(")
        is_distinct = self._quantifier()
        arguments = [self.expression()]
        arguments.append(
            self.string_literal() if self.take(",") else syntax.StringLiteral(start, "")
        )
        options = self._listagg_overflow() if self.take("ON", "OVERFLOW") else ()
        self.expect(")")
        self.expect("WITHIN", "GROUP", "(", "ORDER", "BY")
        order_by = self.sort_items()
        self.expect(")")
        return FunctionCall(
            start,
            ("listagg",),
            tuple(arguments),
            is_distinct=is_distinct,
            order_by=order_by,
            filter=self._filter(),
            window=self._over(),
            options=options,
        )

    def _listagg_overflow(self) -> tuple[tuple[str, str], ...]:
        if self.take("ERROR"):
            return (("overflow", "ERROR"),)
        self.expect("TRUNCATE")
        is_string = self.token.kind in (Kind.STRING, Kind.UNICODE_STRING)
        filler = self.string_literal().value if is_string else "..."
        count = self.take_any("WITH", "WITHOUT")
        if count is None:
            self.mismatched("'WITH'", "'WITHOUT'")
        self.expect("COUNT")
        return (("overflow", "TRUNCATE"), ("filler", filler), ("count", count))

    _word_forms: ClassVar[dict[str, _Form]] = {
        "CASE": _case,
        "CAST": _cast,
        "EXISTS": _exists,
        "EXTRACT": _extract,
        "TRIM": _trim,
        "NORMALIZE": _normalize,
        "GROUPING": _grouping,
        "LISTAGG": _listagg,
        "CURRENT_DATE": _current_date,
        **dict.fromkeys(_CURRENT_TIMES, _current_time),
        "JSON_EXISTS": JsonParser.json_exists,
        "JSON_VALUE": JsonParser.json_value,
        "JSON_QUERY": JsonParser.json_query,
        "JSON_OBJECT": JsonParser.json_object,
        "JSON_ARRAY": JsonParser.json_array,
    }
    _call_forms: ClassVar[dict[str, _Form]] = {
        "TRY_CAST": _cast,
        "ROW": _row,
        "POSITION": _position,
        "SUBSTRING": _substring,
    }

    # Calls.

    def function_call(self, start: Position, name: tuple[str, ...]) -> Expression:
        """The rest of a call whose name was read; the current token is its '('."""
        self.expect("(")
        if self.take("*"):
            self.expect(")")
            return FunctionCall(
                start, name, is_star=True, filter=self._filter(), window=self._over()
            )
        if self.at_identifier() and self.peek().key == "." and self.peek(2).key == "*":
            raise self.error("label.* syntax is only supported in row pattern recognition")
        is_distinct = self._quantifier()
        arguments: tuple[Expression, ...] = ()
        if not self.at(")") and not self.at("ORDER"):
            arguments = self.expressions()
        order_by = self.sort_items() if self.take("ORDER", "BY") else ()
        self.expect(")")
        filter_ = self._filter()
        treatment = self._null_treatment()
        call = FunctionCall(
            start,
            name,
            arguments,
            is_distinct=is_distinct,
            order_by=order_by,
            filter=filter_,
            window=self._over(),
            null_treatment=treatment,
        )
        if treatment is not None and call.window is None:
            self.mismatched("'OVER'")
        return self._special_call(call)

    def _special_call(self, call: FunctionCall) -> Expression:
        """COALESCE, IF, NULLIF and TRY are no functions: they take nothing but arguments."""
        name = call.name[0].lower() if len(call.name) == 1 else ""
        if name not in _COUNTS:
            return call
        low, high = _COUNTS[name]
        size = len(call.arguments)
        if size < low or (high is not None and size > high):
            problem = (
                f"The '{name}' function must have at least two arguments"
                if high is None
                else f"The '{name}' function must have exactly one argument"
                if name == "try"
                else f"Invalid number of arguments for '{name}' function"
            )
            raise self.error(problem, call.position)
        for clause, is_written in (
            ("OVER clause", call.window is not None),
            ("DISTINCT", call.is_distinct),
            ("Null treatment clause", call.null_treatment is not None),
            ("FILTER", call.filter is not None),
            ("ORDER BY", bool(call.order_by)),
        ):
            if is_written:
                raise self.error(f"{clause} not valid for '{name}' function", call.position)
        return _special_node(name, call.position, call.arguments)

    def _quantifier(self) -> bool:
        """[DISTINCT | ALL]; whether it is DISTINCT. ALL can also be a column's name."""
        if self.take("DISTINCT"):
            return True
        if self.at("ALL") and self.peek().key not in (")", ",", "."):
            self.advance()
        return False

    def _filter(self) -> Expression | None:
        if not self.at("FILTER", "("):
            return None
        self.expect("FILTER", "(", "WHERE")
        condition = self.expression()
        self.expect(")")
        return condition

    def _null_treatment(self) -> str | None:
        if self.peek().key != "NULLS":
            return None
        treatment = self.take_any("IGNORE", "RESPECT")
        if treatment is not None:
            self.expect("NULLS")
        return treatment

    def _over(self) -> syntax.WindowReference | syntax.WindowSpecification | None:
        if not self.at("OVER"):
            return None
        if self.peek().key == "(":
            self.expect("OVER", "(")
            window = self.window_specification()
            self.expect(")")
            return window
        if not self.at_identifier(1):
            return None
        self.advance()
        start = self.position
        return syntax.WindowReference(start, self.identifier())

    # Windows and sort items.

    def window_specification(self) -> syntax.WindowSpecification:
        """What stands between a window's parentheses."""
        start = self.position
        existing = None
        if self.at_identifier() and not self._at_window_clause():
            existing = self.identifier()
        partition = self.expressions() if self.take("PARTITION", "BY") else ()
        order_by = self.sort_items() if self.take("ORDER", "BY") else ()
        if self.key in _PATTERN_CLAUSES:
            raise TrinoOnly.PATTERN_IN_WINDOW.refusal(self.position)
        frame = self._frame() if self.key in _FRAME_UNITS else None
        if self.key in _PATTERN_CLAUSES:
            raise TrinoOnly.PATTERN_IN_WINDOW.refusal(self.position)
        return syntax.WindowSpecification(start, existing, partition, order_by, frame)

    def _at_window_clause(self) -> bool:
        following = self.peek().key
        if self.key == "PARTITION":
            return following == "BY"
        return self.key in (*_FRAME_UNITS, *_PATTERN_CLAUSES) and following != ")"

    def _frame(self) -> syntax.WindowFrame:
        start = self.position
        unit = self.advance().key
        if not self.take("BETWEEN"):
            return syntax.WindowFrame(start, unit, self._bound())
        low = self._bound()
        self.expect("AND")
        return syntax.WindowFrame(start, unit, low, self._bound())

    def _bound(self) -> syntax.FrameBound:
        start = self.position
        if self.take("CURRENT", "ROW"):
            return syntax.FrameBound(start, "CURRENT ROW")
        if self.key == "UNBOUNDED" and self.peek().key in ("PRECEDING", "FOLLOWING"):
            self.advance()
            return syntax.FrameBound(start, f"UNBOUNDED {self.advance().key}")
        value = self.expression()
        kind = self.take_any("PRECEDING", "FOLLOWING")
        if kind is None:
            self.mismatched("'FOLLOWING'", "'PRECEDING'")
        return syntax.FrameBound(start, kind, value)

    def sort_items(self) -> tuple[syntax.SortItem, ...]:
        """sortItem (',' sortItem)*."""
        items = [self._sort_item()]
        while self.take(","):
            items.append(self._sort_item())
        return tuple(items)

    def _sort_item(self) -> syntax.SortItem:
        start = self.position
        value = self.expression()
        is_descending = self.take_any("ASC", "DESC") == "DESC"
        nulls_first = None
        if self.take("NULLS"):
            order = self.take_any("FIRST", "LAST")
            if order is None:
                self.mismatched("'FIRST'", "'LAST'")
            nulls_first = order == "FIRST"
        return syntax.SortItem(start, value, is_descending, nulls_first)


def _special_node(name: str, start: Position, arguments: tuple[Expression, ...]) -> Expression:
    if name == "if":
        return syntax.If(start, *arguments)
    if name == "nullif":
        return syntax.NullIf(start, *arguments)
    if name == "try":
        return syntax.Try(start, *arguments)
    if name == "format":
        return FunctionCall(start, ("format",), arguments)
    return syntax.Coalesce(start, arguments)
