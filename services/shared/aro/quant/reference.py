"""The same definitions one contract at a time, in plain Python and slowly: what the fast modules are tested against.

Written to be read beside the formulas, so it cancels where they do; nothing outside tests should call it.
"""

import math
from collections.abc import Sequence

from aro.quant.implied import IvStatus


def normal_cdf(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def price(F: float, K: float, T: float, sigma: float, D: float, is_call: bool) -> float:
    """Black (1976), discounted; F, K, σ and D above 0."""
    s = sigma * math.sqrt(max(T, 0.0))
    if s == 0.0:
        return D * max(F - K if is_call else K - F, 0.0)
    d1 = math.log(F / K) / s + s / 2.0
    d2 = d1 - s
    if is_call:
        return D * (F * normal_cdf(d1) - K * normal_cdf(d2))
    return D * (K * normal_cdf(-d2) - F * normal_cdf(-d1))


def implied_volatility(premium: float, F: float, K: float, T: float, D: float, is_call: bool) -> tuple[float, IvStatus]:
    """Bisection of `price` on σ√T between 0 and 100; arguments as in `aro.quant.implied`."""
    if not premium > 0.0:
        return math.nan, IvStatus.NO_PRICE
    if T <= 0.0:
        return math.nan, IvStatus.EXPIRED
    if not all(math.isfinite(x) and x > 0.0 for x in (F, K, T, D)):
        return math.nan, IvStatus.NO_PRICE
    if premium <= D * max(F - K if is_call else K - F, 0.0):
        return math.nan, IvStatus.BELOW_INTRINSIC
    if premium >= D * (F if is_call else K):
        return math.nan, IvStatus.ABOVE_MAXIMUM
    low, high = 0.0, 100.0
    for _ in range(100):
        middle = 0.5 * (low + high)
        if price(F, K, 1.0, middle, D, is_call) < premium:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high) / math.sqrt(T), IvStatus.OK


def pain(settlement: float, strikes: Sequence[float], calls: Sequence[float], puts: Sequence[float]) -> float:
    """What option holders receive if the underlying settles there, in contracts x points."""
    return sum(
        call * max(settlement - strike, 0.0) + put * max(strike - settlement, 0.0)
        for strike, call, put in zip(strikes, calls, puts, strict=True)
    )


def max_pain(strikes: Sequence[float], calls: Sequence[float], puts: Sequence[float], forward: float) -> float:
    """The strike of least `pain`; of several the nearest to the forward, then the lower."""
    return min(strikes, key=lambda X: (pain(X, strikes, calls, puts), abs(X - forward), X))
