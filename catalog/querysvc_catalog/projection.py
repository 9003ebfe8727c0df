"""Athena's partition projection: partitions computed from table properties.

See https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html. What Athena leaves open
follows Trino's implementation of the same properties.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from querysvc_catalog.errors import ProjectionError
from querysvc_catalog.key_domains import EVERYTHING, KeyDomain, domain_of
from querysvc_catalog.model import Partition, StorageDescriptor, Table
from querysvc_catalog.names import partition_path
from querysvc_catalog.partition_values import PartitionKey, partition_keys
from querysvc_catalog.predicates import And, PartitionFilter, Predicate, leaves
from querysvc_catalog.projection_values import (
    INVALID_PROPERTY,
    ProjectedValue,
    ValueSequence,
    value_sequence,
)

CANDIDATES_MAX_DEFAULT: Final = 1_000_000

_PLACEHOLDER: Final = re.compile(r"\$\{([^}]+)\}")


def projection_of(table: Table, now: datetime) -> TableProjection | None:
    """Read a table's projection, or give None if it has none that is enabled.

    `now` is the time, with its zone, that `NOW` stands for.
    """
    if table.parameters.get("projection.enabled", "").strip().lower() != "true":
        return None
    if not table.partition_keys:
        raise ProjectionError(
            INVALID_PROPERTY,
            f"Partition projection cannot be enabled on table {table.full_name}: "
            "it is not partitioned",
        )
    keys = partition_keys(table.partition_keys)
    sequences = tuple(value_sequence(key, table.parameters, now) for key in keys)
    return TableProjection(table, sequences)


class TableProjection:
    """The partitions that a table's properties project."""

    def __init__(self, table: Table, sequences: Sequence[ValueSequence]) -> None:
        self._sequences = sequences
        self._descriptor = table.storage_descriptor or StorageDescriptor()
        self._locations = _Locations(table, [sequence.key for sequence in sequences])

    @property
    def keys(self) -> tuple[PartitionKey, ...]:
        """The partition keys, in order."""
        return tuple(sequence.key for sequence in self._sequences)

    def partitions(
        self,
        partition_filter: PartitionFilter | None = None,
        *,
        candidates_max: int = CANDIDATES_MAX_DEFAULT,
    ) -> Iterator[Partition]:
        """Walk the partitions that match, computing as few others as the filter allows.

        Raises ProjectionError if an injected key has no equality condition, or if more than
        `candidates_max` combinations of values had to be looked at.
        """
        search = _Search(self._sequences, partition_filter, candidates_max)
        for values in search.combinations():
            yield Partition(
                values=tuple(value.text for value in values),
                storage_descriptor=replace(
                    self._descriptor, location=self._locations.location(values)
                ),
            )


class _Locations:
    """Prints the locations: by the template, or as Hive lays partitions out."""

    def __init__(self, table: Table, keys: Sequence[PartitionKey]) -> None:
        self._keys = [key.name for key in keys]
        self._base = (table.location or "").rstrip("/")
        self._template = table.parameters.get("storage.location.template", "").strip() or None
        if self._template is not None:
            self._check(table, self._template)
        elif not self._base:
            raise ProjectionError(
                INVALID_PROPERTY,
                f"table {table.full_name} has neither a location nor storage.location.template",
            )

    def _check(self, table: Table, template: str) -> None:
        named = {name.lower() for name in _PLACEHOLDER.findall(template)}
        wrong = [f"names '{name}', which is no partition key" for name in named - {*self._keys}]
        wrong += [f"lacks ${{{name}}}" for name in self._keys if name not in named]
        if wrong:
            raise ProjectionError(
                INVALID_PROPERTY,
                f"storage.location.template of table {table.full_name} {'; '.join(sorted(wrong))}",
            )

    def location(self, values: Sequence[ProjectedValue]) -> str:
        texts = [value.location_text for value in values]
        if self._template is None:
            return f"{self._base}/{partition_path(self._keys, texts)}/"
        by_name = dict(zip(self._keys, texts, strict=True))
        location = _PLACEHOLDER.sub(lambda match: by_name[match[1].lower()], self._template)
        # Without the slash, `…/2024` would be a prefix of `…/2024-old` too.
        return location if location.endswith("/") else location + "/"


class _Search:
    """Walks the product of the keys' candidates, refusing as early as possible."""

    def __init__(
        self,
        sequences: Sequence[ValueSequence],
        partition_filter: PartitionFilter | None,
        candidates_max: int,
    ) -> None:
        self._sequences = sequences
        self._predicate = partition_filter.predicate if partition_filter else None
        self._conjuncts = _conjuncts_by_last_key(partition_filter, len(sequences))
        self._candidates_max = candidates_max
        self._candidates = 0

    def combinations(self) -> Iterator[tuple[ProjectedValue, ...]]:
        """Walk the combinations that match, in the order of the keys."""
        # An injected key without a condition must fail even where an earlier key has no value.
        for index, sequence in enumerate(self._sequences):
            next(iter(sequence.candidates(self._domain(index))), None)
        yield from self._extend(())

    def _extend(self, chosen: tuple[ProjectedValue, ...]) -> Iterator[tuple[ProjectedValue, ...]]:
        index = len(chosen)
        if index == len(self._sequences):
            yield chosen
            return
        conjuncts = self._conjuncts[index]
        for value in self._sequences[index].candidates(self._domain(index)):
            self._count()
            longer = (*chosen, value)
            if conjuncts is None or conjuncts.matches([item.text for item in longer]):
                yield from self._extend(longer)

    def _domain(self, index: int) -> KeyDomain:
        return EVERYTHING if self._predicate is None else domain_of(self._predicate, index)

    def _count(self) -> None:
        self._candidates += 1
        if self._candidates > self._candidates_max:
            raise ProjectionError(
                "HIVE_EXCEEDED_PARTITION_LIMIT",
                f"the partition projection has more than {self._candidates_max} candidates for "
                "this query; constrain the partition keys in the WHERE clause",
            )


def _conjuncts_by_last_key(
    partition_filter: PartitionFilter | None, keys_count: int
) -> list[PartitionFilter | None]:
    """Deal the conditions to the last key that each of them needs, where it is tested."""
    if partition_filter is None:
        return [None] * keys_count
    conditions: list[list[Predicate]] = [[] for _ in range(keys_count)]
    for condition in _conjuncts(partition_filter.predicate):
        last = max((leaf.key_index for leaf in leaves(condition)), default=keys_count - 1)
        conditions[last].append(condition)
    return [
        PartitionFilter(partition_filter.keys, And(tuple(found))) if found else None
        for found in conditions
    ]


def _conjuncts(predicate: Predicate) -> Iterator[Predicate]:
    if isinstance(predicate, And):
        for operand in predicate.operands:
            yield from _conjuncts(operand)
    else:
        yield predicate
