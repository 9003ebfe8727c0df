"""Grouping: an inner SELECT computes keys and aggregates, what stands above refers to them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Final

from querysvc.engines.duckdb.functions.catalog import aggregate_entry
from querysvc.engines.duckdb.functions.registry import AggregateSite, apply_aggregate
from querysvc.engines.duckdb.lowering.context import Context, Handler
from querysvc.engines.duckdb.lowering.fragments import (
    Sql,
    call,
    case,
    identifier,
    integer_literal,
    operation,
)
from querysvc.engines.duckdb.lowering.keys import key_form, needs_key
from querysvc.engines.duckdb.lowering.sorting import argument_order
from querysvc.engines.duckdb.lowering.total import is_total
from querysvc.engines.duckdb.lowering.types import not_supported
from querysvc.tree import (
    Aggregate,
    Expression,
    GroupBy,
    Grouping,
    Lambda,
    Query,
    Select,
    SortItem,
)

_ONE_EMPTY_SET: Final = ((),)


def lower_grouping(
    context: Context, select: Select, order_by: tuple[SortItem, ...], tail: str
) -> tuple[Context, str]:
    """The context and the FROM clause of what stands above the grouping."""
    grouping = select.group_by
    assert grouping is not None
    aggregates = _collect(select, order_by)
    alias = f"g{_number(context)}"
    columns: list[str] = []
    names: list[Sql] = []
    found: dict[Expression, Sql] = {}
    for i, key in enumerate(grouping.keys):
        sql, name = _key_column(context, grouping, key, i)
        columns += sql
        names.append(name)
        found[key] = identifier(alias, f"k{i}")
    guard = None if grouping.keys else _shared_filter(context, aggregates)
    for i, node in enumerate(aggregates):
        is_set = isinstance(node, Grouping)
        sql_text = _grouping_bits(node, names) if is_set else _aggregate(context, node, guard)
        columns.append(f"{sql_text} AS {identifier(f'a{i}')}")
        found[node] = identifier(alias, f"a{i}")
    if not aggregates:
        columns.append('count(*) AS "a0"')
    clause = f" FROM (SELECT {', '.join(columns)}{tail}{_group_by(grouping, names)})"
    return context.with_substitutions(found), f"{clause} AS {identifier(alias)}"


def _number(context: Context) -> int:
    """A number that no enclosing grouping's alias has."""
    return len(context.substitutions)


def _key_column(
    context: Context, grouping: GroupBy, key: Expression, index: int
) -> tuple[list[str], Sql]:
    """The key's columns, and the name to group by.

    A key whose storage form DuckDB compares otherwise is grouped by its key form; any of the equal
    values then stands for the group.
    """
    sql = context.lower(key)
    name = identifier(f"k{index}")
    if not needs_key(key.type):
        return [f"{sql} AS {name}"], name
    group_name = identifier(f"h{index}")
    some = call("any_value", sql)
    if len(grouping.sets) > 1:
        is_grouped = Sql(f"(GROUPING({group_name}) = 0)")
        some = case([(is_grouped, some)])
    return [f"{key_form(sql, key.type)} AS {group_name}", f"{some} AS {name}"], group_name


def _group_by(grouping: GroupBy, names: list[Sql]) -> str:
    if grouping.sets == _ONE_EMPTY_SET:
        return ""
    if len(grouping.sets) == 1 and grouping.sets[0] == tuple(range(len(names))):
        return f" GROUP BY {', '.join(names)}"
    sets = (f"({', '.join(names[i] for i in indexes)})" for indexes in grouping.sets)
    return f" GROUP BY GROUPING SETS ({', '.join(sets)})"


def _grouping_bits(node: Expression, names: list[Sql]) -> Sql:
    assert isinstance(node, Grouping)
    if not node.keys:
        return integer_literal(0)
    return call("GROUPING", *(names[key] for key in node.keys))


def _collect(select: Select, order_by: tuple[SortItem, ...]) -> list[Expression]:
    """The distinct aggregates and GROUPINGs of the items, HAVING and ORDER BY."""
    roots = [*select.items, *(item.value for item in order_by)]
    if select.having is not None:
        roots.append(select.having)
    found: dict[Expression, None] = {}
    for root in roots:
        found.update(dict.fromkeys(_aggregates(root)))
    return list(found)


def _aggregates(node: object) -> Iterator[Expression]:
    if isinstance(node, Aggregate | Grouping):
        yield node
    elif isinstance(node, tuple):
        for item in node:
            yield from _aggregates(item)
    elif hasattr(node, "__dataclass_fields__") and not isinstance(node, Query):
        for item in fields(node):  # type: ignore[arg-type]  # a dataclass, as just seen
            yield from _aggregates(getattr(node, item.name))


def _aggregate(context: Context, node: Expression, guard: Sql | None = None) -> Sql:
    """An aggregate in the inner SELECT; its arguments are computed where the guard holds."""
    assert isinstance(node, Aggregate)
    condition = None if node.filter is None else context.lower(node.filter)
    arguments = _guarded(context, node.arguments, guard)
    order = argument_order(context, node.order_by)
    site = AggregateSite(
        name=node.name,
        key=node.key,
        arguments=arguments,
        nodes=node.arguments,
        type=node.type,
        context=context,
        render=_Renderer(condition, order),
        is_distinct=node.is_distinct,
        has_order=bool(node.order_by),
        options=node.options,
    )
    return apply_aggregate(aggregate_entry(node.name, node.key), site)


def _shared_filter(context: Context, aggregates: list[Expression]) -> Sql | None:
    """What Trino filters all rows by: that one of the aggregates takes them.

    Only where each has a filter, and none of them has to see a group that is left empty.
    """
    filters = [one.filter for one in aggregates if isinstance(one, Aggregate) and one.filter]
    if not filters or len(filters) < len(aggregates):
        return None
    return operation("OR", *dict.fromkeys(context.lower_all(tuple(filters))))


def _guarded(context: Context, nodes: tuple[Expression, ...], guard: Sql | None) -> tuple[Sql, ...]:
    """The arguments; one that may fail for a row beyond the guard is NULL there."""
    arguments = context.lower_all(nodes)
    if guard is None:
        return arguments
    return tuple(
        argument
        if is_total(node) or isinstance(node, Lambda) or not _READS.search(argument)
        else case([(guard, argument)])
        for node, argument in zip(nodes, arguments, strict=True)
    )


_READS: Final = re.compile(r'"r\d+"')


class _Renderer:
    """Writes one DuckDB aggregate with the clauses of a call."""

    __slots__ = ("condition", "order")

    def __init__(self, condition: Sql | None, order: str | None) -> None:
        self.condition = condition
        self.order = order

    def __call__(self, name: str, arguments: str, condition: Sql | None, order: str | None) -> Sql:
        order_by = order or self.order
        ordering = f" ORDER BY {order_by}" if order_by else ""
        conditions = [term for term in (self.condition, condition) if term is not None]
        filtered = f" FILTER (WHERE {' AND '.join(conditions)})" if conditions else ""
        return Sql(f"{name}({arguments or '*'}{ordering}){filtered}")


def _misplaced(_context: Context, node: Expression) -> Sql:
    raise not_supported(f"{type(node).__name__} outside a grouped SELECT")


HANDLERS: Final[Mapping[type[Expression], Handler]] = {
    Aggregate: _aggregate,
    Grouping: _misplaced,
}
