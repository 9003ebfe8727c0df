"""The outermost SELECT: storage forms become the forms of result batches."""

from __future__ import annotations

from querysvc.engines.duckdb.lowering.casts import addresses
from querysvc.engines.duckdb.lowering.casts.convert import convert
from querysvc.engines.duckdb.lowering.context import Context
from querysvc.engines.duckdb.lowering.fragments import NULL, Sql, case, field, identifier
from querysvc.engines.duckdb.lowering.types import contains, contains_type, is_fine, not_supported
from querysvc.tree import Field
from querysvc.types.algebra import (
    HYPERLOGLOG,
    IPADDRESS,
    SETDIGEST,
    TDIGEST,
    UUID,
    VARCHAR,
    Array,
    Char,
    Map,
    QDigest,
    Row,
    TrinoType,
)


def result_form(context: Context, output: tuple[Field, ...], query: Sql, *, ordered: bool) -> str:
    """The query with its columns named "0", "1", … and converted where results need it."""
    # A subquery's order is kept: preserve_insertion_order (`lowering.settings`).
    del ordered
    listed = ", ".join(
        f'{_result_value(context, identifier("q", f"c{i}"), item.type)} AS "{i}"'
        for i, item in enumerate(output)
    )
    return f'SELECT {listed} FROM ({query}) AS "q"'


def _result_value(context: Context, value: Sql, type_: TrinoType) -> Sql:
    """chars padded to their length, uuids and addresses as text."""
    if contains(type_, QDigest) or contains_type(type_, HYPERLOGLOG, SETDIGEST, TDIGEST):
        raise not_supported(f"a result of type {type_}")
    if not has_text_form(type_):
        return value
    if is_fine(type_):
        return convert(context, value, type_, VARCHAR)
    if isinstance(type_, Char):
        return Sql(f"rpad({value}, {type_.length}, ' ')")
    if type_ == UUID:
        return Sql(f"CAST({value} AS VARCHAR)")
    if type_ == IPADDRESS:
        return addresses.text_of(context, value)
    return _result_nested(context, value, type_)


def has_text_form(type_: TrinoType) -> bool:
    """Whether results hold as text what the engine holds otherwise, however deep."""
    if is_fine(type_) or isinstance(type_, Char) or type_ in (UUID, IPADDRESS):
        return True
    return any(map(has_text_form, type_.children))


def _result_nested(context: Context, value: Sql, type_: TrinoType) -> Sql:
    if isinstance(type_, Array):
        element = _result_value(context, Sql('"e"'), type_.element)
        return Sql(f'list_transform({value}, lambda "e": {element})')
    if isinstance(type_, Map):
        entry = Sql('"e"')
        key = _result_value(context, field(entry, "key"), type_.key)
        item = _result_value(context, field(entry, "value"), type_.value)
        pair = f"{{'key': {key}, 'value': {item}}}"
        return Sql(f'map_from_entries(list_transform(map_entries({value}), lambda "e": {pair}))')
    assert isinstance(type_, Row)
    fields = ", ".join(
        f"'f{i}': {_result_value(context, field(value, f'f{i}'), item.type)}"
        for i, item in enumerate(type_.fields)
    )
    return case([(Sql(f"({value} IS NULL)"), NULL)], Sql(f"{{{fields}}}"))
