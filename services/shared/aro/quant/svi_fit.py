"""SVI fitted to the quotes of many expiries at once.

The residual of a point is the error of its volatility times the root of its weight. A cold start is the best of a few
(m, s) for which the other three parameters follow from a linear system [1]_; from there, or from the last fit, a
Levenberg-Marquardt iteration with analytic derivatives moves all expiries together (`aro.quant.svi_curve`).

References
----------
.. [1] De Marco, S. and Martini, C. (2009). Quasi-explicit calibration of Gatheral's SVI model. Zeliade Systems.
"""

from itertools import product
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from aro.quant import kernel
from aro.quant.arrays import BoolArray, FloatArray, IntArray
from aro.quant.least_squares import minimise, solve_each
from aro.quant.svi import Svi, durrleman, total_variance
from aro.quant.svi_curve import PARAMETERS, Curve, from_free, from_raw, level, steepest, to_free, to_raw

MIN_POINTS: Final = PARAMETERS
LEAST_IV, GREATEST_IV, FARTHEST, LONGEST = 1e-3, 50.0, 10.0, 100.0
"""Volatilities, |ln(K/F)| and years outside these are no market's, and would swamp the sums of a fit."""
STARTS: Final = tuple(product((-1.5, -0.5, 0.3, 1.2), (0.15, 0.5, 1.5)))
"""(m, s) of the cold start, in units of √w at the money."""
STEPS: Final = 40
TOLERANCE: Final = 1e-4
NEGLIGIBLE: Final = 1e-10
"""Of the mean square of relative errors: a ten-thousandth of a vol point at a volatility of 10 %."""
LOWEST: Final = (np.log(1e-6), np.log(5.0))
WINGS: Final = 14.0
"""Bound of a wing's logit: slopes between a millionth of Lee's limit and all but a millionth of it."""
WIDTH: Final = (np.log(0.05), np.log(20.0))
"""Of s: a sharper bend than this is the noise of one quote."""
PRIOR: Final = np.log([0.8, 0.5, 0.5, 1.0, 0.8])
"""Lowest point, slopes dv/dz, exp(m) and s of a usual smile, in scaled units."""
PULL: Final = 2e-4
"""How strongly a fit leans to it: as if one quote in the mean were off by 0.003 vol points at a volatility of 17 %.
Quotes on one side of a bend leave the other wing free to run to Lee's limit for nothing; this holds it."""
G_POINTS: Final = 201
G_REACH: Final = 3.0
"""g is looked at over the quoted range and this many √w beyond each end; further out it tends to 1/4 - slope²/16."""


class SliceFits(NamedTuple):
    """(slices,) each; NaN where fewer than `MIN_POINTS` points were usable."""

    svi: Svi
    points: IntArray
    rmse: FloatArray
    """Of volatility over the points used, unweighted, annual decimal."""
    max_error: FloatArray
    g_min: FloatArray
    """Least Durrleman g; below zero is butterfly arbitrage of the fitted curve."""
    k_low: FloatArray
    """Range of log-moneyness that was quoted."""
    k_high: FloatArray


class Points(NamedTuple):
    """Scaled data of a fit: z and √v (slices, n), root weights with 0 where there is no point, θ (slices,)."""

    z: FloatArray
    root_v: FloatArray
    weight: FloatArray
    theta: FloatArray


def fit_slices(
    k: ArrayLike,
    iv: ArrayLike,
    weight: ArrayLike,
    years: ArrayLike,
    start: Svi | None = None,
    *,
    steps: int = STEPS,
) -> SliceFits:
    """One SVI per row.

    Parameters
    ----------
    k : (slices, n) log-moneyness ln(K/F), in any order
    iv : (slices, n) annual decimals, NaN where there is none
    weight : (slices, n) relative, >= 0
    years : (slices,)
    start : parameters (slices,) of an earlier fit; NaN entries start cold
    steps : at most; a third of the default leaves a cold fit within about 0.01 vol points of its end
    """
    k_, iv_, weight_ = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (k, iv, weight)))
    T = np.asarray(years, dtype=np.float64)
    last = None if start is None else np.array(start, dtype=np.float64)
    with np.errstate(all="ignore"):
        usable = usable_points(k_, iv_, weight_) & ((T > 0.0) & (T < LONGEST))[:, None]
        if kernel.compiled is None:
            svi, rows = np.full((PARAMETERS, len(T)), np.nan), np.flatnonzero(usable.sum(axis=1) >= MIN_POINTS)
        else:
            svi, hard = kernel.compiled.fit(k_, iv_, weight_, usable, T, last, steps)
            rows = np.flatnonzero(hard)
        if rows.size:
            some = None if last is None else last[:, rows]
            svi[:, rows] = _fitted(k_[rows], iv_[rows], weight_[rows], usable[rows], T[rows], some, steps)
        return quality(Svi(*svi), k_, iv_, usable, T)


def _fitted(
    k: FloatArray,
    iv: FloatArray,
    weight: FloatArray,
    usable: BoolArray,
    years: FloatArray,
    start: FloatArray | None,
    steps: int,
) -> Svi:
    """Of slices that all have points enough."""
    points = scaled(k, iv, np.where(usable, weight, 0.0), years)
    limit = steepest(points.theta)
    free = _starts(points, limit, None if start is None else Svi(*start))
    low, high = box(points, usable)

    def model(u: FloatArray, active: IntArray) -> tuple[FloatArray, FloatArray]:
        return residuals(points, active, u, limit[active])

    solution = minimise(model, free, low, high, steps=steps, tolerance=TOLERANCE, negligible=NEGLIGIBLE)
    return to_raw(from_free(solution.parameters, limit), points.theta)


def usable_points(k: FloatArray, iv: FloatArray, weight: FloatArray) -> BoolArray:
    """Where a point can enter a fit."""
    sane = (iv > LEAST_IV) & (iv < GREATEST_IV) & (np.abs(k) < FARTHEST)
    result: BoolArray = sane & (weight > 0.0) & np.isfinite(weight)
    return result


def quality(svi: Svi, k: FloatArray, iv: FloatArray, usable: BoolArray, years: FloatArray) -> SliceFits:
    """How well `svi` (slices,) meets the points where `usable`, and its g."""
    if kernel.compiled is None:
        return _quality(svi, k, iv, usable, years)
    results, hard = kernel.compiled.judge(k, iv, usable, years, np.stack(svi))
    rows = np.flatnonzero(hard)
    if rows.size:
        _, _, *judged = _quality(Svi(*(column[rows] for column in svi)), k[rows], iv[rows], usable[rows], years[rows])
        results[:, rows] = judged
    return SliceFits(svi, usable.sum(axis=1), *results)


def _quality(svi: Svi, k: FloatArray, iv: FloatArray, usable: BoolArray, years: FloatArray) -> SliceFits:
    with np.errstate(all="ignore"):
        error = np.where(usable, np.sqrt(total_variance(k, svi) / years[:, None]) - iv, 0.0)
        counts = usable.sum(axis=1)
        fitted = np.isfinite(svi.b)
        low = np.min(np.where(usable, k, np.inf), axis=1, initial=np.inf)
        high = np.max(np.where(usable, k, -np.inf), axis=1, initial=-np.inf)
        return SliceFits(
            svi=svi,
            points=counts,
            rmse=np.where(fitted, np.sqrt((error * error).sum(axis=1) / counts), np.nan),
            max_error=np.where(fitted, np.abs(error).max(axis=1, initial=0.0), np.nan),
            g_min=np.where(fitted, durrleman(reach(svi, low, high), svi).min(axis=1), np.nan),
            k_low=np.where(fitted, low, np.nan),
            k_high=np.where(fitted, high, np.nan),
        )


def reach(svi: Svi, low: FloatArray, high: FloatArray) -> FloatArray:
    """(slices, `G_POINTS`): the k over which a curve is examined."""
    root = np.sqrt(total_variance(np.zeros((len(low), 1)), svi)[:, 0])
    start, end = np.minimum(low, 0.0) - G_REACH * root, np.maximum(high, 0.0) + G_REACH * root
    grid: FloatArray = start[:, None] + (end - start)[:, None] * np.linspace(0.0, 1.0, G_POINTS)
    return grid


# --- the least-squares problem -------------------------------------------------------------


def scaled(k: FloatArray, iv: FloatArray, weight: FloatArray, years: FloatArray) -> Points:
    """Rows of points in scaled units; `weight` is 0 where there is no point."""
    there = np.asarray(weight > 0.0)
    nearest = np.argmin(np.where(there, np.abs(k), np.inf), axis=1)
    at_the_money = np.take_along_axis(iv, nearest[:, None], axis=1)[:, 0]
    theta = at_the_money**2 * years
    share = weight / weight.max(axis=1, keepdims=True)
    return Points(
        z=np.where(there, k, 0.0) / np.sqrt(theta)[:, None],
        root_v=np.where(there, iv, 1.0) / at_the_money[:, None],
        weight=np.sqrt(share / share.sum(axis=1, keepdims=True)),
        theta=theta,
    )


def residuals(points: Points, active: IntArray, u: FloatArray, limit: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weighted errors of volatility relative to that at the money, then `PRIOR`, and their derivatives by u."""
    at = level(points.z[active], from_free(u, limit))
    root = np.sqrt(at.v)
    weight = points.weight[active]
    errors = weight * (root - points.root_v[active])
    # Slopes are far from their limit: there logit is the logarithm of slope / limit.
    usual = PRIOR - np.log(limit)[:, None] * np.array([0.0, 1.0, 1.0, 0.0, 0.0])
    by_u = np.empty((*errors.shape[:-1], errors.shape[-1] + PARAMETERS, PARAMETERS))
    by_u[:, :-PARAMETERS] = at.by_u * (0.5 * weight / root)[..., None]
    by_u[:, -PARAMETERS:] = PULL * np.eye(PARAMETERS)
    return np.hstack([errors, PULL * (u - usual)]), by_u


def box(points: Points, there: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Bounds of u: the lowest point stays within a span of the quotes."""
    first = np.min(np.where(there, points.z, np.inf), axis=1)
    last = np.max(np.where(there, points.z, -np.inf), axis=1)
    span = last - first
    ones = np.ones_like(span)
    low = (LOWEST[0] * ones, -WINGS * ones, -WINGS * ones, first - span, WIDTH[0] * ones)
    high = (LOWEST[1] * ones, WINGS * ones, WINGS * ones, last + span, WIDTH[1] * ones)
    return np.stack(low, axis=-1), np.stack(high, axis=-1)


def _starts(points: Points, limit: FloatArray, last: Svi | None) -> FloatArray:
    if last is None:
        return _cold(points, limit)
    warm = to_free(from_raw(last, points.theta))
    known: BoolArray = np.asarray(np.isfinite(warm).all(axis=1))
    if known.all():
        return warm
    return np.where(known[:, None], warm, _cold(points, limit))


def _cold(points: Points, limit: FloatArray) -> FloatArray:
    """The best of `STARTS`, each with its best wings and level."""
    m, s = (np.array(column)[None, :, None] for column in zip(*STARTS, strict=True))
    y = points.z[:, None, :] - m
    r = np.sqrt(y * y + s * s)
    v = points.root_v**2
    weight = points.weight / (2.0 * points.root_v)
    columns = np.stack([np.ones_like(y), y, r], axis=-1) * weight[:, None, :, None]
    target = np.broadcast_to((weight * v)[:, None, :], y.shape)
    transposed = np.swapaxes(columns, -1, -2)
    normal = transposed @ columns + 1e-9 * np.eye(3)
    level, tilt, lift = np.moveaxis(solve_each(normal, (transposed @ target[..., None])[..., 0]), -1, 0)
    top = limit[:, None]
    P, C = np.clip(lift - tilt, 1e-3, 0.9 * top), np.clip(lift + tilt, 1e-3, 0.9 * top)
    bend = 0.5 * (C - P)[..., None] * y + 0.5 * (C + P)[..., None] * r
    # With the wings clipped the best level is the weighted mean of what they leave.
    square = np.broadcast_to((weight * weight)[:, None, :], y.shape)
    level = (square * (v[:, None, :] - bend)).sum(axis=-1) / square.sum(axis=-1)
    lowest = np.maximum(level + np.sqrt(P * C) * s[..., 0], 1e-3)
    level = lowest - np.sqrt(P * C) * s[..., 0]
    cost = (square * (level[..., None] + bend - v[:, None, :]) ** 2).sum(axis=-1)
    best = np.argmin(np.where(np.isfinite(cost), cost, np.inf), axis=1)[:, None]

    def pick(values: FloatArray) -> FloatArray:
        return np.take_along_axis(np.broadcast_to(values, cost.shape), best, axis=1)[:, 0]

    return to_free(Curve(pick(lowest), pick(P), pick(C), pick(m[..., 0]), pick(s[..., 0]), limit))
