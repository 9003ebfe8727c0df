"""The summaries behind Trino's approximate aggregates: t-digest, histogram, frequent values."""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable, Iterable
from typing import Final

import numpy as np

COMPRESSION: Final = 100.0
_INTERNAL: Final = 2 * COMPRESSION
_CENTROIDS_MAX: Final = int(6 * (_INTERNAL + 10))
_BUFFER: Final = 100


class TDigest:
    """Dunning's merging digest (https://arxiv.org/abs/1902.04023) with Trino's parameters."""

    __slots__ = ("_backwards", "means", "total", "weights")

    def __init__(self, values: Iterable[float], weights: Iterable[float]) -> None:
        self.means: list[float] = []
        self.weights: list[float] = []
        self.total = 0.0
        self._backwards = False
        for value, weight in zip(values, weights, strict=True):
            if len(self.means) == _CENTROIDS_MAX:
                self._merge()
            self.means.append(value)
            self.weights.append(weight)
            self.total += weight

    def quantiles(self, wanted: Iterable[float], low: float, high: float) -> list[float]:
        """The values at the quantiles; `low` and `high` are the least and greatest value."""
        # As Trino sends a partial digest on: more compact than it is while values arrive.
        self._merge(COMPRESSION)
        return [self._quantile(one, low, high) for one in wanted]

    def _merge(self, compression: float = _INTERNAL) -> None:
        order = [int(i) for i in np.argsort(np.array(self.means), kind="stable")]
        if self._backwards:
            order.reverse()
        normalizer = compression / (4 * math.log(self.total / compression) + 24)
        mean, weight = self.means[order[0]], self.weights[order[0]]
        means, weights = [], []
        before, largest = 0.0, 0.0
        for index in order[1:]:
            tentative = weight + self.weights[index]
            quantile = min((before + tentative) / self.total, 1)
            limit = self.total * min(largest, quantile * (1 - quantile) / normalizer)
            if tentative <= limit:
                mean += (self.means[index] - mean) * self.weights[index] / tentative
                weight = tentative
                continue
            means.append(mean)
            weights.append(weight)
            before += weight
            quantile = before / self.total
            largest = quantile * (1 - quantile) / normalizer
            mean, weight = self.means[index], self.weights[index]
        means.append(mean)
        weights.append(weight)
        if self._backwards:
            means.reverse()
            weights.reverse()
        self._backwards = not self._backwards
        self.means, self.weights = means, weights

    def _quantile(self, wanted: float, low: float, high: float) -> float:
        if len(self.means) == 1:
            return self.means[0]
        offset = wanted * self.total
        first, last = self.weights[0] / 2, self.weights[-1] / 2
        if offset < 1:
            return low
        if offset < first:
            return low + (offset - 1) / (first - 1) * (self.means[0] - low)
        if offset <= self.total - 1 and self.total - offset <= last and last > 1:
            return high + (self.total - offset - 1) / (last - 1) * (self.means[-1] - high)
        if offset >= self.total - 1:
            return high
        return self._between(offset, high)

    def _between(self, offset: float, high: float) -> float:
        """The value between two centroids; one of a single value gives its value alone."""
        before = self.weights[0] / 2
        for i in range(len(self.means) - 1):
            left, right = self.weights[i], self.weights[i + 1]
            section = (left + right) / 2
            if before + section > offset:
                return self._interpolated(i, offset - before, section)
            before += section
        last = self.weights[-1] / 2
        if last > 1:
            return high + (self.total - offset - 1) / (last - 1) * (self.means[-1] - high)
        return high

    def _interpolated(self, index: int, offset: float, section: float) -> float:
        left, right = self.weights[index], self.weights[index + 1]
        mean, following = self.means[index], self.means[index + 1]
        if left == 1 and offset < left / 2:
            return mean
        if right == 1 and offset >= left / 2:
            return following
        if left == 1:
            offset, section = offset - left / 2, right / 2
        elif right == 1:
            section = left / 2
        return mean + offset / section * (following - mean)


class _Bucket:
    __slots__ = ("is_valid", "left", "number", "right", "value", "weight")

    def __init__(self, number: int, value: float, weight: float, right: _Bucket | None) -> None:
        self.number, self.value, self.weight, self.right = number, value, weight, right
        self.left: _Bucket | None = None
        self.is_valid = True
        if right is not None:
            right.left = self

    def entry(self) -> tuple[float, int, int, _Bucket]:
        """What orders the queue: the cost of merging with the bucket to the right."""
        if self.right is None:
            return math.inf, self.number, id(self), self
        both = self.weight + self.right.weight
        distance = self.value - self.right.value
        share = (self.weight * self.right.weight) / (both * both)
        cost = both * (distance * distance) * share
        return (math.inf if math.isnan(cost) else cost), self.number, id(self), self


def numeric_histogram(
    limit: int, values: Iterable[float], weights: Iterable[float]
) -> list[tuple[float, float]]:
    """At most so many buckets, as mean values and weights; the cheapest neighbours are merged."""
    buckets: list[tuple[float, float]] = []
    for pair in zip(values, weights, strict=True):
        if len(buckets) == limit + _BUFFER:
            buckets = _compacted(buckets, limit)
        buckets.append(pair)
    return _compacted(buckets, limit)


def _compacted(pairs: list[tuple[float, float]], limit: int) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for value, weight in sorted(pairs, key=lambda pair: _order(pair[0])):
        if merged and merged[-1][0] == value:
            merged[-1] = (merged[-1][0], merged[-1][1] + weight)
        else:
            merged.append((value, weight))
    return merged if len(merged) <= limit else _merged_neighbours(merged, limit)


def _order(value: float) -> tuple[bool, float, float]:
    """Java's order of doubles: minus zero before zero, NaN last."""
    is_nan = math.isnan(value)
    return is_nan, 0.0 if is_nan else value, math.copysign(1, value)


def _merged_neighbours(pairs: list[tuple[float, float]], limit: int) -> list[tuple[float, float]]:
    queue = []
    right: _Bucket | None = None
    for number in range(len(pairs) - 1, -1, -1):
        right = _Bucket(number, *pairs[number], right)
        queue.append(right.entry())
    heapq.heapify(queue)
    count = len(pairs)
    while count > limit:
        current = heapq.heappop(queue)[-1]
        if not current.is_valid:
            continue
        count -= 1
        following = current.right
        assert following is not None
        weight = current.weight + following.weight
        value = (current.value * current.weight + following.value * following.weight) / weight
        following.is_valid = False
        merged = _Bucket(current.number, value, weight, following.right)
        heapq.heappush(queue, merged.entry())
        left = current.left
        if left is not None:
            left.is_valid = False
            renewed = _Bucket(left.number, left.value, left.weight, merged)
            renewed.left = left.left
            if left.left is not None:
                left.left.right = renewed
            heapq.heappush(queue, renewed.entry())
    kept = [(bucket.value, bucket.weight) for *_, bucket in queue if bucket.is_valid]
    return sorted(kept, key=lambda pair: _order(pair[0]))


def most_frequent(
    values: Iterable[Hashable], limit: int, capacity: int
) -> list[tuple[Hashable, int]]:
    """The most frequent values by the space-saving algorithm with so many counters.

    Of equal counts, the value that reached the count first comes first.
    """
    counts: dict[Hashable, int] = {}
    by_count: dict[int, dict[Hashable, None]] = {}
    for value in values:
        count = counts.pop(value, None)
        if count is None and len(counts) >= capacity:
            count = min(by_count)
            evicted = next(iter(by_count[count]))
            del counts[evicted]
            _leave(by_count, count, evicted)
        elif count is not None:
            _leave(by_count, count, value)
        counts[value] = (count or 0) + 1
        by_count.setdefault(counts[value], {})[value] = None
    ranked = [
        (value, count) for count in sorted(by_count, reverse=True) for value in by_count[count]
    ]
    return ranked[:limit]


def _leave(by_count: dict[int, dict[Hashable, None]], count: int, value: Hashable) -> None:
    del by_count[count][value]
    if not by_count[count]:
        del by_count[count]
