"""Prices and Greeks against many-digit arithmetic, and the laws that any option price obeys."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aro.quant import reference
from aro.quant.black import greeks, price

pytestmark = pytest.mark.usefixtures("each_kernel")

forwards = st.floats(1e-2, 1e6)
log_moneyness = st.floats(-3, 3)
years = st.floats(1 / 525_600, 5)
sigmas = st.floats(0.01, 3)
discounts = st.floats(0.5, 1.1)
sides = st.booleans()
contracts = st.tuples(forwards, log_moneyness, years, sigmas, discounts)
EPS = 2.0**-52


def strike_of(F: float, k: float) -> float:
    return F * math.exp(k)


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("k", [-3, -1.001, -0.3, -0.01, -1e-6, 0, 1e-9, 1e-3, 0.05, 0.999, 2, 3])
def test_price_has_full_precision_in_wings_and_at_the_money(oracle: Any, k: float, is_call: bool) -> None:
    F = 17_037.0
    K = strike_of(F, k)
    s = np.geomspace(1e-4, 4, 60)
    computed = price(F, K, 1.0, s, 0.97, is_call)
    for one, value in zip(s, computed, strict=True):
        exact = oracle.price(F, K, 1.0, one, 0.97, is_call)
        if exact < 1e-290:
            assert value <= 1e-289
            continue
        # One rounding of s or of ln(F/K) moves a far price by this much; no formula can do better.
        inherent = EPS * max(1.0, (abs(k) / one) ** 2)
        assert abs(value - exact) <= 12 * inherent * exact


@given(contracts)
def test_put_call_parity(contract: tuple[float, ...]) -> None:
    F, k, T, sigma, D = contract
    K = strike_of(F, k)
    call, put = price(F, K, T, sigma, D, [True, False])
    assert call - put == pytest.approx(D * (F - K), rel=1e-14, abs=4 * EPS * D * max(F, K))


@given(contracts, sides, st.floats(1.0001, 2))
def test_price_rises_with_volatility_and_keeps_its_bounds(
    contract: tuple[float, ...], is_call: bool, factor: float
) -> None:
    F, k, T, sigma, D = contract
    K = strike_of(F, k)
    low, high = price(F, K, T, [sigma, sigma * factor], D, is_call)
    assert low <= high
    intrinsic = D * max(F - K if is_call else K - F, 0.0)
    assert intrinsic * (1 - 2 * EPS) <= low
    assert high <= D * (F if is_call else K) * (1 + 2 * EPS)


@given(contracts, sides, st.floats(1e-3, 1e3))
def test_price_is_homogeneous_in_forward_and_strike(contract: tuple[float, ...], is_call: bool, scale: float) -> None:
    F, k, T, sigma, D = contract
    K = strike_of(F, k)
    one = float(price(F, K, T, sigma, D, is_call))
    scaled = float(price(scale * F, scale * K, T, sigma, D, is_call))
    # Scaling rounds F and K, which moves ln(F/K) by up to 2 eps and the price by that over s, and more far out.
    s = sigma * math.sqrt(T)
    sensitivity = max(1.0, (k / s) ** 2) + (1.0 + abs(k / s)) / s
    assume(sensitivity < 1e9)
    assert scaled == pytest.approx(scale * one, rel=20 * EPS * sensitivity, abs=1e-290)


@given(contracts, sides)
def test_price_agrees_with_its_scalar_twin(contract: tuple[float, ...], is_call: bool) -> None:
    F, k, T, sigma, D = contract
    K = strike_of(F, k)
    assert float(price(F, K, T, sigma, D, is_call)) == pytest.approx(
        reference.price(F, K, T, sigma, D, is_call), rel=1e-13, abs=1e-13 * max(F, K)
    )


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize(
    ("F", "K", "T", "sigma", "D"),
    [
        (100.0, 100.0, 0.5, 0.2, 0.97),
        (17_037.3, 16_500.0, 3.2 / 365, 0.25, 0.9995),
        (17_037.3, 17_900.0, 3.2 / 365, 0.19, 0.9995),
        (25_868.6, 31_000.0, 0.9, 0.13, 0.94),
        (600.0, 300.0, 2.0, 0.6, 1.02),
        (600.0, 601.0, 1 / 525_600, 0.6, 1.0),
    ],
)
def test_greeks_match_exact_differences(
    oracle: Any, F: float, K: float, T: float, sigma: float, D: float, is_call: bool
) -> None:
    h = oracle.mp.mpf(10) ** -25
    rate = -oracle.mp.log(oracle(D)) / oracle(T)

    def value(dF: Any = 0, dT: Any = 0, d_sigma: Any = 0, d_rate: Any = 0, discount_follows_time: bool = False) -> Any:
        horizon = oracle(T) + dT if discount_follows_time else oracle(T)
        discount = oracle.mp.exp(-(rate + d_rate) * horizon)
        return oracle.price(oracle(F) + dF, K, oracle(T) + dT, oracle(sigma) + d_sigma, discount, is_call)

    expected = {
        "delta": (value(dF=h) - value(dF=-h)) / (2 * h),
        "gamma": (value(dF=h) - 2 * value() + value(dF=-h)) / h**2,
        "vega": (value(d_sigma=h) - value(d_sigma=-h)) / (2 * h) / 100,
        "theta": -(value(dT=h, discount_follows_time=True) - value(dT=-h, discount_follows_time=True)) / (2 * h) / 365,
        "rho": (value(d_rate=h) - value(d_rate=-h)) / (2 * h) / 100,
    }
    computed = greeks(F, K, T, sigma, D, is_call)
    for name, exact in expected.items():
        assert float(getattr(computed, name)) == pytest.approx(float(exact), rel=5e-12, abs=1e-18), name


@given(contracts)
def test_greeks_of_call_and_put_agree(contract: tuple[float, ...]) -> None:
    F, k, T, sigma, D = contract
    both = greeks(F, strike_of(F, k), T, sigma, D, [True, False])
    assert both.delta[0] - both.delta[1] == pytest.approx(D, rel=1e-14)
    assert both.gamma[0] == both.gamma[1] >= 0.0
    assert both.vega[0] == both.vega[1] >= 0.0


def test_price_at_and_after_expiry_is_discounted_intrinsic_and_greeks_are_nan() -> None:
    at = price(100.0, [90.0, 110.0], [0.0, -1.0], 0.3, 0.9, [True, False])
    assert at.tolist() == [9.0, 9.0]
    for greek in greeks(100.0, [90.0, 100.0, 110.0], [0.0, 0.0, -1.0], 0.3, 0.9, True):
        assert np.isnan(greek).all()


def test_zero_volatility_gives_intrinsic_and_limits_of_greeks() -> None:
    assert price(100.0, [90.0, 100.0, 110.0], 1.0, 0.0, 0.9, True).tolist() == [9.0, 0.0, 0.0]
    limit = greeks(100.0, [90.0, 100.0, 110.0], 1.0, 0.0, 0.9, True)
    assert limit.delta.tolist() == [0.9, 0.45, 0.0]
    assert limit.gamma[[0, 2]].tolist() == [0.0, 0.0]
    assert np.isnan(limit.gamma[1])


@pytest.mark.parametrize("position", range(5))
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -1.0])
def test_input_outside_its_domain_is_nan(position: int, bad: float) -> None:
    arguments = [100.0, 105.0, 0.5, 0.2, 0.95]
    arguments[position] = bad
    if position == 2 and bad < 0.0:
        assert float(price(*arguments, True)) == 0.0  # expired, not invalid
    else:
        assert math.isnan(price(*arguments, True))
    assert all(math.isnan(greek) for greek in greeks(*arguments, True))


@pytest.mark.parametrize("position", [0, 1, 4])
def test_zero_forward_strike_or_discount_is_nan(position: int) -> None:
    arguments = [100.0, 105.0, 0.5, 0.2, 0.95]
    arguments[position] = 0.0
    assert math.isnan(price(*arguments, False))


def test_arguments_broadcast_to_float64() -> None:
    grid = price(np.array([[100.0], [101.0]], dtype=np.float32), [90, 100, 110], 1, 0.2, 1, True)
    assert grid.shape == (2, 3)
    assert grid.dtype == np.float64
    assert price(100, 100, 1, 0.2, 1, True).shape == ()
    assert price([], 100, 1, 0.2, 1, True).shape == (0,)
