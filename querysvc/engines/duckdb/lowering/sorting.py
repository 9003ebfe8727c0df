"""ORDER BY lists."""

from __future__ import annotations

from collections.abc import Sequence

from querysvc.engines.duckdb.lowering.fragments import Sql
from querysvc.tree import SortItem


def sort_list(keys: Sequence[Sql], items: tuple[SortItem, ...]) -> str:
    """The items of an ORDER BY clause, for keys in key form."""
    return ", ".join(
        f"{key} {'DESC' if item.is_descending else 'ASC'}"
        f" NULLS {'FIRST' if item.nulls_first else 'LAST'}"
        for key, item in zip(keys, items, strict=True)
    )
