import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.quant.black import price
from aro.quant.straddle import (
    at_index,
    atm_index,
    expected_move,
    straddle_at_forward,
    strike_volatility,
    volatility_at_forward,
)

NAN = math.nan
STRIKES = [90.0, 100.0, 110.0, 120.0]


@pytest.mark.parametrize(
    ("forward", "expected"),
    [(104.9, 1), (105.0, 1), (105.1, 2), (10.0, 0), (1e6, 3), (NAN, -1)],
)
def test_atm_is_nearest_to_the_forward_and_lower_on_a_tie(forward: float, expected: int) -> None:
    assert int(atm_index(STRIKES, forward)) == expected


def test_atm_of_padded_and_empty_chains() -> None:
    strikes = [[90.0, 100.0, NAN], [NAN, NAN, NAN]]
    index = atm_index(strikes, [150.0, 100.0])
    assert index.tolist() == [1, -1]
    np.testing.assert_array_equal(at_index(strikes, index), [100.0, NAN])
    assert int(atm_index([], 100.0)) == -1
    assert math.isnan(at_index([], atm_index([], 100.0)))


def test_straddle_is_linear_between_neighbours_and_exact_at_a_strike() -> None:
    straddles = [14.0, 10.0, 12.0, 18.0]
    assert float(straddle_at_forward(STRIKES, straddles, 102.5)) == 10.5
    assert float(straddle_at_forward(STRIKES, straddles, 110.0)) == 12.0


@pytest.mark.parametrize("forward", [89.0, 121.0, NAN])
def test_straddle_is_not_extrapolated(forward: float) -> None:
    assert math.isnan(straddle_at_forward(STRIKES, [14.0, 10.0, 12.0, 18.0], forward))


def test_straddle_bridges_no_missing_neighbour_but_volatility_does() -> None:
    assert math.isnan(straddle_at_forward(STRIKES, [14.0, NAN, 12.0, 18.0], 102.5))
    assert float(volatility_at_forward(STRIKES, [0.2, NAN, 0.22, 0.3], [NAN] * 4, 100.0)) == pytest.approx(0.21)
    assert math.isnan(volatility_at_forward(STRIKES, [NAN, NAN, 0.22, 0.3], [NAN] * 4, 100.0))


def test_strike_volatility_is_the_mean_or_the_side_that_is_known() -> None:
    both = strike_volatility([0.2, NAN, 0.2, NAN], [0.3, 0.3, NAN, NAN])
    np.testing.assert_array_equal(both, [0.25, 0.3, 0.2, NAN])


@given(st.floats(91, 119), st.floats(0.05, 1.0))
def test_flat_volatility_stays_flat(forward: float, sigma: float) -> None:
    assert float(volatility_at_forward(STRIKES, [sigma] * 4, [sigma] * 4, forward)) == pytest.approx(sigma, rel=1e-15)


def test_expected_moves() -> None:
    move = expected_move(17_037.0, 0.25, 3.2 / 365, 321.5)
    assert move.one_sd == pytest.approx(17_037 * 0.25 * math.sqrt(3.2 / 365))
    assert float(move.straddle) == 321.5
    assert move.retail == pytest.approx(0.85 * 321.5)
    assert math.isnan(expected_move(17_037.0, 0.25, -1.0, 1.0).one_sd)


@given(st.floats(0.01, 1.0))
def test_straddle_at_the_forward_is_four_fifths_of_a_standard_deviation(s: float) -> None:
    # F·(4·N(s/2) - 2): definitions §4, exact for K = F.
    both = price(100.0, 100.0, 1.0, s, 1.0, [True, False]).sum()
    assert both == pytest.approx(100 * 2 * math.erf(s / math.sqrt(8)), rel=1e-13)
