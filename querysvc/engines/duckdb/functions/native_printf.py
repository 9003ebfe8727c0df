"""The format() calls that DuckDB prints just as Java's Formatter does.

A constant pattern of texts, `%s` of texts and whole numbers, `%d` with a width, zeros or commas,
and `%.2f` of doubles and decimals; where a value asks for more than that, Python prints the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from querysvc.engines.duckdb.functions.java_numbers import Specifier
from querysvc.engines.duckdb.lowering.fragments import (
    Sql,
    bind,
    call,
    case,
    conjunction,
    operation,
    text_literal,
)
from querysvc.types.algebra import DOUBLE, INTEGER_TYPES, Decimal, TrinoType, Varchar

_NARROW: Final = 18
"""Digits that a DECIMAL holds in 64 bits: DuckDB reads wider ones a hundred times slower."""
_FRACTION_MAX: Final = 9
_WIDTH_MAX: Final = 100


class _OutsideError(Exception):
    """A specifier that Java prints in another way."""


def native_format(
    pieces: Sequence[str | Specifier],
    arguments: Sequence[tuple[Sql, TrinoType]],
    general: Sql,
) -> Sql | None:
    """The call printed natively, by `general` in rows that need it; None when all do."""
    remaining = list(arguments)
    texts: list[Sql] = []
    conditions: list[Sql] = []
    try:
        for piece in pieces:
            if isinstance(piece, str):
                texts.append(text_literal(piece))
            elif piece.conversion in ("%", "n"):
                texts.append(_mark(piece))
            else:
                value, kind = _next(piece, remaining)
                text, condition = _printed(piece, value, kind)
                texts.append(text)
                conditions += condition
    except _OutsideError:
        return None
    native = operation("||", *texts) if len(texts) > 1 else texts[0]
    return case([(conjunction(conditions), native)], general) if conditions else native


def _mark(piece: Specifier) -> Sql:
    if piece.width is not None:
        raise _OutsideError
    return text_literal("\n" if piece.conversion == "n" else "%")


def _next(piece: Specifier, remaining: list[tuple[Sql, TrinoType]]) -> tuple[Sql, TrinoType]:
    if piece.is_relative or piece.index is not None or piece.is_upper or not remaining:
        raise _OutsideError
    return remaining.pop(0)


def _printed(piece: Specifier, value: Sql, kind: TrinoType) -> tuple[Sql, list[Sql]]:
    """The argument's text, and what must hold of it to be so."""
    if piece.conversion == "s" and piece.precision is None:
        if isinstance(kind, Varchar) and piece.width is None:
            return _justified(piece, value), []
        if kind in INTEGER_TYPES:
            return _justified(piece, Sql(f"CAST({value} AS VARCHAR)")), []
    if piece.conversion == "d" and kind in INTEGER_TYPES and piece.flags <= set("-0,"):
        return _whole(piece, value), []
    if piece.conversion == "f" and piece.flags <= set("-,"):
        digits = 6 if piece.precision is None else piece.precision
        if kind == DOUBLE and digits <= _FRACTION_MAX:
            return _double(piece, value, digits)
        if isinstance(kind, Decimal) and kind.precision - kind.scale + digits < 38:
            if "," in piece.flags:  # it may have more digits than a BIGINT
                raise _OutsideError
            rounded = Sql(f"CAST({value} AS DECIMAL(38,{digits}))")
            return _fixed(piece, rounded, digits), [_is_not_rounded_to_zero(value, digits)]
    raise _OutsideError


def _whole(piece: Specifier, value: Sql) -> Sql:
    if "0" in piece.flags:
        if "," in piece.flags or piece.width is None or piece.width > _WIDTH_MAX:
            raise _OutsideError
        return _justified(piece, Sql(f"format('{{:0{piece.width}d}}', CAST({value} AS BIGINT))"))
    if "," in piece.flags:
        return _justified(piece, Sql(f"format('{{:,}}', CAST({value} AS BIGINT))"))
    return _justified(piece, Sql(f"CAST({value} AS VARCHAR)"))


def _double(piece: Specifier, value: Sql, digits: int) -> tuple[Sql, list[Sql]]:
    """From the shortest text, as Java rounds; what is rounded to zero may keep a sign."""
    rounded = Sql(f"CAST(CAST({value} AS VARCHAR) AS DECIMAL({_NARROW},{digits}))")
    text = _fixed(piece, rounded, digits)
    within = Sql(
        f"(abs({value}) < 1e{_NARROW - 1 - digits} AND ({value} <> 0 OR NOT signbit({value})))"
    )
    exists = operation("AND", within, _is_not_rounded_to_zero(value, digits))
    within = operation("OR", Sql(f"({value} IS NULL)"), exists)
    return text, [within]


def _is_not_rounded_to_zero(value: Sql, digits: int) -> Sql:
    """Java keeps the sign of what it rounds to zero."""
    return Sql(f"({value} IS NULL OR {value} >= 0 OR {value} <= -1e-{digits})")


def _fixed(piece: Specifier, rounded: Sql, digits: int) -> Sql:
    if "," not in piece.flags:
        return _justified(piece, Sql(f"CAST({rounded} AS VARCHAR)"))
    if digits == 0:
        raise _OutsideError

    def body(text: Sql) -> Sql:
        whole = f"CAST(ltrim(split_part({text}, '.', 1), '-') AS BIGINT)"
        sign = f"CASE WHEN {text}[1] = '-' THEN '-' ELSE '' END"
        return Sql(f"({sign} || format('{{:,}}', {whole}) || '.' || split_part({text}, '.', 2))")

    return _justified(piece, bind([Sql(f"CAST({rounded} AS VARCHAR)")], body))


def _justified(piece: Specifier, text: Sql) -> Sql:
    """The text, `null` for NULL, in the width; a precision cuts that `null`."""
    shown = call("coalesce", text, text_literal("null"[: piece.precision]))
    if piece.width is None:
        return shown
    if piece.width > _WIDTH_MAX:
        raise _OutsideError
    side = "<" if "-" in piece.flags else ">"
    return Sql(f"format('{{:{side}{piece.width}}}', {shown})")
