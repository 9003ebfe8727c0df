"""What a statement needs of its tables: the columns that it reads, and the rows that can matter.

Filters go down from WHERE and ON through joins, derived tables and CTEs to the scans that they
speak of, as far as that loses no row: past an outer join's optional side go only those that no
NULL satisfies. Several scans of one table need what any of them needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from querysvc import tree
from querysvc.plan import Domain, TableColumn
from querysvc.sql.domains import column_domain, intersect_all, is_all, union
from querysvc.sql.functions.registry import load_registry
from querysvc.sql.typed_walk import columns_in, parts_in, with_columns
from querysvc.tree import Expression

PARTITION_RELATION = -1
"""The relation of a partition predicate's columns."""

_Filters = tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class TableConstraint:
    """What the scans of one table need, all together."""

    used_columns: tuple[int, ...]
    domains: Mapping[int, Domain]
    partition_predicate: Expression | None


@dataclass(frozen=True, slots=True)
class StatementNeeds:
    """The constraint of each table, by index, and the CTEs that nothing refers to."""

    tables: tuple[TableConstraint, ...]
    unused_ctes: frozenset[int]


def statement_needs(query: tree.Query, tables: Sequence[tuple[TableColumn, ...]]) -> StatementNeeds:
    """What the statement needs of tables that have these columns."""
    needs = _Needs()
    needs.query(query, set(range(len(query.output))), ())
    scans: list[list[_Scan]] = [[] for _ in tables]
    for scan in needs.scans:
        scans[scan.scan.table].append(scan)
    constraints = tuple(
        _constraint(found, columns, needs.fields)
        for found, columns in zip(scans, tables, strict=True)
    )
    return StatementNeeds(constraints, frozenset(needs.unused))


@dataclass(frozen=True, slots=True)
class _Scan:
    scan: tree.Scan
    filters: _Filters


@dataclass(slots=True)
class _Needs:
    """Goes over a statement from the outside in, so that a relation's users come before it."""

    fields: dict[int, set[int]] = field(default_factory=dict)
    """The fields that are read, by relation."""
    scans: list[_Scan] = field(default_factory=list)
    filters: dict[int, list[_Filters]] = field(default_factory=dict)
    """What each reference to a CTE wants of it, by the CTE's id, over relation -1."""
    unused: set[int] = field(default_factory=set)

    def query(self, query: tree.Query, outputs: set[int], filters: _Filters) -> None:
        """A query of which some outputs are read; filters speak of its outputs (relation -1)."""
        if query.limit is not None or query.offset is not None:
            filters = ()
        wanted = set(outputs)
        for key in query.order_by:
            wanted.update(
                part.index for part in parts_in(key) if isinstance(part, tree.OutputReference)
            )
        body = query.body
        if isinstance(body, tree.Select):
            self._select(body, query, wanted, filters)
        elif isinstance(body, tree.SetOperation):
            if not (body.operator is tree.SetOperator.UNION and body.is_all):
                wanted = set(range(len(query.output)))
            self.query(body.left, wanted, filters)
            self.query(body.right, wanted, filters)
        else:
            for row in body.rows:
                self._read(row)
        for cte in reversed(query.ctes):
            self._cte(cte)

    def _cte(self, cte: tree.Cte) -> None:
        if cte.id not in self.filters:
            self.unused.add(cte.id)
            return
        wanted = self.fields.get(cte.id, set())
        filters: _Filters = ()
        if cte.is_recursive:
            wanted = set(range(len(cte.query.output)))
        else:
            filters = _any_of(self.filters.get(cte.id, []))
        self.query(cte.query, wanted, filters)

    def _select(
        self, select: tree.Select, query: tree.Query, wanted: set[int], filters: _Filters
    ) -> None:
        if select.is_distinct:
            wanted = set(range(len(select.items)))
        self._read(tuple(select.items[index] for index in sorted(wanted)))
        self._read((select.where, select.having, query.order_by))
        if select.group_by is not None:
            self._read(select.group_by.keys)
        if select.source is not None:
            known = (*_conjuncts(select.where), *_pushed(select, filters))
            self._conditions(select.source)
            self._source(select.source, known)

    def _read(self, node: object) -> None:
        only_counted: set[int] = set()  # by identity: queries whose values nobody looks at
        for part in parts_in(node):
            if isinstance(part, tree.ColumnReference):
                self.fields.setdefault(part.relation, set()).add(part.field)
            elif isinstance(part, tree.Exists):
                only_counted.add(id(part.query))
            elif isinstance(part, tree.Query):
                outputs = () if id(part) in only_counted else range(len(part.output))
                self.query(part, set(outputs), ())

    def _conditions(self, item: tree.FromItem) -> None:
        if isinstance(item, tree.Join):
            self._read(item.condition)
            self._conditions(item.left)
            self._conditions(item.right)

    def _source(self, item: tree.FromItem, filters: _Filters) -> None:
        """A FROM item, right before left: what is lateral reads from its left."""
        if isinstance(item, tree.Join):
            left, right = _sides(item, filters)
            self._source(item.right, right)
            self._source(item.left, left)
        elif isinstance(item, tree.Scan):
            self.scans.append(_Scan(item, _only_of(filters, item.id)))
        elif isinstance(item, tree.Subquery):
            own = _only_of(filters, item.id)
            self.query(item.query, self.fields.get(item.id, set()), _outer(own))
        elif isinstance(item, tree.CteReference):
            self.fields.setdefault(item.cte, set()).update(self.fields.get(item.id, ()))
            own = _only_of(filters, item.id)
            self.filters.setdefault(item.cte, []).append(_outer(own))
        elif isinstance(item, tree.Sample):
            inner = item.source
            if not isinstance(inner, tree.Join):
                self.fields.setdefault(inner.id, set()).update(self.fields.get(item.id, ()))
            self._source(inner, ())
        elif isinstance(item, tree.Unnest | tree.TableFunction):
            self._read(item.arguments)
        elif isinstance(item, tree.Values):
            self._read(item.rows)


# Filters.


def _conjuncts(node: Expression | None) -> _Filters:
    if node is None:
        return ()
    if isinstance(node, tree.Logical) and node.operator is tree.LogicalOperator.AND:
        return tuple(part for term in node.terms for part in _conjuncts(term))
    return (node,)


def _sides(join: tree.Join, filters: _Filters) -> tuple[_Filters, _Filters]:
    """What holds of the rows of each side that can matter."""
    condition = _conjuncts(join.condition)
    strict = tuple(item for item in filters if _rejects_null(item))
    if join.kind is tree.JoinKind.LEFT:
        return filters, (*strict, *condition)
    if join.kind is tree.JoinKind.RIGHT:
        return (*strict, *condition), filters
    if join.kind is tree.JoinKind.FULL:
        return strict, strict
    return (*filters, *condition), (*filters, *condition)


def _rejects_null(node: Expression) -> bool:
    """Whether the filter cannot hold where the column that it constrains is NULL."""
    found = column_domain(node)
    return found is not None and not found[1].allows_null


def _only_of(filters: _Filters, relation: int) -> _Filters:
    """The filters that speak of one relation only."""
    return tuple(item for item in filters if _relations(item) == {relation})


def _relations(node: Expression) -> set[int] | None:
    columns = columns_in(node)
    return None if columns is None else {column.relation for column in columns}


def _outer(filters: _Filters) -> _Filters:
    """The filters over a derived table's fields, as filters over its query's outputs."""
    return tuple(
        with_columns(
            item,
            lambda column: tree.ColumnReference(column.type, PARTITION_RELATION, column.field),
        )
        for item in filters
    )


def _any_of(references: list[_Filters]) -> _Filters:
    """What holds of every row that some reference wants."""
    terms = [tree.conjunction(filters) for filters in references]
    kept = [term for term in terms if term is not None]
    if not kept or len(kept) != len(terms):
        return ()
    if len(kept) == 1:
        return _conjuncts(kept[0])
    return (tree.Logical(kept[0].type, tree.LogicalOperator.OR, tuple(kept)),)


def _pushed(select: tree.Select, filters: _Filters) -> _Filters:
    """Filters over the outputs, as filters over the SELECT's source where that is the same."""
    pushed = []
    for item in filters:
        columns = columns_in(item) or set()
        values = [select.items[column.field] for column in columns]
        if all(_passes(select, value) for value in values):
            pushed.append(with_columns(item, lambda column: select.items[column.field]))
    return tuple(pushed)


def _passes(select: tree.Select, value: Expression) -> bool:
    """Whether the output is the same before and after grouping and windows."""
    if any(_changes(part) for part in parts_in(value)):
        return False
    group_by = select.group_by
    if group_by is not None:
        if not group_by.keys or len(group_by.sets) != 1:
            return False
        return value in group_by.keys
    return not any(
        isinstance(part, tree.WindowCall) for item in select.items for part in parts_in(item)
    )


def _changes(part: object) -> bool:
    if isinstance(part, tree.Aggregate | tree.WindowCall | tree.Grouping | tree.Query):
        return True
    return isinstance(part, tree.Call) and not _is_deterministic(part.name)


def _is_deterministic(name: str) -> bool:
    return all(overload.is_deterministic for overload in load_registry().overloads(name))


# Constraints.


def _constraint(
    scans: list[_Scan], columns: tuple[TableColumn, ...], fields: Mapping[int, set[int]]
) -> TableConstraint:
    used = {scan.scan.columns[index] for scan in scans for index in fields.get(scan.scan.id, ())}
    domains: dict[int, Domain] | None = None
    for scan in scans:
        own = _domains(scan)
        domains = own if domains is None else _union(domains, own)
    predicates = [_partition_filters(scan, columns) for scan in scans]
    return TableConstraint(
        tuple(sorted(used)), domains or {}, tree.conjunction(_any_of(predicates))
    )


def _domains(scan: _Scan) -> dict[int, Domain]:
    found: dict[int, list[Domain]] = {}
    for item in scan.filters:
        domain = column_domain(item)
        if domain is not None:
            found.setdefault(scan.scan.columns[domain[0].field], []).append(domain[1])
    combined = {column: intersect_all(domains) for column, domains in found.items()}
    return {column: domain for column, domain in combined.items() if not is_all(domain)}


def _union(one: dict[int, Domain], other: dict[int, Domain]) -> dict[int, Domain]:
    both = {column: union(one[column], other[column]) for column in one.keys() & other.keys()}
    return {column: domain for column, domain in both.items() if not is_all(domain)}


def _partition_filters(scan: _Scan, columns: tuple[TableColumn, ...]) -> _Filters:
    kept = []
    for item in scan.filters:
        found = columns_in(item) or set()
        indexes = [scan.scan.columns[column.field] for column in found]
        is_partition = all(columns[index].is_partition_key for index in indexes)
        if is_partition and not any(_changes(part) for part in parts_in(item)):
            kept.append(_over_partition(item, scan.scan))
    return tuple(kept)


def _over_partition(node: Expression, scan: tree.Scan) -> Expression:
    return with_columns(
        node,
        lambda column: tree.ColumnReference(
            column.type, PARTITION_RELATION, scan.columns[column.field]
        ),
    )
