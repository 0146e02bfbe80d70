"""How far quotes are from put-call parity at the forward that was chosen: C - P - D·(F - K), in points."""

import numpy as np
from numpy.typing import ArrayLike

from aro.quant.arrays import FloatArray


def parity_residuals(
    strikes: ArrayLike, call_mid: ArrayLike, put_mid: ArrayLike, forward: ArrayLike, discount: ArrayLike
) -> FloatArray:
    """(..., n); `forward` and `discount` (...). NaN where one of the two is not quoted on both sides."""
    K, call, put = (np.asarray(x, dtype=np.float64) for x in (strikes, call_mid, put_mid))
    F, D = (np.asarray(x, dtype=np.float64)[..., None] for x in (forward, discount))
    with np.errstate(all="ignore"):
        residuals: FloatArray = call - put - D * (F - K)
        return residuals


def typical_residual(residuals: ArrayLike) -> FloatArray:
    """(...): the median of |residual| over the last axis, which a few stale deep quotes do not move; NaN if none."""
    size = np.abs(np.asarray(residuals, dtype=np.float64))
    if size.shape[-1] == 0:
        return np.full(size.shape[:-1], np.nan)
    ordered = np.sort(size, axis=-1)
    count = np.isfinite(size).sum(axis=-1)
    low, high = (np.maximum(index, 0)[..., None] for index in ((count - 1) // 2, count // 2))
    high = np.minimum(high, size.shape[-1] - 1)
    middle = 0.5 * (np.take_along_axis(ordered, low, axis=-1) + np.take_along_axis(ordered, high, axis=-1))
    return np.where(count > 0, middle[..., 0], np.nan)
