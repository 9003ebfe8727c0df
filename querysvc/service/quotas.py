"""How many bytes a work group, and the principal of a key, may read per hour, day and month.

What a query would read is reserved before its scan, and corrected by what it did read when it ends;
after a crash the reservation stays. Scopes without a cap are not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal
from querysvc.service.clock import Clock
from querysvc.service.permissions import KEY_ROLE
from querysvc.state.repository import KeyRepository, UsageCap, UsageRepository
from querysvc.state.values import KeyLimits, WorkGroup, WorkGroupLimits


class QuotaRepository(KeyRepository, UsageRepository, Protocol):
    """What quotas need of the state."""


_NO_LIMITS: Final = KeyLimits()


class Quotas:
    """Knows the limits of keys, and meters what queries read."""

    def __init__(self, state: QuotaRepository, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def key_limits(self, principal: Principal) -> KeyLimits:
        """The limits of the key that the principal came with; none without a key."""
        key_id = next((role for role in principal.roles if role.startswith(KEY_ROLE)), None)
        if key_id is None:
            return _NO_LIMITS
        name = key_id.removeprefix(KEY_ROLE)
        found = self._state.get_api_key(name) or self._state.get_key_pair(name)
        return _NO_LIMITS if found is None else found.limits

    def meter(self, work_group: WorkGroup, principal: Principal, key: KeyLimits) -> Meter:
        """What counts the bytes of one run."""
        hour = _hour(self._clock.now())
        scopes = {
            f"work_group:{work_group.name}": _caps(work_group.limits, hour),
            f"user:{principal.name}": _caps(key, hour),
        }
        return Meter(self._state, hour, {name: caps for name, caps in scopes.items() if caps})


class Meter:
    """The bytes of one run: reserved before the scan, settled after it."""

    def __init__(
        self, usage: UsageRepository, hour: datetime, scopes: Mapping[str, tuple[_Cap, ...]]
    ) -> None:
        self._usage = usage
        self._hour = hour
        self._scopes = scopes
        self._reserved = 0

    def reserve(self, scanned_bytes: int) -> None:
        """Count the bytes that the run is going to read; EXCEEDED_SCAN_LIMIT beyond a cap."""
        wanted = scanned_bytes - self._reserved
        if wanted <= 0:
            return
        taken: list[str] = []
        for scope, caps in self._scopes.items():
            exceeded = self._usage.add_usage(
                scope, self._hour, wanted, [cap.of_usage for cap in caps]
            )
            if exceeded is not None:
                for other in taken:
                    self._usage.add_usage(other, self._hour, -wanted, ())
                raise self._refusal(scope, caps, exceeded, scanned_bytes)
            taken.append(scope)
        self._reserved = scanned_bytes

    def settle(self, scanned_bytes: int) -> None:
        """Correct the reservation by what was read in the end."""
        difference = scanned_bytes - self._reserved
        if difference:
            for scope in self._scopes:
                self._usage.add_usage(scope, self._hour, difference, ())
        self._reserved = scanned_bytes

    def _refusal(
        self, scope: str, caps: tuple[_Cap, ...], exceeded: UsageCap, scanned_bytes: int
    ) -> QueryServiceError:
        period = next(cap.period for cap in caps if cap.of_usage == exceeded)
        used = self._usage.usage_since(scope, exceeded.since)
        kind, _, name = scope.partition(":")
        return QueryServiceError(
            ErrorCode.EXCEEDED_SCAN_LIMIT,
            f"The query would scan {scanned_bytes} bytes; {kind.replace('_', ' ')} {name} has used"
            f" {used} of the {exceeded.scanned_bytes_max} bytes of this {period}.",
        )


@dataclass(frozen=True, slots=True)
class _Cap:
    period: str
    of_usage: UsageCap


_PERIODS: Final[Mapping[str, Callable[[datetime], datetime]]] = {
    "hour": lambda hour: hour,
    "day": lambda hour: hour.replace(hour=0),
    "month": lambda hour: hour.replace(day=1, hour=0),
}


def _caps(limits: KeyLimits | WorkGroupLimits, hour: datetime) -> tuple[_Cap, ...]:
    maxima = {
        "hour": limits.scanned_bytes_per_hour_max,
        "day": limits.scanned_bytes_per_day_max,
        "month": limits.scanned_bytes_per_month_max,
    }
    return tuple(
        _Cap(period, UsageCap(_PERIODS[period](hour), maximum))
        for period, maximum in maxima.items()
        if maximum is not None
    )


def _hour(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)
