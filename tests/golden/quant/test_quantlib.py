"""Prices, Greeks and volatilities of 10,000 contracts against QuantLib (BSD licence; from PyPI, for tests only)."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from aro.quant.black import greeks, price
from aro.quant.implied import IvStatus, implied_volatility

pytestmark = pytest.mark.usefixtures("each_kernel")

SIZE = 10_000
SEED = 20_220_330
CLOSE = 1e-13
"""Of discount times the larger of forward and strike: what QuantLib's differences of cumulative normals lose."""


@dataclass(frozen=True)
class Grid:
    F: np.ndarray
    K: np.ndarray
    T: np.ndarray
    sigma: np.ndarray
    D: np.ndarray
    is_call: np.ndarray

    @property
    def arguments(self) -> tuple[np.ndarray, ...]:
        return self.F, self.K, self.T, self.sigma, self.D, self.is_call


@pytest.fixture(scope="module")
def quantlib() -> Any:
    with warnings.catch_warnings():
        # Its wrapper's types have no __module__, which newer Pythons mention at import.
        warnings.simplefilter("ignore", DeprecationWarning)
        import QuantLib

    return QuantLib


@pytest.fixture(scope="module")
def grid() -> Grid:
    """Hours to three years, 5 % to 150 %, at most 4 standard deviations from the forward."""
    random = np.random.default_rng(SEED)
    T = np.exp(random.uniform(np.log(4 / 8_760), np.log(3), SIZE))
    sigma = np.exp(random.uniform(np.log(0.05), np.log(1.5), SIZE))
    F = np.exp(random.uniform(np.log(50), np.log(60_000), SIZE))
    K = F * np.exp(random.uniform(-4, 4, SIZE) * sigma * np.sqrt(T))
    D = np.exp(-random.uniform(-0.01, 0.1, SIZE) * T)
    return Grid(F, K, T, sigma, D, random.random(SIZE) < 0.5)


@pytest.fixture(scope="module")
def calculators(quantlib: Any, grid: Grid) -> list[Any]:
    kinds = np.where(grid.is_call, quantlib.Option.Call, quantlib.Option.Put)
    columns = (kinds, grid.K, grid.F, grid.sigma * np.sqrt(grid.T), grid.D)
    return [
        quantlib.BlackCalculator(quantlib.PlainVanillaPayoff(int(kind), K), F, s, D)
        for kind, K, F, s, D in zip(*(column.tolist() for column in columns), strict=True)
    ]


def test_prices(grid: Grid, calculators: list[Any]) -> None:
    expected = np.array([calculator.value() for calculator in calculators])
    assert (np.abs(price(*grid.arguments) - expected) <= CLOSE * grid.D * np.maximum(grid.F, grid.K)).all()


def test_greeks(grid: Grid, calculators: list[Any]) -> None:
    found = greeks(*grid.arguments)
    F, T, D = grid.F, grid.T, grid.D
    rows = [
        (
            *(one.deltaForward(), one.gammaForward(), one.vega(years)),
            one.theta(forward, years),  # at spot = forward there is no carry, so the forward stays
            one.rho(years) - years * forward * one.deltaForward(),  # less what moves the forward with the rate
        )
        for one, forward, years in zip(calculators, F.tolist(), T.tolist(), strict=True)
    ]
    delta, gamma, vega, theta, rho = np.array(rows).T
    s = grid.sigma * np.sqrt(T)
    scale = D * np.maximum(F, grid.K)
    cancelling = 1.0 + 1.0 / s  # QuantLib adds terms of 1/s that cancel
    for name, one, other, size in (
        ("delta", found.delta, delta, D * cancelling),
        ("gamma", found.gamma, gamma, D / F / s * cancelling),
        ("vega", found.vega, vega / 100, scale * np.sqrt(T) / 100),
        ("theta", found.theta, theta / 365, scale * (grid.sigma / np.sqrt(T) + 0.1) / 365 * cancelling),
        ("rho", found.rho, rho / 100, scale * T / 100 * cancelling),
    ):
        assert (np.abs(one - other) <= CLOSE * size).all(), (name, float(np.max(np.abs(one - other) / size)))


def test_volatilities(quantlib: Any, grid: Grid, calculators: list[Any]) -> None:
    """QuantLib's own solver, from its own prices, where they hold the digits: out of the money and not too far."""
    premiums = np.array([calculator.value() for calculator in calculators])
    found = implied_volatility(premiums, grid.F, grid.K, grid.T, grid.D, grid.is_call)
    rows = np.flatnonzero((grid.is_call == (grid.F <= grid.K)) & (premiums > 1e-4 * grid.D * grid.F))
    assert rows.size > 3_000
    assert (found.status[rows] == IvStatus.OK).all()
    for row in rows.tolist():
        kind = quantlib.Option.Call if grid.is_call[row] else quantlib.Option.Put
        strike, forward, premium, discount = (float(a[row]) for a in (grid.K, grid.F, premiums, grid.D))
        near = 0.9 * float(grid.sigma[row] * np.sqrt(grid.T[row]))
        s = quantlib.blackFormulaImpliedStdDev(kind, strike, forward, premium, discount, 0.0, near, 1e-15, 200)
        assert found.iv[row] * np.sqrt(grid.T[row]) == pytest.approx(s, rel=2e-11)
