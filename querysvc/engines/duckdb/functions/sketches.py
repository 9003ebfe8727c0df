"""Aggregates over hashes: checksum, and approx_distinct with Trino's HyperLogLog."""

from __future__ import annotations

import math
import struct
from typing import Any, Final

import numpy as np

from querysvc.engines.duckdb.functions.collecting import fixed_argument
from querysvc.engines.duckdb.functions.distinct_biases import BIASES
from querysvc.engines.duckdb.functions.registry import (
    AggregateSite,
    AggregateTable,
    call_python,
)
from querysvc.engines.duckdb.functions.value_hashes import value_hashes
from querysvc.engines.duckdb.functions.vectorised import failure
from querysvc.engines.duckdb.lowering.fragments import NULL, Sql, bind, case, cast
from querysvc.engines.duckdb.lowering.keys import key_form
from querysvc.engines.duckdb.lowering.types import contains
from querysvc.errors import ErrorCode
from querysvc.types.algebra import BIGINT, BOOLEAN, DOUBLE, UNKNOWN, VARBINARY, Array, Row

_PRIME: Final = 0x9E3779B185EBCA87
_TWO_64: Final = 1 << 64


def _hash(site: AggregateSite) -> Sql:
    """The value's hash as a bigint."""
    kind = site.types[0]
    return call_python(site.context, value_hashes(kind), [(site.arguments[0], kind)], BIGINT)


def checksum_bytes(hashes: Any, nulls: Any) -> list[bytes | None]:
    """The checksum of so many NULLs and of values by the sum of their hashes."""
    rows = zip(hashes.to_pylist(), nulls.to_pylist(), strict=True)
    return [
        None if total is None else struct.pack("<Q", (total + count) * _PRIME % _TWO_64)
        for total, count in rows
    ]


def _checksum(site: AggregateSite) -> Sql:
    total = site.aggregate("sum", cast(_hash(site), "HUGEINT"))
    value = site.arguments[0]
    rows = site.aggregate("count", Sql("1"))
    nulls = site.aggregate("count", Sql("1"), condition=Sql(f"({value} IS NULL)"))

    def body(sum_: Sql, count: Sql) -> Sql:
        # The sum's low 64 bits as a bigint.
        low = f"(((coalesce({sum_}, 0) % {_TWO_64}) + {_TWO_64}) % {_TWO_64})"
        signed = Sql(
            f"CAST(CASE WHEN {low} >= {_TWO_64 // 2} THEN {low} - {_TWO_64} ELSE {low} END"
            " AS BIGINT)"
        )
        bytes_ = call_python(
            site.context, checksum_bytes, [(signed, BIGINT), (count, BIGINT)], VARBINARY
        )
        return case([(Sql(f"({rows} = 0)"), NULL)], bytes_)

    return bind([total, nulls], body)


# Trino's HyperLogLog: its sparse form counts distinct prefixes of this length, and gives way to the
# dense form when it would need more memory: its array grows by ten entries of four bytes.
_PREFIX_BITS: Final = 26
_SPARSE_GROWTH: Final = 10
_EMPTY_BUCKETS_MIN: Final = 0.4
_ERROR_MIN, _ERROR_MAX = 0.0040625, 0.26
_DEFAULT_ERROR: Final = 0.023
_CORRECTED_BELOW: Final = 5
_ALPHAS: Final = {4: 0.673, 5: 0.697, 6: 0.709}


def distinct_estimates(hash_lists: Any, errors: Any) -> list[int]:
    """Trino's estimates of the numbers of distinct values, from the lists of distinct hashes."""
    rows = zip(hash_lists, errors.to_pylist(), strict=True)
    return [
        _estimate(np.asarray(hashes.values).view(np.uint64), _index_bits(error))
        if hashes.is_valid
        else 0
        for hashes, error in rows
    ]


def set_cardinalities(hash_lists: Any, bits: int, kept: int) -> list[int | None]:
    """The estimates for lists of hashes; exact below the number that a sketch keeps."""
    results: list[int | None] = []
    for hashes in hash_lists:
        if not hashes.is_valid:
            results.append(None)
            continue
        distinct = np.unique(np.asarray(hashes.values).view(np.uint64))
        is_exact = len(distinct) < kept
        results.append(len(distinct) if is_exact else _estimate(distinct, bits))
    return results


def _index_bits(error: float) -> int:
    if not _ERROR_MIN <= error <= _ERROR_MAX:
        message = f"Max standard error must be in [{_ERROR_MIN}, {_ERROR_MAX:.5f}]: {error}"
        raise failure(ErrorCode.INVALID_FUNCTION_ARGUMENT, message)
    return (math.ceil(1.0816 / (error * error)) - 1).bit_length()


def _estimate(hashes: Any, bits: int) -> int:
    buckets = 1 << bits
    prefixes = len(np.unique(hashes >> np.uint64(64 - _PREFIX_BITS)))
    if prefixes <= _sparse_entries_max(buckets):
        return _linear_count((1 << _PREFIX_BITS) - prefixes, 1 << _PREFIX_BITS)
    registers = np.zeros(buckets, dtype=np.int64)
    indexes = (hashes >> np.uint64(64 - bits)).astype(np.int64)
    rest = (hashes << np.uint64(bits)) | np.uint64(1 << (bits - 1))
    np.maximum.at(registers, indexes, 65 - _bit_lengths(rest))
    empty = int(np.count_nonzero(registers == 0))
    if empty > _EMPTY_BUCKETS_MIN * buckets:
        return _linear_count(empty, buckets)
    alpha = _ALPHAS.get(bits, 0.7213 / (1 + 1.079 / buckets))
    raw = alpha * buckets * buckets / float(np.sum(np.exp2(-registers.astype(np.float64))))
    known = BIASES.get(bits)
    if known is None:  # Trino has a table of biases here too: the count is exact
        return round(raw) if raw > _CORRECTED_BELOW * buckets else len(hashes)
    if raw > known.last:
        return round(raw)
    knots = known.first + known.step * np.arange(len(known.values))
    return round(raw - float(np.interp(raw, knots, known.values)))


def _sparse_entries_max(buckets: int) -> int:
    return 1 + _SPARSE_GROWTH * max(0, (buckets // 8 - 1) // _SPARSE_GROWTH)


def _linear_count(empty: int, buckets: int) -> int:
    return round(buckets * math.log(buckets / empty))


def _bit_lengths(values: Any) -> Any:
    high = (values >> np.uint64(32)).astype(np.float64)
    low = (values & np.uint64(0xFFFFFFFF)).astype(np.float64)
    return np.where(high > 0, np.frexp(high)[1] + 32, np.frexp(low)[1])


def _approx_distinct(site: AggregateSite) -> Sql:
    kind, value = site.types[0], site.arguments[0]
    if contains(kind, Row) or kind == UNKNOWN:
        return site.aggregate("count", key_form(value, kind), distinct=True)
    error = Sql(f"CAST({_DEFAULT_ERROR} AS DOUBLE)")
    if len(site.arguments) == 2 and kind != BOOLEAN:
        error = Sql(f"coalesce({fixed_argument(site, 1)}, {error})")
    some = Sql(f"({value} IS NOT NULL)")
    hashes = site.aggregate("list", _hash(site), condition=some, distinct=True)
    return call_python(
        site.context, distinct_estimates, [(hashes, Array(BIGINT)), (error, DOUBLE)], BIGINT
    )


AGGREGATES: Final[AggregateTable] = {
    "approx_distinct": _approx_distinct,
    "checksum": _checksum,
}
