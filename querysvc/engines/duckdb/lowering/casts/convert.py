"""The way into the casts: one value from a Trino type to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from querysvc.engines.duckdb.lowering.attempts import attempt, tried, without_failures
from querysvc.engines.duckdb.lowering.casts import (
    addresses,
    datetimes,
    from_text,
    json,
    numbers,
    structures,
    to_text,
)
from querysvc.engines.duckdb.lowering.casts.picoseconds import convert_fine
from querysvc.engines.duckdb.lowering.casts.site import CastBuilder, CastSite
from querysvc.engines.duckdb.lowering.casts.to_text import padded
from querysvc.engines.duckdb.lowering.context import Context
from querysvc.engines.duckdb.lowering.fragments import (
    Sql,
    bind,
    case,
    fail,
    is_atom,
    lambda_,
    part,
    typed_null,
)
from querysvc.engines.duckdb.lowering.types import PATTERNS, is_fine, not_supported, storage_type
from querysvc.errors import ErrorCode
from querysvc.types.algebra import UNKNOWN, Array, Char, Map, Row, TrinoType, Varchar


def _varbinary_to_uuid(site: CastSite) -> Sql:
    def body(value: Sql) -> Sql:
        error = fail(
            ErrorCode.INVALID_CAST_ARGUMENT,
            "Invalid UUID binary length: ",
            part(Sql(f"octet_length({value})")),
        )
        wrong = Sql(f"(octet_length({value}) <> 16)")
        return case([(wrong, error)], Sql(f"CAST(hex({value}) AS UUID)"))

    return bind([site.value], body)


_BY_BASE: Final[Mapping[tuple[str, str], CastBuilder]] = {
    **numbers.CASTS,
    **to_text.CASTS,
    **from_text.CASTS,
    **datetimes.CASTS,
    **addresses.CASTS,
    ("uuid", "varbinary"): lambda site: Sql(
        f"unhex(replace(CAST({site.value} AS VARCHAR), '-', ''))"
    ),
    ("varbinary", "uuid"): _varbinary_to_uuid,
}


_STRUCTURES: Final = (
    (Array, structures.cast_array),
    (Map, structures.cast_map),
    (Row, structures.cast_row),
)


def convert(context: Context, value: Sql, source: TrinoType, target: TrinoType) -> Sql:
    """The value cast; the value itself where the storage form stays as it is."""
    return _convert(CastSite(value, source, target, context))


def try_convert(context: Context, value: Sql, source: TrinoType, target: TrinoType) -> Sql:
    """The value cast, NULL where the cast fails; errors inside the value itself remain."""

    is_plain = not any(isinstance(t, Array | Map | Row) for t in (source, target))
    # As inside TRY: Python functions make a note of what it lets through.
    noting = context if context.hoisted is not None else replace(context, hoisted=[])

    def body(bound: Sql, guard: Callable[[Context, Sql], Sql]) -> Sql:
        converted = convert(noting, bound, source, target)
        if converted == bound:
            return converted
        return guard(context, without_failures(converted) if is_plain else converted)

    if is_atom(value):
        return body(value, attempt)
    # Bound by a lambda also when short: TRY must not see the value's own errors.
    inner = body(Sql('"t"."v"'), tried)
    return Sql(f"list_transform([{{'v': {value}}}], {lambda_(['t'], inner)})[1]")


def is_same_form(source: TrinoType, target: TrinoType) -> bool:
    """Whether the cast leaves every value's storage form as it is."""
    if source == target:
        return True
    if isinstance(source, Array | Map) and type(source) is type(target):
        pairs = zip(source.children, target.children, strict=True)
        return all(is_same_form(old, new) for old, new in pairs)
    if isinstance(source, Row) and isinstance(target, Row):
        pairs = zip(source.children, target.children, strict=True)
        return all(is_same_form(old, new) for old, new in pairs)
    if isinstance(source, Varchar) and isinstance(target, Varchar):
        return target.length is None or (
            source.length is not None and source.length <= target.length
        )
    if isinstance(source, Char) and isinstance(target, Char):
        return source.length <= target.length
    return False


def _convert(site: CastSite) -> Sql:
    source, target = site.source, site.target
    storage_type(target)
    if is_same_form(source, target):
        return site.value
    if source == UNKNOWN:
        return typed_null(storage_type(target))
    if target in PATTERNS and source.is_character:
        return padded(site.value, source) if isinstance(source, Char) else site.value
    if is_fine(source) or is_fine(target):
        return convert_fine(site, _convert)
    if target.base_name == "json":
        return json.to_json(site)
    if source.base_name == "json":
        return json.from_json(site)
    for kind, cast_structure in _STRUCTURES:
        if isinstance(source, kind) and isinstance(target, kind):
            return cast_structure(site, _convert)
    builder = _BY_BASE.get((source.base_name, target.base_name))
    if builder is None:
        raise not_supported(f"cast from {source} to {target}")
    return builder(site)
