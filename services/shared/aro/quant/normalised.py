"""Black's formula without units: what remains once forward, strike, discount and time are divided out.

With m = min(F, K), k = |ln(F/K)| >= 0 and s = σ√T, the out-of-the-money option (call if F <= K, else put) costs
D·m·c(k, s) with

    c(k, s) = N(d1) - e^k·N(d2),    d1 = -k/s + s/2,    d2 = d1 - s,    0 <= c < 1,

and the in-the-money one costs D·|F - K| more. Everything in `aro.quant` that prices goes through c, so there is
one place where cancellation is fought.

Three identities carry it. With n the normal density, R(z) = N(-z)/n(z) Mills' ratio (bounded for z >= 0) and
e^k·n(d2) = n(d1):

    c      = n(d1)·[R(-d1) - R(-d2)]        (used while d1 <= 0)
    1 - c  = n(d1)·[R(d1) + R(-d2)]         (used while d1 > 0: a sum of positive terms)
    R(-h-t) - R(-h+t) = 2·Σ t^j/j!·I_j(h), j odd,  with I_j(h) = ∫ u^j·exp(h·u - u²/2) du over u > 0
                                            (used near the money, where the difference would cancel)

where h = -k/s, t = s/2 and, by parts, I_{j+1} = h·I_j + j·I_{j-1}. What rounding is left in c is of the size that
one rounding of k or s causes, so a volatility implied from c does not see it.

References
----------
.. [1] Black, F. (1976). The pricing of commodity contracts. J. Financial Economics 3.
.. [2] Jäckel, P. (2015). Let's be rational. Wilmott 2015(75): the idea of scaled complementary error functions
   and of an expansion for small s. The recurrence in I_j is derived here.
"""

from typing import Final, NamedTuple

import numpy as np
from scipy.special import erfcx

from aro.quant.arrays import FloatArray

SQRT_HALF: Final = 0.7071067811865476
SQRT_HALF_PI: Final = 1.2533141373155003
INV_SQRT_2_PI: Final = 0.3989422804014327
LOG_SQRT_2_PI: Final = 0.9189385332046727
LIMIT: Final = 1e10
"""Of |k/s| and s/2, so that 0·inf never arises; c has long been 0 or 1 there."""

SERIES_MAX_S: Final = 1.0
"""Below it the series needs 11 terms for full precision; above it the difference loses less than a digit."""
SERIES_MAX_K: Final = 1.0
"""Beyond it the difference loses no more than the rounding of k does, and the recurrence begins to."""
SERIES_ORDER: Final = 21


class Normalised(NamedTuple):
    """c(k, s) with what its derivatives and logarithm need; every field has the arguments' shape."""

    price: FloatArray
    """c, in [0, 1]."""
    complement: FloatArray
    """1 - c, accurate also where c is near 1."""
    density: FloatArray
    """n(d1) = ∂c/∂s."""
    d1: FloatArray
    ratio: FloatArray
    """c / n(d1): accurate also where both underflow as s → 0."""
    co_ratio: FloatArray
    """(1 - c) / n(d1): accurate also where both underflow as s → ∞."""


def mills(z: FloatArray) -> FloatArray:
    """Mills' ratio N(-z)/n(z)."""
    result: FloatArray = SQRT_HALF_PI * erfcx(SQRT_HALF * z)
    return result


def log_moneyness(forward: FloatArray, strike: FloatArray) -> FloatArray:
    """ln(F/K) for positive arguments of any size, without cancellation near F = K."""
    ratio = forward / strike
    # F - K is exact within a factor of two (Sterbenz), so log1p sees the true distance.
    near = np.log1p((forward - strike) / strike)
    far = np.where((ratio > 1e-300) & (ratio < 1e300), np.log(ratio), np.log(forward) - np.log(strike))
    return np.where((ratio > 0.5) & (ratio < 2.0), near, far)


def normalised(k: FloatArray, s: FloatArray) -> Normalised:
    """c(k, s) for k >= 0 and s >= 0, infinite s included; call it under `numpy.errstate` that ignores all."""
    h = np.where(k > 0.0, np.maximum(-k / s, -LIMIT), 0.0)
    t = np.minimum(0.5 * s, LIMIT)
    d1 = h + t
    r1 = mills(np.abs(d1))
    r2 = mills(t - h)
    density = INV_SQRT_2_PI * np.exp(-0.5 * d1 * d1)
    ratio = np.where((s < SERIES_MAX_S) & (k < SERIES_MAX_K), _series(h, t, -0.5 * k), r1 - r2)
    co_ratio = r1 + r2
    upper = (d1 > 0.0) & (s >= SERIES_MAX_S)
    complement = density * co_ratio
    price = np.where(upper, 1.0 - complement, density * ratio)
    return Normalised(
        price=price,
        complement=np.where(upper, complement, 1.0 - price),
        density=density,
        d1=d1,
        ratio=np.where(upper, price / density, ratio),
        co_ratio=np.where(upper, co_ratio, (1.0 - price) / density),
    )


def log_price(unit: Normalised) -> FloatArray:
    """ln c, also where c underflows."""
    # At s = 0 the ratio is 0, and past d1 = -1e8 its sign is rounding: no price either way.
    log_ratio = np.where(unit.ratio > 0.0, np.log(unit.ratio), -np.inf)
    return log_ratio - 0.5 * unit.d1 * unit.d1 - LOG_SQRT_2_PI


def _series(h: FloatArray, t: FloatArray, p: FloatArray) -> FloatArray:
    """R(-h-t) - R(-h+t) by its Taylor series in t: terms a_j = t^j/j!·I_j(h), with p = h·t."""
    q = t * t
    previous = mills(-h)
    current = t * (1.0 + h * previous)
    total = current
    for j in range(1, SERIES_ORDER):
        previous, current = current, (p * current + q * previous) / (j + 1)
        if j % 2 == 0:
            total = total + current
    return 2.0 * total
