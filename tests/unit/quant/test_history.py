"""IV rank, realised volatility, bars, and the clocks of trading."""

import math
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.contracts.calendars import session
from aro.contracts.products import product
from aro.quant.bars import Bars, bars, merge, roll_up
from aro.quant.expiry import years_to_expiry
from aro.quant.iv_rank import iv_rank
from aro.quant.realised import close_to_close, garman_klass, parkinson, yang_zhang
from aro.quant.trading_time import Weights, business_time, variance_time

NAN = math.nan


# --- IV rank -------------------------------------------------------------------------------


def test_the_example_of_the_definitions() -> None:
    found = iv_rank(20.0, [30.0, 10.0, 11.0, 15.0, 17.0], least=5)
    assert found == (50.0, 80.0, 5)


def test_too_little_history_is_no_rank() -> None:
    found = iv_rank(0.2, [0.1] * 19)
    assert math.isnan(found.rank)
    assert math.isnan(found.percentile)
    assert found.n_obs == 19
    assert iv_rank(0.2, []).n_obs == 0
    assert math.isnan(iv_rank(NAN, np.linspace(0.1, 0.3, 40)).rank)


def test_only_finite_closes_of_a_year_count() -> None:
    history = [9.0] * 100 + [NAN] * 2 + list(np.linspace(0.1, 0.3, 250))
    found = iv_rank(0.2, history)
    assert found.n_obs == 250
    assert found.rank == pytest.approx(50.0)
    flat = iv_rank(0.2, [0.2] * 30)
    assert math.isnan(flat.rank)
    assert flat.percentile == 0.0


# --- realised ------------------------------------------------------------------------------


def simulated(days: int, steps: int = 390, overnight: float = 0.0) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(5)
    intraday = 0.2 / math.sqrt(252 * steps) * random.standard_normal((days, steps))
    gaps = overnight * random.standard_normal(days)
    path = np.cumsum(np.column_stack([gaps, intraday]).ravel()).reshape(days, steps + 1)
    price = 100.0 * np.exp(path)
    return price[:, 0], price.max(axis=1), price.min(axis=1), price[:, -1]


def test_all_estimators_find_the_volatility_of_a_simulation() -> None:
    o, h, l, c = simulated(4_000)  # noqa: E741
    assert float(close_to_close(c)) == pytest.approx(0.2, rel=0.03)
    # Extremes of 390 samples fall short of those of the path, so range estimators read a little low.
    assert float(parkinson(h, l)) == pytest.approx(0.2, rel=0.06)
    assert float(garman_klass(o, h, l, c)) == pytest.approx(0.2, rel=0.06)
    assert float(yang_zhang(o, h, l, c)) == pytest.approx(0.2, rel=0.06)


def test_only_those_that_should_see_overnight_moves() -> None:
    o, h, l, c = simulated(4_000, overnight=0.2 / math.sqrt(252))  # noqa: E741
    assert float(yang_zhang(o, h, l, c)) == pytest.approx(0.2 * math.sqrt(2), rel=0.06)
    assert float(close_to_close(c)) == pytest.approx(0.2 * math.sqrt(2), rel=0.03)
    assert float(parkinson(h, l)) == pytest.approx(0.2, rel=0.06)


def test_by_hand() -> None:
    assert float(close_to_close([1.0, math.e, 1.0], periods_per_year=1)) == pytest.approx(math.sqrt(2))
    assert float(parkinson([math.e] * 2, [1.0] * 2, periods_per_year=1)) == pytest.approx(
        1 / math.sqrt(4 * math.log(2))
    )
    expected = math.sqrt(0.5 * 4 - (2 * math.log(2) - 1))
    found = garman_klass([1.0] * 2, [math.e**2] * 2, [1.0] * 2, [math.e] * 2, periods_per_year=1)
    assert float(found) == pytest.approx(expected)


def test_missing_prices_are_left_out_and_too_few_give_none() -> None:
    assert math.isnan(close_to_close([1.0, 2.0]))
    assert math.isnan(parkinson([2.0, NAN], [1.0, 1.0]))
    assert math.isnan(yang_zhang([1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]))
    o, h, l, c = simulated(50)  # noqa: E741
    holed = c.copy()
    holed[[3, 30]] = NAN, 0.0
    assert float(yang_zhang(o, h, l, holed)) == pytest.approx(float(yang_zhang(o, h, l, c)), rel=0.1)


# --- bars ----------------------------------------------------------------------------------

tick_lists = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 3), st.sampled_from([1.0, 2.0, 3.5, NAN])), min_size=0, max_size=40
)


def folded(ticks: list[tuple[int, int, float]], interval_ms: int = 10) -> Bars:
    ts, seq, values = zip(*ticks, strict=True) if ticks else ((), (), ())
    return bars(ts, seq, values, interval_ms=interval_ms)


def same(a: Bars, b: Bars) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@given(tick_lists, st.randoms(use_true_random=False), st.integers(0, 40))
def test_any_order_any_repeats_any_parts_give_the_same_bars(
    ticks: list[tuple[int, int, float]], random: object, cut: int
) -> None:
    whole = folded(ticks)
    shuffled = ticks + ticks[: len(ticks) // 2]
    random.shuffle(shuffled)
    assert same(folded(shuffled), whole)
    parts = folded(shuffled[:cut]), folded(shuffled[cut:])
    assert same(merge(*parts), whole)
    assert same(merge(*reversed(parts)), whole)
    assert same(merge(whole, whole), whole)
    assert same(roll_up(whole, interval_ms=30), folded(ticks, 30))


@given(tick_lists)
def test_a_bar_is_what_its_ticks_say(ticks: list[tuple[int, int, float]]) -> None:
    made = folded(ticks)
    assert (np.diff(made.start) > 0).all()
    assert (made.start % 10 == 0).all()
    for i, start in enumerate(made.start):
        inside = sorted(t for t in ticks if start <= t[0] < start + 10 and not math.isnan(t[2]))
        values = [value for _, _, value in inside]
        assert (made.open[i], made.high[i], made.low[i], made.close[i]) == (
            values[0], max(values), min(values), values[-1],
        )  # fmt: skip
        assert (made.last_ts[i], made.last_seq[i]) == inside[-1][:2]


def test_bars_align_to_an_origin_and_before_the_epoch() -> None:
    assert bars([-1, 14, 15], [0, 0, 0], [1.0, 2.0, 3.0], interval_ms=10, origin_ms=5).start.tolist() == [-5, 5, 15]
    with pytest.raises(ValueError, match="interval_ms"):
        bars([], [], [], interval_ms=0)


# --- trading time --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sessions() -> tuple[np.ndarray, np.ndarray]:
    """NIFTY's sessions of 2025."""
    days = (date(2025, 1, 1) + timedelta(days=i) for i in range(365))
    found = [hours for day in days if (hours := session(product("NIFTY"), day)) is not None]
    return tuple(np.array([getattr(x, end).timestamp() * 1000 for x in found]) for end in ("open", "close"))


def ms(*when: int) -> float:
    return datetime(*when, tzinfo=UTC).timestamp() * 1000


def test_business_days_count_sessions(sessions: tuple[np.ndarray, np.ndarray]) -> None:
    time = business_time(*sessions)
    monday, friday = ms(2025, 7, 7, 3, 45), ms(2025, 7, 11, 10, 0)  # open of Monday, close of Friday
    assert float(time.years(monday, friday)) == pytest.approx(5 / 252)
    middle = ms(2025, 7, 7, 6, 52) + 30_000
    assert float(time.years(middle, ms(2025, 7, 7, 10, 0))) == pytest.approx(0.5 / 252)
    assert float(time.years(ms(2025, 7, 11, 12, 0), ms(2025, 7, 14, 3, 0))) == 0.0  # over a weekend
    assert float(time.years(friday, monday)) == 0.0
    assert math.isnan(time.years(monday, ms(2026, 7, 1, 0, 0)))


def test_the_variance_clock_runs_in_sessions_and_keeps_the_year(sessions: tuple[np.ndarray, np.ndarray]) -> None:
    time = variance_time(*sessions)
    first, last = sessions[0][0], sessions[1][-1]
    assert float(time.years(first, last)) == pytest.approx(float(years_to_expiry(int(first), int(last))))
    in_session = sum(float(x) for x in time.years(*sessions)) / float(time.years(first, last))
    assert in_session == pytest.approx(0.70, abs=0.03)
    day, night = (
        time.years(ms(2025, 7, 7, 4, 0), ms(2025, 7, 7, 5, 0)),
        time.years(ms(2025, 7, 7, 14, 0), ms(2025, 7, 7, 15, 0)),
    )
    weekend = time.years(ms(2025, 7, 12, 14, 0), ms(2025, 7, 12, 15, 0))
    np.testing.assert_allclose([float(night / day), float(weekend / day)], [0.12, 0.06])


def test_equal_weights_are_calendar_time(sessions: tuple[np.ndarray, np.ndarray]) -> None:
    now, expiry = int(ms(2025, 7, 7, 4, 0)), int(ms(2025, 8, 28, 10, 0))
    time = variance_time(*sessions, Weights(1.0, 1.0, 1.0))
    assert float(time.years(now, expiry)) == pytest.approx(float(years_to_expiry(now, expiry)), rel=1e-9)


@pytest.mark.parametrize(("opens", "closes"), [([], []), ([1.0], [1.0]), ([1.0, 2.0], [3.0, 4.0]), ([1.0], [2.0, 3.0])])
def test_a_calendar_out_of_order_is_refused(opens: list[float], closes: list[float]) -> None:
    with pytest.raises(ValueError, match="session"):
        business_time(opens, closes)
