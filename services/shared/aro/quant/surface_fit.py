"""From the quotes of all expiries of one product to a surface without static arbitrage.

1. One SVI per expiry (`aro.quant.svi_fit`): the best description of each smile. If together they have no arbitrage,
   they are the surface.
2. Else those with arbitrage are fitted again with a penalty on g < 0 and on total variance above that of the expiry
   after (the idea of [1]_ section 5.2).
3. If arbitrage is left even then, or SSVI is nearer to the quotes, SSVI, whose parameters cannot have any.

References
----------
.. [1] Gatheral, J. and Jacquier, A. (2014). Arbitrage-free SVI volatility surfaces. arXiv:1204.0646.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from aro.quant import arbitrage
from aro.quant.arbitrage import Violation
from aro.quant.arrays import BoolArray, FloatArray, IntArray, positive
from aro.quant.least_squares import Model, minimise
from aro.quant.ssvi_fit import PowerLaw, fit_power_law
from aro.quant.surface import Surface, SurfaceModel
from aro.quant.svi import Svi, shape, total_variance
from aro.quant.svi_curve import Jets, Level, from_free, from_raw, jets, level, steepest, to_free, to_raw
from aro.quant.svi_fit import Points, SliceFits, box, fit_slices, quality, residuals, scaled, usable_points

MARGIN: Final = 0.25
"""The surface answers this share beyond the range that was quoted."""
PENALTIES: Final = (30.0, 300.0)
"""Weights of the penalty rows, tried in turn."""
G_TARGET: Final = 0.01
W_TARGET: Final = 2e-3
"""A penalised fit ends a little beside the edge it is pushed to: g and w aim this much inside."""
REPAIR_POINTS: Final = 101
REPAIR_STEPS: Final = 30
REPAIR_TOLERANCE: Final = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceFit:
    """`expiries` are indices into what was given, of the slices that could be fitted, by rising time."""

    surface: Surface
    expiries: IntArray
    raw: SliceFits
    """Each smile on its own: parameters and quality, g_min included."""
    final: SliceFits
    """The curves of the surface itself."""
    violations: list[Violation]
    """Arbitrage in `raw`, none of it tradable by itself; see `aro.quant.arbitrage` for that of quotes."""


def fit_surface(
    k: ArrayLike,
    iv: ArrayLike,
    weight: ArrayLike,
    years: ArrayLike,
    forward: ArrayLike,
    spot: float,
    start: Svi | None = None,
) -> SurfaceFit | None:
    """Arguments as in `aro.quant.svi_fit.fit_slices`, with the forward (slices,) of each expiry, in any order.

    None if no expiry has enough points.
    """
    k_, iv_, weight_ = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (k, iv, weight)))
    T, F = np.asarray(years, dtype=np.float64), np.asarray(forward, dtype=np.float64)
    fits = fit_slices(k_, iv_, weight_, T, start)
    order = np.argsort(T, kind="stable")
    order = order[np.isfinite(fits.svi.b[order]) & positive(F)[order]]
    order = order[np.diff(T[order], prepend=-1.0) > 0.0]  # of two expiries at one instant, the first
    if order.size == 0:
        return None
    k_, iv_, weight_, T, F = k_[order], iv_[order], weight_[order], T[order], F[order]
    raw = _take(fits, order)
    reach = domain(raw.k_low, raw.k_high)
    with np.errstate(all="ignore"):
        usable = usable_points(k_, iv_, weight_)
        weight_ = np.where(usable, weight_, 0.0)
        look = arbitrage.grid(raw.svi, *reach)
        ranges = raw.k_low, raw.k_high
        violations = [
            *arbitrage.butterfly_violations(raw.svi, look, *ranges),
            *arbitrage.calendar_violations(raw.svi, look, *ranges),
        ]
        svi, model = raw.svi, _model(raw.svi, reach, "svi")
        law = fit_power_law(k_, iv_, weight_, T, total_variance(np.zeros((len(T), 1)), raw.svi)[:, 0])
        if model == "ssvi":
            svi = repaired(raw.svi, _sound(start, order, law), scaled(k_, iv_, weight_, T), usable, reach)
            model = _model(svi, reach, "svi_repaired")
        final, last_resort = (quality(curves, k_, iv_, usable, T) for curves in (svi, law.slices()))
        if model != "svi" and (model == "ssvi" or _error(last_resort) < _error(final)):
            model, svi, final = "ssvi", law.slices(), last_resort
    surface = Surface(
        model=model, spot=spot, years=T, forward=F, svi=svi, power_law=law, k_low=reach[0], k_high=reach[1]
    )
    return SurfaceFit(surface=surface, expiries=order, raw=raw, final=final, violations=violations)


def repaired(svi: Svi, sound: Svi, points: Points, usable: BoolArray, domain: tuple[float, float]) -> Svi:
    """Slices with arbitrage fitted again, farthest first, pushed off g < 0 and below the slice after.

    The fit starts from `sound`, a curve without arbitrage: from within the allowed set it finds the quotes more
    easily than it would find back into it. The far end comes first because it is the wings of near expiries, where
    these have no quotes, that cross later ones.
    """
    limit = steepest(points.theta)
    start = to_free(from_raw(sound, points.theta))
    low, high = box(points, usable)
    even = np.linspace(*domain, REPAIR_POINTS)
    done: list[Svi] = []
    for i in reversed(range(len(points.theta))):
        one = slice(i, i + 1)
        theta = points.theta[one]
        k = np.union1d(even, np.clip(np.linspace(-6.0, 6.0, REPAIR_POINTS) * np.sqrt(theta), *domain))
        ceiling = total_variance(k, done[-1]) if done else np.full(len(k), np.inf)
        problem = _Problem(Points(*(column[one] for column in points)), k, ceiling, limit[one])
        curve = Svi(*(column[i] for column in svi))
        for penalty in PENALTIES:
            if problem.is_sound(curve):
                break
            found = minimise(
                problem.model(penalty), start[one], low[one], high[one], steps=REPAIR_STEPS, tolerance=REPAIR_TOLERANCE
            )
            curve = Svi(*(column[0] for column in to_raw(from_free(found.parameters, limit[one]), theta)))
        done.append(curve)
    return Svi(*(np.array(column) for column in zip(*reversed(done), strict=True)))


@dataclass(frozen=True, slots=True)
class _Problem:
    """One slice under a ceiling. Residuals of its quotes come first, then what `_push` says at every `k`."""

    points: Points
    k: FloatArray
    ceiling: FloatArray
    limit: FloatArray

    def is_sound(self, curve: Svi) -> bool:
        at = shape(self.k, curve)
        return arbitrage.has_no_butterfly(self.k, at) and bool((at.w <= self.ceiling).all())

    def model(self, penalty: float) -> Model:
        theta = self.points.theta
        z = (self.k / np.sqrt(theta))[None]
        ceiling = self.ceiling * (1.0 - W_TARGET) / theta
        rows = penalty / np.sqrt(len(self.k))

        def at(u: FloatArray, active: IntArray) -> tuple[FloatArray, FloatArray]:
            curve = from_free(u, self.limit)
            fitted, by_u = residuals(self.points, active, u, self.limit)
            pushed, pushed_by_u = _push(z, level(z, curve), jets(z, curve), theta, ceiling)
            return np.hstack([fitted, rows * pushed]), np.concatenate([by_u, rows * pushed_by_u], axis=1)

        return at


def _push(
    z: FloatArray, at: Level, ahead: Jets, theta: FloatArray, ceiling: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """By how much g is too small and v too large at each z, and the derivatives by u; 0 where neither is."""
    v, slope = at.v, ahead.slope
    reciprocal = 1.0 / v
    tilt = 1.0 - 0.5 * z * slope * reciprocal
    bend = reciprocal + 0.25 * theta[:, None]
    g = tilt * tilt - 0.25 * slope * slope * bend + 0.5 * ahead.curvature
    by_v = tilt * z * slope * reciprocal**2 + 0.25 * slope * slope * reciprocal**2
    by_slope = -tilt * z * reciprocal - 0.5 * slope * bend
    g_by_u = by_v[..., None] * at.by_u + by_slope[..., None] * ahead.slope_by_u + 0.5 * ahead.curvature_by_u
    low, over = g < G_TARGET, v > ceiling
    pushed = np.hstack([np.where(low, G_TARGET - g, 0.0), np.where(over, v - ceiling, 0.0)])
    by_u = np.concatenate([np.where(low[..., None], -g_by_u, 0.0), np.where(over[..., None], at.by_u, 0.0)], axis=1)
    return pushed, by_u


def _sound(start: Svi | None, order: IntArray, law: PowerLaw) -> Svi:
    """Where a repair starts: at the last surface, whose curves were sound, or at those of SSVI."""
    slices = law.slices()
    if start is None:
        return slices
    last = (np.asarray(column)[order] for column in start)
    known = np.isfinite(np.asarray(start.b)[order])
    return Svi(*(np.where(known, a, b) for a, b in zip(last, slices, strict=True)))


def _error(fits: SliceFits) -> float:
    """Of all points together."""
    return float((fits.points * fits.rmse**2).sum())


def _model(svi: Svi, domain: tuple[float, float], sound: SurfaceModel) -> SurfaceModel:
    return sound if arbitrage.is_sound(svi, arbitrage.grid(svi, *domain)) else "ssvi"


def domain(k_low: FloatArray, k_high: FloatArray) -> tuple[float, float]:
    """The range of ln(K/F) that the surface of smiles quoted from `k_low` to `k_high` (slices,) answers for."""
    low, high = float(k_low.min()), float(k_high.max())
    margin = MARGIN * (high - low)
    return min(low, 0.0) - margin, max(high, 0.0) + margin


def _take(fits: SliceFits, order: IntArray) -> SliceFits:
    return SliceFits(
        svi=Svi(*(column[order] for column in fits.svi)),
        points=fits.points[order],
        rmse=fits.rmse[order],
        max_error=fits.max_error[order],
        g_min=fits.g_min[order],
        k_low=fits.k_low[order],
        k_high=fits.k_high[order],
    )
