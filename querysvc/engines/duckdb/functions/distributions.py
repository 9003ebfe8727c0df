"""Distributions. https://trino.io/docs/current/functions/math.html#statistical-functions"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Final

from querysvc.engines.duckdb.functions.registry import ArrowFunction, ScalarTable
from querysvc.engines.duckdb.functions.vectorised import FunctionError, by_row, failure
from querysvc.errors import ErrorCode

_NAN: Final = float("nan")
_ITERATIONS_MAX: Final = 10_000
# commons-math's solver, which Trino asks for quantiles, stops within these.
_ABSOLUTE_ACCURACY: Final = 1e-9
_RELATIVE_ACCURACY: Final = 1e-14
_VALUE_ACCURACY: Final = 1e-15


def _bad(message: str) -> FunctionError:
    return failure(ErrorCode.INVALID_FUNCTION_ARGUMENT, message)


def normal_cdf(mean: float, deviation: float, value: float) -> float:
    """The probability of a value up to the given one."""
    if not deviation > 0:
        raise _bad("standardDeviation must be > 0")
    if math.isnan(mean) or math.isnan(value):
        return _NAN
    distance = value - mean
    if abs(distance) > 40 * deviation:
        return 0.0 if distance < 0 else 1.0
    return 0.5 * math.erfc(-distance / (deviation * math.sqrt(2)))


def inverse_normal_cdf(mean: float, deviation: float, probability: float) -> float:
    """The value up to which the probability is the given one."""
    if not 0 < probability < 1:
        raise _bad("p must be 0 > p > 1")
    if not deviation > 0:
        raise _bad("sd must be > 0")
    return mean + deviation * NormalDist().inv_cdf(probability)


def beta_cdf(alpha: float, beta: float, value: float) -> float:
    """The same of a beta distribution."""
    if not (alpha > 0 and beta > 0):
        raise _bad("a, b must be > 0")
    if not 0 <= value <= 1:
        raise _bad("value must be in the interval [0, 1]")
    return regularized_beta(value, alpha, beta)


def inverse_beta_cdf(alpha: float, beta: float, probability: float) -> float:
    """The value of a beta distribution up to which the probability is the given one."""
    if not (alpha > 0 and beta > 0):
        raise _bad("a, b must be > 0")
    if not 0 <= probability <= 1:
        raise _bad("p must be in the interval [0, 1]")
    if probability in (0, 1):
        return float(probability)
    return _solve(lambda x: regularized_beta(x, alpha, beta) - probability, 0.0, 1.0)


def t_cdf(value: float, freedom: float) -> float:
    """The same of Student's t-distribution."""
    if freedom < 1:
        raise _bad("degrees of freedom must be greater than or equal to 1")
    if value == 0:
        return 0.5
    if math.isnan(value) or math.isnan(freedom):
        return math.nan
    tail = 0.5 * regularized_beta(freedom / (freedom + value * value), 0.5 * freedom, 0.5)
    return tail if value < 0 else 1 - tail


def t_pdf(value: float, freedom: float) -> float:
    """The density of Student's t-distribution."""
    if freedom < 1:
        raise _bad("degrees of freedom must be greater than or equal to 1")
    if math.isnan(value) or math.isnan(freedom):
        return math.nan
    half = (freedom + 1) / 2
    return math.exp(
        math.lgamma(half)
        - 0.5 * (math.log(math.pi) + math.log(freedom))
        - math.lgamma(freedom / 2)
        - half * math.log(1 + value * value / freedom)
    )


def regularized_beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function, by Lentz's continued fraction."""
    if math.isnan(x) or math.isnan(a) or math.isnan(b):
        return _NAN
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - regularized_beta(1 - x, b, a)
    front = math.exp(
        a * math.log(x)
        + b * math.log1p(-x)
        - (math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b))
        - math.log(a)
    )
    return front / _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    tiny = 1e-300
    result, up, down = 1.0, 1.0, 0.0
    for n in range(1, _ITERATIONS_MAX):
        m = n // 2
        if n % 2:
            term = -((a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        down = 1 / ((1 + term * down) or tiny)
        up = (1 + term / up) or tiny
        change = up * down
        result *= change
        if abs(change - 1) < 1e-16:
            break
    return result


def _solve(function: Callable[[float], float], low: float, high: float) -> float:
    """Brent's method from the middle, in commons-math's steps: its answer is inexact."""
    middle = low + 0.5 * (high - low)
    at_middle = function(middle)
    if abs(at_middle) <= _VALUE_ACCURACY:
        return middle
    at_low = function(low)
    if abs(at_low) <= _VALUE_ACCURACY:
        return low
    if at_middle * at_low < 0:
        return _brent(function, (low, at_low), (middle, at_middle))
    at_high = function(high)
    if abs(at_high) <= _VALUE_ACCURACY:
        return high
    if not at_middle * at_high < 0:  # also where one is NaN
        raise failure(ErrorCode.GENERIC_INTERNAL_ERROR, "function values have no change of sign")
    return _brent(function, (middle, at_middle), (high, at_high))


def _brent(
    function: Callable[[float], float], low: tuple[float, float], high: tuple[float, float]
) -> float:
    (a, fa), (b, fb) = low, high
    c, fc = a, fa
    d = e = b - a
    while True:
        if abs(fc) < abs(fb):
            a, b, c = b, c, b
            fa, fb, fc = fb, fc, fb
        tolerance = 2 * _RELATIVE_ACCURACY * abs(b) + _ABSOLUTE_ACCURACY
        m = 0.5 * (c - b)
        if abs(m) <= tolerance or fb == 0 or math.isnan(fb):
            return b
        if abs(e) < tolerance or abs(fa) <= abs(fb):
            d = e = m
        else:
            d, e = _step((a, fa), (b, fb), (c, fc), (d, e, m, tolerance))
        a, fa = b, fb
        b += d if abs(d) > tolerance else math.copysign(tolerance, m)
        fb = function(b)
        if (fb > 0 and fc > 0) or (fb <= 0 and fc <= 0):
            c, fc = a, fa
            d = e = b - a


def _step(
    first: tuple[float, float],
    best: tuple[float, float],
    other: tuple[float, float],
    steps: tuple[float, float, float, float],
) -> tuple[float, float]:
    """The next step by interpolation, or by halves where that goes too far."""
    (a, fa), (b, fb), (c, fc) = first, best, other
    d, e, m, tolerance = steps
    s = fb / fa
    if a == c:
        p, q = 2 * m * s, 1 - s
    else:
        q, r = fa / fc, fb / fc
        p = s * (2 * m * q * (q - r) - (b - a) * (r - 1))
        q = (q - 1) * (r - 1) * (s - 1)
    q, p = (-q, p) if p > 0 else (q, -p)
    if p >= 1.5 * m * q - abs(tolerance * q) or p >= abs(0.5 * e * q):
        return m, m
    return p / q, d


def _wilson(successes: int, trials: int, z: float, sign: int) -> float:
    if successes < 0:
        raise _bad("number of successes must not be negative")
    if trials <= 0:
        raise _bad("number of trials must be positive")
    if successes > trials:
        raise _bad("number of successes must not be larger than number of trials")
    if not z >= 0:
        raise _bad("z-score must not be negative")
    share = successes / trials
    middle = share + z * z / (2 * trials)
    width = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return (middle + sign * width) / (1 + z * z / trials)


def wilson_lower(successes: int, trials: int, z: float) -> float:
    """The lower bound of Wilson's interval."""
    return _wilson(successes, trials, z, -1)


def wilson_upper(successes: int, trials: int, z: float) -> float:
    """The upper bound of Wilson's interval."""
    return _wilson(successes, trials, z, 1)


SCALARS: Final[ScalarTable] = {
    "beta_cdf": ArrowFunction(by_row(beta_cdf)),
    "inverse_beta_cdf": ArrowFunction(by_row(inverse_beta_cdf)),
    "inverse_normal_cdf": ArrowFunction(by_row(inverse_normal_cdf)),
    "normal_cdf": ArrowFunction(by_row(normal_cdf)),
    "t_cdf": ArrowFunction(by_row(t_cdf)),
    "t_pdf": ArrowFunction(by_row(t_pdf)),
    "wilson_interval_lower": ArrowFunction(by_row(wilson_lower)),
    "wilson_interval_upper": ArrowFunction(by_row(wilson_upper)),
}
