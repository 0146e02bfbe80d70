"""Black-76 sensitivities of second order that mix: vanna, charm and volga.

With x = ln(F/K), s = σ√T, d1 = x/s + s/2, d2 = d1 - s and n the normal density, for calls and puts alike:

    vanna = ∂Δ/∂σ  = -D·n(d1)·d2/σ
    volga = ∂²V/∂σ² = D·F·n(d1)·√T·d1·d2/σ
    charm = -∂Δ/∂T = r·Δ + D·n(d1)·d2/(2T)          Δ as in `aro.quant.black`, D = e^{-rT}
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from aro.quant import kernel
from aro.quant.arrays import BoolArray, FloatArray, positive
from aro.quant.black import DAYS_PER_YEAR, VOL_POINT
from aro.quant.normalised import log_moneyness

INV_SQRT_2_PI: Final = 0.3989422804014327


class HigherGreeks(NamedTuple):
    """One entry per contract; NaN where not computable. Arguments not named are held, as in `aro.quant.black`."""

    vanna: FloatArray
    """Change of delta per vol point (0.01 of σ); also that of vega per point of the forward, x 100."""
    charm: FloatArray
    """Change of delta per calendar day that passes, the rate held."""
    volga: FloatArray
    """Change of `vega` (per vol point) per vol point."""


def higher_greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    sigma: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
) -> HigherGreeks:
    """Arguments and domains of `aro.quant.black.greeks`; all broadcast. At σ = 0 they are the limits σ → 0."""
    columns = kernel.columns((forward, strike, years, sigma, discount), is_call)
    if kernel.compiled is None:
        return HigherGreeks(*(x.reshape(columns.shape[1:]) for x in _higher_greeks(*kernel.rows(columns, slice(None)))))
    results, status, hard = kernel.compiled.higher_greeks(columns)
    if hard:
        rows = np.flatnonzero(status == kernel.HARD)
        results.reshape(len(results), -1)[:, rows] = _higher_greeks(*kernel.rows(columns, rows))
    # The ellipsis keeps scalars 0-d arrays.
    return HigherGreeks(*(results[row, ...] for row in range(kernel.HIGHER_GREEKS)))


def _higher_greeks(columns: tuple[FloatArray, ...], is_call: BoolArray) -> HigherGreeks:
    F, K, T, sigma_, D = columns
    with np.errstate(all="ignore"):
        alive = positive(F, K, D, T) & np.isfinite(sigma_) & (sigma_ >= 0.0)
        x = log_moneyness(F, K)
        root_t = np.sqrt(T)
        s = sigma_ * root_t
        tilt = np.where(x == 0.0, 0.0, x / s)
        d1, d2 = tilt + 0.5 * s, tilt - 0.5 * s
        density = INV_SQRT_2_PI * np.exp(-0.5 * d1 * d1)
        # Where the density underflows, so does every product with it; at F = K the quotient d2/σ has a limit.
        d2_by_sigma = np.where(x == 0.0, -0.5 * root_t, d2 / sigma_)
        seen = density > 0.0
        vanna = np.where(seen, -D * density * d2_by_sigma, 0.0)
        volga = np.where(seen, D * F * density * root_t * d1 * d2_by_sigma, 0.0)
        delta = np.where(is_call, D * ndtr(d1), -D * ndtr(-d1))
        drift = np.where(seen, D * density * (d2 / (2.0 * T)), 0.0)
        charm = (drift - np.log(D) / T * delta) / DAYS_PER_YEAR
        columns = (vanna * VOL_POINT, charm, volga * VOL_POINT**2)
        return HigherGreeks(*(np.where(alive & np.isfinite(column), column, np.nan) for column in columns))
