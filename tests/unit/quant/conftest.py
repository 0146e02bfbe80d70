"""An oracle of many digits: Black's formula in mpmath, straight from the definitions. The compiled kernel's levels."""

from typing import Any

import mpmath
import pytest

from aro.quant import kernel

LEVELS = ("base", "v3", "v4")
BEST = LEVELS.index(kernel.compiled.level) if kernel.compiled else -1
DIGITS = 90
"""σ√T = 1e-4 at |ln F/K| = 3 needs none of the price's first 50 digits to cancel."""


class Oracle:
    """Exact inputs are the doubles themselves; every method returns an mpf."""

    def __init__(self) -> None:
        self.mp = mpmath.MPContext()
        self.mp.dps = DIGITS

    def __call__(self, value: float) -> Any:
        return self.mp.mpf(float(value))

    def normal_cdf(self, z: Any) -> Any:
        return self.mp.erfc(-z / self.mp.sqrt(2)) / 2

    def undiscounted(self, F: Any, K: Any, s: Any, is_call: bool) -> Any:
        d1 = self.mp.log(F / K) / s + s / 2
        d2 = d1 - s
        if is_call:
            return F * self.normal_cdf(d1) - K * self.normal_cdf(d2)
        return K * self.normal_cdf(-d2) - F * self.normal_cdf(-d1)

    def price(self, F: Any, K: Any, T: Any, sigma: Any, D: Any, is_call: bool) -> Any:
        F, K, T, sigma, D = (self.mp.mpf(value) for value in (F, K, T, sigma, D))
        return D * self.undiscounted(F, K, sigma * self.mp.sqrt(T), is_call)

    def elasticity(self, F: float, K: float, s: float) -> float:
        """d ln(out-of-the-money price) / d ln s: digits of a price that reach its volatility."""
        F_, K_, s_ = self(F), self(K), self(s)
        price = self.undiscounted(F_, K_, s_, bool(F <= K))
        d1 = self.mp.log(F_ / K_) / s_ + s_ / 2
        return float(s_ * F_ * self.mp.npdf(d1) / price)

    def volatility(self, price: float, F: float, K: float, T: float, D: float, is_call: bool, near: float) -> Any:
        """The exact root belonging to the doubles given, by Newton from `near`."""
        F_, K_, T_, D_, target = self(F), self(K), self(T), self(D), self(price)
        sigma = self(near)
        for _ in range(6):
            d1 = self.mp.log(F_ / K_) / (sigma * self.mp.sqrt(T_)) + sigma * self.mp.sqrt(T_) / 2
            vega = D_ * F_ * self.mp.npdf(d1) * self.mp.sqrt(T_)
            sigma = sigma - (self.price(F_, K_, T_, sigma, D_, is_call) - target) / vega
        return sigma


@pytest.fixture(scope="session")
def oracle() -> Oracle:
    return Oracle()


@pytest.fixture(params=LEVELS[: BEST + 1])
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test once per level of instructions that this processor has."""
    library = kernel.library()
    assert library is not None
    monkeypatch.setattr(kernel, "compiled", kernel.Kernel(library, request.param))
    return str(request.param)
