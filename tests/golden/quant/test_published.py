"""Numbers printed in books and manuals. Spot models are met at F = S·e^{(r-q)T}, D = e^{-rT}."""

import math

import pytest

from aro.quant.black import greeks, price
from aro.quant.implied import implied_volatility

pytestmark = pytest.mark.usefixtures("each_kernel")


def test_hull_call_and_put_on_a_stock() -> None:
    """Hull, Options, Futures and Other Derivatives, 9th edition, Example 15.6, p. 338."""
    S, K, r, sigma, T = 42.0, 40.0, 0.10, 0.20, 0.5
    call, put = price(S * math.exp(r * T), K, T, sigma, math.exp(-r * T), [True, False])
    assert round(float(call), 2) == 4.76
    assert round(float(put), 2) == 0.81


def test_hull_implied_volatility() -> None:
    """Hull, 9th edition, section 15.11: a call at 1.875 implies 23.5 %."""
    S, K, r, T = 21.0, 20.0, 0.10, 0.25
    found = implied_volatility(1.875, S * math.exp(r * T), K, T, math.exp(-r * T), True)
    assert round(float(found.iv), 3) == 0.235


def test_hull_greeks_of_a_stock_option() -> None:
    """Hull, 7th edition, Problem 17.23 (DerivaGem): its Greeks hold S where ours hold F = S·e^{rT}."""
    S, K, r, sigma, T = 30.0, 30.0, 0.05, 0.25, 1.0
    growth = math.exp(r * T)
    F, D = S * growth, 1 / growth
    ours = greeks(F, K, T, sigma, D, True)
    delta = float(ours.delta)
    assert round(float(price(F, K, T, sigma, D, True)), 4) == 3.7008
    assert round(delta * growth, 4) == 0.6274
    assert round(float(ours.gamma) * growth**2, 3) == 0.050
    assert round(float(ours.vega), 4) == 0.1135
    # As a day passes at constant S, F falls by r·F/365; as r rises at constant S, F rises by T·F.
    assert round(float(ours.theta) - delta * r * F / 365, 5) == -0.00596
    assert round(float(ours.rho) + delta * T * F / 100, 4) == 0.1512


@pytest.mark.parametrize(
    ("F", "K", "r", "T", "sigma", "call", "put"),
    [
        # MathWorks Financial Toolbox manual, blkprice: futures options.
        (20.0, 20.0, 0.09, 4 / 12, 0.25, 1.1166, 1.1166),
        # MathWorks Financial Toolbox manual, blsprice: S = 100 carried at r.
        (100.0 * math.exp(0.1 * 0.25), 95.0, 0.10, 0.25, 0.50, 13.6953, 6.3497),
    ],
)
def test_mathworks_manual(F: float, K: float, r: float, T: float, sigma: float, call: float, put: float) -> None:
    both = price(F, K, T, sigma, math.exp(-r * T), [True, False])
    assert [round(float(value), 4) for value in both] == [call, put]
