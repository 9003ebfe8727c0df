"""Predicates over partition keys, evaluated on partitions' values before anything is listed.

What a key's domain says is looked up in the catalog. The rest (functions, casts, LIKE, conditions
of several keys) is asked of the engine itself, on the distinct values alone: it answers as the
query will. Where it cannot (too many values, a value on which the predicate fails), partitions are
kept, and the query itself decides.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import pyarrow as pa
import structlog

from querysvc import tree
from querysvc.errors import QueryServiceError
from querysvc.model import ResultColumn, Session
from querysvc.plan import Engine, ExecutionPlan, NoControl, ResourceLimits, TableReference
from querysvc.planning.partition_values import is_exact
from querysvc.sql.typed_walk import columns_in, with_columns
from querysvc.tree import LiteralValue
from querysvc.types.algebra import BIGINT, BOOLEAN, TrinoType
from querysvc_catalog.partition_values import partition_keys

_log = structlog.get_logger(__name__)

VALUES_MAX: Final = 10_000
"""With more distinct values than this a predicate is not evaluated beforehand."""
_COMPARISONS: Final = frozenset({"=", "<", "<=", ">", ">="})
_LIMITS: Final = ResourceLimits(
    memory_bytes=1 << 30, spill_bytes=0, timeout_seconds=10.0, threads=1
)

Values = tuple[LiteralValue, ...]


class PredicateEvaluator(Protocol):
    """Evaluates a predicate on rows of values."""

    def matching(
        self,
        predicate: tree.Expression,
        types: Sequence[TrinoType],
        rows: Sequence[Values],
        session: Session,
    ) -> frozenset[int]:
        """The indexes of the rows that satisfy it; its columns are fields of relation 0."""
        ...


def surviving(
    reference: TableReference,
    values: Sequence[Values],
    evaluator: PredicateEvaluator,
    session: Session,
) -> Sequence[bool] | None:
    """Which partitions, by their keys' values, can hold rows that are asked for; None: all."""
    residual = residual_predicate(reference)
    if residual is None or len(values) < 2:
        return None
    keys = [index for index, column in enumerate(reference.columns) if column.is_partition_key]
    used = sorted(column.field for column in columns_in(residual) or ())
    places = [keys.index(index) for index in used]
    rows = [tuple(one[place] for place in places) for one in values]
    distinct = list(dict.fromkeys(rows))
    if len(distinct) > VALUES_MAX:
        return None
    predicate = with_columns(
        residual, lambda column: tree.ColumnReference(column.type, 0, used.index(column.field))
    )
    types = [reference.columns[index].type for index in used]
    try:
        found = evaluator.matching(predicate, types, distinct, session)
    except QueryServiceError as error:
        _log.info("A partition predicate was not evaluated beforehand.", error=str(error))
        return None
    kept = {distinct[index] for index in found}
    return [row in kept for row in rows]


def residual_predicate(reference: TableReference) -> tree.Expression | None:
    """The part of the predicate over partition keys that domains do not say exactly."""
    if reference.partition_predicate is None:
        return None
    names = {key.name for key in partition_keys(reference.table.partition_keys) if is_exact(key)}
    exact = {index for index, column in enumerate(reference.columns) if column.name in names}
    terms = _conjuncts(reference.partition_predicate)
    return tree.conjunction(
        tuple(
            term
            for term in terms
            if not (_is_simple(term) and {c.field for c in columns_in(term) or ()} <= exact)
        )
    )


def _conjuncts(node: tree.Expression) -> tuple[tree.Expression, ...]:
    if isinstance(node, tree.Logical) and node.operator is tree.LogicalOperator.AND:
        return tuple(term for part in node.terms for term in _conjuncts(part))
    return (node,)


def _is_simple(node: tree.Expression) -> bool:
    """Whether it compares a key itself with constants: its domain says it all."""
    match node:
        case tree.Call():
            kinds = {type(argument) for argument in node.arguments}
            return node.name in _COMPARISONS and kinds == {tree.ColumnReference, tree.Literal}
        case tree.Between():
            return _is_column(node.value) and _are_literals((node.low, node.high))
        case tree.InList():
            return _is_column(node.value) and _are_literals(node.items)
        case tree.IsNull():
            return _is_column(node.value)
        case tree.Not():
            return isinstance(node.value, tree.IsNull) and _is_column(node.value.value)
    return False


def _is_column(node: tree.Expression) -> bool:
    return isinstance(node, tree.ColumnReference)


def _are_literals(nodes: Sequence[tree.Expression]) -> bool:
    return all(isinstance(node, tree.Literal) for node in nodes)


class EnginePredicates:
    """Evaluates predicates in the engine that runs the queries."""

    def __init__(self, engine: Engine, directory: Path) -> None:
        self._engine = engine
        self._directory = directory

    def matching(
        self,
        predicate: tree.Expression,
        types: Sequence[TrinoType],
        rows: Sequence[Values],
        session: Session,
    ) -> frozenset[int]:
        """Run `SELECT index FROM (VALUES …) WHERE predicate`."""
        with tempfile.TemporaryDirectory(dir=self._directory, prefix="predicate-") as directory:
            spool = Path(directory) / "matching.arrow"
            self._engine.execute(_plan(predicate, types, rows, session), spool, NoControl())
            with pa.OSFile(str(spool)) as source, pa.ipc.open_stream(source) as reader:
                return frozenset(value.as_py() for batch in reader for value in batch.column(0))


def _plan(
    predicate: tree.Expression, types: Sequence[TrinoType], rows: Sequence[Values], session: Session
) -> ExecutionPlan:
    all_types = (*types, BIGINT)
    source = tree.Values(
        0,
        tuple(tree.Field(None, type_) for type_ in all_types),
        tuple(
            tuple(
                tree.Literal(type_, value)
                for type_, value in zip(all_types, (*row, index), strict=True)
            )
            for index, row in enumerate(rows)
        ),
    )
    assert predicate.type == BOOLEAN, "a predicate is true or not"
    number = tree.ColumnReference(BIGINT, 0, len(types))
    query = tree.Query(
        (tree.Field("index", BIGINT),), tree.Select((number,), source, where=predicate)
    )
    columns = (ResultColumn("index", BIGINT),)
    return ExecutionPlan(f"partitions-{uuid.uuid4()}", query, columns, (), session, _LIMITS)
