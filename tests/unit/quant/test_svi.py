"""SVI: derivatives, the parameters it is fitted in, delta strikes, and fits that return what made the quotes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from aro.quant import svi_curve
from aro.quant.svi import Svi, durrleman, moneyness_at_delta, shape, total_variance
from aro.quant.svi_fit import fit_slices

pytestmark = pytest.mark.usefixtures("each_kernel")

NAN = math.nan


@st.composite
def curves(draw: st.DrawFn) -> tuple[Svi, float]:
    """Plausible smiles (in units of √θ, then scaled) and their time; not all are free of arbitrage."""
    theta = draw(st.floats(1e-4, 0.1))
    root = math.sqrt(theta)
    b = draw(st.floats(0.05, min(1.0, 0.9 / root))) * root
    rho, m, sigma = draw(st.floats(-0.9, 0.9)), draw(st.floats(-1.0, 1.0)) * root, draw(st.floats(0.3, 2.0)) * root
    lowest = draw(st.floats(0.2, 1.0)) * theta
    return Svi(lowest - b * sigma * math.sqrt(1 - rho * rho), b, rho, m, sigma), draw(st.floats(0.01, 2.0))


def as_slices(svi: Svi) -> Svi:
    return Svi(*(np.array([x]) for x in svi))


@given(curves(), st.floats(-3.0, 3.0))
def test_slope_and_curvature_are_derivatives(case: tuple[Svi, float], z: float) -> None:
    svi, _ = case
    step = 1e-5 * svi.sigma
    k = z * svi.sigma
    at = shape(np.array([k - step, k, k + step]), svi)
    assert at.slope[1] == pytest.approx((at.w[2] - at.w[0]) / (2 * step), rel=1e-6, abs=1e-9 * svi.b)
    assert at.curvature[1] == pytest.approx((at.slope[2] - at.slope[0]) / (2 * step), rel=1e-5, abs=1e-7)


@given(curves())
def test_free_parameters_lose_nothing(case: tuple[Svi, float]) -> None:
    svi = as_slices(case[0])
    theta = total_variance(np.zeros((1, 1)), svi)[:, 0]
    curve = svi_curve.from_raw(svi, theta)
    back = svi_curve.to_raw(svi_curve.from_free(svi_curve.to_free(curve), curve.limit), theta)
    k = np.linspace(-3.0, 3.0, 31)[None] * np.sqrt(theta)
    np.testing.assert_allclose(total_variance(k, back), total_variance(k, svi), rtol=1e-6)


@given(curves())
@settings(max_examples=30)
def test_derivatives_by_the_free_parameters(case: tuple[Svi, float]) -> None:
    svi = as_slices(case[0])
    theta = total_variance(np.zeros((1, 1)), svi)[:, 0]
    curve = svi_curve.from_raw(svi, theta)
    u, z = svi_curve.to_free(curve), np.linspace(-2.0, 2.0, 9)[None]
    level, jets = svi_curve.level(z, curve), svi_curve.jets(z, curve)
    for i in range(5):
        step = np.zeros((1, 5))
        step[0, i] = 1e-6
        sides = [svi_curve.from_free(u + sign * step, curve.limit) for sign in (1, -1)]
        (high, low), (ahead, behind) = ([f(z, side) for side in sides] for f in (svi_curve.level, svi_curve.jets))
        for by_u, difference in (
            (level.by_u, high.v - low.v),
            (jets.slope_by_u, ahead.slope - behind.slope),
            (jets.curvature_by_u, ahead.curvature - behind.curvature),
        ):
            np.testing.assert_allclose(by_u[..., i], difference / 2e-6, rtol=1e-4, atol=1e-6)


@given(curves(), st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9]))
def test_a_delta_strike_has_that_delta(case: tuple[Svi, float], delta: float) -> None:
    k = moneyness_at_delta([delta], as_slices(case[0]))[0, 0]
    root = math.sqrt(total_variance(np.array([k]), case[0])[0])
    assert float(ndtr(-k / root + root / 2)) == pytest.approx(delta, abs=1e-9)


def test_a_curve_below_zero_has_no_delta_strike() -> None:
    assert np.isnan(moneyness_at_delta([0.25], Svi(*(np.array([x]) for x in (-1.0, 0.1, 0.0, 0.0, 0.1))))).all()


@given(st.lists(curves(), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_a_fit_recovers_the_smile_that_made_the_quotes(cases: list[tuple[Svi, float]]) -> None:
    svi = Svi(*(np.array(column) for column in zip(*(case[0] for case in cases), strict=True)))
    T = np.array([case[1] for case in cases])
    theta = total_variance(np.zeros((len(T), 1)), svi)[:, 0]
    k = np.linspace(-2.5, 2.5, 41)[None] * np.sqrt(theta)[:, None]
    iv = np.sqrt(total_variance(k, svi) / T[:, None])
    fits = fit_slices(k, iv, np.ones_like(k), T)
    assert (fits.points == 41).all()
    assert (fits.rmse <= 2e-3 * np.sqrt(theta / T)).all()
    warm = fit_slices(k, iv, np.ones_like(k), T, svi)
    assert (warm.rmse <= 1e-3 * np.sqrt(theta / T)).all()


def test_too_few_points_are_no_fit_and_disturb_no_neighbour() -> None:
    svi = Svi(*(np.array([x, x]) for x in (0.001, 0.05, -0.4, 0.01, 0.08)))
    k = np.broadcast_to(np.linspace(-0.2, 0.2, 21), (2, 21))
    iv = np.sqrt(total_variance(k, svi) / 0.1)
    iv[1, 4:] = NAN
    fits = fit_slices(k, iv, np.ones_like(k), [0.1, 0.1])
    assert fits.points.tolist() == [21, 4]
    assert np.isnan([fits.rmse[1], fits.g_min[1], fits.svi.b[1], fits.k_low[1]]).all()
    assert fits.rmse[0] < 1e-4
    assert fits.g_min[0] == pytest.approx(
        durrleman(np.linspace(-0.5, 0.5, 2001), Svi(*(x[0] for x in fits.svi))).min(), abs=0.01
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", [NAN, math.inf, -1.0, 0.0])
def test_nothing_to_fit_is_no_fit(bad: float) -> None:
    k = np.linspace(-0.2, 0.2, 21)[None]
    assert np.isnan(fit_slices(k, np.full((1, 21), bad), np.ones((1, 21)), [0.1]).rmse).all()
    assert np.isnan(fit_slices(k, np.full((1, 21), 0.2), np.zeros((1, 21)), [0.1]).rmse).all()
    assert np.isnan(fit_slices(k, np.full((1, 21), 0.2), np.ones((1, 21)), [bad]).rmse).all() or bad == math.inf
    assert fit_slices(np.empty((0, 5)), np.empty((0, 5)), np.empty((0, 5)), np.empty(0)).rmse.shape == (0,)


def test_a_flat_smile_is_flat() -> None:
    k = np.linspace(-0.1, 0.1, 15)[None]
    fits = fit_slices(k, np.full((1, 15), 0.2), np.ones((1, 15)), [0.05])
    assert fits.rmse[0] < 2e-4
    assert fits.g_min[0] > 0.5
