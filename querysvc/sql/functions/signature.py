"""Function signatures, and the one-line text form in which the tables hold them.

A line of a table (`signatures/*.txt`, one file per family, sections by kind) reads

    name<T, U:orderable>(array(T), bigint?, varchar...) -> U? where u = max(3, p) !flags -- text

- `<…>`: the type variables, each with what it must be: `:comparable`, `:orderable`, `:row`.
- `(…)`: the argument types. `?` marks one that the function sees as NULL (a function is otherwise
  NULL when an argument is); `...` the last one when it repeats, from no time to any number.
- `-> …`: the result type; `?` when it can be NULL although no argument is.
- `where …`: formulas of the result's long variables.
- flags: `!alias=a,b` other names, `!nondeterministic`, `!hidden` (not in SHOW FUNCTIONS),
  `!ordered` (an aggregate whose answer depends on the order of its input), `!deprecated`.

Every signature has a stable `key`, by which lowering tables are keyed: the canonical name and the
argument patterns as the table writes them, without blanks after commas: `abs(decimal(p,s))`,
`concat(array(E)...)`, `+(timestamp(p) with time zone,interval day to second)`, `now()`. Aliases
share the key: `substr('a', 1)` and `substring('a', 1)` both have `substring(varchar(x),bigint)`.
"""

from dataclasses import dataclass
from enum import StrEnum

from querysvc.sql.functions.calculation import Calculation, parse_calculation
from querysvc.sql.functions.pattern import TypePattern, parse_pattern, split_top_level


class FunctionKind(StrEnum):
    """What a function is called for, as SHOW FUNCTIONS spells it."""

    SCALAR = "scalar"
    AGGREGATE = "aggregate"
    WINDOW = "window"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class TypeVariable:
    """A type variable and what it requires of the type bound to it."""

    name: str
    is_comparable: bool = False
    is_orderable: bool = False
    base: str | None = None

    def __str__(self) -> str:
        if self.base is not None:
            return f"{self.name}:{self.base}<*>"
        requirements = (":comparable" * self.is_comparable, ":orderable" * self.is_orderable)
        return self.name + "".join(requirements)


@dataclass(frozen=True, slots=True)
class LongVariable:
    """A long variable of the result, and the formula of its value."""

    name: str
    calculation: Calculation

    def __str__(self) -> str:
        return f"{self.name}:{self.calculation.text}"


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """One overload of a function or operator; equal only to itself, so that it hashes at once."""

    key: str
    name: str
    kind: FunctionKind
    type_variables: tuple[TypeVariable, ...]
    long_variables: tuple[LongVariable, ...]
    arguments: tuple[TypePattern, ...]
    nullable_arguments: tuple[bool, ...]
    is_variadic: bool
    result: TypePattern
    is_result_nullable: bool
    aliases: tuple[str, ...] = ()
    is_deterministic: bool = True
    is_hidden: bool = False
    is_order_sensitive: bool = False
    description: str = ""

    @property
    def is_generic(self) -> bool:
        """Whether it has type variables: such signatures are tried after the others."""
        return bool(self.type_variables)

    def accepts_null(self, index: int) -> bool:
        """Whether the function itself sees a NULL at this argument."""
        return self.nullable_arguments[min(index, len(self.nullable_arguments) - 1)]

    def expanded(self, count: int) -> tuple[TypePattern, ...] | None:
        """The patterns of `count` arguments; None when it does not take that many."""
        if not self.is_variadic:
            return self.arguments if len(self.arguments) == count else None
        extra = count - len(self.arguments)
        if extra < -1:
            return None
        return self.arguments[:count] if extra < 0 else self.arguments + self.arguments[-1:] * extra

    def __str__(self) -> str:
        variables = ",".join(map(str, (*self.type_variables, *self.long_variables)))
        arguments = ",".join(pattern.text for pattern in self.arguments)
        return f"{f'<{variables}>' if variables else ''}({arguments}):{self.result}"


def parse_signature(line: str, kind: FunctionKind) -> Signature:
    """The signature that a table's line describes."""
    line, _, description = line.partition(" -- ")
    line, *flags = line.split(" !")
    line, _, formulas = line.partition(" where ")
    head, _, result = line.rpartition(" -> ")
    call, _, inside = head.partition("(")
    name, variables = _name_and_variables(call)
    names = frozenset(variable.name.lower() for variable in variables)
    texts = split_top_level(inside.rpartition(")")[0])
    texts = [] if texts == [""] else texts
    is_variadic = bool(texts) and texts[-1].endswith("...")
    texts = [text.removesuffix("...") for text in texts]
    patterns = tuple(parse_pattern(text.removesuffix("?"), names) for text in texts)
    options = dict(flag.strip().partition("=")[::2] for flag in flags)
    return Signature(
        key=_key(name, patterns, is_variadic=is_variadic),
        name=name,
        kind=kind,
        type_variables=variables,
        long_variables=_long_variables(formulas),
        arguments=patterns,
        nullable_arguments=tuple(text.endswith("?") for text in texts),
        is_variadic=is_variadic,
        result=parse_pattern(result.strip().removesuffix("?"), names),
        is_result_nullable=result.strip().endswith("?"),
        aliases=tuple(filter(None, options.get("alias", "").split(","))),
        is_deterministic="nondeterministic" not in options,
        is_hidden="hidden" in options,
        is_order_sensitive="ordered" in options,
        description=description.strip(),
    )


def names_of_line(line: str) -> tuple[str, ...]:
    """The names a table's line defines, cheaply: its own and its aliases."""
    name, _ = _name_and_variable_text(line.partition("(")[0])
    flags = line.partition(" -- ")[0]
    _, _, aliases = flags.partition(" !alias=")
    return (name, *filter(None, aliases.partition(" ")[0].split(",")))


def _key(name: str, patterns: tuple[TypePattern, ...], *, is_variadic: bool) -> str:
    return f"{name}({','.join(pattern.text for pattern in patterns)}{'...' * is_variadic})"


def _name_and_variables(call: str) -> tuple[str, tuple[TypeVariable, ...]]:
    name, text = _name_and_variable_text(call)
    return name, tuple(_type_variable(part) for part in split_top_level(text) if part)


def _name_and_variable_text(call: str) -> tuple[str, str]:
    # `<` and `<=` are names too: variables are what stands between a later `<` and the last `>`.
    start = call.find("<", 1)
    return (call[:start], call[start + 1 : -1]) if start > 0 else (call, "")


def _type_variable(text: str) -> TypeVariable:
    name, *requirements = text.split(":")
    bases = [word for word in requirements if word not in ("comparable", "orderable")]
    return TypeVariable(
        name=name,
        is_comparable="comparable" in requirements,
        is_orderable="orderable" in requirements,
        base=bases[0] if bases else None,
    )


def _long_variables(formulas: str) -> tuple[LongVariable, ...]:
    pairs = (formula.split(" = ") for formula in formulas.split(";") if formula.strip())
    return tuple(LongVariable(name.strip(), parse_calculation(text)) for name, text in pairs)
