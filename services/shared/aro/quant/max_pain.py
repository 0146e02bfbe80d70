"""Max pain: the settlement price at which option holders would receive least.

    pain(X) = Σ_{K<X} OI_call(K)·(X - K) + Σ_{K>X} OI_put(K)·(K - X)

in contracts x points. Known to predict little; it is published because people ask for it.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from aro.quant.arrays import FloatArray

TIE_ROUNDING: Final = 1e-12
"""Relative: sums this close are equal but for rounding."""


class MaxPain(NamedTuple):
    strike: FloatArray
    """(...): NaN if no contract has open interest."""
    curve: FloatArray
    """(..., n): pain if the underlying settles at each strike; NaN at NaN strikes."""


def max_pain(
    strikes: ArrayLike, call_open_interest: ArrayLike, put_open_interest: ArrayLike, forward: ArrayLike
) -> MaxPain:
    """Minimum of pain(X) over the strikes, in O(n).

    Parameters
    ----------
    strikes : (..., n) rising, NaN for padding at the end
    call_open_interest, put_open_interest : (..., n) contracts, >= 0; NaN counts as 0
    forward : (...); among strikes of equal pain the nearest to it wins, then the lower; if NaN, the lowest.
    """
    K, calls, puts = np.broadcast_arrays(
        *(np.asarray(a, dtype=np.float64) for a in (strikes, call_open_interest, put_open_interest))
    )
    F = np.asarray(forward, dtype=np.float64)[..., None]
    if K.shape[-1] == 0:
        return MaxPain(np.full(K.shape[:-1], np.nan), np.array(K))
    with np.errstate(all="ignore"):
        listed = np.isfinite(K)
        calls, puts = (np.where(listed & np.isfinite(a), a, 0.0) for a in (calls, puts))
        gaps = np.where(listed[..., 1:], np.diff(K, axis=-1), 0.0)
        # From one strike to the next, pain grows by the gap times the open interest already passed: sums of
        # positive terms, which prefix sums of OI·K would not be.
        call_pain = np.cumsum(gaps * np.cumsum(calls, axis=-1)[..., :-1], axis=-1)
        beyond = np.cumsum(puts[..., ::-1], axis=-1)[..., ::-1][..., 1:]
        put_pain = np.cumsum((gaps * beyond)[..., ::-1], axis=-1)[..., ::-1]
        nothing = np.zeros((*K.shape[:-1], 1))
        curve = np.concatenate([nothing, call_pain], axis=-1) + np.concatenate([put_pain, nothing], axis=-1)
        curve = np.where(listed, curve, np.nan)
        least = np.min(np.where(listed, curve, np.inf), axis=-1, keepdims=True)
        tied = listed & (curve <= least * (1.0 + TIE_ROUNDING))
        distance = np.where(np.isfinite(F), np.abs(K - F), 0.0)
        best = np.argmin(np.where(tied, distance, np.inf), axis=-1)
        strike = np.take_along_axis(K, best[..., None], axis=-1)[..., 0]
        open_interest = (calls + puts).sum(axis=-1)
        return MaxPain(np.where(open_interest > 0.0, strike, np.nan), curve)
