"""Bars from values, bars from bars, and what is missing between them."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_service.candles import (
    INTERVALS,
    MINUTE_MS,
    WIDTH_MS,
    edges,
    gaps,
    join,
    no_candles,
    of_points,
    roll_up,
    session_minutes,
)
from aro.contracts.products import product
from aro.quant.bars import bars

NIFTY, SPY = product("NIFTY"), product("SPY")
OPEN = int(datetime(2026, 11, 18, 3, 45, tzinfo=UTC).timestamp() * 1000)
"""09:15 in Mumbai, a Wednesday."""

points = st.lists(
    st.tuples(st.integers(0, 6 * 3_600_000), st.floats(1, 1e6) | st.just(float("nan"))), min_size=1, max_size=200
).map(lambda items: sorted(items, key=lambda item: item[0]))


def columns(items):
    ts, values = zip(*items, strict=True)
    return np.array(ts) + OPEN, np.array(values)


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@given(points, st.sampled_from(["5m", "15m", "1h", "1d"]))
def test_longer_bars_of_shorter_ones_are_those_of_the_values(items, interval):
    ts, values = columns(items)
    end = OPEN + 6 * 3_600_000
    fine = of_points(edges(NIFTY, "1m", OPEN, end), ts, values)
    grid = edges(NIFTY, interval, OPEN, end)
    assert same(roll_up(grid, fine), of_points(grid, ts, values))


@given(points, st.integers(0, 6 * 3_600_000))
def test_bars_of_parts_join_to_those_of_the_whole(items, cut):
    ts, values = columns(items)
    grid = edges(NIFTY, "1m", OPEN, OPEN + 6 * 3_600_000)
    at = OPEN + cut // MINUTE_MS * MINUTE_MS
    parts = [of_points(grid, ts[side], values[side]) for side in (ts < at, ts >= at)]
    assert same(join(*parts), of_points(grid, ts, values))


@given(points)
def test_they_are_the_bars_of_aro_quant(items):
    ts, values = columns(items)
    found = of_points(edges(NIFTY, "5m", OPEN, OPEN + 6 * 3_600_000), ts, values)
    theirs = bars(ts, np.arange(len(ts)), values, interval_ms=WIDTH_MS["5m"])
    assert same(found[:5], theirs[:5])
    assert found.counts.sum() == np.isfinite(values).sum()


@given(points)
def test_bars_and_gaps_cover_every_interval_once(items):
    ts, values = columns(items)
    end = OPEN + 6 * 3_600_000
    grid = edges(NIFTY, "15m", OPEN, end)
    found = of_points(grid, ts, values)
    missing = [
        start for gap in gaps(NIFTY, grid, found, until_ms=end) for start in grid if gap.start_ms <= start < gap.end_ms
    ]
    assert sorted([*found.start.tolist(), *missing]) == [start for start in grid[:-1].tolist() if start <= end]


@pytest.mark.parametrize("listed", [NIFTY, SPY], ids=["NIFTY", "SPY"])
@pytest.mark.parametrize("interval", INTERVALS)
def test_a_grid_covers_its_span(listed, interval):
    # Clocks change in New York on 1 November 2026.
    start = int(datetime(2026, 10, 30, 13, 7, tzinfo=UTC).timestamp() * 1000)
    end = start + (4 * 24 * 3_600_000 if WIDTH_MS[interval] > 900_000 else 7_200_000)
    grid = edges(listed, interval, start, end)
    assert grid[0] <= start < grid[1]
    assert grid[-2] <= end < grid[-1]
    widths = set(np.diff(grid).tolist())
    if interval == "1d" and listed is SPY:
        assert widths == {24 * 3_600_000, 25 * 3_600_000}
    else:
        assert widths == {WIDTH_MS[interval]}


def test_hours_begin_with_the_session():
    assert OPEN in edges(NIFTY, "1h", OPEN + 1, OPEN + 3_600_000)
    new_york = int(datetime(2026, 11, 18, 14, 30, tzinfo=UTC).timestamp() * 1000)
    assert new_york in edges(SPY, "1h", new_york + 1, new_york + 3_600_000)


def test_a_gap_says_whether_the_exchange_traded():
    close = int(datetime(2026, 11, 18, 10, 10, tzinfo=UTC).timestamp() * 1000)
    grid = edges(NIFTY, "15m", close - 3_600_000, close + 7_200_000)
    found = gaps(NIFTY, grid, no_candles(), until_ms=close + 7_200_000)
    assert [gap.in_session for gap in found] == [True, False]
    assert found[0].end_ms == found[1].start_ms >= close
    sunday = int(datetime(2026, 11, 22, 5, tzinfo=UTC).timestamp() * 1000)
    [whole] = gaps(NIFTY, edges(NIFTY, "1m", sunday, sunday + MINUTE_MS), no_candles(), until_ms=sunday + MINUTE_MS)
    assert not whole.in_session


def test_days_are_those_of_the_exchange():
    grid = edges(NIFTY, "1d", OPEN, OPEN)
    assert [datetime.fromtimestamp(edge / 1000, UTC).hour for edge in grid.tolist()] == [18, 18]
    assert grid[0] < OPEN < grid[1]


def test_sessions_have_their_length():
    assert session_minutes(NIFTY, OPEN) == 385
    sunday = int(datetime(2026, 11, 22, 5, tzinfo=UTC).timestamp() * 1000)
    assert session_minutes(SPY, sunday) == 390


def test_what_is_off_the_grid_is_left_out():
    grid = edges(NIFTY, "1m", OPEN, OPEN)
    assert of_points(grid, [OPEN - 1, OPEN + MINUTE_MS], [1.0, 2.0]).start.size == 0
    assert of_points(grid, [], []).start.size == 0
