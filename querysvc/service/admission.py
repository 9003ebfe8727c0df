"""Whether a submission is taken: size, rate, queue. Refusals tell when to come back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal, QuerySubmission
from querysvc.service.clock import Clock
from querysvc.state.repository import QueryRepository
from querysvc.state.values import KeyLimits, WorkGroup, WorkGroupState

_QUEUE_RETRY_SECONDS = 5.0
_TOKEN_LENGTH_MAX = 128
_KEY_BURST = 10


class RefusedForNowError(QueryServiceError):
    """The service is busy: the same submission may be taken after `retry_after_seconds`."""

    def __init__(self, code: ErrorCode, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(code, message)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """The service's own limits, for work groups that set none."""

    sql_bytes_max: int = 262_144
    queued_max: int = 1000
    """In one work group."""
    queued_total_max: int = 10_000
    submissions_per_second: float | None = None
    submissions_burst: int = 100


def lowest(*maxima: int | None) -> int | None:
    """The lowest maximum; None where none is set."""
    return min((maximum for maximum in maxima if maximum is not None), default=None)


class TokenBucket:
    """A rate: `per_second` on average, `burst` at once."""

    def __init__(self, per_second: float, burst: int, clock: Clock) -> None:
        self.per_second = per_second
        self.burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._filled_at = clock.steady_seconds()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Take a token: 0.0 if there was one, else the seconds until there is."""
        with self._lock:
            now = self._clock.steady_seconds()
            grown = self._tokens + (now - self._filled_at) * self.per_second
            self._tokens = min(float(self.burst), grown)
            self._filled_at = now
            if self._tokens >= 1.0:
                self._tokens -= 1.0
                return 0.0
            return (1.0 - self._tokens) / self.per_second


class Admission:
    """Checks every submission that is not a repetition."""

    def __init__(
        self,
        queries: QueryRepository,
        limits: AdmissionLimits,
        clock: Clock,
        key_limits: Callable[[Principal], KeyLimits] = lambda _: KeyLimits(),
    ) -> None:
        self._queries = queries
        self._limits = limits
        self.key_limits = key_limits
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}
        self._lock = threading.Lock()

    def check_request(self, submission: QuerySubmission) -> None:
        """What is wrong with the submission whatever the load."""
        if not submission.sql.strip():
            raise QueryServiceError(ErrorCode.INVALID_REQUEST, "The statement is empty.")
        try:
            size = len(submission.sql.encode())
        except UnicodeEncodeError:
            raise QueryServiceError(
                ErrorCode.INVALID_REQUEST, "The statement is not valid Unicode."
            ) from None
        if size > self._limits.sql_bytes_max:
            raise QueryServiceError(
                ErrorCode.QUERY_TEXT_TOO_LARGE,
                f"Query text length ({size}) exceeds the maximum length"
                f" ({self._limits.sql_bytes_max}) in bytes",
            )
        token = submission.client_request_token
        if token is not None and not 0 < len(token) <= _TOKEN_LENGTH_MAX:
            raise QueryServiceError(
                ErrorCode.INVALID_REQUEST,
                f"The client request token must have 1 to {_TOKEN_LENGTH_MAX} characters.",
            )
        if submission.timeout_seconds is not None and not submission.timeout_seconds > 0:
            raise QueryServiceError(ErrorCode.INVALID_REQUEST, "The timeout must be positive.")

    def check_load(self, work_group: WorkGroup, principal: Principal, key: KeyLimits) -> None:
        """Refuse when the work group is closed, it or the key too fast, or a queue is full."""
        if work_group.state is WorkGroupState.DISABLED:
            raise QueryServiceError(
                ErrorCode.INVALID_REQUEST, f"WorkGroup {work_group.name} is disabled."
            )
        own = work_group.limits
        burst = own.submissions_burst or self._limits.submissions_burst
        rate = own.submissions_per_second or self._limits.submissions_per_second
        self._check_rate(f"user {principal.name}", key.submissions_per_second, _KEY_BURST)
        self._check_rate(f"work group {work_group.name}", rate, burst)
        self._check_open(principal, own.open_per_user_max, key.open_max)
        self._check_queue(work_group)

    def _check_rate(self, what: str, per_second: float | None, burst: int) -> None:
        if per_second is None:
            return
        with self._lock:
            bucket = self._buckets.get(what)
            if bucket is None or (bucket.per_second, bucket.burst) != (per_second, burst):
                bucket = TokenBucket(per_second, burst, self._clock)
                self._buckets[what] = bucket
        wait_seconds = bucket.take()
        if wait_seconds > 0.0:
            raise RefusedForNowError(
                ErrorCode.TOO_MANY_REQUESTS,
                f"Rate exceeded: {what} takes no more submissions now.",
                retry_after_seconds=wait_seconds,
            )

    def _check_open(self, principal: Principal, *maxima: int | None) -> None:
        limit = lowest(*maxima)
        if limit is None:
            return
        count = self._queries.open_count(principal.name)
        if count >= limit:
            raise RefusedForNowError(
                ErrorCode.QUERY_QUEUE_FULL,
                f'Too many open queries of "{principal.name}" ({count} of at most {limit})',
                retry_after_seconds=_QUEUE_RETRY_SECONDS,
            )

    def _check_queue(self, work_group: WorkGroup) -> None:
        queued_max = work_group.limits.queued_max
        own_max = self._limits.queued_max if queued_max is None else queued_max
        counts = self._queries.queue_counts(work_group.name)
        for queued, limit, what in (
            (counts.queued, own_max, work_group.name),
            (counts.queued_total, self._limits.queued_total_max, "the service"),
        ):
            if queued >= limit:
                raise RefusedForNowError(
                    ErrorCode.QUERY_QUEUE_FULL,
                    f'Too many queued queries for "{what}" ({queued} of at most {limit})',
                    retry_after_seconds=_QUEUE_RETRY_SECONDS,
                )
