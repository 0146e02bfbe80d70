"""A volatility index without a model: the price of variance, from the out-of-the-money options of two expiries.

    σ² = (2/T)·Σ ΔK_i/K_i²·e^{rT}·Q(K_i) - (1/T)·(F/K0 - 1)²
    index = 100·√( [T1·σ1²·(N2 - N30) + T2·σ2²·(N30 - N1)]/(N2 - N1) · N365/N30 ),    N in minutes

``cboe``: F from the strike of least |C - P|; walking outwards from K0, options without a bid are left out and two
of them in a row end the strip.
``india``: F is the future's last price; strikes without a proper quote get one from a natural cubic spline through
the proper ones.

References
----------
.. [1] Cboe (2019). White Paper: Cboe Volatility Index.
.. [2] NSE. White Paper on India VIX: the future as forward, and the spline.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from aro.quant.arrays import BoolArray, FloatArray
from aro.quant.natural_spline import natural_spline

MINUTES_PER_YEAR: Final = 525_600.0
TARGET_DAYS: Final = 30.0
TARGET_MINUTES: Final = TARGET_DAYS * 1_440.0
CBOE_DAYS: Final = (23.0, 37.0)
"""Where there are weeklies, both terms come from between these."""
INDIA_LEAST_DAYS: Final = 3.0
"""The near month is dropped this close to its expiry."""
INDIA_WIDEST: Final = 0.30
"""Of mid: a wider quote is not a proper one."""
ZERO_BIDS_THAT_END: Final = 2

Method = Literal["cboe", "india"]


class Strip(NamedTuple):
    """The variance of one expiry, and what it was built from; NaN and empty if it could not be."""

    variance: float
    """σ², annual."""
    forward: float
    at_strike: float
    """K0: the highest strike at or below the forward."""
    strikes: FloatArray
    """Used, rising."""
    contributions: FloatArray
    """ΔK/K²·e^{rT}·Q of each."""


class Term(NamedTuple):
    years: float
    variance: float


NO_STRIP: Final = Strip(np.nan, np.nan, np.nan, np.empty(0), np.empty(0))


def strip(
    strikes: ArrayLike,
    call_bid: ArrayLike,
    call_ask: ArrayLike,
    put_bid: ArrayLike,
    put_ask: ArrayLike,
    years: float,
    rate: float,
    *,
    method: Method = "cboe",
    future: float | None = None,
) -> Strip:
    """The variance of one expiry.

    Parameters
    ----------
    strikes : (n,) rising
    call_bid, call_ask, put_bid, put_ask : (n,); NaN or 0 is no quote
    years : minutes to expiry / 525,600
    rate : continuous, annual decimal
    future : last price of the future of this expiry; without it ``india`` takes the parity forward as ``cboe`` does
    """
    K, c_bid, c_ask, p_bid, p_ask = (
        np.asarray(x, dtype=np.float64) for x in (strikes, call_bid, call_ask, put_bid, put_ask)
    )
    if not (years > 0.0 and np.isfinite(years) and np.isfinite(rate)):
        return NO_STRIP
    with np.errstate(all="ignore"):
        return _strip(K, c_bid, c_ask, p_bid, p_ask, years, float(np.exp(rate * years)), method, future)


def _strip(
    K: FloatArray,
    c_bid: FloatArray,
    c_ask: FloatArray,
    p_bid: FloatArray,
    p_ask: FloatArray,
    years: float,
    growth: float,
    method: Method,
    future: float | None,
) -> Strip:
    call, put = _mid(c_bid, c_ask), _mid(p_bid, p_ask)
    forward = (
        future
        if method == "india" and future is not None
        else _parity_forward(K, np.where((c_bid > 0.0) & (p_bid > 0.0), call - put, np.nan), growth)
    )
    below = np.flatnonzero(forward >= K)
    if below.size == 0 or not np.isfinite(forward):
        return NO_STRIP
    centre = int(below[-1])
    if method == "india":
        call, put = (
            _splined(K, mid, _is_proper(bid, ask)) for mid, bid, ask in ((call, c_bid, c_ask), (put, p_bid, p_ask))
        )
        keep_put, keep_call = np.isfinite(put), np.isfinite(call)
    else:
        keep_put, keep_call = (p_bid > 0.0) & np.isfinite(put), (c_bid > 0.0) & np.isfinite(call)
    used = [*_walk(keep_put, range(centre - 1, -1, -1))[::-1], centre, *_walk(keep_call, range(centre + 1, len(K)))]
    Q = np.where(np.arange(len(K)) < centre, put, call)
    Q[centre] = 0.5 * (call[centre] + put[centre])
    if len(used) < 3 or not np.isfinite(Q[used]).all():
        return NO_STRIP
    at = K[used]
    width = np.concatenate([[at[1] - at[0]], 0.5 * (at[2:] - at[:-2]), [at[-1] - at[-2]]])
    contributions = width / at**2 * growth * Q[used]
    variance = 2.0 / years * contributions.sum() - (forward / K[centre] - 1.0) ** 2 / years
    if not np.isfinite(variance):
        return NO_STRIP
    return Strip(float(variance), float(forward), float(K[centre]), at, contributions)


def index(near: Term, next_: Term) -> float:
    """The 30-day index of two terms, in vol points (13.69); NaN if they are the same or the variance is not > 0."""
    N1, N2 = near.years * MINUTES_PER_YEAR, next_.years * MINUTES_PER_YEAR
    if not N2 > N1 > 0.0:
        return float("nan")
    weighted = near.years * near.variance * (N2 - TARGET_MINUTES) + next_.years * next_.variance * (TARGET_MINUTES - N1)
    variance = weighted / (N2 - N1) * MINUTES_PER_YEAR / TARGET_MINUTES
    return float(100.0 * np.sqrt(variance)) if variance > 0.0 else float("nan")


def choose_terms(years: Sequence[float], method: Method) -> tuple[int, int] | None:
    """Which two expiries (indices) an index is made of; None if no two are fit.

    ``cboe``: the ones nearest to 30 days on either side, between 23 and 37 days if there are such, else any that
    bracket 30 days. ``india`` is given monthly expiries only and takes the first two that are not about to expire,
    also where both lie on one side of 30 days.
    """
    days = np.asarray(years, dtype=np.float64) * MINUTES_PER_YEAR / 1_440.0
    order = [int(i) for i in np.argsort(days, kind="stable") if days[i] > 0.0]
    if method == "india":
        usable = [i for i in order if days[i] >= INDIA_LEAST_DAYS]
        return (usable[0], usable[1]) if len(usable) >= 2 else None
    within = [i for i in order if CBOE_DAYS[0] < days[i] < CBOE_DAYS[1]]
    for candidates in (within, order):
        near = [i for i in candidates if days[i] <= TARGET_DAYS]
        far = [i for i in candidates if days[i] > TARGET_DAYS]
        if near and far:
            return near[-1], far[0]
    return None


def _mid(bid: FloatArray, ask: FloatArray) -> FloatArray:
    """Cboe counts a missing bid as 0; without an ask there is no price."""
    return 0.5 * (np.where(np.isnan(bid), 0.0, bid) + ask)


def _parity_forward(K: FloatArray, difference: FloatArray, growth: float) -> float:
    """From the strike of least |C - P|; NaN if no strike has a bid on both sides."""
    if not np.isfinite(difference).any():
        return float("nan")
    at = int(np.nanargmin(np.abs(difference)))
    return float(K[at] + growth * difference[at])


def _walk(usable: BoolArray, outwards: range) -> list[int]:
    """Indices met on the way out that are usable, until two in a row are not."""
    taken: list[int] = []
    missing = 0
    for i in outwards:
        missing = 0 if usable[i] else missing + 1
        if missing == ZERO_BIDS_THAT_END:
            break
        if usable[i]:
            taken.append(i)
    return taken


def _is_proper(bid: FloatArray, ask: FloatArray) -> BoolArray:
    with np.errstate(all="ignore"):
        proper: BoolArray = (
            (bid > 0.0) & (np.inf > ask) & (ask >= bid) & (ask - bid <= INDIA_WIDEST * 0.5 * (bid + ask))
        )
        return proper


def _splined(K: FloatArray, mid: FloatArray, proper: BoolArray) -> FloatArray:
    """`mid` where proper; between the outermost proper ones what the spline says; NaN beyond, or where it is <= 0."""
    if proper.sum() < 3:
        return np.where(proper, mid, np.nan)
    at = K[proper]
    filled = np.where(proper, mid, natural_spline(at, mid[proper], K))
    return np.where(filled > 0.0, filled, np.nan)
