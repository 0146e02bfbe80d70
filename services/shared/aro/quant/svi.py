"""Raw SVI: the total variance of one expiry in five parameters, and what tells arbitrage from its shape.

    w(k) = a + b·(ρ·(k - m) + √((k - m)² + σ²)),     k = ln(K/F),  w = iv²·T

Butterfly arbitrage is absent if and only if Durrleman's g is nowhere negative (and the wings are no steeper than 2):

    g(k) = (1 - k·w'/(2w))² - w'²/4·(1/w + 1/4) + w''/2

References
----------
.. [1] Gatheral, J. and Jacquier, A. (2014). Arbitrage-free SVI volatility surfaces. arXiv:1204.0646, sections 2-3.
.. [2] Lee, R. (2004). The moment formula for implied volatility at extreme strikes: wing slopes <= 2.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from aro.quant.arrays import FloatArray

LEE_SLOPE: Final = 2.0
INV_SQRT_2_PI: Final = 0.3989422804014327
DELTA_STEPS: Final = 60
"""At most: each halves the bracket of k if Newton's step does not do better, which takes about five."""
DELTA_SETTLED: Final = 1e-12
BRACKET_SDS: Final = 40.0
"""No smile whose wings obey Lee's bound has its 1-delta strike further out than so many √w(0)."""


class Svi(NamedTuple):
    """Raw parameters; floats, or arrays with one entry per expiry."""

    a: FloatArray
    b: FloatArray
    """>= 0"""
    rho: FloatArray
    """-1 < ρ < 1"""
    m: FloatArray
    sigma: FloatArray
    """> 0; in units of k, not a volatility"""


class Shape(NamedTuple):
    """w and its derivatives in k."""

    w: FloatArray
    slope: FloatArray
    curvature: FloatArray


class JumpWings(NamedTuple):
    """SVI-JW, in the words of traders [1]_ (3.5); variances are annual."""

    v: FloatArray
    """At-the-money variance w(0)/T."""
    psi: FloatArray
    """At-the-money skew."""
    p: FloatArray
    """Slope of the put wing."""
    c: FloatArray
    """Slope of the call wing."""
    v_tilde: FloatArray
    """Least variance."""


def shape(k: ArrayLike, svi: Svi) -> Shape:
    """w, w' and w''. `k` (n,) with scalar parameters, or (slices, n) with parameters (slices,)."""
    k_ = np.asarray(k, dtype=np.float64)
    a, b, rho, m, sigma = _columns(svi, k_)
    y = k_ - m
    r = np.hypot(y, sigma)
    return Shape(a + b * (rho * y + r), b * (rho + y / r), b * sigma * sigma / r**3)


def total_variance(k: ArrayLike, svi: Svi) -> FloatArray:
    """w(k); shapes as in `shape`."""
    return shape(k, svi).w


def durrleman(k: ArrayLike, svi: Svi) -> FloatArray:
    """g(k), NaN where w <= 0; shapes as in `shape`."""
    return durrleman_of(np.asarray(k, dtype=np.float64), shape(k, svi))


def durrleman_of(k: FloatArray, at: Shape) -> FloatArray:
    """g from the shape of any smile."""
    with np.errstate(all="ignore"):
        w = np.where(at.w > 0.0, at.w, np.nan)
        g: FloatArray = (1.0 - 0.5 * k * at.slope / w) ** 2 - 0.25 * at.slope**2 * (1.0 / w + 0.25) + 0.5 * at.curvature
        return g


def call_slope(k: ArrayLike, at: Shape) -> FloatArray:
    """∂C/∂K of the undiscounted call, -N(d2) + n(d2)·∂√w/∂k, from the shape of any smile; within [-1, 0] if sound."""
    with np.errstate(all="ignore"):
        root = np.sqrt(at.w)
        d2 = -np.asarray(k, dtype=np.float64) / root - 0.5 * root
        slope: FloatArray = INV_SQRT_2_PI * np.exp(-0.5 * d2 * d2) * at.slope / (2.0 * root) - ndtr(d2)
        return slope


def jump_wings(svi: Svi, years: ArrayLike) -> JumpWings:
    """The traders' parameters; NaN where w(0) <= 0."""
    a, b, rho, m, sigma = (np.asarray(x, dtype=np.float64) for x in svi)
    T = np.asarray(years, dtype=np.float64)
    with np.errstate(all="ignore"):
        root = np.hypot(m, sigma)
        w0 = a + b * (root - rho * m)
        scale = np.sqrt(np.where(w0 > 0.0, w0, np.nan))
        least = a + b * sigma * np.sqrt(1.0 - rho * rho)
        return JumpWings(
            w0 / T, 0.5 * b / scale * (rho - m / root), b * (1.0 - rho) / scale, b * (1.0 + rho) / scale, least / T
        )


def lee_violated(svi: Svi) -> FloatArray:
    """How much the steeper wing exceeds Lee's slope of 2; <= 0 is sound."""
    result: FloatArray = np.asarray(svi.b) * (1.0 + np.abs(np.asarray(svi.rho))) - LEE_SLOPE
    return result


def moneyness_at_delta(call_delta: ArrayLike, svi: Svi) -> FloatArray:
    """k where the undiscounted forward delta of the call, N(d1), is `call_delta`; d1 = -k/√w + √w/2.

    `call_delta` (d,) in (0, 1): the 25-delta put is the strike of call delta 0.75. Parameters (slices,) give
    (slices, d); NaN where the smile is not above zero all the way.
    """
    target = ndtri(np.asarray(call_delta, dtype=np.float64))
    slices = Svi(*(np.asarray(x, dtype=np.float64)[..., None] for x in svi))
    with np.errstate(all="ignore"):
        reach = BRACKET_SDS * np.sqrt(shape(np.zeros(1), slices).w)
        reach = np.minimum(np.where(reach > 0.0, reach, np.nan), 50.0)
        low, high, k = np.broadcast_arrays(-reach, reach, 0.0 * reach * target)
        for _ in range(DELTA_STEPS):
            at = shape(k, slices)
            root = np.sqrt(at.w)
            excess = 0.5 * root - k / root - target
            low, high = np.where(excess > 0.0, k, low), np.where(excess > 0.0, high, k)
            # Newton's step, or half of the bracket where that would leave it.
            falling = (0.5 + k / at.w) * at.slope / (2.0 * root) - 1.0 / root
            newton = k - excess / falling
            # A root that was hit is an end of its own bracket, so a step that goes nowhere is taken too.
            arrived = np.abs(newton - k) <= DELTA_SETTLED * root
            moved = np.where(arrived | ((newton > low) & (newton < high)), newton, 0.5 * (low + high))
            settled = np.abs(moved - k) <= DELTA_SETTLED * root
            k = moved
            if not bool((np.isfinite(root) & ~settled).any()):
                break
        return np.where(np.isfinite(root) & np.isfinite(reach), k, np.nan)


def _columns(svi: Svi, k: FloatArray) -> tuple[FloatArray, ...]:
    """Parameters that broadcast against `k`: one per slice becomes a column."""
    arrays = tuple(np.asarray(x, dtype=np.float64) for x in svi)
    return tuple(x[:, None] if x.ndim == 1 and k.ndim == 2 else x for x in arrays)
