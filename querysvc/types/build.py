"""Types from their base names and parameters, with the checks that Trino makes."""

from collections.abc import Callable
from typing import Final, TypeAlias

from querysvc.errors import ErrorCode, StatementError
from querysvc.types.algebra import (
    CHAR_LENGTH_MAX,
    DATETIME_PRECISION_MAX,
    DECIMAL_PRECISION_MAX,
    SCALAR_TYPES,
    VARCHAR_LENGTH_MAX,
    Array,
    Char,
    Decimal,
    Function,
    Map,
    QDigest,
    Row,
    RowField,
    Scalar,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    TrinoType,
    Varchar,
)

TypeParameter: TypeAlias = int | TrinoType
"""What stands in a type's parentheses: a length, precision or scale, or a type."""

VARCHAR_UNBOUNDED: Final = VARCHAR_LENGTH_MAX + 1
"""The length by which Trino's signatures write an unbounded varchar."""


def build_type(base: str, parameters: tuple[TypeParameter, ...]) -> TrinoType | None:
    """The type with this name (in any case) and these parameters; None when Trino has none."""
    name = base.lower()
    if not parameters:
        scalar = _SCALARS.get(name)
        if scalar is not None:
            return scalar
    build = _BUILDERS.get(name)
    return None if build is None else build(parameters)


def is_type_name(base: str) -> bool:
    """Whether some type has this name, with parameters or without."""
    return base.lower() in _SCALARS or base.lower() in _BUILDERS


def _integers(parameters: tuple[TypeParameter, ...]) -> tuple[int, ...] | None:
    numbers = tuple(parameter for parameter in parameters if isinstance(parameter, int))
    return numbers if len(numbers) == len(parameters) else None


def _types(parameters: tuple[TypeParameter, ...]) -> tuple[TrinoType, ...] | None:
    types = tuple(parameter for parameter in parameters if isinstance(parameter, TrinoType))
    return types if len(types) == len(parameters) else None


def _varchar(parameters: tuple[TypeParameter, ...]) -> TrinoType | None:
    match _integers(parameters):
        case ():
            return Varchar()
        case (length,) if length == VARCHAR_UNBOUNDED:
            return Varchar()
        case (length,) if 0 <= length <= VARCHAR_LENGTH_MAX:
            return Varchar(length)
    return None


def _char(parameters: tuple[TypeParameter, ...]) -> TrinoType | None:
    match _integers(parameters):
        case ():
            return Char(1)
        case (length,) if 0 <= length <= CHAR_LENGTH_MAX:
            return Char(length)
    return None


def _decimal(parameters: tuple[TypeParameter, ...]) -> TrinoType | None:
    numbers = _integers(parameters)
    if numbers is None or len(numbers) > 2:
        return None
    precision, scale = (*numbers, *(DECIMAL_PRECISION_MAX, 0)[len(numbers) :])
    if not 1 <= precision <= DECIMAL_PRECISION_MAX:
        raise StatementError(
            ErrorCode.INVALID_FUNCTION_ARGUMENT,
            f"DECIMAL precision must be in range [1, {DECIMAL_PRECISION_MAX}]: {precision}",
        )
    if not 0 <= scale <= precision:
        raise StatementError(
            ErrorCode.INVALID_FUNCTION_ARGUMENT,
            f"DECIMAL scale must be in range [0, precision ({precision})]: {scale}",
        )
    return Decimal(precision, scale)


_Datetime: TypeAlias = type[Timestamp] | type[TimestampTz] | type[Time] | type[TimeTz]


def _datetime(kind: _Datetime) -> Callable[[tuple[TypeParameter, ...]], TrinoType | None]:
    def build(parameters: tuple[TypeParameter, ...]) -> TrinoType | None:
        match _integers(parameters):
            case ():
                return kind()
            case (precision,) if 0 <= precision <= DATETIME_PRECISION_MAX:
                return kind(precision)
        return None

    return build


def _array(parameters: tuple[TypeParameter, ...]) -> TrinoType | None:
    match _types(parameters):
        case (element,):
            return Array(element)
    return None


def _map(parameters: tuple[TypeParameter, ...]) -> TrinoType | None:
    match _types(parameters):
        case (key, value) if key.is_comparable:
            return Map(key, value)
    return None


def _qdigest(parameters: tuple[TypeParameter, ...]) -> TrinoType | None:
    match _types(parameters):
        case (value,):
            return QDigest(value)
    return None


def _classifier(parameters: tuple[TypeParameter, ...]) -> TrinoType | None:
    match _types(parameters):
        case (label,):
            return Scalar(f"Classifier({label})")
    return None


def _function(parameters: tuple[TypeParameter, ...]) -> TrinoType | None:
    match _types(parameters):
        case (*arguments, result):
            return Function(tuple(arguments), result)
    return None


def _row(parameters: tuple[TypeParameter, ...]) -> TrinoType | None:
    types = _types(parameters)
    return Row(tuple(RowField(None, type_) for type_ in types)) if types else None


_SCALARS: Final = {type_.name.lower(): type_ for type_ in SCALAR_TYPES}
_SCALARS["int"] = _SCALARS["integer"]

_BUILDERS: Final[dict[str, Callable[[tuple[TypeParameter, ...]], TrinoType | None]]] = {
    "varchar": _varchar,
    "char": _char,
    "decimal": _decimal,
    "timestamp": _datetime(Timestamp),
    "timestamp with time zone": _datetime(TimestampTz),
    "time": _datetime(Time),
    "time with time zone": _datetime(TimeTz),
    "array": _array,
    "map": _map,
    "qdigest": _qdigest,
    "classifier": _classifier,
    "function": _function,
    "row": _row,
}
