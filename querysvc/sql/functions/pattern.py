"""Type patterns: the types of a signature, which may hold type variables and long variables.

`array(T)`, `decimal(p,s)`, `function(S,T,S)`, `varchar`: text as Trino prints it is parsed once;
`bind` puts types and numbers in the places of the variables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeAlias

from querysvc.errors import ErrorCode, StatementError
from querysvc.types.algebra import Row, RowField, TrinoType
from querysvc.types.build import build_type, is_type_name


class PatternKind(Enum):
    """How a pattern binds."""

    GROUND = auto()
    """Without variables: exactly one type."""
    VARIABLE = auto()
    """A type variable."""
    SIZED = auto()
    """A type whose lengths, precision or scale are variables: `varchar(x)`, `decimal(p,s)`."""
    NESTED = auto()
    """A type made of patterns: `map(K,V)`."""
    FUNCTION = auto()
    """A lambda's type."""


Size: TypeAlias = int | str
"""A number, or a long variable's name."""


@dataclass(frozen=True, slots=True)
class TypePattern:
    """One type in a signature."""

    text: str
    kind: PatternKind
    base: str
    """The base name in lower case; a variable's name in lower case."""
    children: tuple["TypePattern", ...] = ()
    sizes: tuple[Size, ...] = ()
    field_names: tuple[str | None, ...] = ()
    ground: TrinoType | None = None
    variables: frozenset[str] = field(default=frozenset())
    """Every type variable in it, and every long variable, in lower case."""

    def __str__(self) -> str:
        return self.text

    def bind(self, types: Mapping[str, TrinoType], longs: Mapping[str, int]) -> TrinoType:
        """The type, all variables replaced; TYPE_NOT_FOUND when Trino has no such type."""
        if self.ground is not None:
            return self.ground
        if self.kind is PatternKind.VARIABLE:
            return types[self.base]
        if self.kind is PatternKind.SIZED:
            sizes = tuple(longs[s] if isinstance(s, str) else s for s in self.sizes)
            bound = build_type(self.base, sizes)
            if bound is None:
                raise StatementError(
                    ErrorCode.TYPE_NOT_FOUND,
                    f"Unknown type: {self.base}({','.join(map(str, sizes))})",
                )
            return bound
        children = tuple(child.bind(types, longs) for child in self.children)
        bound = (
            _named_row(self, children) if self.base == "row" else build_type(self.base, children)
        )
        if bound is None:
            raise StatementError(ErrorCode.TYPE_NOT_FOUND, f"Unknown type: {self.text}")
        return bound


def parse_pattern(text: str, type_variables: frozenset[str]) -> TypePattern:
    """The pattern that the text of a signature's type means; variable names are in lower case."""
    text = text.strip()
    if text.lower() in type_variables:
        name = text.lower()
        return TypePattern(text, PatternKind.VARIABLE, name, variables=frozenset({name}))
    head, parameters, tail = _split(text)
    base = (head + tail).lower()
    if not parameters:
        ground = build_type(base, ())
        if ground is None:
            raise ValueError(f"a signature names an unknown type: {text}")
        return TypePattern(text, PatternKind.GROUND, base, ground=ground)
    if all(_is_size(parameter, type_variables) for parameter in parameters):
        return _sized(text, base, parameters)
    return _nested(text, base, parameters, type_variables)


def _sized(text: str, base: str, parameters: list[str]) -> TypePattern:
    sizes = tuple(int(p) if p.isdigit() else p.lower() for p in parameters)
    names = frozenset(size for size in sizes if isinstance(size, str))
    if names:
        return TypePattern(text, PatternKind.SIZED, base, sizes=sizes, variables=names)
    numbers = tuple(size for size in sizes if isinstance(size, int))
    return TypePattern(text, PatternKind.GROUND, base, ground=build_type(base, numbers))


def _nested(
    text: str, base: str, parameters: list[str], type_variables: frozenset[str]
) -> TypePattern:
    names, types = zip(*(_field(parameter) for parameter in parameters), strict=True)
    children = tuple(parse_pattern(type_, type_variables) for type_ in types)
    variables = frozenset().union(*(child.variables for child in children))
    kind = PatternKind.FUNCTION if base == "function" else PatternKind.NESTED
    pattern = TypePattern(
        text, kind, base, children=children, field_names=tuple(names), variables=variables
    )
    if variables or kind is PatternKind.FUNCTION:
        return pattern
    ground = pattern.bind({}, {})
    return TypePattern(text, PatternKind.GROUND, base, children=children, ground=ground)


def _named_row(pattern: TypePattern, children: tuple[TrinoType, ...]) -> TrinoType:
    return Row(tuple(RowField(*pair) for pair in zip(pattern.field_names, children, strict=True)))


def _field(text: str) -> tuple[str | None, str]:
    """A row's field, `"name" type` or a type alone."""
    text = text.strip()
    if not text.startswith('"'):
        return None, text
    name, _, type_ = text[1:].partition('"')
    return name, type_


def _is_size(text: str, type_variables: frozenset[str]) -> bool:
    text = text.strip()
    if text.isdigit():
        return True
    return text.isidentifier() and text.lower() not in type_variables and not is_type_name(text)


def _split(text: str) -> tuple[str, list[str], str]:
    """`timestamp(p) with time zone` as `timestamp`, [`p`], ` with time zone`."""
    if "(" not in text:
        return text, [], ""
    head, _, rest = text.partition("(")
    inside, _, tail = rest.rpartition(")")
    return head, split_top_level(inside), tail


def split_top_level(text: str, separator: str = ",") -> list[str]:
    """The parts between separators that stand in no parentheses."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return [part.strip() for part in parts]
