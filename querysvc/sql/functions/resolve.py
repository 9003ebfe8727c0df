"""Which overload a call means: Trino's resolution.

In order: an overload without type variables that fits exactly, one with type variables that fits
exactly, else one that fits with coercions; of several the most specific; of several still, when an
argument is a bare NULL, one that casts nothing else, or any when all of them give NULL of one type.
Errors carry Trino's names and messages, without the position, which the caller knows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.functions.binding import Argument, BoundCall, LambdaArgument, bind
from querysvc.sql.functions.registry import FunctionRegistry, load_registry
from querysvc.sql.functions.signature import FunctionKind, Signature
from querysvc.types.algebra import UNKNOWN, TrinoType

_CACHE_SIZE: Final = 4096


@dataclass(frozen=True, slots=True)
class Resolution:
    """The chosen signature, the types its arguments coerce to, and the call's type."""

    signature: Signature
    argument_types: tuple[TrinoType, ...]
    return_type: TrinoType

    @property
    def key(self) -> str:
        """The signature's key, which lowering tables are keyed by."""
        return self.signature.key

    @property
    def kind(self) -> FunctionKind:
        """Scalar, aggregate or window."""
        return self.signature.kind

    @property
    def is_deterministic(self) -> bool:
        """Whether equal arguments give equal results."""
        return self.signature.is_deterministic


def resolve(
    name: str,
    argument_types: Sequence[Argument],
    *,
    registry: FunctionRegistry | None = None,
) -> Resolution:
    """The overload of the function that a call with these arguments means.

    FUNCTION_NOT_FOUND when there is none, AMBIGUOUS_FUNCTION_CALL when there are several. Operators
    are not functions here (`operators.resolve_operator`), nor are special forms such as COALESCE.
    """
    registry = load_registry() if registry is None else registry
    name = name.lower()
    arguments = tuple(argument_types)
    candidates = registry.calls(name)
    resolution = resolve_among(candidates, arguments)
    if resolution is None:
        raise function_not_found(name, arguments, candidates, registry.suggest)
    return resolution


def resolve_among(
    candidates: tuple[Signature, ...], arguments: tuple[Argument, ...]
) -> Resolution | None:
    """The candidate that a call with these arguments means; None when none fits."""
    types = tuple(a for a in arguments if isinstance(a, TrinoType))
    if len(types) == len(arguments):
        return _resolve_types(candidates, types)
    return _resolve(candidates, arguments)


def function_not_found(
    name: str,
    arguments: Sequence[Argument],
    candidates: Sequence[Signature],
    suggest: Callable[[str], tuple[str, ...]],
) -> StatementError:
    """Trino's FUNCTION_NOT_FOUND, which lists the overloads if there are any."""
    if not candidates:
        message = f"Function '{name}' not registered"
        return StatementError(ErrorCode.FUNCTION_NOT_FOUND, message, suggestions=suggest(name))
    expected = sorted({_expected(name, candidate) for candidate in candidates})
    actual = ", ".join(argument.signature_text for argument in arguments)
    return StatementError(
        ErrorCode.FUNCTION_NOT_FOUND,
        f"Unexpected parameters ({actual}) for function {name}. Expected: {', '.join(expected)}",
    )


def _expected(name: str, signature: Signature) -> str:
    arguments = ", ".join(pattern.text for pattern in signature.arguments)
    variables = ", ".join(map(str, signature.type_variables))
    return f"{name}({arguments}) {variables}".rstrip()


@lru_cache(maxsize=_CACHE_SIZE)
def _resolve_types(
    candidates: tuple[Signature, ...], arguments: tuple[TrinoType, ...]
) -> Resolution | None:
    return _resolve(candidates, arguments)


def _resolve(
    candidates: tuple[Signature, ...], arguments: tuple[Argument, ...]
) -> Resolution | None:
    for is_generic in (False, True):
        exact = [c for c in candidates if c.is_generic is is_generic]
        matches = _applicable(exact, arguments, coerce=False)
        if matches:
            return _only(matches)
    matches = _applicable(candidates, arguments, coerce=True)
    return _only(_most_specific(matches, arguments)) if matches else None


def _applicable(
    candidates: Sequence[Signature], arguments: tuple[Argument, ...], *, coerce: bool
) -> list[BoundCall]:
    bound = (bind(candidate, arguments, coerce=coerce) for candidate in candidates)
    return [call for call in bound if call is not None]


def _only(matches: list[BoundCall]) -> Resolution:
    if len(matches) > 1:
        listed = "".join(f"\t * {match}\n" for match in matches)
        raise StatementError(
            ErrorCode.AMBIGUOUS_FUNCTION_CALL,
            "Could not choose a best candidate operator. Explicit type casts must be added.\n"
            f"Candidates are:\n{listed}",
        )
    match = matches[0]
    return Resolution(match.signature, match.argument_types, match.result_type())


def _most_specific(matches: list[BoundCall], arguments: tuple[Argument, ...]) -> list[BoundCall]:
    representatives = _representatives(matches)
    if len(representatives) <= 1:
        return representatives
    if UNKNOWN not in arguments or any(isinstance(a, LambdaArgument) for a in arguments):
        return representatives
    sparing = [match for match in matches if _casts_only_unknown(match, arguments)]
    if sparing:
        representatives = sparing
        if len(representatives) == 1:
            return representatives
    same_type = len({match.result_type() for match in representatives}) == 1
    if same_type and all(_is_null_on(match, arguments) for match in representatives):
        return [max(representatives, key=_declared_and_bound)]
    return representatives


def _representatives(matches: list[BoundCall]) -> list[BoundCall]:
    """The matches than which no other is more specific, found in Trino's order."""
    found: list[BoundCall] = []
    for match in matches:
        for index, representative in enumerate(found):
            if _is_more_specific(match, representative):
                found[index] = match
                break
            if _is_more_specific(representative, match):
                break
        else:
            found.append(match)
    return found


def _is_more_specific(left: BoundCall, right: BoundCall) -> bool:
    return bind(right.signature, left.argument_types, coerce=True) is not None


def _casts_only_unknown(match: BoundCall, arguments: tuple[Argument, ...]) -> bool:
    pairs = zip(match.argument_types, arguments, strict=True)
    return all(actual in (bound, UNKNOWN) for bound, actual in pairs)


def _is_null_on(match: BoundCall, arguments: tuple[Argument, ...]) -> bool:
    if match.signature.kind is not FunctionKind.SCALAR:
        return True
    return any(
        argument == UNKNOWN and not match.signature.accepts_null(index)
        for index, argument in enumerate(arguments)
    )


def _declared_and_bound(match: BoundCall) -> str:
    return f"ApplicableFunction{{declaredSignature={match.signature}, boundSignature={match}}}"
