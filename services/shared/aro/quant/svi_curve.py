"""SVI in the units and parameters that a fit moves in: scale-free, and unable to leave the allowed set.

With θ the total variance at the money, z = k/√θ and v = w/θ make every smile look alike, a weekly one and a yearly
one. The curve is written by its lowest point and its two wings,

    v(z) = v₀ - √(P·C)·s + ½(C - P)·y + ½(C + P)·√(y² + s²),     y = z - m,

with P = b(1-ρ), C = b(1+ρ), v₀ = a + b·s·√(1-ρ²). Then v₀ > 0 and 0 < P, C < 2/√θ are all that positivity, |ρ| < 1
and Lee's bound ask for, and u = (ln v₀, logit P, logit C, m, ln s) may be any five numbers.
"""

from typing import Final, NamedTuple

import numpy as np

from aro.quant.arrays import FloatArray
from aro.quant.svi import Svi

PARAMETERS: Final = 5
SLOPE_LIMIT: Final = 1.999
"""Of dw/dk, a hair inside Lee's 2, so that rounding never touches it."""
LOGIT_LIMIT: Final = 30.0


class Curve(NamedTuple):
    """(slices,) each, in scaled units; `limit` is the steepest slope dv/dz allowed."""

    lowest: FloatArray
    put_slope: FloatArray
    call_slope: FloatArray
    m: FloatArray
    s: FloatArray
    limit: FloatArray


class Level(NamedTuple):
    """v (slices, n), and its derivatives by u (slices, n, 5)."""

    v: FloatArray
    by_u: FloatArray


class Jets(NamedTuple):
    """v' and v'' (slices, n) in z, and their derivatives by u (slices, n, 5)."""

    slope: FloatArray
    slope_by_u: FloatArray
    curvature: FloatArray
    curvature_by_u: FloatArray


def steepest(theta: FloatArray) -> FloatArray:
    """The limit of dv/dz for smiles of at-the-money total variance θ."""
    return SLOPE_LIMIT / np.sqrt(theta)


def from_free(u: FloatArray, limit: FloatArray) -> Curve:
    """u (slices, 5)."""
    v0, p, c, m, s = u.T
    return Curve(np.exp(v0), limit / (1.0 + np.exp(-p)), limit / (1.0 + np.exp(-c)), m, np.exp(s), limit)


def to_free(curve: Curve) -> FloatArray:
    """(slices, 5); slopes at or beyond their limits land just inside."""

    def logit(slope: FloatArray) -> FloatArray:
        share = np.clip(slope / curve.limit, 1e-9, 1.0 - 1e-9)
        return np.log(share / (1.0 - share))

    columns = (np.log(curve.lowest), logit(curve.put_slope), logit(curve.call_slope), curve.m, np.log(curve.s))
    return np.stack(columns, axis=-1)


def to_raw(curve: Curve, theta: FloatArray) -> Svi:
    """Raw parameters in k and w."""
    scale = np.sqrt(theta)
    both = curve.put_slope + curve.call_slope
    root = np.sqrt(curve.put_slope * curve.call_slope)
    return Svi(
        a=theta * (curve.lowest - root * curve.s),
        b=0.5 * both * scale,
        rho=(curve.call_slope - curve.put_slope) / both,
        m=curve.m * scale,
        sigma=curve.s * scale,
    )


def from_raw(svi: Svi, theta: FloatArray) -> Curve:
    """The inverse of `to_raw`; a lowest point at or below zero becomes a small positive one."""
    a, b, rho, m, sigma = (np.asarray(x, dtype=np.float64) for x in svi)
    scale = np.sqrt(theta)
    lowest = (a + b * sigma * np.sqrt(np.maximum(1.0 - rho * rho, 0.0))) / theta
    slopes = b * (1.0 - rho) / scale, b * (1.0 + rho) / scale
    return Curve(np.maximum(lowest, 1e-6), *slopes, m / scale, sigma / scale, steepest(theta))


def level(z: FloatArray, curve: Curve) -> Level:
    """At z (slices, n)."""
    v0, P, C, m, s, limit = (column[:, None] for column in curve)
    y = z - m
    r = np.sqrt(y * y + s * s)
    half_sum, half_difference, root = 0.5 * (C + P), 0.5 * (C - P), np.sqrt(P * C)
    v = v0 - root * s + half_difference * y + half_sum * r
    # By the chain rule: ∂v₀/∂u = v₀, ∂P/∂u = P(1 - P/limit), ∂s/∂u = s.
    by_u = np.empty((*z.shape, PARAMETERS))
    by_u[..., 0] = v0
    by_u[..., 1] = P * (1.0 - P / limit) * (0.5 * (r - y - s * (C / root)))
    by_u[..., 2] = C * (1.0 - C / limit) * (0.5 * (r + y - s * (P / root)))
    by_u[..., 3] = -(half_difference + half_sum * (y / r))
    by_u[..., 4] = s * (half_sum * (s / r) - root)
    return Level(v, by_u)


def jets(z: FloatArray, curve: Curve) -> Jets:
    """At z (slices, n)."""
    _, P, C, m, s, limit = (column[:, None] for column in curve)
    y = z - m
    inverse = 1.0 / np.sqrt(y * y + s * s)
    cosine, sine = y * inverse, s * inverse
    half_sum = 0.5 * (C + P)
    by_p, by_c = 0.5 * P * (1.0 - P / limit), 0.5 * C * (1.0 - C / limit)
    curvature = half_sum * sine * sine * inverse
    slope_by_u = np.zeros((*z.shape, PARAMETERS))
    slope_by_u[..., 1] = by_p * (cosine - 1.0)
    slope_by_u[..., 2] = by_c * (cosine + 1.0)
    slope_by_u[..., 3] = -curvature
    slope_by_u[..., 4] = -s * half_sum * cosine * sine * inverse
    curvature_by_u = np.zeros_like(slope_by_u)
    curvature_by_u[..., 1] = by_p * sine * sine * inverse
    curvature_by_u[..., 2] = by_c * sine * sine * inverse
    curvature_by_u[..., 3] = 3.0 * curvature * cosine * inverse
    curvature_by_u[..., 4] = s * half_sum * inverse**2 * (2.0 * sine - 3.0 * sine**3)
    return Jets(0.5 * (C - P) + half_sum * cosine, slope_by_u, curvature, curvature_by_u)
