"""A volatility surface: total variance at any moneyness and time inside what was quoted.

Between two expiries total variance is linear in time at constant forward moneyness; before the first expiry it is
that of the first in proportion to time (a constant volatility, which cannot introduce arbitrage [1]_); past the last
there is none. The log of the forward is interpolated in the same way, from the spot on.

References
----------
.. [1] With w → c·w, 0 < c <= 1, the terms of Durrleman's g scale with c at most and (1 - kw'/2w)² not at all, so
   g(c) >= (1 - c)·(1 - kw'/2w)² + c·g(1) >= 0.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from aro.quant.arrays import BoolArray, FloatArray
from aro.quant.ssvi import power_law_phi
from aro.quant.ssvi import total_variance as ssvi_total_variance
from aro.quant.ssvi_fit import PowerLaw
from aro.quant.svi import Svi, total_variance

DAYS_PER_YEAR: Final = 365.0
MATURITIES: Final = (7.0, 30.0, 60.0, 90.0)
"""Days of the constant-maturity series."""
DELTA_STEPS: Final = 60

SurfaceModel = Literal["svi", "svi_repaired", "ssvi"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Expiries by rising time. `svi` are its curves there, whatever the model.

    Under ``svi`` they are each smile's own best fit, under ``svi_repaired`` they were moved to remove arbitrage, and
    under ``ssvi`` they follow from `power_law`, which then also says what is between the expiries.
    """

    model: SurfaceModel
    spot: float
    years: FloatArray
    """(expiries,), > 0, rising"""
    forward: FloatArray
    svi: Svi
    power_law: PowerLaw
    k_low: float
    """Range of ln(K/F) that the surface answers for."""
    k_high: float

    def total_variance(self, k: ArrayLike, years: ArrayLike) -> FloatArray:
        """w(k, T); arguments broadcast. NaN outside [k_low, k_high], for T <= 0 and past the last expiry."""
        k_, T = np.broadcast_arrays(np.asarray(k, dtype=np.float64), np.asarray(years, dtype=np.float64))
        with np.errstate(all="ignore"):
            known = self._knows(k_, T)
            if self.model == "ssvi":
                law = self.power_law
                theta = np.interp(T, np.append(0.0, self.years), np.append(0.0, law.theta))
                w = ssvi_total_variance(k_, theta, law.rho, power_law_phi(theta, law.eta, law.gamma))
            else:
                w = self._interpolated(k_, T)
            return np.where(known, w, np.nan)

    def iv(
        self,
        years: ArrayLike,
        *,
        strike: ArrayLike | None = None,
        moneyness: ArrayLike | None = None,
        delta: ArrayLike | None = None,
    ) -> FloatArray:
        """Annual volatility at `years` and one of: a strike, ln(K/F), or the undiscounted forward delta of the call.

        Raises
        ------
        TypeError
            Unless exactly one of the three is given.
        """
        given = [value for value in (strike, moneyness, delta) if value is not None]
        if len(given) != 1:
            raise TypeError("give one of strike, moneyness and delta")
        point, T = np.broadcast_arrays(np.asarray(given[0], dtype=np.float64), np.asarray(years, dtype=np.float64))
        with np.errstate(all="ignore"):
            if strike is not None:
                k = np.log(point / self.forward_at(T))
            else:
                k = point if delta is None else self.moneyness_at_delta(point, T)
            sigma: FloatArray = np.sqrt(self.total_variance(k, T) / T)
            return sigma

    def forward_at(self, years: ArrayLike) -> FloatArray:
        """The forward, log-linear in time from the spot through the expiries; NaN past the last."""
        T = np.asarray(years, dtype=np.float64)
        logs = np.log(np.append(self.spot, self.forward))
        inside = (T >= 0.0) & (self.years[-1] >= T)
        return np.where(inside, np.exp(np.interp(T, np.append(0.0, self.years), logs)), np.nan)

    def moneyness_at_delta(self, delta: ArrayLike, years: ArrayLike) -> FloatArray:
        """k where N(d1) = delta in (0, 1), by bisection over [k_low, k_high]; NaN where that is outside."""
        target, T = np.broadcast_arrays(np.asarray(delta, dtype=np.float64), np.asarray(years, dtype=np.float64))
        with np.errstate(all="ignore"):
            target = ndtri(target)
            low, high = np.full(target.shape, self.k_low), np.full(target.shape, self.k_high)
            bracketed = (self._d1(low, T) >= target) & (self._d1(high, T) <= target)
            for _ in range(DELTA_STEPS):
                middle = 0.5 * (low + high)
                above = self._d1(middle, T) > target
                low, high = np.where(above, middle, low), np.where(above, high, middle)
            return np.where(bracketed, 0.5 * (low + high), np.nan)

    def constant_maturity(self, days: ArrayLike = MATURITIES) -> FloatArray:
        """At-the-money-forward volatility so many calendar days from now."""
        return self.iv(np.asarray(days, dtype=np.float64) / DAYS_PER_YEAR, moneyness=0.0)

    def _d1(self, k: FloatArray, T: FloatArray) -> FloatArray:
        root = np.sqrt(self.total_variance(k, T))
        d1: FloatArray = 0.5 * root - k / root
        return d1

    def _knows(self, k: FloatArray, T: FloatArray) -> BoolArray:
        known: BoolArray = (k >= self.k_low) & (k <= self.k_high) & (T > 0.0) & (self.years[-1] >= T)
        return known

    def _interpolated(self, k: FloatArray, T: FloatArray) -> FloatArray:
        after = np.clip(np.searchsorted(self.years, T), 0, len(self.years) - 1)
        before = np.maximum(after - 1, 0)
        start = np.where(after == 0, 0.0, self.years[before])
        share = (T - start) / (self.years[after] - start)
        upper = total_variance(k, Svi(*(column[after] for column in self.svi)))
        lower = np.where(after == 0, 0.0, total_variance(k, Svi(*(column[before] for column in self.svi))))
        w: FloatArray = lower + share * (upper - lower)
        return w
