"""SSVI fitted to several expiries at once, inside the set that is proven free of arbitrage.

`aro.quant.ssvi.violations` is empty for every result: |ρ| < 1, 0 < γ <= 1/2, η(1 + |ρ|) <= 2, and the at-the-money
total variances are made to rise. So whatever the quotes say, the surface has neither butterfly nor calendar
arbitrage; what it costs is the fit of the wings of short expiries.

References
----------
.. [1] Gatheral, J. and Jacquier, A. (2014). Arbitrage-free SVI volatility surfaces. arXiv:1204.0646.
"""

from typing import Final, NamedTuple

import numpy as np

from aro.quant.arrays import FloatArray, IntArray
from aro.quant.least_squares import minimise
from aro.quant.ssvi import power_law_phi, total_variance
from aro.quant.svi import Svi

START: Final = (-0.3, 0.0, 0.0)
REACH: Final = 6.0
"""Bound of the free parameters: tanh and logistic are within 0.3 % of their limits there."""
STEPS: Final = 30
TOLERANCE: Final = 1e-6
DIFFERENCE: Final = 1e-6
OFFSETS: Final = np.vstack([np.zeros(3), DIFFERENCE * np.eye(3)])


class PowerLaw(NamedTuple):
    """One surface: φ(θ) = η/(θ^γ·(1 + θ)^(1-γ)), and the at-the-money total variance of each expiry."""

    rho: float
    eta: float
    gamma: float
    theta: FloatArray
    """(expiries,), never falling"""

    def slices(self) -> Svi:
        """The same curves as raw SVI, one per expiry ([1]_ section 4)."""
        phi = power_law_phi(self.theta, self.eta, self.gamma)
        co_rho = 1.0 - self.rho**2
        return Svi(
            a=0.5 * self.theta * co_rho,
            b=0.5 * self.theta * phi,
            rho=np.full(len(self.theta), self.rho),
            m=-self.rho / phi,
            sigma=np.sqrt(co_rho) / phi,
        )


def fit_power_law(k: FloatArray, iv: FloatArray, weight: FloatArray, years: FloatArray, theta: FloatArray) -> PowerLaw:
    """Weighted least squares of volatility over all points.

    Parameters
    ----------
    k, iv, weight : (expiries, n), expiries by rising time; weight 0 or iv NaN is no point
    years : (expiries,), rising
    theta : (expiries,) at-the-money total variances, > 0; where one is below an earlier one, it is raised to it
    """
    rising = np.maximum.accumulate(theta)
    with np.errstate(all="ignore"):
        there = (weight > 0.0) & np.isfinite(iv + k)
        share = np.where(there, weight, 0.0)
        root = np.sqrt(share / np.maximum(share.sum(axis=1, keepdims=True), 1e-300))
        target, at = np.where(there, iv, 0.0), np.where(there, k, 0.0)

        scale, wanted = root / np.sqrt(years[:, None]), root * target

        def model(u: FloatArray, _active: IntArray) -> tuple[FloatArray, FloatArray]:
            """The errors at u and a little beside it in each direction, in one go."""
            rho, eta, gamma = (column[:, None, None] for column in _parameters(u + OFFSETS))
            w = total_variance(at, rising[:, None], rho, power_law_phi(rising[:, None], eta, gamma))
            base, *beside = (scale * np.sqrt(w) - wanted).reshape(len(OFFSETS), -1)
            return base[None], (np.stack(beside, axis=-1) - base[:, None])[None] / DIFFERENCE

        bound = np.full((1, 3), REACH)
        found = minimise(model, np.array([START]), -bound, bound, steps=STEPS, tolerance=TOLERANCE)
    rho, eta, gamma = (float(column[0]) for column in _parameters(found.parameters))
    return PowerLaw(rho, eta, gamma, rising)


def _parameters(u: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """ρ, η and γ of u (n, 3)."""
    rho = np.tanh(u[:, 0])
    return rho, 2.0 / (1.0 + np.exp(-u[:, 1])) / (1.0 + np.abs(rho)), 0.5 / (1.0 + np.exp(-u[:, 2]))
