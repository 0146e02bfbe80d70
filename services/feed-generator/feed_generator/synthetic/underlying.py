"""The stochastic state of one product: spot, level of volatility, basis beyond carry.

    d ln S = σ·dW - σ²/2·dt,     σ = sigma_zero·e^y
    dy     = -a·y·dt + b·dZ,     d<W, Z> = -0.7·dt   (volatility rises as spot falls)
    dB     = -c·B·dt + e·dV      (in seconds)

y and B are Ornstein-Uhlenbeck processes, stepped exactly, so a step of any length is right.
"""

import math
from typing import Final

import numpy as np

from aro.quant.expiry import SECONDS_PER_YEAR
from aro.quant.ssvi import SsviParameters
from feed_generator.synthetic.markets import Market
from feed_generator.synthetic.scenarios import Scenario

_VOL_REVERSION: Final = 400.0
"""Per year: a shock to volatility halves in about 15 hours."""
_VOL_DEVIATION: Final = 0.10
_VOL_BOUND: Final = 3 * _VOL_DEVIATION
_SPOT_VOL_CORRELATION: Final = -0.7
_LONG_VOL_SHARE: Final = 0.5
"""Long expiries feel this share of a move of volatility (in logarithm)."""
_BASIS_REVERSION: Final = 1.0 / 1200.0
"""Per second: the basis forgets in 20 minutes."""
_BASIS_BOUND: Final = 2.5
"""In standard deviations."""
_BASIS_SHAPE: Final = 365.0
"""Per year: the basis fades during the last day, because the forward ends in the spot."""
_LONGEST_STEP: Final = 60.0
"""Seconds. After a pause or a jump of the clock the market goes on from where it was."""


class Underlying:
    """Spot, volatility and basis of one product over time."""

    def __init__(self, market: Market, scenario: Scenario, rng: np.random.Generator, *, clock_rate: float) -> None:
        """`clock_rate` is how much variance time passes per calendar time (1 where markets never close)."""
        self._market = market
        self._scenario = scenario
        self._rng = rng
        self._clock_rate = clock_rate
        self._log_spot = math.log(market.spot)
        self._vol = 0.0
        self._basis = 0.0
        self._seconds = 0.0

    def advance(self, seconds: float) -> None:
        """Let `seconds` of wall time pass; negative counts as none."""
        self._seconds += max(seconds, 0.0)
        step = min(max(seconds, 0.0), _LONGEST_STEP)
        years = step * self._clock_rate / SECONDS_PER_YEAR
        z_spot, z_vol, z_basis = self._rng.standard_normal(3)
        sigma = self._market.surface.sigma_zero * math.exp(self._log_vol())
        self._log_spot += sigma * math.sqrt(years) * z_spot - 0.5 * sigma * sigma * years
        correlated = _SPOT_VOL_CORRELATION * z_spot + math.sqrt(1.0 - _SPOT_VOL_CORRELATION**2) * z_vol
        self._vol = _step(self._vol, _VOL_REVERSION * years, _VOL_DEVIATION, _VOL_BOUND, correlated)
        deviation = self._market.basis
        self._basis = _step(self._basis, _BASIS_REVERSION * step, deviation, _BASIS_BOUND * deviation, z_basis)

    @property
    def spot(self) -> float:
        """Unrounded level of the underlying."""
        return math.exp(self._log_spot + self._scenario.spot(self._seconds))

    def surface(self) -> SsviParameters:
        """The surface of this instant. Only its two volatilities move, which keeps it free of arbitrage."""
        log_vol = self._log_vol()
        calm = self._market.surface
        return calm._replace(
            sigma_zero=calm.sigma_zero * math.exp(log_vol),
            sigma_infinity=calm.sigma_infinity * math.exp(_LONG_VOL_SHARE * log_vol),
        )

    def forward(self, spot: float, years: float, carry: float) -> float:
        """Forward of an expiry `years` away; `carry` is r - q. It ends in the spot."""
        basis = -self._basis * math.expm1(-_BASIS_SHAPE * years)
        return spot * math.exp(carry * years + basis)

    def _log_vol(self) -> float:
        return self._vol + self._scenario.volatility(self._seconds)


def _step(x: float, reversion: float, deviation: float, bound: float, z: float) -> float:
    """One exact step of an Ornstein-Uhlenbeck process around 0 with the given stationary deviation."""
    decay = math.exp(-reversion)
    x = x * decay + deviation * math.sqrt(-math.expm1(-2.0 * reversion)) * z
    return min(max(x, -bound), bound)
