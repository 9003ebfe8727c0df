"""A checked query as a tree of plan nodes, in Trino's terms, with what planning found of its scans.

What a policy adds to a query (a filter of rows, hidden columns) is told by its name only: the
conditions are not of whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from querysvc import tree
from querysvc.plan import Domain, TableScan
from querysvc.service.plan_expressions import expression_text, sorting_text, value_text
from querysvc.sql.typed_walk import parts_in
from querysvc.types.algebra import TrinoType

_RANGES_TOLD: Final = 8


@dataclass(frozen=True, slots=True)
class PlanNode:
    """A step of the plan; `children` give its input."""

    name: str
    descriptor: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[tuple[str, str], ...] = ()
    """Names and types."""
    details: tuple[str, ...] = ()
    children: tuple[PlanNode, ...] = ()


def plan_nodes(query: tree.Query, scans: tuple[TableScan, ...]) -> PlanNode:
    """The plan of a query; `scans` are the tables that it reads, as they were planned."""
    names = [item.name or f"_col{index}" for index, item in enumerate(query.output)]
    source = _Builder(scans).query(query)
    return PlanNode("Output", {"columnNames": _listed(names)}, source.outputs, (), (source,))


def restricted_tables(query: tree.Query) -> frozenset[int]:
    """The tables that a policy restricts for whoever asks."""
    found: set[int] = set()
    for relation, is_restricted in _relations(query, is_restricted=False):
        if is_restricted and isinstance(relation, tree.Scan):
            found.add(relation.table)
    return frozenset(found)


class _Builder:
    def __init__(self, scans: tuple[TableScan, ...]) -> None:
        self._scans = scans
        self._names: dict[tuple[int, int], str] = {}
        self._is_restricted = False
        self._shown: frozenset[str | None] = frozenset()
        """Under a policy: the columns that it shows."""

    def query(self, query: tree.Query) -> PlanNode:
        node = self._body(query)
        node = self._limited(query, node)
        ctes = tuple(
            PlanNode("Cte", {"id": str(cte.id)}, (), (), (self.query(cte.query),))
            for cte in query.ctes
        )
        if not ctes:
            return node
        return PlanNode("With", {}, node.outputs, (), (node, *ctes))

    def _limited(self, query: tree.Query, node: PlanNode) -> PlanNode:
        if query.order_by:
            order = f"[{self._sorting(query)}]"
            if query.limit is not None and query.offset is None and not query.with_ties:
                top = {"count": str(query.limit), "orderBy": order}
                return PlanNode("TopN", top, node.outputs, (), (node,))
            node = PlanNode("Sort", {"orderBy": order}, node.outputs, (), (node,))
        if query.offset is not None:
            node = PlanNode("Offset", {"count": str(query.offset)}, node.outputs, (), (node,))
        if query.limit is not None:
            ties = ", withTies" if query.with_ties else ""
            limit = {"count": f"{query.limit}{ties}"}
            node = PlanNode("Limit", limit, node.outputs, (), (node,))
        return node

    def _sorting(self, query: tree.Query) -> str:
        return sorting_text(query.order_by, self._names)

    def _body(self, query: tree.Query) -> PlanNode:
        body = query.body
        outputs = _outputs(query.output)
        if isinstance(body, tree.Select):
            return self._select(body, outputs)
        if isinstance(body, tree.SetOperation):
            name = f"{body.operator.value.title()}{'All' if body.is_all else ''}"
            children = (self.query(body.left), self.query(body.right))
            return PlanNode(name, {}, outputs, (), children)
        return PlanNode("Values", {"rows": str(len(body.rows))}, outputs)

    def _select(self, select: tree.Select, outputs: tuple[tuple[str, str], ...]) -> PlanNode:
        node = PlanNode("Values", {"rows": "1"})
        if select.source is not None:
            node = self.source(select.source)
        if select.where is not None:
            node = self._filter(node, select.where)
        aggregates = _of_kind((select.items, select.having), tree.Aggregate)
        if select.group_by is not None or aggregates:
            node = self._aggregated(node, select.group_by, aggregates)
        if select.having is not None:
            node = self._filter(node, select.having)
        windows = _of_kind((select.items,), tree.WindowCall)
        if windows:
            told = tuple(self._text(window) for window in windows)
            node = PlanNode("Window", {}, node.outputs, told, (node,))
        subqueries = tuple(
            map(self.query, _queries_in((select.items, select.where, select.having)))
        )
        if subqueries:
            node = PlanNode("Apply", {}, node.outputs, (), (node, *subqueries))
        assignments = () if self._is_restricted else self._assignments(outputs, select.items)
        if assignments or node.outputs != outputs:
            node = PlanNode("Project", {}, outputs, assignments, (node,))
        if select.is_distinct:
            keys = _listed(name for name, _ in outputs)
            node = PlanNode("Aggregate", {"keys": keys}, outputs, (), (node,))
        return node

    def _assignments(
        self, outputs: tuple[tuple[str, str], ...], items: tuple[tree.Expression, ...]
    ) -> tuple[str, ...]:
        texts = zip(outputs, map(self._text, items), strict=True)
        return tuple(f"{name} := {text}" for (name, _), text in texts if text != name)

    def _filter(self, node: PlanNode, condition: tree.Expression) -> PlanNode:
        if self._is_restricted:
            return PlanNode("RowFilter", {"policy": "row filter"}, node.outputs, (), (node,))
        predicate = {"filterPredicate": self._text(condition)}
        return PlanNode("Filter", predicate, node.outputs, (), (node,))

    def _aggregated(
        self, node: PlanNode, group_by: tree.GroupBy | None, aggregates: Iterable[tree.Expression]
    ) -> PlanNode:
        keys = [] if group_by is None else [self._text(key) for key in group_by.keys]
        descriptor = {"keys": _listed(keys)} if keys else {}
        if group_by is not None and len(group_by.sets) > 1:
            sets = ", ".join(_listed(keys[index] for index in one) for one in group_by.sets)
            descriptor["groupingSets"] = f"[{sets}]"
        details = tuple(self._text(aggregate) for aggregate in aggregates)
        return PlanNode("Aggregate", descriptor, (), details, (node,))

    def source(self, item: tree.FromItem) -> PlanNode:
        """What stands in FROM."""
        if isinstance(item, tree.Join):
            return self._join(item)
        for index, output in enumerate(item.fields):
            self._names[item.id, index] = output.name or f"_col{index}"
        build = _RELATIONS.get(type(item))
        if build is None:
            return PlanNode(type(item).__name__, {}, _outputs(item.fields))
        node: PlanNode = build(self, item)
        return node

    def _join(self, item: tree.Join) -> PlanNode:
        left, right = self.source(item.left), self.source(item.right)
        descriptor = {}
        if item.condition is not None:
            descriptor["criteria"] = self._text(item.condition)
        name = f"{item.kind.value.title()}Join"
        return PlanNode(name, descriptor, (*left.outputs, *right.outputs), (), (left, right))

    def scan(self, relation: tree.Scan) -> PlanNode:
        scan = self._scans[relation.table]
        reference = scan.reference
        table = f"{reference.catalog}:{reference.database}:{reference.table.name}"
        used = [reference.columns[index] for index in reference.used_columns]
        if self._is_restricted:  # a row filter reads hidden columns too
            used = [column for column in used if column.name in self._shown]
        details = () if self._is_restricted else domain_texts(scan)
        return PlanNode(
            "TableScan",
            {"table": table},
            tuple((column.name, str(column.type)) for column in used),
            (*details, scan_text(scan)),
        )

    def subquery(self, relation: tree.Subquery) -> PlanNode:
        before = self._is_restricted, self._shown
        if relation.is_barrier and not self._is_restricted:
            self._is_restricted = True
            self._shown = frozenset(item.name for item in relation.query.output)
        node = self.query(relation.query)
        self._is_restricted, self._shown = before
        return node

    def unnest(self, relation: tree.Unnest) -> PlanNode:
        arguments = _listed(map(self._text, relation.arguments))
        return PlanNode("Unnest", {"arguments": arguments}, _outputs(relation.fields))

    def sample(self, relation: tree.Sample) -> PlanNode:
        child = self.source(relation.source)
        ratio = {"method": relation.method, "percentage": str(relation.percentage)}
        return PlanNode("Sample", ratio, _outputs(relation.fields), (), (child,))

    def cte(self, relation: tree.CteReference) -> PlanNode:
        return PlanNode("CteScan", {"cte": str(relation.cte)}, _outputs(relation.fields))

    def _text(self, node: tree.Expression) -> str:
        return "(policy)" if self._is_restricted else expression_text(node, self._names)


_RELATIONS: Final[dict[type[Any], Callable[..., PlanNode]]] = {  # each takes its own relation
    tree.Scan: _Builder.scan,
    tree.Subquery: _Builder.subquery,
    tree.Unnest: _Builder.unnest,
    tree.Sample: _Builder.sample,
    tree.CteReference: _Builder.cte,
}


def scan_text(scan: TableScan) -> str:
    """What planning left of the table: partitions, files, bytes."""
    objects = [one for partition in scan.partitions for one in partition.objects]
    size = sum(one.size for one in objects)
    return (
        f"Partitions: {len(scan.partitions)}/{scan.total_partitions},"
        f" Files: {len(objects)}, Size: {size}B"
    )


def domain_texts(scan: TableScan) -> tuple[str, ...]:
    """What of each column's values is looked for, as Trino prints it."""
    columns = scan.reference.columns
    return tuple(
        f"{columns[index].name} :: {domain_text(domain)}"
        for index, domain in sorted(scan.reference.domains.items())
    )


def domain_text(domain: Domain) -> str:
    """A domain: `[[5, 10], (20, <max>)]`, with NULL where it is let through."""
    texts = [_range_text(item, domain.type) for item in domain.ranges[:_RANGES_TOLD]]
    if len(domain.ranges) > _RANGES_TOLD:
        texts.append(f"… {len(domain.ranges) - _RANGES_TOLD} more")
    if domain.allows_null:
        texts.insert(0, "NULL")
    return _listed(texts)


def _range_text(item: Any, type_: TrinoType) -> str:  # plan.Range
    low = "<min>" if item.low is None else value_text(item.low, type_)
    high = "<max>" if item.high is None else value_text(item.high, type_)
    if low == high:
        return f"[{low}]"
    first, last = ("[" if item.low_inclusive else "("), ("]" if item.high_inclusive else ")")
    return f"{first}{low}, {high}{last}"


def _outputs(fields: tuple[tree.Field, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((item.name or f"_col{index}", str(item.type)) for index, item in enumerate(fields))


def _listed(texts: Iterable[str]) -> str:
    return f"[{', '.join(texts)}]"


def _of_kind(nodes: tuple[Any, ...], kind: type[tree.Expression]) -> tuple[tree.Expression, ...]:
    found = [part for node in nodes for part in parts_in(node) if isinstance(part, kind)]
    return tuple(dict.fromkeys(reversed(found)))  # parts come last ones first


def _queries_in(nodes: tuple[Any, ...]) -> list[tree.Query]:
    return [part for node in nodes for part in parts_in(node) if isinstance(part, tree.Query)]


def _relations(query: tree.Query, *, is_restricted: bool) -> Iterable[tuple[tree.Relation, bool]]:
    for cte in query.ctes:
        yield from _relations(cte.query, is_restricted=is_restricted)
    body = query.body
    if isinstance(body, tree.SetOperation):
        yield from _relations(body.left, is_restricted=is_restricted)
        yield from _relations(body.right, is_restricted=is_restricted)
    if isinstance(body, tree.Select):
        if body.source is not None:
            yield from _sources(body.source, is_restricted=is_restricted)
        for inner in _queries_in((body.items, body.where, body.having)):
            yield from _relations(inner, is_restricted=is_restricted)


def _sources(item: tree.FromItem, *, is_restricted: bool) -> Iterable[tuple[tree.Relation, bool]]:
    if isinstance(item, tree.Join):
        yield from _sources(item.left, is_restricted=is_restricted)
        yield from _sources(item.right, is_restricted=is_restricted)
    elif isinstance(item, tree.Subquery):
        yield from _relations(item.query, is_restricted=is_restricted or item.is_barrier)
    elif isinstance(item, tree.Sample):
        yield from _sources(item.source, is_restricted=is_restricted)
    else:
        yield item, is_restricted
