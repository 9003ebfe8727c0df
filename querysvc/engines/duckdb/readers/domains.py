"""What a plan knows of a column's values, put in terms of a file's raw column.

Both the pruning of row groups (so that their bytes are never announced) and a predicate for DuckDB
(so that it skips the same row groups) come from one `RawDomain`. It may admit too much, never too
little: bounds are taken as inclusive, and widened where reading rounds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal as PythonDecimal
from typing import Any, Final  # statistics and DuckDB types are untyped

from querysvc.engines.duckdb.readers.sqltext import PICOSECONDS_PER_MICROSECOND, quote_text
from querysvc.plan import Domain
from querysvc.tree import LiteralValue
from querysvc.types import algebra

RANGES_MAX: Final = 16
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class RawDomain:
    """Inclusive intervals of raw values (None is unbounded), and whether NULL counts."""

    intervals: tuple[tuple[Any, Any], ...]
    allows_null: bool
    literal: Callable[[Any], str]
    statistic: Callable[[Any, str], Any]

    def predicate(self, column: str) -> str:
        """SQL that is true for all rows that count."""
        terms = [self._interval(column, low, high) for low, high in self.intervals]
        if self.allows_null:
            terms.append(f"{column} IS NULL")
        return f"({' OR '.join(terms)})" if terms else "false"

    def may_hold(self, statistics: Any) -> bool:
        """Whether a column chunk with these statistics may hold a value that counts."""
        if statistics is None or not statistics.has_min_max:
            return True
        if self.allows_null and (not statistics.has_null_count or statistics.null_count):
            return True
        low, high = self.statistic(statistics, "min"), self.statistic(statistics, "max")
        if low is None or high is None:
            return True
        return any(
            (end is None or low <= end) and (start is None or high >= start)
            for start, end in self.intervals
        )

    def _interval(self, column: str, low: Any, high: Any) -> str:
        if low is not None and low == high:
            return f"{column} = {self.literal(low)}"
        bounds = []
        if low is not None:
            bounds.append(f"{column} >= {self.literal(low)}")
        if high is not None:
            bounds.append(f"{column} <= {self.literal(high)}")
        return f"({' AND '.join(bounds)})" if bounds else f"{column} IS NOT NULL"


def raw_domain(domain: Domain, physical: Any) -> RawDomain | None:
    """The domain over a raw column of DuckDB type `physical`; None when nothing can be said."""
    kind = str(physical.id).lower()
    make = _RAW.get((_family(domain.type), kind))
    if make is None:
        return None
    intervals = tuple((one.low, one.high) for one in domain.ranges)
    if len(intervals) > RANGES_MAX:
        intervals = ((intervals[0][0], intervals[-1][1]),)
    return make(domain, intervals, kind)


def _family(type_: algebra.TrinoType) -> str:
    if type_.is_integer:
        return "integer"
    if type_ == algebra.VARCHAR:  # a bounded one is cut while reading
        return "varchar"
    return type_.base_name


def _plain(literal: Callable[[Any], str], kinds: type | tuple[type, ...]) -> _Maker:
    def make(
        domain: Domain, intervals: tuple[tuple[LiteralValue, LiteralValue], ...], _kind: str
    ) -> RawDomain:
        def statistic(statistics: Any, name: str) -> Any:
            value = getattr(statistics, name)
            return value if isinstance(value, kinds) else None

        return RawDomain(intervals, domain.allows_null, literal, statistic)

    return make


def _double(
    domain: Domain, intervals: tuple[tuple[LiteralValue, LiteralValue], ...], kind: str
) -> RawDomain | None:
    # Statistics do not count NaN, and it may lie above every bound.
    if any(high is None for _low, high in intervals):
        return None
    return _plain(lambda value: f"CAST('{value!r}' AS DOUBLE)", float)(domain, intervals, kind)


def _date(
    domain: Domain, intervals: tuple[tuple[LiteralValue, LiteralValue], ...], _kind: str
) -> RawDomain:
    def statistic(statistics: Any, name: str) -> Any:
        value = getattr(statistics, name)
        return value.toordinal() - _EPOCH_ORDINAL if isinstance(value, date) else None

    return RawDomain(
        intervals,
        domain.allows_null,
        lambda days: f"(DATE '1970-01-01' + CAST({days} AS INTEGER))",
        statistic,
    )


_UNIT: Final = re.compile(r"timeUnit=(milli|micro)seconds")


def _timestamp(
    domain: Domain, intervals: tuple[tuple[LiteralValue, LiteralValue], ...], kind: str
) -> RawDomain:
    assert isinstance(domain.type, algebra.Timestamp)
    unit = 10 ** max(6 - domain.type.precision, 0)
    name = "TIMESTAMP" if kind == "timestamp" else "TIMESTAMPTZ"

    def widened(value: LiteralValue, by: int) -> int | None:
        return value // PICOSECONDS_PER_MICROSECOND + by if isinstance(value, int) else None

    def statistic(statistics: Any, which: str) -> Any:
        unit = _UNIT.search(str(statistics.logical_type))
        raw = getattr(statistics, f"{which}_raw")
        if unit is None or not isinstance(raw, int):
            return None
        return raw * 1000 if unit[1] == "milli" else raw

    return RawDomain(
        tuple((widened(low, -unit), widened(high, unit)) for low, high in intervals),
        domain.allows_null,
        lambda value: f"CAST(make_timestamp({value}) AS {name})",
        statistic,
    )


_Maker = Callable[[Domain, tuple[tuple[LiteralValue, LiteralValue], ...], str], "RawDomain | None"]
_INTEGER_KINDS: Final = ("tinyint", "smallint", "integer", "bigint")
_RAW: Final[dict[tuple[str, str], _Maker]] = {
    **{("integer", kind): _plain(str, int) for kind in _INTEGER_KINDS},
    ("varchar", "varchar"): _plain(quote_text, str),
    ("double", "double"): _double,
    ("decimal", "decimal"): _plain(lambda value: f"{value:f}", PythonDecimal),
    ("date", "date"): _date,
    ("timestamp", "timestamp"): _timestamp,
    ("timestamp", "timestamp with time zone"): _timestamp,
}
