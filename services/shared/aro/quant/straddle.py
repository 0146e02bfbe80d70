"""At the money: which strike it is, its straddle and volatility, and the move they expect.

Shapes: the last axis of per-strike arrays is the strike (rising, NaN for padding at the end); `forward` has the
leading axes.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from aro.quant.arrays import BoolArray, FloatArray, IntArray

RETAIL_FACTOR: Final = 0.85
"""Of the straddle: the rule of thumb that covers about half of all outcomes."""


class ExpectedMove(NamedTuple):
    """Points of the underlying until expiry, either way."""

    one_sd: FloatArray
    """F·σ·√T: 68 % of outcomes if returns are normal."""
    straddle: FloatArray
    """The straddle: the mean absolute move, about 0.8 sd."""
    retail: FloatArray
    """0.85 of the straddle."""


def atm_index(strikes: ArrayLike, forward: ArrayLike) -> IntArray:
    """Index of the strike nearest the forward, the lower one on a tie; -1 if there is no strike or no forward."""
    K, F = _columns(strikes, forward)
    if K.shape[-1] == 0:
        return np.full(K.shape[:-1], -1, dtype=np.int64)
    with np.errstate(all="ignore"):
        distance = np.abs(K - F)
        known = np.isfinite(distance)
        return np.where(known.any(axis=-1), np.argmin(np.where(known, distance, np.inf), axis=-1), -1)


def at_index(values: ArrayLike, index: IntArray) -> FloatArray:
    """Each row's value at its index; NaN where the index is -1."""
    rows = np.asarray(values, dtype=np.float64)
    if rows.shape[-1] == 0:
        return np.full(np.shape(index), np.nan)
    picked = np.take_along_axis(rows, np.maximum(index, 0)[..., None], axis=-1)[..., 0]
    return np.where(index >= 0, picked, np.nan)


def straddle_at_forward(strikes: ArrayLike, straddles: ArrayLike, forward: ArrayLike) -> FloatArray:
    """Straddle prices (mid of call + mid of put) interpolated linearly in K at K = F.

    NaN unless both neighbouring listed strikes have one: a straddle is V-shaped in K, so no wider gap is bridged.
    """
    K, F = _columns(strikes, forward)
    return _interpolate(K, np.asarray(straddles, dtype=np.float64), F, np.isfinite(K))


def strike_volatility(call_iv: ArrayLike, put_iv: ArrayLike) -> FloatArray:
    """One volatility per strike: the mean of both sides, or the one that is known.

    Under a parity forward both sides of a strike have one true volatility, so either may stand in for the other.
    """
    call, put = np.asarray(call_iv, dtype=np.float64), np.asarray(put_iv, dtype=np.float64)
    with np.errstate(all="ignore"):
        return np.where(np.isnan(call), put, np.where(np.isnan(put), call, 0.5 * (call + put)))


def volatility_at_forward(strikes: ArrayLike, call_iv: ArrayLike, put_iv: ArrayLike, forward: ArrayLike) -> FloatArray:
    """At-the-money-forward volatility: `strike_volatility` interpolated linearly in K at K = F.

    Between the nearest strikes on either side that have one (a smile is smooth, so a missing quote is bridged);
    NaN if there is none on one side, because nothing is extrapolated.
    """
    K, F = _columns(strikes, forward)
    sigma = strike_volatility(call_iv, put_iv)
    return _interpolate(K, sigma, F, np.isfinite(K) & np.isfinite(sigma))


def expected_move(forward: ArrayLike, sigma: ArrayLike, years: ArrayLike, straddle: ArrayLike) -> ExpectedMove:
    """All arguments broadcast; `sigma` is the at-the-money volatility, `straddle` the at-the-money straddle."""
    with np.errstate(all="ignore"):
        T = np.asarray(years, dtype=np.float64)
        one_sd = np.asarray(forward, dtype=np.float64) * np.asarray(sigma, dtype=np.float64) * np.sqrt(T)
        price = np.asarray(straddle, dtype=np.float64)
        return ExpectedMove(one_sd, price, RETAIL_FACTOR * price)


def _columns(strikes: ArrayLike, forward: ArrayLike) -> tuple[FloatArray, FloatArray]:
    return np.asarray(strikes, dtype=np.float64), np.asarray(forward, dtype=np.float64)[..., None]


def _interpolate(K: FloatArray, values: FloatArray, F: FloatArray, usable: BoolArray) -> FloatArray:
    """Linear between the last usable strike <= F and the first one >= F."""
    if K.shape[-1] == 0:
        return np.full(K.shape[:-1], np.nan)
    with np.errstate(all="ignore"):
        below, above = usable & (K <= F), usable & (K >= F)
        last = K.shape[-1] - 1 - np.argmax(below[..., ::-1], axis=-1)
        first = np.argmax(above, axis=-1)
        lower, upper = at_index(K, last), at_index(K, first)
        start, end = at_index(values, last), at_index(values, first)
        share = np.where(upper > lower, (F[..., 0] - lower) / (upper - lower), 0.0)
        result = start + share * (end - start)
        return np.where(below.any(axis=-1) & above.any(axis=-1), result, np.nan)
