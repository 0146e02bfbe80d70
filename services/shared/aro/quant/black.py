"""Black-76: prices of European options on a forward, and their Greeks.

    C = D·[F·N(d1) - K·N(d2)],   P = D·[K·N(-d2) - F·N(-d1)],
    d1 = ln(F/K)/(σ√T) + σ√T/2,  d2 = d1 - σ√T,  D = e^{-rT}

Both are evaluated as discounted intrinsic value plus the price of the out-of-the-money option
(`aro.quant.normalised`), so neither side is a difference of large numbers.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from aro.quant import kernel
from aro.quant.arrays import BoolArray, FloatArray, broadcast, positive
from aro.quant.normalised import Normalised, log_moneyness, log_price, normalised

DAYS_PER_YEAR: Final = 365.0
"""Calendar days: theta is per calendar day, times are ACT/365."""
VOL_POINT: Final = 0.01
RATE_POINT: Final = 0.01
TINY: Final = 1e-280
"""A time value with a factor or product below it is built from logarithms: digits may have underflowed."""


class Greeks(NamedTuple):
    """Sensitivities of the discounted price, one entry per contract; NaN where not computable.

    Each derivative holds every other argument of `greeks` fixed except where said.
    """

    delta: FloatArray
    """Per 1 point of the forward: D·N(d1) for calls, -D·N(-d1) for puts."""
    gamma: FloatArray
    """Change of `delta` per 1 point of the forward."""
    vega: FloatArray
    """Per vol point (0.01 of σ)."""
    theta: FloatArray
    """Per calendar day that passes (1/365 year): F, K, σ and the rate r = -ln(D)/T held, so D grows."""
    rho: FloatArray
    """Per 1 % of the continuous rate r in D = e^{-rT}: F, K, σ and T held, so it is -T·price·0.01."""


class _Contracts(NamedTuple):
    forward: FloatArray
    strike: FloatArray
    years: FloatArray
    sigma: FloatArray
    discount: FloatArray
    is_call: BoolArray
    valid: BoolArray


def price(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    sigma: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
) -> FloatArray:
    """Discounted premium; all arguments broadcast.

    Parameters
    ----------
    forward, strike, discount : finite, > 0
    years : ACT/365; at or below 0 the price is the discounted intrinsic value.
    sigma : annual decimal, finite, >= 0; at 0 the price is the discounted intrinsic value.
    is_call : bool; False is a put.

    Returns
    -------
    FloatArray
        NaN outside these domains, and where the price exceeds float64.
    """
    with np.errstate(all="ignore"):
        contracts = _contracts(forward, strike, years, sigma, discount, is_call)
        unit, _ = _unit(contracts)
        return _finite(_price(contracts, unit), contracts.valid)


def greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    sigma: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
) -> Greeks:
    """Greeks of `price`, same arguments. NaN also at and after expiry, where they do not exist.

    At σ = 0 they are the limits σ → 0; gamma at F = K has none and is NaN.
    """
    columns = kernel.columns((forward, strike, years, sigma, discount), is_call)
    if kernel.compiled is None:
        return Greeks(*(greek.reshape(columns.shape[1:]) for greek in _greeks(*kernel.rows(columns, slice(None)))))
    results, status, hard = kernel.compiled.greeks(columns)
    if hard:
        rows = np.flatnonzero(status == kernel.HARD)
        results.reshape(len(results), -1)[:, rows] = _greeks(*kernel.rows(columns, rows))
    # The ellipsis keeps scalars 0-d arrays.
    return Greeks(*(results[row, ...] for row in range(kernel.GREEKS)))


def _greeks(columns: tuple[FloatArray, ...], is_call: BoolArray) -> Greeks:
    forward, strike, years, sigma, discount = columns
    with np.errstate(all="ignore"):
        contracts = _contracts(forward, strike, years, sigma, discount, is_call)
        F, K, T, sigma_, D, call, valid = contracts
        alive = valid & (T > 0.0)
        unit, s = _unit(contracts)
        value = _price(contracts, unit)
        root_t = np.sqrt(T)
        # The reduced d1 belongs to the out-of-the-money side; F·n(d1) is the same seen from either side.
        d1 = np.where(F <= K, unit.d1, s - unit.d1)
        F_n = np.minimum(F, K) * unit.density
        delta = np.where(call, D * ndtr(d1), -D * ndtr(-d1))
        gamma = np.where(unit.density > 0.0, D * (F_n / F / F / s), 0.0)
        vega = D * F_n * root_t * VOL_POINT
        rate = -np.log(D) / T
        theta = (rate * value - D * F_n * sigma_ / (2.0 * root_t)) / DAYS_PER_YEAR
        rho = -T * value * RATE_POINT
        return Greeks(*(_finite(greek, alive) for greek in (delta, gamma, vega, theta, rho)))


def _contracts(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    sigma: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
) -> _Contracts:
    F, K, T, sigma_, D, call = broadcast(forward, strike, years, sigma, discount, np.asarray(is_call, dtype=np.bool_))
    valid = positive(F, K, D) & np.isfinite(sigma_) & (sigma_ >= 0.0) & (np.inf > T)
    return _Contracts(F, K, T, sigma_, D, call != 0.0, valid)


def _unit(contracts: _Contracts) -> tuple[Normalised, FloatArray]:
    k = np.abs(log_moneyness(contracts.forward, contracts.strike))
    s = contracts.sigma * np.sqrt(np.maximum(contracts.years, 0.0))
    return normalised(k, s), s


def _price(contracts: _Contracts, unit: Normalised) -> FloatArray:
    F, K, D = contracts.forward, contracts.strike, contracts.discount
    intrinsic = np.maximum(np.where(contracts.is_call, F - K, K - F), 0.0)
    low = np.minimum(F, K)
    undiscounted = low * unit.price
    time_value = D * undiscounted
    tiny = (unit.price < TINY) | (undiscounted < TINY)
    if tiny.any():
        time_value = np.where(tiny, np.exp(log_price(unit) + np.log(low) + np.log(D)), time_value)
    return D * intrinsic + time_value


def _finite(values: FloatArray, where: BoolArray) -> FloatArray:
    return np.where(where & np.isfinite(values), values, np.nan)
