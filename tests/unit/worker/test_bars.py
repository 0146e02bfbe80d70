"""Minutes against a slow and obvious model of them."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aro.adapters.bar_store import Ohlc
from worker_enricher.bars import bars_state, minute_bars, minute_of, runs

MINUTE = 60_000
T = 29_916_666 * MINUTE

series = st.lists(
    st.tuples(st.integers(0, 5 * MINUTE), st.one_of(st.none(), st.floats(allow_nan=True, width=32))), max_size=60
).map(lambda rows: sorted(rows, key=lambda row: row[0]))


@given(series)
def test_a_bar_is_first_highest_lowest_last_and_how_many(rows: list[tuple[int, float | None]]) -> None:
    stamps, values = [T + offset for offset, _ in rows], [value for _, value in rows]
    expected: dict[int, dict[str, Ohlc]] = {}
    for minute in {minute_of(stamp) for stamp in stamps}:
        inside = [
            value
            for stamp, value in zip(stamps, values, strict=True)
            if minute_of(stamp) == minute and value is not None and abs(value) < float("inf")
        ]
        if inside:
            expected[minute] = {"x": Ohlc(inside[0], max(inside), min(inside), inside[-1], len(inside))}
    assert minute_bars(stamps, {"x": values}) == expected


def test_each_metric_has_minutes_of_its_own() -> None:
    found = minute_bars([T, T + 1, T + MINUTE], {"a": [1.0, None, 3.0], "b": [None, 2.0, None], "c": [None] * 3})
    assert found == {
        T: {"a": Ohlc(1, 1, 1, 1, 1), "b": Ohlc(2, 2, 2, 2, 1)},
        T + MINUTE: {"a": Ohlc(3, 3, 3, 3, 1)},
    }
    assert minute_bars([], {"a": []}) == {}


@given(st.sets(st.integers(0, 40)), st.integers(1, 9))
def test_runs_hold_every_minute_once_and_no_other(minutes: set[int], longest: int) -> None:
    held: list[int] = []
    for first, last in runs((n * MINUTE for n in minutes), longest=longest):
        stretch = range(first // MINUTE, last // MINUTE + 1)
        assert 1 <= len(stretch) <= longest
        held += stretch
    assert held == sorted(minutes)


def test_the_channel_says_which_minutes_they_are() -> None:
    rows: list[Any] = [(T, 1.0, 4.0, 0.5, 2.0, 60), (T + MINUTE, 2.0, 2.0, 2.0, 2.0, 1)]
    state = bars_state("NIFTY", rows, source_ts=T + MINUTE + 5, computed_ts=T + MINUTE + 9)
    assert (state.exchange, state.interval, state.metric) == ("NSE", "1m", "spot")
    assert state.source_time == "2026-11-18T11:07:00.005+00:00"
    assert [bar.start_time for bar in state.bars] == ["2026-11-18T11:06:00.000+00:00", "2026-11-18T11:07:00.000+00:00"]
    assert (state.bars[0].open, state.bars[0].high, state.bars[0].low, state.bars[0].close) == (1.0, 4.0, 0.5, 2.0)
