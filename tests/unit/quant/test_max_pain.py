import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.quant import reference
from aro.quant.max_pain import max_pain

NAN = math.nan
open_interest = st.integers(0, 2**30)


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[float], list[float], list[float], float]:
    steps = draw(st.lists(st.integers(1, 500), min_size=1, max_size=60))
    strikes = [float(strike) for strike in np.cumsum(steps)]
    size = len(strikes)
    calls, puts = (draw(st.lists(open_interest, min_size=size, max_size=size)) for _ in range(2))
    calls[0] += 1  # a chain without any open interest has no max pain: below
    return strikes, [float(x) for x in calls], [float(x) for x in puts], draw(st.floats(0, 40_000))


@given(chains())
def test_agrees_with_brute_force(chain: tuple[list[float], list[float], list[float], float]) -> None:
    strikes, calls, puts, forward = chain
    found = max_pain(strikes, calls, puts, forward)
    assert found.curve.tolist() == [reference.pain(X, strikes, calls, puts) for X in strikes]
    # Ties that only the fast one sees as such differ by rounding alone; compare the pain, then the choice.
    least = reference.max_pain(strikes, calls, puts, forward)
    assert reference.pain(float(found.strike), strikes, calls, puts) <= reference.pain(least, strikes, calls, puts) * (
        1 + 1e-12
    )


@given(chains())
def test_small_counts_choose_the_same_strike(chain: tuple[list[float], list[float], list[float], float]) -> None:
    strikes, calls, puts, forward = chain
    calls, puts = [x % 50 + (i == 0) for i, x in enumerate(calls)], [x % 50 for x in puts]
    assert float(max_pain(strikes, calls, puts, forward).strike) == reference.max_pain(strikes, calls, puts, forward)


def test_worked_example() -> None:
    # At 110 the calls struck at 100 receive 10·10 and the puts struck at 120 receive 5·10.
    found = max_pain([100.0, 110.0, 120.0], [10.0, 0.0, 0.0], [0.0, 0.0, 5.0], 115.0)
    assert found.curve.tolist() == [100.0, 150.0, 200.0]
    assert float(found.strike) == 100.0


@pytest.mark.parametrize(
    ("forward", "expected"), [(99.0, 100.0), (104.0, 100.0), (106.0, 110.0), (105.0, 100.0), (NAN, 100.0)]
)
def test_a_tie_goes_to_the_strike_nearest_the_forward_then_the_lower(forward: float, expected: float) -> None:
    tied = max_pain([100.0, 110.0, 120.0], [7.0, 7.0, 0.0], [0.0, 7.0, 0.0], forward)
    assert tied.curve[0] == tied.curve[1]
    assert float(tied.strike) == expected


def test_a_tie_survives_strikes_that_are_not_exact_in_binary() -> None:
    strikes = [0.1, 0.3, 0.7, 1.1]
    tied = max_pain(strikes, [3.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 3.0], 0.71)
    assert float(tied.strike) == 0.7


def test_without_open_interest_there_is_none() -> None:
    for column in ([0.0, 0.0], [NAN, NAN]):
        found = max_pain([100.0, 110.0], column, column, 100.0)
        assert math.isnan(found.strike)
        assert found.curve.tolist() == [0.0, 0.0]
    assert math.isnan(max_pain([], [], [], 100.0).strike)


def test_padding_changes_nothing() -> None:
    strikes, calls, puts = [100.0, 110.0, 120.0], [1.0, 9.0, NAN], [8.0, 2.0, 3.0]
    plain = max_pain(strikes, calls, puts, 111.0)
    padded = max_pain([*strikes, NAN], [*calls, 5.0], [*puts, 5.0], 111.0)
    assert plain.strike == padded.strike
    np.testing.assert_array_equal(padded.curve, [*plain.curve, NAN])
