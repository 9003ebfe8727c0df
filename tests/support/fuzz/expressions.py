"""Typed expressions by rule: every signature, operator, cast and form over the corner values."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from querysvc.sql.functions.pattern import PatternKind, TypePattern, split_top_level
from querysvc.sql.functions.registry import load_registry
from querysvc.sql.functions.signature import FunctionKind, Signature
from tests.support.fuzz.values import ARGUMENTS, DECLARED, HINTS, LITERALS, SMALL_FUNCTIONS

Variable = tuple[str, str]
"""A column's or lambda parameter's name and base type."""

FAMILIES: Final = (
    *("strings", "regexp", "binary", "url", "math", "datetime", "json", "arrays", "maps"),
    *("aggregates", "windows", "system"),
)
_LEFT_OUT: Final = frozenset(
    {"now", "current_date", "current_timezone", "current_groups", "bar", "render", "color", "rgb"}
)
_SCALAR_TYPES: Final = tuple(name for name in LITERALS if name != "unknown")
_ELEMENTS: Final = (
    *("integer", "bigint", "double", "varchar", "decimal", "boolean", "date", "timestamp"),
    *("varchar", "integer", "row(integer,varchar)", "array(integer)", "json", "real", "char"),
    *("timestamp with time zone", "varbinary", "interval day to second", "uuid", "time"),
)
_NUMBERS: Final = ("tinyint", "smallint", "integer", "bigint", "real", "double", "decimal")
_INTERVALS: Final = ("interval day to second", "interval year to month")
_MOMENTS: Final = ("date", "timestamp", "timestamp with time zone", "time", "time with time zone")
_FIELDS: Final = (
    *("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "DAY_OF_MONTH", "DAY_OF_WEEK", "DOW"),
    *("DAY_OF_YEAR", "DOY", "YEAR_OF_WEEK", "YOW", "HOUR", "MINUTE", "SECOND"),
    *("TIMEZONE_HOUR", "TIMEZONE_MINUTE"),
)
_FORMATS: Final = (
    *("'%s'", "'%d'", "'%5.2f'", "'%,d'", "'%08d'", "'%x'", "'%b'", "'%e'", "'%-5s|'", "'%S'"),
    *("'%tY-%<tm-%<td'", "'%c'", "'%g'", "'%+d'", "'%%'", "'%,.3f'", "'%10s'", "'%.2s'"),
)
_JSON_PATHS: Final = (
    *("'lax $.a'", "'strict $.a'", "'lax $'", "'lax $[*]'", "'lax $.b.c[0]'", "'strict $[5]'"),
    *("'lax $[*] ? (@ > 1)'", "'lax $.a.size()'", "'lax $.type()'", "'lax $[last]'"),
)


def base_name(text: str) -> str:
    """`varchar(x)` as `varchar`, `timestamp(p) with time zone` as `timestamp with time zone`."""
    text = text.strip().lower()
    if text.startswith(("array(", "map(", "row(", "function(")):
        head, _, rest = text.partition("(")
        return f"{head}({','.join(map(base_name, split_top_level(rest[:-1])))})"
    return re.sub(r"\([^()]*\)", "", text)


def children(type_: str) -> list[str]:
    """The parts of an array's, map's, row's or lambda's type."""
    return split_top_level(type_.partition("(")[2][:-1])


@cache
def signatures(kind: FunctionKind) -> tuple[tuple[str, Signature], ...]:
    """Every deterministic signature of the kind, under each of its names."""
    registry = load_registry(FAMILIES)
    found = {
        (name, signature): None
        for name in registry.names()
        for signature in registry.overloads(name)
        if signature.kind is kind and signature.is_deterministic and not signature.is_hidden
    }
    return tuple(pair for pair in found if pair[0] not in _LEFT_OUT)


@cache
def scalars_by_result() -> dict[str, tuple[tuple[str, Signature], ...]]:
    """The scalar functions by the base type of their result; generic ones under `*`."""
    table: dict[str, list[tuple[str, Signature]]] = {}
    for name, signature in signatures(FunctionKind.SCALAR):
        generic = signature.result.kind is PatternKind.VARIABLE
        key = "*" if generic else base_name(signature.result.text)
        table.setdefault(key, []).append((name, signature))
    return {key: tuple(found) for key, found in table.items()}


class Expressions:
    """Expressions from one source of chance."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.lambdas = 0

    def pick(self, items: Sequence[str]) -> str:
        return self.chance.choice(items)

    def likely(self, probability: float) -> bool:
        return self.chance.random() < probability

    def element(self) -> str:
        """A type for a type variable."""
        return self.pick(_ELEMENTS)

    def scalar_type(self) -> str:
        return self.pick(_SCALAR_TYPES)

    def declared(self, type_: str) -> str:
        """The type as a cast names it, with parameters of chance."""
        if type_.startswith(("array(", "map(", "row(")):
            inner = ", ".join(map(self.declared, children(type_)))
            return f"{type_.partition('(')[0]}({inner})"
        return self.pick(DECLARED.get(type_, (type_,)))

    def value(self, type_: str, depth: int, scope: Sequence[Variable] = ()) -> str:
        """An expression of the base type."""
        if type_.startswith("function("):
            return self.lambda_of(type_, depth, scope)
        own = [name for name, kind in scope if kind == type_]
        if own and self.likely(0.6):
            return self.pick(own)
        if depth > 0 and self.likely(0.75):
            return self.composed(type_, depth - 1, scope)
        return self.literal(type_)

    def literal(self, type_: str) -> str:
        """A corner value."""
        head, _, _ = type_.partition("(")
        if self.likely(0.04):
            return "NULL"
        if head == "array":
            (item,) = children(type_)
            items = [self.literal(item) for _ in range(self.chance.choice((0, 1, 2, 3, 3)))]
            return (
                f"ARRAY[{', '.join(items)}]"
                if items
                else f"CAST(ARRAY[] AS {self.declared(type_)})"
            )
        if head == "map":
            key, item = children(type_)
            keys = list(
                dict.fromkeys(self.literal(key) for _ in range(self.chance.choice((0, 1, 2, 3))))
            )
            values = [self.literal(item) for _ in keys]
            return f"MAP(ARRAY[{', '.join(keys)}], ARRAY[{', '.join(values)}])"
        if head == "row":
            return f"ROW({', '.join(map(self.literal, children(type_)))})"
        if type_ in HINTS:
            return self.pick(HINTS[type_])
        return self.pick(LITERALS.get(type_) or LITERALS["varchar"])

    def composed(self, type_: str, depth: int, scope: Sequence[Variable]) -> str:
        """A function, form or operator of the type."""
        functions = scalars_by_result().get(type_, ())
        if functions and self.likely(0.6):
            name, signature = self.chance.choice(functions)
            return self.call(name, signature, depth, scope)
        forms: list[Callable[[str, int, Sequence[Variable]], str]] = [
            *(
                self._case,
                self._coalesce,
                self._if,
                self._cast,
                self._try,
                self._nullif,
                self._subscript,
            ),
        ]
        if type_ in _NUMBERS or type_ in _INTERVALS or type_ in _MOMENTS:
            forms += [self._arithmetic] * 4
        if type_ == "boolean":
            forms += [self._predicate] * 6
        if type_ == "varchar":
            forms += [self._concat, self._format]
        if type_ == "bigint":
            forms += [self._extract]
        if type_ == "json":
            forms += [self._json] * 3
        return self.chance.choice(forms)(type_, depth, scope)

    def call(
        self, name: str, signature: Signature, depth: int, scope: Sequence[Variable] = ()
    ) -> str:
        """A call of the signature."""
        return f"{name}({', '.join(self.arguments(name, signature, depth, scope))})"

    def arguments(
        self, name: str, signature: Signature, depth: int, scope: Sequence[Variable] = ()
    ) -> list[str]:
        """Arguments for the signature."""
        types = {variable.name.lower(): self.element() for variable in signature.type_variables}
        count = len(signature.arguments) + (signature.is_variadic and self.chance.choice((0, 1, 2)))
        patterns = signature.expanded(count) or signature.arguments
        return [
            self.argument(name, index, _bound(pattern, types), depth, scope)
            for index, pattern in enumerate(patterns)
        ]

    def argument(
        self, name: str, index: int, type_: str, depth: int, scope: Sequence[Variable]
    ) -> str:
        """A value for the place, of those that mean something there, if it has such."""
        small = SMALL_FUNCTIONS.get(name, {}).get(type_)
        if small:
            return self.pick(small)
        hints = ARGUMENTS.get((name, index))
        if hints and self.likely(0.85):
            return self.pick(hints)
        return self.value(type_, depth, scope)

    def lambda_of(self, type_: str, depth: int, scope: Sequence[Variable]) -> str:
        """A lambda; its body uses its parameters more often than not."""
        *parameters, result = children(type_)
        names = []
        for _ in parameters:
            self.lambdas += 1
            names.append(f"x{self.lambdas}")
        inner = [*scope, *zip(names, parameters, strict=True)]
        head = names[0] if len(names) == 1 else f"({', '.join(names)})"
        return f"{head} -> {self.value(result, max(depth, 1), inner)}"

    def _case(self, type_: str, depth: int, scope: Sequence[Variable]) -> str:
        first, second = (self.value(type_, depth, scope) for _ in range(2))
        if self.likely(0.5):
            return f"CASE WHEN {self.value('boolean', depth, scope)} THEN {first} ELSE {second} END"
        kind = self.pick(("integer", "varchar", "decimal", "double"))
        subject, option = (self.value(kind, depth, scope) for _ in range(2))
        return f"CASE {subject} WHEN {option} THEN {first} WHEN {subject} THEN {second} END"

    def _coalesce(self, type_: str, depth: int, scope: Sequence[Variable]) -> str:
        return f"COALESCE({', '.join(self.value(type_, depth, scope) for _ in range(2))})"

    def _if(self, type_: str, depth: int, scope: Sequence[Variable]) -> str:
        condition = self.value("boolean", depth, scope)
        first, second = (self.value(type_, depth, scope) for _ in range(2))
        return f"IF({condition}, {first}{f', {second}' if self.likely(0.7) else ''})"

    def _cast(self, type_: str, depth: int, scope: Sequence[Variable]) -> str:
        word = self.pick(("CAST", "CAST", "TRY_CAST"))
        source = (
            type_ if self.likely(0.3) else self.pick((*_SCALAR_TYPES, "varchar", "json", "double"))
        )
        return f"{word}({self.value(source, depth, scope)} AS {self.declared(type_)})"

    def _try(self, type_: str, depth: int, scope: Sequence[Variable]) -> str:
        return f"TRY({self.value(type_, depth + 1, scope)})"

    def _nullif(self, type_: str, depth: int, scope: Sequence[Variable]) -> str:
        return f"NULLIF({self.value(type_, depth, scope)}, {self.value(type_, depth, scope)})"

    def _subscript(self, type_: str, depth: int, scope: Sequence[Variable]) -> str:
        if self.likely(0.5):
            return (
                f"{self.value(f'array({type_})', depth, scope)}[{self.pick(('1', '2', '-1', '0'))}]"
            )
        return f"CAST({self.literal(f'row({type_})')} AS row(f {self.declared(type_)})).f"

    def _arithmetic(self, type_: str, depth: int, scope: Sequence[Variable]) -> str:
        if type_ in _NUMBERS:
            first = self.value(type_, depth, scope)
            second = self.value(type_ if self.likely(0.6) else self.pick(_NUMBERS), depth, scope)
            if self.likely(0.1):
                return f"-({first})"
            return f"({first} {self.pick(('+', '-', '*', '/', '%'))} {second})"
        if type_ in _INTERVALS:
            first = self.value(type_, depth, scope)
            if self.likely(0.5):
                number = self.value(self.pick(("bigint", "double", "integer")), depth, scope)
                return f"({first} {self.pick(('*', '/'))} {number})"
            return f"({first} {self.pick(('+', '-'))} {self.value(type_, depth, scope)})"
        interval = self.value(self.pick(_INTERVALS), depth, scope)
        return f"({self.value(type_, depth, scope)} {self.pick(('+', '-'))} {interval})"

    def _predicate(self, type_: str, depth: int, scope: Sequence[Variable]) -> str:
        kind = self.scalar_type() if self.likely(0.7) else f"array({self.element()})"
        values = [self.value(kind, depth, scope) for _ in range(3)]
        forms = (
            f"({values[0]} {self.pick(('=', '<>', '<', '<=', '>', '>='))} {values[1]})",
            f"({values[0]} IS {self.pick(('', 'NOT '))}DISTINCT FROM {values[1]})",
            f"({values[0]} {self.pick(('', 'NOT '))}BETWEEN {values[1]} AND {values[2]})",
            f"({values[0]} {self.pick(('', 'NOT '))}IN ({values[1]}, {values[2]}))",
            f"({values[0]} IS {self.pick(('', 'NOT '))}NULL)",
            f"({self.value('boolean', depth, scope)} {self.pick(('AND', 'OR'))} "
            f"{self.value('boolean', depth, scope)})",
            f"(NOT {self.value('boolean', depth, scope)})",
            f"({self.value('varchar', depth, scope)} LIKE "
            f"{self.pick(_LIKES)}{self.pick(('', '', f' ESCAPE {chr(39)}#{chr(39)}'))})",
        )
        return self.pick(forms)

    def _concat(self, type_: str, depth: int, scope: Sequence[Variable]) -> str:
        return f"({self.value(type_, depth, scope)} || {self.value(type_, depth, scope)})"

    def _format(self, type_: str, depth: int, scope: Sequence[Variable]) -> str:
        kind = self.pick(("integer", "varchar", "double", "decimal", "bigint", "date", "timestamp"))
        return f"format({self.pick(_FORMATS)}, {self.value(kind, depth, scope)})"

    def _extract(self, type_: str, depth: int, scope: Sequence[Variable]) -> str:
        kind = self.pick((*_MOMENTS, *_INTERVALS))
        return f"EXTRACT({self.pick(_FIELDS)} FROM {self.value(kind, depth, scope)})"

    def _json(self, type_: str, depth: int, scope: Sequence[Variable]) -> str:
        kind = self.pick(
            ("integer", "varchar", "double", "decimal", "date", "boolean", "array(integer)")
        )
        return f"CAST({self.value(kind, depth, scope)} AS json)"

    def form(self, depth: int, scope: Sequence[Variable] = ()) -> str:
        """An operator or special form of any type, types of the operands at chance too."""
        return self.chance.choice(_FORMS)(self, depth, scope)

    def form_cast(self, depth: int, scope: Sequence[Variable]) -> str:
        source = self.scalar_type() if self.likely(0.8) else self.compound()
        target = self.scalar_type() if self.likely(0.8) else self.compound()
        word = self.pick(("CAST", "CAST", "TRY_CAST"))
        return f"{word}({self.value(source, depth, scope)} AS {self.declared(target)})"

    def compound(self) -> str:
        """A type made of others."""
        return self.pick(
            (
                f"array({self.element()})",
                f"map({self.pick(('varchar', 'integer', 'date', 'double'))},{self.element()})",
                f"row({self.element()},{self.element()})",
            )
        )

    def form_arithmetic(self, depth: int, scope: Sequence[Variable]) -> str:
        kinds = self.chance.choice((_NUMBERS, (*_MOMENTS, *_INTERVALS), (*_INTERVALS, *_NUMBERS)))
        first, second = (self.value(self.pick(kinds), depth, scope) for _ in range(2))
        return f"{first} {self.pick(('+', '-', '*', '/', '%'))} {second}"

    def form_zone(self, depth: int, scope: Sequence[Variable]) -> str:
        kind = self.pick(("timestamp with time zone", "timestamp", "time with time zone"))
        zone = self.pick(
            (*ARGUMENTS["at_timezone", 1], "INTERVAL '2' HOUR", "INTERVAL '-3:30' HOUR TO MINUTE")
        )
        return f"{self.value(kind, depth, scope)} AT TIME ZONE {zone}"

    def form_json(self, depth: int, scope: Sequence[Variable]) -> str:
        subject = (
            self.pick(ARGUMENTS["json_parse", 0])
            if self.likely(0.8)
            else self.value("varchar", 0, scope)
        )
        path = self.pick(_JSON_PATHS)
        empty = self.pick(("", " NULL ON EMPTY", " ERROR ON EMPTY", " DEFAULT '0' ON EMPTY"))
        error = self.pick(("", " NULL ON ERROR", " ERROR ON ERROR"))
        returning = self.pick(
            (
                "",
                " RETURNING bigint",
                " RETURNING varchar(5)",
                " RETURNING double",
                " RETURNING boolean",
            )
        )
        wrapper = self.pick(
            ("", " WITH ARRAY WRAPPER", " WITH CONDITIONAL ARRAY WRAPPER", " WITHOUT WRAPPER")
        )
        first, second = self.literal(self.scalar_type()), self.literal(self.element())
        return self.pick(
            (
                f"json_value({subject}, {path}{returning}{empty}{error})",
                f"json_query({subject}, {path}{wrapper}{error})",
                f"json_exists({subject}, {path}{self.pick(('', ' TRUE ON ERROR', ' ERROR ON ERROR'))})",
                f"json_object('k' : {first}, 'l' : {second}{self.pick(('', ' ABSENT ON NULL', ' NULL ON NULL'))})",
                f"json_array({first}, {second}{self.pick(('', ' ABSENT ON NULL', ' NULL ON NULL'))})",
            )
        )

    def form_concat(self, depth: int, scope: Sequence[Variable]) -> str:
        kind = self.pick(("varchar", "char", "varbinary", f"array({self.element()})"))
        second = kind if self.likely(0.7) else self.pick(("varchar", "char", "integer"))
        return f"{self.value(kind, depth, scope)} || {self.value(second, depth, scope)}"

    def form_row(self, depth: int, scope: Sequence[Variable]) -> str:
        fields = ", ".join(self.value(self.scalar_type(), depth, scope) for _ in range(2))
        other = ", ".join(self.value(self.scalar_type(), 0, scope) for _ in range(2))
        return self.pick(
            (f"ROW({fields})", f"ROW({fields})[1]", f"ROW({fields}) = ROW({other})", f"({fields})")
        )


_LIKES: Final = ("'%a%'", "'_b%'", "''", "'%'", "'a#%b'", "'日%'", "'%_'", "'a\\_%'")
_FORMS: Final[tuple[Callable[[Expressions, int, Sequence[Variable]], str], ...]] = (
    *(Expressions.form_cast, Expressions.form_cast, Expressions.form_arithmetic),
    *(Expressions.form_arithmetic, Expressions.form_zone, Expressions.form_json),
    *(Expressions.form_concat, Expressions.form_row),
    lambda self, depth, scope: self._predicate("boolean", depth, scope),
    lambda self, depth, scope: self._predicate("boolean", depth, scope),
    lambda self, depth, scope: self._extract("bigint", depth, scope),
    lambda self, depth, scope: self._format("varchar", depth, scope),
    lambda self, depth, scope: self.composed(self.scalar_type(), depth, scope),
    lambda self, depth, scope: self.composed(self.compound(), depth, scope),
)


def _bound(pattern: TypePattern, types: dict[str, str]) -> str:
    if pattern.kind is PatternKind.VARIABLE:
        return types[pattern.base]
    if pattern.children:
        return f"{pattern.base}({','.join(_bound(child, types) for child in pattern.children)})"
    return base_name(pattern.text)
