"""SSVI: a surface of total variance with few parameters and known conditions against static arbitrage.

    w(k, θ) = θ/2·{1 + ρφk + √((φk + ρ)² + 1 - ρ²)},   φ(θ) = η / (θ^γ·(1 + θ)^(1-γ)),
    θ_T = σ∞²·T + (σ0² - σ∞²)·(1 - e^{-κT})/κ

with k = ln(K/F) and w = σ²T.

References
----------
.. [1] Gatheral, J. and Jacquier, A. (2014). Arbitrage-free SVI volatility surfaces. Quantitative Finance 14;
   arXiv:1204.0646. Theorem 4.1 (calendar), Theorem 4.2 (butterfly), Remark 4.4 (power law).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from aro.quant.arrays import FloatArray, broadcast


class SsviParameters(NamedTuple):
    """A whole surface: power-law φ and a mean-reverting at-the-money term structure."""

    rho: float
    """Skew, in (-1, 1); equity indices are negative."""
    eta: float
    """Curvature, > 0."""
    gamma: float
    """Decay of the skew with θ, in (0, 1/2]."""
    sigma_zero: float
    """At-the-money volatility of the shortest expiry, annual decimal."""
    sigma_infinity: float
    """At-the-money volatility that long expiries tend to, annual decimal."""
    kappa: float
    """Speed of that reversion, per year, > 0."""


def total_variance(k: ArrayLike, theta: ArrayLike, rho: ArrayLike, phi: ArrayLike) -> FloatArray:
    """w(k, θ); all arguments broadcast.

    NaN unless k and φ are finite, θ >= 0 and finite, |ρ| < 1 and φ >= 0.
    """
    with np.errstate(all="ignore"):
        k_, theta_, rho_, phi_ = broadcast(k, theta, rho, phi)
        z = phi_ * k_
        linear = 1.0 + rho_ * z
        co_rho = (1.0 - rho_) * (1.0 + rho_)
        root = np.hypot(z + rho_, np.sqrt(co_rho))
        # root² - linear² = z²(1 - ρ²): on the falling wing the sum cancels and this quotient does not.
        shape = np.where(linear >= 0.0, root + linear, z * (z / (root - linear)) * co_rho)
        w = 0.5 * theta_ * shape
        valid = np.isfinite(w) & np.isfinite(k_) & (theta_ >= 0.0) & (np.abs(rho_) < 1.0) & (phi_ >= 0.0)
        return np.where(valid, w, np.nan)


def power_law_phi(theta: ArrayLike, eta: ArrayLike, gamma: ArrayLike) -> FloatArray:
    """φ(θ); all arguments broadcast. NaN unless θ > 0, η > 0 and 0 < γ < 1, all finite."""
    with np.errstate(all="ignore"):
        theta_, eta_, gamma_ = broadcast(theta, eta, gamma)
        phi = eta_ / (theta_**gamma_ * (1.0 + theta_) ** (1.0 - gamma_))
        valid = (theta_ > 0.0) & (eta_ > 0.0) & (gamma_ > 0.0) & (gamma_ < 1.0) & np.isfinite(phi)
        return np.where(valid, phi, np.nan)


def atm_total_variance(
    years: ArrayLike, sigma_zero: ArrayLike, sigma_infinity: ArrayLike, kappa: ArrayLike
) -> FloatArray:
    """θ_T, which rises with T for every valid argument; all arguments broadcast.

    NaN unless T >= 0, both volatilities >= 0 and κ >= 0, all finite. κ = 0 is the limit σ0²·T.
    """
    with np.errstate(all="ignore"):
        T, zero, infinity, kappa_ = broadcast(years, sigma_zero, sigma_infinity, kappa)
        # Grouped so that both weights, reverting and T - reverting, are >= 0, rounding included.
        reverting = np.where(kappa_ > 0.0, np.minimum(-np.expm1(-kappa_ * T) / kappa_, T), T)
        theta = infinity**2 * (T - reverting) + zero**2 * reverting
        valid = (T >= 0.0) & (zero >= 0.0) & (infinity >= 0.0) & (kappa_ >= 0.0) & np.isfinite(theta)
        return np.where(valid, theta, np.nan)


def surface_total_variance(k: ArrayLike, years: ArrayLike, parameters: SsviParameters) -> FloatArray:
    """w(k, θ_T) of a whole surface; `k` and `years` broadcast."""
    rho, eta, gamma, zero, infinity, kappa = parameters
    theta = atm_total_variance(years, zero, infinity, kappa)
    return total_variance(k, theta, rho, power_law_phi(theta, eta, gamma))


def slice_violations(theta: float, rho: float, phi: float) -> tuple[str, ...]:
    """Conditions of Theorem 4.2 that one slice fails; empty means free of butterfly arbitrage.

    The theorem's conditions are sufficient, so a name here means "not proven", not "arbitrage found".
    """
    conditions = {
        "theta_positive": 0.0 < theta < np.inf,
        "rho_inside_unit": -1.0 < rho < 1.0,
        "phi_positive": 0.0 < phi < np.inf,
        "theta_phi_below_4": theta * phi * (1.0 + abs(rho)) < 4.0,
        "theta_phi_squared_at_most_4": theta * phi * phi * (1.0 + abs(rho)) <= 4.0,
    }
    return tuple(name for name, holds in conditions.items() if not holds)


def violations(parameters: SsviParameters) -> tuple[str, ...]:
    """Sufficient conditions against static arbitrage that a surface fails; empty means it has none at any T.

    η(1 + |ρ|) <= 2 with 0 < γ <= 1/2 gives both butterfly conditions for every θ; the calendar condition
    0 <= ∂θ(θφ) = φ(1-γ)/(1+θ) <= φ(1 + √(1-ρ²))/ρ² then always holds, and θ_T rises by its form.
    """
    rho, eta, gamma, zero, infinity, kappa = parameters
    conditions = {
        "rho_inside_unit": -1.0 < rho < 1.0,
        "eta_positive": 0.0 < eta < np.inf,
        "gamma_at_most_half": 0.0 < gamma <= 0.5,
        "eta_at_most_2": eta * (1.0 + abs(rho)) <= 2.0,
        "sigma_zero_positive": 0.0 < zero < np.inf,
        "sigma_infinity_positive": 0.0 < infinity < np.inf,
        "kappa_positive": 0.0 < kappa < np.inf,
    }
    return tuple(name for name, holds in conditions.items() if not holds)
