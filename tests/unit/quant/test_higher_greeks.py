import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.quant.black import greeks
from aro.quant.higher_greeks import higher_greeks

pytestmark = pytest.mark.usefixtures("each_kernel")


@st.composite
def contracts(draw: st.DrawFn) -> tuple[float, float, float, float, float, bool]:
    F = draw(st.floats(10.0, 60_000.0))
    T = draw(st.floats(1e-3, 3.0))
    sigma = draw(st.floats(0.05, 1.0))
    K = F * math.exp(sigma * math.sqrt(T) * draw(st.floats(-3.0, 3.0)))
    return F, K, T, sigma, math.exp(-draw(st.floats(-0.05, 0.1)) * T), draw(st.booleans())


@given(contracts())
def test_they_are_derivatives_of_the_definition(c: tuple[float, float, float, float, float, bool]) -> None:
    F, K, T, sigma, D, is_call = c
    mp = mpmath.MPContext()
    mp.dps = 40
    rate = -mp.log(D) / T

    def delta(T_: object, s_: object) -> object:
        d1 = mp.log(mp.mpf(F) / K) / (s_ * mp.sqrt(T_)) + s_ * mp.sqrt(T_) / 2
        return mp.exp(-rate * T_) * (mp.ncdf(d1) if is_call else -mp.ncdf(-d1))

    def vega(s_: object) -> object:
        d1 = mp.log(mp.mpf(F) / K) / (s_ * mp.sqrt(T)) + s_ * mp.sqrt(T) / 2
        return D * F * mp.npdf(d1) * mp.sqrt(T)

    found = higher_greeks(*c)
    assert float(found.vanna) == pytest.approx(float(mp.diff(lambda s: delta(T, s), sigma)) / 100, rel=1e-8, abs=1e-13)
    assert float(found.charm) == pytest.approx(float(-mp.diff(lambda t: delta(t, sigma), T)) / 365, rel=1e-8, abs=1e-13)
    assert float(found.volga) == pytest.approx(float(mp.diff(vega, sigma)) / 1e4, rel=1e-7, abs=1e-11 * F)


@given(contracts())
def test_vanna_and_volga_do_not_know_the_side(c: tuple[float, float, float, float, float, bool]) -> None:
    calls, puts = higher_greeks(*c[:5], True), higher_greeks(*c[:5], False)
    assert (float(calls.vanna), float(calls.volga)) == (float(puts.vanna), float(puts.volga))


def test_limits_at_zero_volatility() -> None:
    out = higher_greeks(100.0, [90.0, 100.0, 110.0], 0.25, 0.0, 1.0, True)
    np.testing.assert_allclose(out.vanna, [0.0, 0.01 * 0.5 * math.sqrt(0.25) / math.sqrt(2 * math.pi), 0.0])
    np.testing.assert_array_equal(out.volga, [0.0, 0.0, 0.0])
    np.testing.assert_array_equal(out.charm, [0.0, 0.0, 0.0])


@pytest.mark.filterwarnings("error")
def test_nothing_is_raised_for_any_float() -> None:
    odd = np.array([math.nan, math.inf, -math.inf, 0.0, -1.0, 5e-324, 1.7e308, 1.0])
    grid = np.array(np.meshgrid(odd, odd, odd, odd, odd)).reshape(5, -1)
    for column in higher_greeks(*grid, True):
        assert not np.isinf(column).any()
    bad = np.isnan(greeks(*grid, True).vega)
    assert np.isnan(higher_greeks(*grid, True).charm[bad & ~(grid[3] >= 0.0)]).all()


def test_a_missing_volatility_or_expiry_gives_none() -> None:
    for arguments in ((100.0, 100.0, 0.1, math.nan, 1.0), (100.0, 100.0, 0.0, 0.2, 1.0)):
        assert all(math.isnan(column) for column in higher_greeks(*arguments, True))
