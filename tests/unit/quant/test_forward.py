"""The parity forward: exact on clean quotes, hard to move with bad ones, and honest about its source."""

import math
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.contracts.analytics import ForwardSource as ForwardSourceName
from aro.quant.black import price
from aro.quant.forward import MAX_STRIKES_USED, ForwardSource, implied_forward, source_names

FORWARD, T, RATE, YIELD, SPOT = 17_037.0, 3.2 / 365, 0.065, 0.012, 17_022.5
STRIKES = np.arange(16_000.0, 18_050.0, 50.0)
HALF = 0.002
"""Half spread of the quotes below, relative."""


def quotes(forward: float = FORWARD, strikes: np.ndarray = STRIKES, half: float = HALF) -> dict[str, np.ndarray]:
    D = math.exp(-RATE * T)
    call, put = (price(forward, strikes, T, 0.2, D, side) for side in (True, False))
    return {
        "call_bid": call * (1 - half),
        "call_ask": call * (1 + half),
        "put_bid": put * (1 - half),
        "put_ask": put * (1 + half),
    }


def estimate(strikes: Any = STRIKES, future: float | None = None, **columns: Any) -> Any:
    return implied_forward(
        strikes, **columns, spot=SPOT, years=T, rate=RATE, dividend_yield=YIELD, listed_future=future
    )


def test_source_names_are_those_of_the_contract() -> None:
    assert source_names(range(len(ForwardSource))) == [None, *get_args(ForwardSourceName)]
    assert [source.name.lower() for source in ForwardSource][1:] == list(get_args(ForwardSourceName))


def test_clean_quotes_give_the_forward_within_an_uncrossed_band() -> None:
    found = estimate(**quotes())
    assert found.value == pytest.approx(FORWARD, abs=0.02)
    assert found.source == ForwardSource.PARITY
    assert found.strikes_used == MAX_STRIKES_USED
    assert found.low < FORWARD < found.high
    assert not found.band_crossed


@given(st.floats(15_500, 18_500), st.floats(0.0005, 0.02))
def test_the_forward_lies_in_its_band(forward: float, half: float) -> None:
    found = estimate(**quotes(forward, half=half))
    assert found.low <= forward <= found.high
    assert found.value == pytest.approx(forward, abs=half * 400)


def test_quotes_without_spread_do_not_cross_by_rounding() -> None:
    found = estimate(**quotes(half=0.0))
    assert found.value == pytest.approx(FORWARD, rel=1e-12)
    assert not found.band_crossed


@pytest.mark.parametrize("column", ["call", "put"])
@pytest.mark.parametrize("shift", [-60.0, -8.0, 8.0, 60.0])
@pytest.mark.parametrize("strike", [16_950.0, 17_050.0, 17_100.0])
def test_one_stale_quote_does_not_move_the_forward(column: str, shift: float, strike: float) -> None:
    columns = quotes()
    at = np.isin(STRIKES, strike)
    for side in ("bid", "ask"):
        columns[f"{column}_{side}"][at] += shift
    found = estimate(**columns)
    assert found.value == pytest.approx(FORWARD, abs=0.3)
    assert found.strikes_used == MAX_STRIKES_USED - 1
    assert found.band_crossed


def test_two_stale_quotes_of_one_moment_do_not_move_it_either() -> None:
    columns = quotes()
    at = np.isin(STRIKES, [17_000.0, 17_050.0])
    for side in ("bid", "ask"):
        columns[f"call_{side}"][at] += 25.0
    assert estimate(**columns).value == pytest.approx(FORWARD, abs=0.3)


def test_wide_quotes_count_little() -> None:
    columns = quotes()
    at = STRIKES == 17_050.0
    columns["call_ask"][at] += 100.0
    assert estimate(**columns).value == pytest.approx(FORWARD, abs=0.1)


def test_one_sided_crossed_and_zero_quotes_are_not_two_sided() -> None:
    columns = quotes()
    columns["call_bid"][:] = np.nan
    assert estimate(**columns).source == ForwardSource.CARRY
    columns = quotes()
    columns["put_bid"], columns["put_ask"] = columns["put_ask"], columns["put_bid"]
    assert estimate(**columns).source == ForwardSource.CARRY
    columns = quotes()
    columns["put_bid"][:] = 0.0
    assert estimate(**columns).source == ForwardSource.CARRY


def test_sources_fall_back_in_order() -> None:
    nothing = {name: np.full(STRIKES.size, np.nan) for name in quotes()}
    assert estimate(**quotes(), future=17_000.0).source == ForwardSource.PARITY
    future = estimate(**nothing, future=17_031.5)
    assert (float(future.value), future.source) == (17_031.5, ForwardSource.FUTURE)
    assert future.strikes_used == 0
    assert np.isnan(future.low)
    assert not future.band_crossed
    carry = estimate(**nothing)
    assert carry.source == ForwardSource.CARRY
    assert carry.value == pytest.approx(SPOT * math.exp((RATE - YIELD) * T), rel=1e-15)
    none = implied_forward([100.0], [np.nan], [1.0], [1.0], [2.0], np.nan, T, RATE, YIELD)
    assert np.isnan(none.value)
    assert none.source == ForwardSource.NONE


def test_one_or_two_strikes_vote_alone() -> None:
    for count in (1, 2):
        strikes = STRIKES[20 : 20 + count]
        found = estimate(strikes, **quotes(strikes=strikes))
        assert found.source == ForwardSource.PARITY
        assert found.strikes_used == count
        assert found.value == pytest.approx(FORWARD, abs=0.1)


def test_no_strikes_at_all() -> None:
    empty = np.empty(0)
    found = implied_forward(empty, empty, empty, empty, empty, SPOT, T, RATE, YIELD)
    assert found.source == ForwardSource.CARRY


def test_after_expiry_time_counts_as_zero() -> None:
    found = implied_forward([100.0], [3.0], [3.2], [1.0], [1.2], 100.0, -1.0, 0.5, 0.0)
    assert found.value == pytest.approx(102.0)


def test_rows_are_chains_of_their_own() -> None:
    short = STRIKES[:31]
    padded = np.concatenate([short, np.full(STRIKES.size - 31, np.nan)])
    first, second = quotes(), quotes(16_900.0, padded)
    both = estimate(np.stack([STRIKES, padded]), **{name: np.stack([first[name], second[name]]) for name in first})
    alone = estimate(**first), estimate(short, **quotes(16_900.0, short))
    for field, pair in zip(both._fields, zip(*alone, strict=True), strict=True):
        np.testing.assert_array_equal(getattr(both, field), np.array(pair), err_msg=field)
