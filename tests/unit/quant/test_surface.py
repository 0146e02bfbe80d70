"""Surfaces: whatever the quotes say, what a query answers cannot be arbitraged; and clean quotes come back."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aro.quant import arbitrage
from aro.quant.black import price
from aro.quant.ssvi import SsviParameters, surface_total_variance, violations
from aro.quant.surface import Surface
from aro.quant.surface_fit import SurfaceFit, fit_surface
from aro.quant.svi import Svi, total_variance

pytestmark = pytest.mark.usefixtures("each_kernel")

NAN = math.nan
POINTS = 31


@st.composite
def quoted(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """k, iv, years, forward of up to five expiries: an arbitrage-free surface, bent and shaken until it is not."""
    count = draw(st.integers(1, 5))
    years = np.cumsum(draw(st.lists(st.floats(0.01, 0.4), min_size=count, max_size=count)))
    law = SsviParameters(draw(st.floats(-0.8, 0.8)), 1.0, 0.4, draw(st.floats(0.08, 0.5)), 0.2, 3.0)
    reach = draw(st.floats(0.5, 4.0))
    k = np.linspace(-1.0, 1.0, POINTS) * reach * 0.2 * np.sqrt(years)[:, None]
    iv = np.sqrt(surface_total_variance(k, years[:, None], law) / years[:, None])
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    noise, levels = draw(st.sampled_from([0.0, 0.01, 0.1, 0.4])), draw(st.sampled_from([0.0, 0.05, 0.4]))
    iv = iv * np.exp(noise * random.standard_normal(iv.shape) + levels * random.standard_normal((count, 1)))
    iv[random.random(iv.shape) < draw(st.sampled_from([0.0, 0.3]))] = NAN
    return k, iv, years, 100.0 * np.exp(0.05 * years)


def fit(case: tuple[np.ndarray, ...]) -> SurfaceFit | None:
    k, iv, years, forward = case
    return fit_surface(k, iv, np.exp(-0.5 * (k / 0.2) ** 2 / years[:, None]), years, forward, 100.0)


@given(quoted())
@settings(max_examples=60, deadline=None)
def test_a_query_is_never_arbitrageable(case: tuple[np.ndarray, ...]) -> None:
    found = fit(case)
    if found is None:
        return
    surface = found.surface
    times = np.unique(np.concatenate([surface.years, np.linspace(surface.years[0] / 5, surface.years[-1], 9)]))
    k = np.linspace(surface.k_low, surface.k_high, 400)
    w = surface.total_variance(k[None], times[:, None])
    assert np.isfinite(w).all()
    assert (w > 0.0).all()
    # Calendar: total variance never falls. Butterfly: undiscounted calls of one expiry fall and are convex in K.
    assert (np.diff(w, axis=0) >= -1e-12).all()
    K = np.exp(k)
    calls = price(1.0, K[None], 1.0, np.sqrt(w), 1.0, True)
    slopes = np.diff(calls, axis=1) / np.diff(K)
    assert (slopes <= 1e-9).all()
    assert (slopes >= -1.0 - 1e-9).all()
    assert (np.diff(slopes, axis=1) >= -1e-8).all()


@given(quoted())
@settings(max_examples=30, deadline=None)
def test_its_words_about_itself_hold(case: tuple[np.ndarray, ...]) -> None:
    found = fit(case)
    if found is None:
        return
    surface, law = found.surface, found.surface.power_law
    assert (surface.model == "svi") == (found.violations == [] and surface.svi is found.raw.svi)
    assert violations(SsviParameters(law.rho, law.eta, law.gamma, 0.2, 0.2, 1.0)) == ()
    at_expiries = surface.total_variance(np.zeros((len(surface.years), 1)), surface.years[:, None])[:, 0]
    np.testing.assert_allclose(
        at_expiries, total_variance(np.zeros((len(surface.years), 1)), surface.svi)[:, 0], rtol=1e-9
    )


def clean(count: int = 4) -> tuple[np.ndarray, ...]:
    years = np.array([7.0, 21.0, 50.0, 110.0])[:count] / 365
    law = SsviParameters(-0.35, 0.8, 0.45, 0.125, 0.15, 4.0)
    k = np.linspace(-3.0, 3.0, POINTS) * 0.14 * np.sqrt(years)[:, None]
    return (
        k,
        np.sqrt(surface_total_variance(k, years[:, None], law) / years[:, None]),
        years,
        100 * np.exp(0.05 * years),
    )


@pytest.fixture(scope="module")
def surface() -> Surface:
    found = fit(clean())
    assert found is not None
    assert found.surface.model == "svi"
    assert found.violations == []
    return found.surface


def test_clean_quotes_come_back_at_and_between_expiries(surface: Surface) -> None:
    k, iv, years, _ = clean()
    np.testing.assert_allclose(surface.iv(years[:, None], moneyness=k), iv, atol=2e-5)
    middle = 0.5 * (years[1] + years[2])
    expected = 0.5 * (iv[1, 15] ** 2 * years[1] + iv[2, 15] ** 2 * years[2])
    assert float(surface.total_variance(0.0, middle)) == pytest.approx(expected, rel=1e-4)
    assert float(surface.iv(years[0] / 3, moneyness=0.01)) == pytest.approx(float(surface.iv(years[0], moneyness=0.01)))


def test_one_point_by_strike_by_moneyness_and_by_delta(surface: Surface) -> None:
    T = 30 / 365
    forward = float(surface.forward_at(T))
    assert forward == pytest.approx(100 * math.exp(0.05 * T))
    k = float(surface.moneyness_at_delta(0.25, T))
    sigma = float(surface.iv(T, delta=0.25))
    assert sigma == float(surface.iv(T, moneyness=k))
    assert sigma == pytest.approx(float(surface.iv(T, strike=forward * math.exp(k))), rel=1e-12)
    assert k > 0.0 > float(surface.moneyness_at_delta(0.75, T))
    with pytest.raises(TypeError, match="give one of"):
        surface.iv(T, moneyness=0.0, strike=100.0)


def test_outside_what_was_quoted_there_is_no_answer(surface: Surface) -> None:
    T = float(surface.years[-1])
    assert np.isnan(surface.iv([T * 1.001, 0.0, -1.0, NAN], moneyness=0.0)).all()
    assert np.isnan(surface.iv(T, moneyness=[surface.k_low - 1e-6, surface.k_high + 1e-6, NAN])).all()
    assert math.isnan(float(surface.iv(T, delta=1e-12)))
    assert np.isnan(surface.forward_at([T * 1.01, -0.1])).all()


def test_constant_maturities_are_linear_in_total_variance(surface: Surface) -> None:
    iv = surface.constant_maturity()
    assert np.isfinite(iv).all()
    _, quoted_iv, years, _ = clean()
    t, w = years * 365, (quoted_iv[:, 15] ** 2) * years
    w30 = w[1] + (w[2] - w[1]) * (30 - t[1]) / (t[2] - t[1])
    assert float(iv[1]) == pytest.approx(math.sqrt(w30 / (30 / 365)), rel=1e-4)
    assert math.isnan(float(surface.constant_maturity(120.0)))


def test_crossed_expiries_are_reported_and_removed() -> None:
    k, iv, years, forward = clean()
    iv = iv.copy()
    iv[1] *= 1.6
    found = fit((k, iv, years, forward))
    assert found is not None
    assert ("calendar", 1, True) in {(item.kind, item.expiry, item.quoted) for item in found.violations}
    assert found.surface.model != "svi"
    look = arbitrage.grid(found.surface.svi, found.surface.k_low, found.surface.k_high)
    assert arbitrage.is_sound(found.surface.svi, look)


def test_order_and_duplicates_of_expiries_do_not_matter() -> None:
    k, iv, years, forward = clean()
    order = np.array([2, 0, 3, 1, 2])
    found, straight = fit((k[order], iv[order], years[order], forward[order])), fit(clean())
    assert found is not None
    assert straight is not None
    assert found.expiries.tolist() == [1, 3, 0, 2]
    np.testing.assert_array_equal(found.surface.svi.b, straight.surface.svi.b)


def test_without_points_there_is_no_surface() -> None:
    k, iv, years, forward = clean()
    assert fit((k, np.full_like(iv, NAN), years, forward)) is None
    assert fit((k[:0], iv[:0], years[:0], forward[:0])) is None


# --- quotes --------------------------------------------------------------------------------


def quotes(sigma: float, half: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    K = np.arange(90.0, 111.0)
    mid = price(100.0, K, 0.1, sigma, 1.0, True)
    return K, mid - half, mid + half


def test_fair_quotes_have_nothing_to_trade() -> None:
    K, bid, ask = quotes(0.2, 0.01)
    assert arbitrage.quoted_violations(0, K, bid, ask, is_call=True, forward=100.0, discount=1.0) == []


def test_a_bid_above_its_wings_pays() -> None:
    K, bid, ask = quotes(0.2, 0.01)
    bid[10], ask[10] = bid[10] + 0.5, ask[10] + 0.5
    [found] = [
        item
        for item in arbitrage.quoted_violations(2, K, bid, ask, is_call=True, forward=100.0, discount=1.0)
        if item.kind == "butterfly"
    ]
    assert (found.expiry, found.k, found.tradable) == (2, 0.0, True)
    assert found.depth == pytest.approx(bid[10] - 0.5 * (ask[9] + ask[11]))


@pytest.mark.parametrize("is_call", [True, False])
def test_a_vertical_sold_for_more_than_it_can_cost_or_bought_for_less_than_nothing(is_call: bool) -> None:
    K = np.array([99.0, 100.0])
    dear_first = np.array([3.0, 1.5]) if is_call else np.array([1.5, 3.0])
    for prices in (dear_first, dear_first[::-1]):
        [found] = arbitrage.quoted_violations(
            0, K, prices - 0.1, prices + 0.1, is_call=is_call, forward=100.0, discount=1.0
        )
        assert found.kind == "vertical"
        assert found.depth == pytest.approx(0.3 if prices is dear_first else 1.3)


def test_a_near_bid_above_a_far_ask() -> None:
    k = np.linspace(-0.1, 0.1, 5)
    assert arbitrage.quoted_calendars(0, k, np.full(5, 0.01), k, np.full(5, 0.02)) == []
    near = np.array([0.01, 0.01, 0.03, NAN, 0.01])
    [found] = arbitrage.quoted_calendars(3, k, near, k, np.full(5, 0.02))
    assert (found.kind, found.expiry, found.k, found.tradable) == ("calendar", 3, 0.0, True)
    assert found.depth == pytest.approx(0.01)
    assert arbitrage.quoted_calendars(0, k, near, k, np.full(5, NAN)) == []


def test_lee_is_asked_too() -> None:
    steep = Svi(*(np.array([x]) for x in (0.01, 1.2, -0.8, 0.0, 0.1)))
    assert any(
        item.depth == pytest.approx(0.16)
        for item in arbitrage.butterfly_violations(steep, np.linspace(-1, 1, 99), np.array([-0.5]), np.array([0.5]))
    )
