import math

import numpy as np
import pytest

from aro.quant.black import greeks
from aro.quant.exposure import exposure, gamma_flip

pytestmark = pytest.mark.usefixtures("each_kernel")

NAN = math.nan
K = np.arange(90.0, 111.0)
CALLS, PUTS = np.where(K > 100, 50.0, 5.0), np.where(K < 100, 80.0, 5.0)


def gamma(forward: float = 100.0, T: float = 0.05, sigma: float = 0.2) -> np.ndarray:
    return greeks(forward, K, T, sigma, 1.0, True).gamma


def test_it_is_the_sum_of_its_definition() -> None:
    g = gamma()
    found = exposure(K, g, g, CALLS, PUTS, 100.0, 75.0)
    terms = g * 75.0 * 100.0**2 * 0.01
    assert float(found.net) == pytest.approx(float((terms * (CALLS - PUTS)).sum()))
    assert float(found.density) == pytest.approx(float((terms * (CALLS + PUTS)).sum()))
    np.testing.assert_allclose(found.by_strike, terms * (CALLS - PUTS))
    assert float(found.call_wall) == K[np.argmax(g * CALLS)]
    assert float(found.put_wall) == K[np.argmax(g * PUTS)]


def test_one_percent_of_spot_moves_that_much_delta() -> None:
    g = gamma()
    only_calls = exposure(K, g, g, CALLS, np.zeros_like(PUTS), 100.0, 1.0)
    up, down = (greeks(100.0 * (1 + x), K, 0.05, 0.2, 1.0, True).delta for x in (5e-4, -5e-4))
    per_percent = float(((up - down) * CALLS).sum()) * 10
    assert float(only_calls.net) == pytest.approx(per_percent * 100.0, rel=1e-4)


def test_short_on_both_sides_is_minus_the_density() -> None:
    found = exposure(K, gamma(), gamma(), CALLS, PUTS, 100.0, 75.0, "all_short")
    assert float(found.net) == -float(found.density)


def test_unknown_is_not_zero() -> None:
    nothing = exposure(K, np.full(21, NAN), np.full(21, NAN), CALLS, PUTS, 100.0, 75.0)
    assert math.isnan(nothing.net)
    assert math.isnan(nothing.call_wall)
    assert math.isnan(exposure(K, gamma(), gamma(), CALLS, PUTS, 100.0, NAN).density)
    assert math.isnan(exposure(K, gamma(), gamma(), CALLS * 0, PUTS, 100.0, 1.0).call_wall)
    assert math.isnan(exposure([], [], [], [], [], 100.0, 1.0).put_wall)


def flip(calls: np.ndarray, puts: np.ndarray, *, forward: float = 100.0, spot: float = 99.0) -> float:
    iv = np.full(21, 0.2)
    found = gamma_flip(
        np.array([0, 21]), K, iv, iv, calls, puts, np.array([spot]), np.array([forward]), np.array([0.05])
    )
    return float(found[0])


def test_the_flip_is_where_the_repriced_total_is_zero() -> None:
    found = flip(CALLS, PUTS)
    scale = found / 99.0

    def total(scale: float) -> float:
        g = greeks(100.0 * scale, K, 0.05, 0.2, 1.0, True).gamma
        return float((g * (CALLS - PUTS)).sum()) * scale**2

    assert 0.92 < scale < 1.08
    assert total(scale - 0.005) < 0 < total(scale + 0.005)
    assert abs(total(scale)) < 0.02 * max(abs(total(1.06)), abs(total(0.94)))
    # It is not where the exposure per strike changes sign: that is at 100, whatever the sizes.
    assert flip(CALLS, 3 * PUTS) > found + 1.0


def test_of_two_flips_the_nearest_to_spot() -> None:
    calls, puts = np.zeros(21), np.zeros(21)
    calls[[1, 19]], puts[11] = 500.0, 300.0
    found = flip(calls, puts, spot=100.0)
    spots = np.linspace(92.0, 108.0, 1_601)
    totals = np.array([float((greeks(x, K, 0.05, 0.2, 1.0, True).gamma * (calls - puts)).sum()) for x in spots])
    roots = spots[1:][totals[1:] * totals[:-1] < 0.0]
    assert len(roots) == 2
    assert found == pytest.approx(min(roots, key=lambda root: abs(root - 100.0)), abs=0.05)


def test_without_a_change_of_sign_there_is_no_flip() -> None:
    assert math.isnan(flip(CALLS, np.zeros(21)))
    assert math.isnan(flip(np.zeros(21), np.zeros(21)))
    assert math.isnan(flip(CALLS, PUTS, forward=NAN))
    assert gamma_flip(np.array([0]), *(np.empty(0) for _ in range(8))).shape == (0,)


def test_chains_do_not_disturb_each_other() -> None:
    iv = np.full(42, 0.2)
    both = gamma_flip(
        np.array([0, 21, 42]), np.tile(K, 2), iv, iv, np.append(CALLS, CALLS * NAN), np.append(PUTS, PUTS),
        np.array([99.0, 99.0]), np.array([100.0, 100.0]), np.array([0.05, 0.05]),
    )  # fmt: skip
    assert both[0] == flip(CALLS, PUTS)
    assert math.isnan(both[1])
