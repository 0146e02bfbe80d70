import math

import numpy as np
import pytest

from aro.quant.exposure import strike_of_most
from aro.quant.open_interest import (
    Buildup,
    buildup,
    buildup_names,
    buildup_shares,
    delta_adjusted,
    put_call_change_ratio,
)
from aro.quant.parity import parity_residuals, typical_residual

NAN = math.nan


@pytest.mark.parametrize(
    ("puts", "calls", "ratio", "sums"),
    [
        ([10.0, 20.0], [10.0, 5.0], 2.0, (30.0, 15.0)),
        ([-10.0], [5.0], NAN, (-10.0, 5.0)),
        ([10.0], [-5.0], NAN, (10.0, -5.0)),
        ([-10.0], [-5.0], NAN, (-10.0, -5.0)),
        ([10.0], [0.0], NAN, (10.0, 0.0)),
        ([NAN, 10.0], [NAN, 4.0], 2.5, (10.0, 4.0)),
    ],
)
def test_the_ratio_of_changes_needs_both_to_rise(
    puts: list[float], calls: list[float], ratio: float, sums: tuple[float, float]
) -> None:
    found = put_call_change_ratio(puts, calls)
    np.testing.assert_equal(float(found.ratio), ratio)
    assert (float(found.puts), float(found.calls)) == sums


@pytest.mark.parametrize(
    ("price", "open_interest", "expected"),
    [
        (101.0, 1_100.0, "long_buildup"),
        (99.0, 1_100.0, "short_buildup"),
        (101.0, 900.0, "short_covering"),
        (99.0, 900.0, "long_unwinding"),
        (100.0, 1_100.0, "neutral"),
        (100.04, 1_100.0, "neutral"),  # less than a tick
        (100.05, 1_100.0, "long_buildup"),  # a tick
        (101.0, 1_004.9, "neutral"),  # less than 0.5 %
        (101.0, 1_005.0, "long_buildup"),
        (101.0, 1_000.0, "neutral"),
        (NAN, 1_100.0, None),
        (101.0, NAN, None),
    ],
)
def test_the_four_classes_and_their_dead_bands(price: float, open_interest: float, expected: str | None) -> None:
    assert buildup_names([int(buildup(price, 100.0, open_interest, 1_000.0, 0.05))]) == [expected]


def test_either_basis_is_what_the_caller_passes() -> None:
    # Up on the day, down in the last quarter of an hour.
    assert buildup(110.0, 100.0, 2_000.0, 1_000.0, 0.05) == Buildup.LONG_BUILDUP
    assert buildup(110.0, 112.0, 2_000.0, 1_950.0, 0.05) == Buildup.SHORT_BUILDUP


def test_a_first_contract_is_a_build_up() -> None:
    assert buildup(5.0, 4.0, 10.0, 0.0, 0.05) == Buildup.LONG_BUILDUP
    assert buildup(5.0, 4.0, 0.0, 0.0, 0.05) == Buildup.NEUTRAL


def test_shares_are_weighted_by_the_change() -> None:
    classes = [Buildup.LONG_BUILDUP, Buildup.SHORT_COVERING, Buildup.NEUTRAL, Buildup.UNKNOWN, Buildup.LONG_BUILDUP]
    shares = buildup_shares(classes, [60.0, -30.0, 10.0, 999.0, NAN])
    np.testing.assert_allclose(shares, [0.1, 0.6, 0.0, 0.3, 0.0])
    assert np.isnan(buildup_shares([Buildup.NEUTRAL], [0.0])).all()
    assert np.isnan(buildup_shares([], [])).all()


def test_a_premium_that_only_followed_the_underlying_did_not_move() -> None:
    assert float(delta_adjusted(5.0, 0.5, 10.0)) == 0.0
    assert float(delta_adjusted(-2.0, -0.4, 10.0)) == 2.0


def test_a_wall_is_the_strike_with_most() -> None:
    K = np.array([[90.0, 100.0, 110.0], [90.0, 100.0, NAN]])
    found = strike_of_most(K, np.array([[1.0, 7.0, 7.0], [NAN, 0.0, 9.0]]))
    np.testing.assert_array_equal(found, [100.0, NAN])


def test_parity_residuals_and_their_median() -> None:
    residuals = parity_residuals([[90.0, 100.0, 110.0]], [[12.0, 5.0, 2.0]], [[2.0, 4.5, NAN]], [100.0], [1.0])
    np.testing.assert_array_equal(residuals, [[0.0, 0.5, NAN]])
    assert typical_residual(residuals).tolist() == [0.25]
    assert typical_residual([[1.0, -3.0, 2.0, NAN]]).tolist() == [2.0]
    assert np.isnan(typical_residual([[NAN, NAN]])).all()
    assert np.isnan(typical_residual(np.empty((2, 0)))).all()
