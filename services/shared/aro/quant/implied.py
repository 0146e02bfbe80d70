"""Implied Black-76 volatility: the inverse of `aro.quant.black.price`, for any float64 input.

A price is reduced to c, the normalised out-of-the-money price of `aro.quant.normalised`, and s = σ√T is the root of

    f(ln s) = logit c(k, s) - logit c,     logit c = ln c - ln(1 - c).

The logit is the one transform under which both ends are tame: for small c it is the logarithm of the price, for c
near 1 that of its distance from the maximum, and near the money it is linear in ln s. Its derivatives are rational
in n/c, n/(1-c), k and s, so a Householder step of fourth order costs one evaluation of c.

The first guess joins two exact limits. As s → 0 the option's price is Bachelier's on the distance |F - K|, whose
inverse depends on one number only: with ψ(a) = n(a) - a·N(-a), ψ(a)/a = c/(e^k - 1) = price/|F - K|, and k/a is the
volatility in the sense that a geometric and a normal volatility agree in to second order [3]_. And at k = 0,
c = 2·N(s/2) - 1 for any s. So s is guessed as 2·N⁻¹((1 + y)/2) with y = k/(a·√(2π)), both inverses by rational
functions to 5e-5; the guess is within 1e-4 of the root for k <= 1 and s <= 1/2, within 1 % for k <= 1 and s <= 3, and
a few more steps away elsewhere. A step takes an error e to about e⁴/20, so in a market one step reaches full
precision; rows that were farther than `SETTLED` take another, and whatever should not settle is bisected.

References
----------
.. [1] Jäckel, P. (2015). Let's be rational. Wilmott 2015(75): reduction to the out-of-the-money side, transformed
   objectives, Householder steps. The objective and the guess used here are different and derived above.
.. [2] Householder, A. S. (1970). The Numerical Treatment of a Single Nonlinear Equation, section 4.4.
.. [3] Hagan, P. S. and Woodward, D. E. (1999). Equivalent Black volatilities. Applied Mathematical Finance 6.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aro.contracts.analytics import IvStatus as IvStatusName
from aro.quant import kernel
from aro.quant.arrays import BoolArray, FloatArray, IntArray, positive
from aro.quant.normalised import log_moneyness, log_price, normalised

STEPS: Final = 8
"""At most. One or two settle k <= 3 and s <= 4, and eight all that float64 holds."""
SETTLED: Final = 2e-4
"""Distance (see `_Step`) from which a fourth-order step leaves an error near its 4th power: 1.3e-15 at most."""
TRUSTED: Final = 0.1
"""Householder's step counts only if it goes Newton's way, and not much less far."""
BISECTIONS: Final = 24
"""They bring ln s from the 1,417 that float64 spans to 1e-4, where Householder's steps settle at once."""
BLOCK: Final = 8_192
"""Contracts solved at a time: larger blocks leave the cache (half the speed at 200,000), smaller pay numpy's calls."""
UNIT: Final = 2.0**-52
INTRINSIC_ROUNDING: Final = 2.0 * UNIT
"""Relative rounding of a price, of its quotient by D and of |F - K| together: less time value than that is none."""
TINY: Final = 1e-280
"""Below it prices are compared by logarithm, because c itself loses digits before it underflows."""
SMALLEST: Final = 2.0**-1022
LOG_2: Final = 0.6931471805599453
LARGE: Final = 700.0
"""e^k - 1 is e^k from there, and beyond it overflows."""
SQRT_2_PI: Final = 2.5066282746310002
MOST_NORMAL: Final = 1.0 - UNIT

Coefficients: TypeAlias = tuple[float, ...]
# Own minimax fits of rational functions, ascending powers. a/w of √w, with w = ln(1 + a/ψ(a)): 5e-5 for w <= 800.
NORMAL_ABOVE: Final[Coefficients] = (
    *(0.3990071146271651, 0.05215614057450845, 0.04308328258760974, 0.013217681324846738, 0.010620072259718293),
)
NORMAL_BELOW: Final[Coefficients] = (
    *(1.0, 0.13361061021038817, 0.09476602752349146, 0.05726789926972889, 0.010395106468727875),
    0.007495909683302254,
)
# 2·N⁻¹((1 + y)/2)/y of -ln(1 - y²): 2e-5 for y up to the last float64 below 1.
QUANTILE_ABOVE: Final[Coefficients] = (
    *(2.5065797649672623, 0.8915377194856925, 0.17472981467698742, 0.021787995343062586, 0.00011174151718522604),
)
QUANTILE_BELOW: Final[Coefficients] = (1.0, 0.09356774038378302, 0.03290379219418913, 0.000887253431200903)


class IvStatus(IntEnum):
    """Why a volatility is missing; lower-case names are those of `aro.contracts.analytics.IvStatus`.

    The first that applies, in this order:

    ``NO_PRICE``         price is NaN or <= 0.
    ``EXPIRED``          years <= 0.
    ``NO_PRICE``         an input that gives the price its meaning is missing: forward, strike or discount is not a
                         finite number above zero, or years is NaN or infinite.
    ``BELOW_INTRINSIC``  price <= discounted intrinsic value, or above it by no more than the rounding of the price
                         itself (`INTRINSIC_ROUNDING`), or the volatility would be below the smallest normal float.
    ``ABOVE_MAXIMUM``    price >= D·F for a call, D·K for a put; an infinite price is.
    ``OK``               all else; the volatility is finite and above zero.
    """

    OK = 0
    NO_PRICE = 1
    BELOW_INTRINSIC = 2
    ABOVE_MAXIMUM = 3
    EXPIRED = 4


_NAMES: Final[tuple[IvStatusName, ...]] = ("ok", "no_price", "below_intrinsic", "above_maximum", "expired")


class ImpliedVolatility(NamedTuple):
    iv: FloatArray
    """Annual decimal; NaN unless `status` is OK."""
    status: NDArray[np.int8]
    """Codes of `IvStatus`."""


class _Reduced(NamedTuple):
    """Prices without units; see `aro.quant.normalised` for k and c."""

    k: FloatArray
    c: FloatArray
    complement: FloatArray
    log_c: FloatArray
    below: BoolArray
    above: BoolArray


class _Step(NamedTuple):
    f: FloatArray
    change: FloatArray
    """Householder's, of ln s; at most 3 either way."""
    distance: FloatArray
    """Newton's, of ln s, to the root; times s if that is above 1, because d1 then moves by s as ln s by 1."""


def status_names(codes: Iterable[int]) -> list[IvStatusName]:
    """The contract's words for `IvStatus` codes."""
    return [_NAMES[code] for code in codes]


def implied_volatility(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
) -> ImpliedVolatility:
    """The σ at which `aro.quant.black.price` gives `price`; all arguments broadcast, every float64 is accepted.

    Parameters
    ----------
    price : discounted premium
    forward, strike : same currency as `price`
    years : ACT/365
    discount : e^{-rT}
    is_call : bool; False is a put.
    """
    columns = kernel.columns((price, forward, strike, years, discount), is_call)
    if kernel.compiled is None:
        iv, status = _solve(*kernel.rows(columns, slice(None)))
        return ImpliedVolatility(iv.reshape(columns.shape[1:]), status.reshape(columns.shape[1:]))
    iv, status, hard = kernel.compiled.implied(columns)
    if hard:
        rows = np.flatnonzero(status == kernel.HARD)
        iv.reshape(-1)[rows], status.reshape(-1)[rows] = _solve(*kernel.rows(columns, rows))
    return ImpliedVolatility(iv, status)


def _solve(columns: tuple[FloatArray, ...], call: BoolArray) -> tuple[FloatArray, NDArray[np.int8]]:
    p, F, K, T, D = columns
    with np.errstate(all="ignore"):
        status = np.full(p.shape, IvStatus.OK, dtype=np.int8)
        status[~(positive(F, K, D) & np.isfinite(T))] = IvStatus.NO_PRICE
        status[T <= 0.0] = IvStatus.EXPIRED
        status[~(p > 0.0)] = IvStatus.NO_PRICE
        iv = np.full(p.shape, np.nan)
        priced = np.flatnonzero(status == IvStatus.OK)
        for start in range(0, priced.size, BLOCK):
            block = priced[start : start + BLOCK]
            iv[block], status[block] = _solve_block(p[block], F[block], K[block], T[block], D[block], call[block])
    return iv, status


def _solve_block(
    p: FloatArray, F: FloatArray, K: FloatArray, T: FloatArray, D: FloatArray, call: BoolArray
) -> tuple[FloatArray, NDArray[np.int8]]:
    reduced = _reduce(p, F, K, D, call)
    unsolvable = reduced.below | reduced.above
    status = np.where(reduced.below, IvStatus.BELOW_INTRINSIC, IvStatus.ABOVE_MAXIMUM).astype(np.int8)
    iv = np.full(p.shape, np.nan)
    rows = np.flatnonzero(~unsolvable)
    s = _root(reduced.k[rows], reduced.c[rows], reduced.complement[rows], reduced.log_c[rows])
    sigma = s / np.sqrt(T[rows])
    resolved = (s >= SMALLEST) & (sigma >= SMALLEST)
    iv[rows] = np.where(resolved, sigma, np.nan)
    status[rows] = np.where(resolved, IvStatus.OK, IvStatus.BELOW_INTRINSIC)
    return iv, status


def _reduce(p: FloatArray, F: FloatArray, K: FloatArray, D: FloatArray, call: BoolArray) -> _Reduced:
    """k and c, by arithmetic on mantissas and exponents where a quotient could leave float64."""
    low, high = np.minimum(F, K), np.maximum(F, K)
    low_m, low_e = np.frexp(low)
    high_m, high_e = np.frexp(high)
    p_m, p_e = np.frexp(p)
    D_m, D_e = np.frexp(D)
    u_m, u_e = p_m / D_m, p_e - D_e
    # In units of 2^high_e: the undiscounted price, and max(F, K) in [1/2, 1).
    u = np.ldexp(u_m, u_e - high_e)
    unit_low = np.ldexp(low_m, low_e - high_e)
    intrinsic = high_m - unit_low
    in_the_money = (F != K) & (call == (F > K))
    time_value = u - intrinsic
    q_m, q_e = u_m / low_m, u_e - low_e
    c = np.where(in_the_money, time_value / unit_low, np.ldexp(q_m, q_e))
    complement = np.where(in_the_money, (high_m - u) / unit_low, 1.0 - c)
    log_c = np.where(in_the_money, np.log(c), np.log(q_m) + q_e * LOG_2)
    below = in_the_money & (time_value <= INTRINSIC_ROUNDING * u)
    above = ~(complement > 0.0) | (p >= D * np.where(call, F, K))
    return _Reduced(np.abs(log_moneyness(F, K)), c, complement, log_c, below, above & ~below)


def _root(k: FloatArray, c: FloatArray, complement: FloatArray, log_c: FloatArray) -> FloatArray:
    s = _guess(k, c, log_c)
    rows: IntArray | slice = slice(None)
    for _ in range(STEPS):
        step = _step(s[rows], k[rows], c[rows], complement[rows], log_c[rows])
        s[rows] *= np.exp(step.change)
        # Written so that NaN does not count as settled. A root below float64 is left to the caller's check.
        open_rows = np.flatnonzero(~(step.distance <= SETTLED) & ~(s[rows] < SMALLEST))
        rows = open_rows if isinstance(rows, slice) else rows[open_rows]
        if not rows.size:
            return s
    s[rows] = _bisected_root(k[rows], c[rows], complement[rows], log_c[rows])
    return s


def _guess(k: FloatArray, c: FloatArray, log_c: FloatArray) -> FloatArray:
    distance = np.expm1(k)
    log_distance = np.where(k < LARGE, np.log(distance), k)
    w = np.where(c > TINY, np.log1p(distance / c), log_distance - log_c)
    w = np.where(np.isfinite(w), w, log_distance - log_c)
    u = np.sqrt(w)
    normal = np.where(k > 0.0, k / (SQRT_2_PI * w * _ratio(u, NORMAL_ABOVE, NORMAL_BELOW)), c)
    y = np.minimum(normal, MOST_NORMAL)
    return y * _ratio(-np.log((1.0 - y) * (1.0 + y)), QUANTILE_ABOVE, QUANTILE_BELOW)


def _ratio(x: FloatArray, above: Coefficients, below: Coefficients) -> FloatArray:
    numerator, denominator = np.full_like(x, above[-1]), np.full_like(x, below[-1])
    for coefficient in above[-2::-1]:
        numerator = numerator * x + coefficient
    for coefficient in below[-2::-1]:
        denominator = denominator * x + coefficient
    result: FloatArray = numerator / denominator
    return result


def _step(s: FloatArray, k: FloatArray, c: FloatArray, complement: FloatArray, log_c: FloatArray) -> _Step:
    unit = normalised(k, s)
    f = np.log((unit.price / c) * (complement / unit.complement))
    tiny = (c < TINY) | (unit.price < TINY)
    if tiny.any():
        f = np.where(tiny, log_price(unit) - log_c, f)
    rise, fall = 1.0 / unit.ratio, 1.0 / unit.co_ratio
    # Derivatives in s over the first one: c''/c' = k²/s³ - s/4 =: g, and the quotient rule for ln c and ln(1-c).
    slope = rise + fall
    k_s = k / s
    g = k_s * k_s / s - 0.25 * s
    second = g - rise + fall
    third = second * second - 3.0 * (k_s / s) ** 2 - 0.25 - rise * (g - rise) + fall * (g + fall)
    # The same in ln s.
    newton = -f / (slope * s)
    second, third = s * second + 1.0, s * (s * third + 3.0 * second) + 1.0
    change = newton * (1.0 + 0.5 * second * newton) / (1.0 + newton * (second + newton * third / 6.0))
    change = np.where(change / newton > TRUSTED, change, newton)
    return _Step(f, np.clip(change, -3.0, 3.0), np.abs(newton) * np.maximum(s, 1.0))


def _bisected_root(k: FloatArray, c: FloatArray, complement: FloatArray, log_c: FloatArray) -> FloatArray:
    """The root from brackets that hold all of float64: f rises with s, so it cannot be missed."""
    low = np.full(k.shape, np.log(SMALLEST))
    high = -low
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        f = _step(np.exp(middle), k, c, complement, log_c).f
        low, high = np.where(f < 0.0, middle, low), np.where(f < 0.0, high, middle)
    s: FloatArray = np.exp(0.5 * (low + high))
    for _ in range(STEPS):
        s = s * np.exp(_step(s, k, c, complement, log_c).change)
    return s
