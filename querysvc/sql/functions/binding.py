"""Whether and how the arguments of a call fit one signature.

Trino's algorithm: every argument gives constraints on the variables (a type variable is the common
supertype of what stands for it, lengths widen), which are applied again and again until nothing
changes, four times at most. Without coercion the bound types must be the arguments' types exactly;
with it the arguments must coerce to them. The passes' order is Trino's, because results depend on
it: first the arguments' relations, then their variables, from left to right.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, TypeAlias

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.functions.pattern import PatternKind, TypePattern
from querysvc.sql.functions.signature import Signature, TypeVariable
from querysvc.types.algebra import (
    UNKNOWN,
    Char,
    Decimal,
    Function,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    TrinoType,
    Varchar,
)
from querysvc.types.build import VARCHAR_UNBOUNDED, build_type
from querysvc.types.coercion import can_coerce, coerce_base, common_super_type

ITERATIONS_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class LambdaArgument:
    """A lambda as an argument: its result type is known once its parameters' types are.

    `infer` types the body for given parameter types; it may be called more than once, with other
    types, and may raise StatementError. The position is where the lambda stands, for errors.
    """

    parameter_count: int
    infer: Callable[[tuple[TrinoType, ...]], TrinoType]
    line: int | None = None
    column: int | None = None

    @property
    def signature_text(self) -> str:
        """How Trino's messages print a lambda whose types are not known yet."""
        return "<function>"

    def result_type(self, parameters: tuple[TrinoType, ...]) -> TrinoType:
        """The body's type; INVALID_PARAMETER_USAGE when the parameters are too many or too few."""
        if len(parameters) != self.parameter_count:
            raise StatementError(
                ErrorCode.INVALID_PARAMETER_USAGE,
                f"Expected a lambda that takes {len(parameters)} argument(s) "
                f"but got {self.parameter_count}",
                line=self.line,
                column=self.column,
            )
        return self.infer(parameters)


Argument: TypeAlias = TrinoType | LambdaArgument


@dataclass(frozen=True, slots=True)
class BoundCall:
    """A signature whose variables are bound; argument types are what the arguments coerce to."""

    signature: Signature
    argument_types: tuple[TrinoType, ...]
    types: dict[str, TrinoType]
    longs: dict[str, int]

    def result_type(self) -> TrinoType:
        """The call's type; TYPE_NOT_FOUND when Trino has no such type, as for char(70000)."""
        return self.signature.result.bind(self.types, self.longs)

    def __str__(self) -> str:
        formals = self.signature.expanded(len(self.argument_types)) or ()
        arguments = ",".join(map(_text, formals, self.argument_types))
        return f"({arguments}):{_text(self.signature.result, self.result_type())}"


def _text(formal: TypePattern, bound: TrinoType) -> str:
    # Trino prints what it bound, and as the signature spells it what had nothing to bind.
    return formal.text if formal.kind is PatternKind.GROUND else bound.signature_text


def bind(signature: Signature, arguments: Sequence[Argument], *, coerce: bool) -> BoundCall | None:
    """The signature bound to the arguments; None when they do not fit."""
    formals = signature.expanded(len(arguments))
    if formals is None:
        return None
    variables = {variable.name.lower(): variable for variable in signature.type_variables}
    solver = _Solver(variables, coerce=coerce)
    if not solver.constrain(formals, arguments) or not solver.solve():
        return None
    if not variables.keys() <= solver.types.keys():
        return None
    for variable in signature.long_variables:
        solver.longs[variable.name.lower()] = variable.calculation(solver.longs)
    bound = tuple(formal.bind(solver.types, solver.longs) for formal in formals)
    return BoundCall(signature, bound, solver.types, solver.longs)


class _Status(IntEnum):
    """What one constraint says of the current bindings; of several, the greatest counts."""

    SATISFIED = 0
    NOT_SATISFIED = 1
    CHANGED = 2
    UNSOLVABLE = 3


_Constraint: TypeAlias = Callable[[], _Status]


@dataclass(slots=True)
class _Solver:
    """Constraints over variables, and the bindings found so far."""

    variables: dict[str, TypeVariable]
    coerce: bool
    types: dict[str, TrinoType] = field(default_factory=dict)
    longs: dict[str, int] = field(default_factory=dict)
    constraints: list[_Constraint] = field(default_factory=list)

    def constrain(self, formals: Sequence[TypePattern], arguments: Sequence[Argument]) -> bool:
        """Add all constraints; False when the arguments cannot fit whatever the bindings."""
        for formal, actual in zip(formals, arguments, strict=True):
            if isinstance(actual, LambdaArgument):
                if formal.kind is not PatternKind.FUNCTION:
                    return False
            elif not self._relate(formal, actual, exactly=not self.coerce):
                return False
        return all(
            self._constrain_one(formal, actual, coerce=self.coerce)
            for formal, actual in zip(formals, arguments, strict=True)
        )

    def solve(self) -> bool:
        """Apply the constraints until nothing changes; whether all are satisfied."""
        for _ in range(ITERATIONS_MAX):
            merged = _merge(self.constraints)
            if merged is not _Status.CHANGED:
                return merged is _Status.SATISFIED
        raise StatementError(
            ErrorCode.GENERIC_INTERNAL_ERROR,
            f"SignatureBinder.iterativeSolve does not converge after {ITERATIONS_MAX} iterations.",
        )

    def _relate(self, formal: TypePattern, actual: TrinoType, *, exactly: bool) -> bool:
        """Require that the argument is (or coerces to) the bound pattern."""
        ground = formal.ground
        if ground is not None:
            return actual == ground if exactly else can_coerce(actual, ground)

        def update() -> _Status:
            for variable in formal.variables:
                if variable not in self.types and variable not in self.longs:
                    return _Status.NOT_SATISFIED
            wanted = formal.bind(self.types, self.longs)
            fits = actual == wanted if exactly else can_coerce(actual, wanted)
            return _Status.SATISFIED if fits else _Status.NOT_SATISFIED

        self.constraints.append(update)
        return True

    def _constrain_one(self, formal: TypePattern, actual: Argument, *, coerce: bool) -> bool:
        if formal.kind is PatternKind.FUNCTION:
            self.constraints.append(lambda: self._solve_lambda(formal, actual))
            return True
        if isinstance(actual, LambdaArgument):
            return False
        match formal.kind:
            case PatternKind.GROUND:
                return True
            case PatternKind.VARIABLE:
                return self._constrain_variable(formal.base, actual)
            case PatternKind.SIZED:
                self.constraints.append(lambda: self._solve_sizes(formal, actual))
                return True
        return self._constrain_children(formal, actual, coerce=coerce)

    def _constrain_variable(self, name: str, actual: TrinoType) -> bool:
        variable = self.variables[name]
        if variable.base is not None and variable.base != actual.base_name:
            return actual == UNKNOWN
        self.constraints.append(lambda: self._solve_variable(name, variable, actual))
        return True

    def _constrain_children(self, formal: TypePattern, actual: TrinoType, *, coerce: bool) -> bool:
        children = (UNKNOWN,) * len(formal.children) if actual == UNKNOWN else actual.children
        if len(children) != len(formal.children):
            return False
        inner = coerce and formal.base in ("array", "map")
        return all(
            self._constrain_one(child, type_, coerce=inner)
            for child, type_ in zip(formal.children, children, strict=True)
        )

    def _solve_variable(self, name: str, variable: TypeVariable, actual: TrinoType) -> _Status:
        bound = self.types.get(name)
        widest = actual if bound is None else common_super_type(bound, actual)
        if widest is None or not _satisfies(variable, widest):
            return _Status.UNSOLVABLE
        if widest == bound:
            return _Status.SATISFIED
        self.types[name] = widest
        return _Status.CHANGED

    def _solve_sizes(self, formal: TypePattern, actual: TrinoType) -> _Status:
        coerced = coerce_base(actual, formal.base)
        if coerced is None:
            return _Status.UNSOLVABLE
        own = _sizes_of(coerced)
        sizes = tuple(
            self.longs.get(size, own[index]) if isinstance(size, str) else size
            for index, size in enumerate(formal.sizes)
        )
        original = build_type(formal.base, sizes)
        widest = None if original is None else common_super_type(original, actual)
        if widest is None or widest.base_name != formal.base:
            return _Status.UNSOLVABLE
        status = _Status.SATISFIED
        for size, value in zip(formal.sizes, _sizes_of(widest), strict=True):
            if isinstance(size, int):
                if size != value:
                    return _Status.UNSOLVABLE
            elif self.longs.get(size) != value:
                self.longs[size] = value
                status = _Status.CHANGED
        return status

    def _solve_lambda(self, formal: TypePattern, actual: Argument) -> _Status:
        *parameters, result = formal.children
        if not all(variable in self.types for p in parameters for variable in p.variables):
            return _Status.NOT_SATISFIED
        types = tuple(parameter.bind(self.types, self.longs) for parameter in parameters)
        if isinstance(actual, LambdaArgument):
            body = actual.result_type(types)
        elif isinstance(actual, Function) and actual.arguments == types:
            body = actual.result
        else:
            return _Status.UNSOLVABLE
        # The body's type must be the declared one: Trino does not coerce a lambda's result.
        nested = _Solver(self.variables, self.coerce, self.types, self.longs)
        if not nested._relate(result, body, exactly=True):
            return _Status.NOT_SATISFIED
        if not nested._constrain_one(result, body, coerce=self.coerce):
            return _Status.UNSOLVABLE
        return _merge(nested.constraints)


def _merge(constraints: Sequence[_Constraint]) -> _Status:
    merged = _Status.SATISFIED
    for constraint in constraints:
        merged = max(merged, constraint())
        if merged is _Status.UNSOLVABLE:
            return merged
    return merged


def _satisfies(variable: TypeVariable, type_: TrinoType) -> bool:
    if variable.is_comparable and not type_.is_comparable:
        return False
    if variable.is_orderable and not type_.is_orderable:
        return False
    return variable.base is None or type_ == UNKNOWN or type_.base_name == variable.base


def _sizes_of(type_: TrinoType) -> tuple[int, ...]:
    """A type's own numbers, an unbounded varchar's being Trino's largest integer."""
    match type_:
        case Varchar(length):
            return (VARCHAR_UNBOUNDED if length is None else length,)
        case Char(length):
            return (length,)
        case Decimal(precision, scale):
            return precision, scale
        case Timestamp(p) | TimestampTz(p) | Time(p) | TimeTz(p):
            return (p,)
    return ()
