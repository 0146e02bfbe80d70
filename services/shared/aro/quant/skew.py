"""Skew of one expiry, read off its fitted smile at fixed deltas.

    rr25 = σ(25Δ call) - σ(25Δ put)          bf25 = ½·(σ(25Δ call) + σ(25Δ put)) - σ(ATMF)

Delta is the undiscounted forward delta N(d1) of the call, so the 25-delta put sits where N(d1) = 0.75, and the money
is K = F. Strikes are solved on the smile itself: a strike 5 % away is no delta.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from aro.quant.arrays import BoolArray, FloatArray
from aro.quant.svi import Svi, moneyness_at_delta, total_variance

WING_DELTA: Final = 0.25
CLIP_DELTA: Final = 0.05
"""Options of less delta are a few ticks wide; with them in, one stale tick bends the smile."""
WIDEST: Final = 0.25
"""Of iv: quotes whose bid and ask volatilities are further apart say nothing about the smile."""


class Skew(NamedTuple):
    """(slices,) each, annual decimals; NaN where the smile could not be fitted or does not reach that delta."""

    iv_atm: FloatArray
    call_25: FloatArray
    put_25: FloatArray
    rr25: FloatArray
    bf25: FloatArray
    norm: FloatArray
    """-rr25/σ(ATMF): positive where puts are dearer."""


def smile_weights(iv: ArrayLike, bid_iv: ArrayLike, ask_iv: ArrayLike, vega: ArrayLike, delta: ArrayLike) -> FloatArray:
    """What each out-of-the-money quote counts in a fit: its vega, or 0 if it is too far out or too wide.

    All broadcast; `delta` of its own side, discounted or not. A quote without a bid volatility counts if the rest
    is known: its bid is below intrinsic value, which says nothing about its width.
    """
    sigma, low, high, weight, d = (np.asarray(x, dtype=np.float64) for x in (iv, bid_iv, ask_iv, vega, delta))
    with np.errstate(all="ignore"):
        narrow = ~(high - np.where(np.isnan(low), 0.0, low) > WIDEST * sigma)
        usable: BoolArray = np.isfinite(sigma) & np.isfinite(high) & narrow & (np.abs(d) >= CLIP_DELTA) & (weight > 0.0)
        return np.where(usable, weight, 0.0)


def skew(svi: Svi, years: ArrayLike) -> Skew:
    """Of fitted smiles (slices,)."""
    T = np.asarray(years, dtype=np.float64)[:, None]
    k = moneyness_at_delta([WING_DELTA, 0.5, 1.0 - WING_DELTA], svi)
    if len(k):
        k[:, 1] = 0.0
    with np.errstate(all="ignore"):
        call, atm, put = np.sqrt(total_variance(k, svi) / T).T
    rr25 = call - put
    return Skew(atm, call, put, rr25, 0.5 * (call + put) - atm, -rr25 / atm)
