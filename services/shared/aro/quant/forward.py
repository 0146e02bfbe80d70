"""The forward of an expiry, read from its own options by put-call parity.

    F(K) = K + e^{rT}·(C - P)    for every strike K

Calls and puts of one strike imply one forward, whatever the volatility; the strikes where |C - P| is smallest are
the ones traded most. Shapes: the last axis of quote arrays is the strike, leading axes are chains; a NaN strike is
padding.

References
----------
.. [1] Cboe (2019). Volatility Index Methodology: the forward from the strike of least |C - P|. Here several strikes
   vote, because in live data one of the two quotes of one strike is often a moment older than the other.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aro.contracts.analytics import ForwardSource as ForwardSourceName
from aro.quant.arrays import BoolArray, FloatArray, IntArray

MAX_STRIKES_USED: Final = 7
"""Strikes of least |C - P| that vote; with fewer two-sided strikes, as many as there are."""
MAD_TO_SIGMA: Final = 1.4826
"""Median absolute deviation to standard deviation, for normal errors."""
GUARD_SIGMAS: Final = 3.0
GUARD_HALF_SPREADS: Final = 2.0
"""A vote is stale if it is off the median by more than 3 robust sigmas and by more than twice its own half spread."""
SPREAD_FLOOR: Final = 1e-5
"""Of the strike, below any tick: a locked quote (bid = ask) gets a large weight and not an infinite one."""
BAND_ROUNDING: Final = 1e-9
"""Relative: quotes without any spread give equal bounds, which rounding alone must not cross."""


class ForwardSource(IntEnum):
    """Where a forward came from; lower-case names are those of `aro.contracts.analytics.ForwardSource`."""

    NONE = 0
    PARITY = 1
    FUTURE = 2
    CARRY = 3


_NAMES: Final[tuple[ForwardSourceName | None, ...]] = (None, "parity", "future", "carry")


class ForwardEstimate(NamedTuple):
    """One entry per chain; 0-d arrays for a single one."""

    value: FloatArray
    """NaN when `source` is NONE."""
    source: NDArray[np.int8]
    """Codes of `ForwardSource`."""
    low: FloatArray
    """The highest forward that can be sold: max over two-sided strikes of K + e^{rT}·(C_bid - P_ask)."""
    high: FloatArray
    """The lowest forward that can be bought: min over two-sided strikes of K + e^{rT}·(C_ask - P_bid)."""
    strikes_used: IntArray
    """Strikes whose parity entered `value`; 0 unless `source` is PARITY."""
    band_crossed: BoolArray
    """low > high: some quotes are stale, or parity could be arbitraged."""


def source_names(codes: Iterable[int]) -> list[ForwardSourceName | None]:
    """The contract's words for `ForwardSource` codes; None for NONE."""
    return [_NAMES[code] for code in codes]


def implied_forward(
    strikes: ArrayLike,
    call_bid: ArrayLike,
    call_ask: ArrayLike,
    put_bid: ArrayLike,
    put_ask: ArrayLike,
    spot: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    listed_future: ArrayLike | None = None,
) -> ForwardEstimate:
    """Parity forward; without any two-sided strike the listed future, without that S·e^{(r-q)T}.

    Parameters
    ----------
    strikes : (..., n) rising, NaN for padding
    call_bid, call_ask, put_bid, put_ask : (..., n) discounted premiums, NaN where not quoted
    spot, years, rate, dividend_yield, listed_future : (...), annual and continuous; NaN where not known.
        Time after expiry counts as 0.

    Notes
    -----
    A strike is two-sided if both options have 0 < bid <= ask. The vote of a strike is its F(K) from mid prices with
    weight 1/(spread_C² + spread_P²), after stale votes are dropped (`GUARD_SIGMAS`).
    """
    K, c_bid, c_ask, p_bid, p_ask = np.broadcast_arrays(
        *(np.asarray(a, dtype=np.float64) for a in (strikes, call_bid, call_ask, put_bid, put_ask))
    )
    with np.errstate(all="ignore"):
        T = np.maximum(np.asarray(years, dtype=np.float64), 0.0)
        r = np.asarray(rate, dtype=np.float64)
        growth = np.exp(r * T)[..., None]
        two_sided = (
            np.isfinite(K) & (c_bid > 0.0) & (c_bid <= c_ask) & (p_bid > 0.0) & (p_bid <= p_ask)
        ) & np.isfinite(c_ask + p_ask + growth)
        low = np.max(np.where(two_sided, K + growth * (c_bid - p_ask), -np.inf), axis=-1, initial=-np.inf)
        high = np.min(np.where(two_sided, K + growth * (c_ask - p_bid), np.inf), axis=-1, initial=np.inf)
        any_two_sided = two_sided.any(axis=-1)

        parity, used = _vote(K, c_bid, c_ask, p_bid, p_ask, growth, two_sided)
        carry = np.asarray(spot, dtype=np.float64) * np.exp((r - np.asarray(dividend_yield, dtype=np.float64)) * T)
        future = np.asarray(np.nan if listed_future is None else listed_future, dtype=np.float64)
        candidates = np.stack(np.broadcast_arrays(parity, future, carry))
        usable = np.isfinite(candidates) & (candidates > 0.0)
        chosen = np.argmax(usable, axis=0)
        found = usable.any(axis=0)
        value = np.where(found, np.take_along_axis(candidates, chosen[None], axis=0)[0], np.nan)
        source = np.where(found, chosen + 1, ForwardSource.NONE).astype(np.int8)
        return ForwardEstimate(
            value=value,
            source=source,
            low=np.where(any_two_sided, low, np.nan),
            high=np.where(any_two_sided, high, np.nan),
            strikes_used=np.where(source == ForwardSource.PARITY, used, 0),
            band_crossed=any_two_sided & (low - high > BAND_ROUNDING * np.abs(high)),
        )


def _vote(
    K: FloatArray,
    c_bid: FloatArray,
    c_ask: FloatArray,
    p_bid: FloatArray,
    p_ask: FloatArray,
    growth: FloatArray,
    two_sided: BoolArray,
) -> tuple[FloatArray, IntArray]:
    """The weighted mean of the votes that are not stale, and their number."""
    difference = 0.5 * (c_bid + c_ask) - 0.5 * (p_bid + p_ask)
    nearest = np.argsort(np.where(two_sided, np.abs(difference), np.inf), axis=-1, kind="stable")
    nearest = nearest[..., :MAX_STRIKES_USED]
    strike = np.take_along_axis(K, nearest, axis=-1)
    c_spread = np.take_along_axis(c_ask - c_bid, nearest, axis=-1)
    p_spread = np.take_along_axis(p_ask - p_bid, nearest, axis=-1)
    votes = np.take_along_axis(np.where(two_sided, K + growth * difference, np.nan), nearest, axis=-1)
    middle = _median(votes)
    off = np.abs(votes - middle[..., None])
    floor = SPREAD_FLOOR * strike
    # Quotes that agree exactly deviate by rounding only: the spread, or its floor, is the least tolerance.
    tolerance = np.maximum(
        GUARD_HALF_SPREADS * (0.5 * growth * (c_spread + p_spread) + floor),
        GUARD_SIGMAS * MAD_TO_SIGMA * _median(off)[..., None],
    )
    fresh = off <= tolerance
    weight = np.where(fresh, 1.0 / (c_spread**2 + p_spread**2 + floor**2), 0.0)
    shift = np.where(fresh, weight * (votes - middle[..., None]), 0.0)
    value = middle + shift.sum(axis=-1) / weight.sum(axis=-1)
    return value, fresh.sum(axis=-1)


def _median(values: FloatArray) -> FloatArray:
    """Median over the last axis of what is not NaN; NaN if nothing is. `numpy.nanmedian` would warn of that."""
    if values.shape[-1] == 0:
        return np.full(values.shape[:-1], np.nan)
    ordered = np.sort(values, axis=-1)
    count = np.isfinite(values).sum(axis=-1)
    lower = np.take_along_axis(ordered, np.maximum(count - 1, 0)[..., None] // 2, axis=-1)
    upper = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[-1] - 1)[..., None], axis=-1)
    median: FloatArray = 0.5 * (lower + upper)[..., 0]
    return median
