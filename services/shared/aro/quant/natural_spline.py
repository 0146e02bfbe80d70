"""The natural cubic spline, as the index rules of NSE ask for it.

Of our own: `scipy.interpolate` brings optimisers and sparse matrices along, half a second and 25 MB per process.
"""

import numpy as np

from aro.quant.arrays import FloatArray


def natural_spline(x: FloatArray, y: FloatArray, at: FloatArray) -> FloatArray:
    """The piecewise cubic through (x, y) that is twice continuously differentiable, without curvature at its ends.

    Parameters
    ----------
    x, y : (n,), n ≥ 2; x rises strictly
    at : (m,); NaN outside of [x[0], x[-1]]

    References
    ----------
    Press et al., Numerical Recipes, 3rd ed., section 3.3.
    """
    with np.errstate(all="ignore"):
        width, slope = np.diff(x), np.diff(y) / np.diff(x)
        curvature = np.zeros(x.size)
        if x.size > 2:
            system = np.diag(2.0 * (width[:-1] + width[1:]))
            system += np.diag(width[1:-1], 1) + np.diag(width[1:-1], -1)
            curvature[1:-1] = np.linalg.solve(system, 6.0 * np.diff(slope))
        piece = np.clip(np.searchsorted(x, at, side="right") - 1, 0, x.size - 2)
        h = width[piece]
        right = (at - x[piece]) / h
        left = 1.0 - right
        bend = (left**3 - left) * curvature[piece] + (right**3 - right) * curvature[piece + 1]
        value = left * y[piece] + right * y[piece + 1] + bend * h * h / 6.0
        return np.where((at >= x[0]) & (at <= x[-1]), value, np.nan)
