"""ORDER BY lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from querysvc.engines.duckdb.functions.lists import sortable
from querysvc.engines.duckdb.lowering.context import Context
from querysvc.engines.duckdb.lowering.fragments import NULL, Sql
from querysvc.engines.duckdb.lowering.keys import key_form
from querysvc.tree import SortItem


def sort_list(
    keys: Sequence[Sql], items: tuple[SortItem, ...], *, is_one_key_needed: bool = False
) -> str:
    """The items of an ORDER BY clause, for keys in key form.

    DuckDB has a RANGE with offsets only over one key: that stays as it is.
    """
    if is_one_key_needed:
        return ", ".join(map(_plain, keys, items))
    return ", ".join(
        part for key, item in zip(keys, items, strict=True) for part in _parts(key, item)
    )


def argument_order(context: Context, items: tuple[SortItem, ...]) -> str | None:
    """The ORDER BY list inside an aggregate's parentheses, if it has one."""
    if not items:
        return None
    keys = [key_form(context.lower(item.value), item.value.type) for item in items]
    return sort_list(keys, items)


def is_compound(item: SortItem) -> bool:
    """Whether `sort_list` writes more than the bare key."""
    type_ = item.value.type
    return (type_.is_floating and item.nulls_first) or sortable(NULL, type_) != NULL


def _parts(key: Sql, item: SortItem) -> Iterator[str]:
    if item.value.type.is_floating and item.nulls_first:
        # With NULLS FIRST Trino has NaN below all numbers, else above them.
        place = 3 if item.is_descending else 1
        yield f"(CASE WHEN {key} IS NULL THEN 0 WHEN isnan({key}) THEN {place} ELSE 2 END) ASC"
    yield _plain(key, item)


def _plain(key: Sql, item: SortItem) -> str:
    key = sortable(key, item.value.type)
    direction = "DESC" if item.is_descending else "ASC"
    return f"{key} {direction} NULLS {'FIRST' if item.nulls_first else 'LAST'}"
