"""SSVI: its values, and that surfaces declared free of arbitrage are."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.quant.ssvi import (
    SsviParameters,
    atm_total_variance,
    power_law_phi,
    slice_violations,
    surface_total_variance,
    total_variance,
    violations,
)

CALM = SsviParameters(rho=-0.4, eta=0.8, gamma=0.45, sigma_zero=0.13, sigma_infinity=0.17, kappa=4.0)


@st.composite
def sound_surfaces(draw: st.DrawFn) -> SsviParameters:
    rho = draw(st.floats(-0.99, 0.99))
    return SsviParameters(
        rho=rho,
        eta=draw(st.floats(0.01, 1.0)) * 2.0 / (1.0 + abs(rho)),
        gamma=draw(st.floats(0.01, 0.5)),
        sigma_zero=draw(st.floats(0.02, 1.0)),
        sigma_infinity=draw(st.floats(0.02, 1.0)),
        kappa=draw(st.floats(0.01, 20.0)),
    )


def test_total_variance_is_theta_at_the_money_and_the_formula_elsewhere() -> None:
    assert total_variance(0.0, 0.04, -0.3, 5.0) == pytest.approx(0.04, rel=1e-15)
    k, theta, rho, phi = -0.2, 4.287e-4, -0.273, 38.9  # fitted to a NIFTY weekly smile, definitions §11
    z = phi * k
    expected = theta / 2 * (1 + rho * z + math.sqrt((z + rho) ** 2 + 1 - rho**2))
    assert total_variance(k, theta, rho, phi) == pytest.approx(expected, rel=1e-14)


def test_falling_wing_does_not_cancel() -> None:
    # ρ near 1, z far out: 1 + ρz + √… loses all digits; the limit is θ/2·(1 - ρ)·|z| as |z| → ∞.
    rho, z = 1 - 1e-10, -1e9
    assert total_variance(z, 2.0, rho, 1.0) == pytest.approx(1e-10 * 1e9, rel=1e-6)


def test_term_structure_runs_from_short_to_long_volatility() -> None:
    days = np.array([1e-6, 100_000.0]) / 365
    assert np.sqrt(atm_total_variance(days, 0.13, 0.17, 4.0) / days) == pytest.approx([0.13, 0.17], rel=1e-3)
    assert atm_total_variance(0.5, 0.13, 0.17, 0.0) == pytest.approx(0.13**2 * 0.5)
    assert atm_total_variance(0.0, 0.13, 0.17, 4.0) == 0.0


def test_violations_name_the_condition() -> None:
    assert violations(CALM) == ()
    assert violations(CALM._replace(eta=1.9)) == ("eta_at_most_2",)
    assert violations(CALM._replace(rho=-1.0)) == ("rho_inside_unit",)
    assert violations(CALM._replace(gamma=0.6)) == ("gamma_at_most_half",)
    assert violations(CALM._replace(eta=math.nan)) == ("eta_positive", "eta_at_most_2")
    assert slice_violations(0.04, -0.4, 5.0) == ()
    assert slice_violations(0.04, -0.4, 20.0) == ("theta_phi_squared_at_most_4",)
    assert slice_violations(1.0, -0.4, 3.0) == ("theta_phi_below_4", "theta_phi_squared_at_most_4")


@given(sound_surfaces(), st.floats(1e-3, 3.0))
def test_sound_surface_has_no_butterfly_arbitrage(surface: SsviParameters, T: float) -> None:
    assert violations(surface) == ()
    theta = atm_total_variance(T, surface.sigma_zero, surface.sigma_infinity, surface.kappa)
    phi = power_law_phi(theta, surface.eta, surface.gamma)
    assert slice_violations(float(theta), surface.rho, float(phi)) == ()
    # Gatheral's g >= 0, with the derivatives of w in closed form.
    k = np.linspace(-3.0, 3.0, 601)
    z, rho = phi * k, surface.rho
    root = np.sqrt((z + rho) ** 2 + 1 - rho**2)
    w = total_variance(k, theta, rho, phi)
    first = theta / 2 * phi * (rho + (z + rho) / root)
    second = theta / 2 * phi**2 * (1 - rho**2) / root**3
    g = (1 - k * first / (2 * w)) ** 2 - first**2 / 4 * (1 / w + 1 / 4) + second / 2
    assert (g >= -1e-9).all()


@given(sound_surfaces(), st.floats(1e-3, 3.0), st.floats(1.001, 5.0))
def test_sound_surface_has_no_calendar_arbitrage(surface: SsviParameters, T: float, factor: float) -> None:
    k = np.linspace(-3.0, 3.0, 301)
    near = surface_total_variance(k, T, surface)
    far = surface_total_variance(k, T * factor, surface)
    assert (far >= near * (1 - 1e-12)).all()


@pytest.mark.parametrize(
    ("arguments", "function"),
    [
        ((0.1, -0.04, -0.3, 5.0), total_variance),
        ((0.1, 0.04, 1.0, 5.0), total_variance),
        ((math.inf, 0.04, -0.3, 5.0), total_variance),
        ((0.1, 0.04, -0.3, -5.0), total_variance),
        ((0.0, 0.8, 0.4), power_law_phi),
        ((0.1, 0.8, 1.0), power_law_phi),
        ((-0.1, 0.1, 0.2, 4.0), atm_total_variance),
        ((0.1, 0.1, 0.2, math.nan), atm_total_variance),
    ],
)
def test_outside_the_domain_is_nan(arguments, function) -> None:
    assert math.isnan(function(*arguments))
