"""Pure: values over time to open-high-low-close bars on a grid of instants, and where bars are missing.

A grid is the rising edges of its intervals, so a day may last 23 hours and an hour may begin with the session.
"""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import ArrayLike

from aro.adapters.clock import utc
from aro.contracts.calendars import local_day, session
from aro.contracts.products import Product
from aro.quant.arrays import BoolArray, FloatArray, IntArray

Interval = Literal["1m", "5m", "15m", "1h", "1d"]
MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
WIDTH_MS: Final[dict[Interval, int]] = {
    "1m": MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "1d": DAY_MS,
}
INTERVALS: Final[tuple[Interval, ...]] = ("1m", "5m", "15m", "1h", "1d")
_OPENS: Final = {"NSE": time(9, 15), "BSE": time(9, 15), "US": time(9, 30)}


class Candles(NamedTuple):
    """By rising `start` (UTC epoch milliseconds), one entry per interval that had a value."""

    start: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    counts: IntArray
    """Values behind each."""

    def picked(self, which: BoolArray | slice) -> "Candles":
        parts: list[Any] = [part[which] for part in self]
        return Candles(*parts)


class Gap(NamedTuple):
    """`bars` intervals in a row without a value: from the start of the first to the end of the last."""

    start_ms: int
    end_ms: int
    bars: int
    in_session: bool
    """Whether the exchange traded in any of them: only then something is missing."""


def no_candles() -> Candles:
    whole, real = np.empty(0, dtype=np.int64), np.empty(0)
    return Candles(whole, real, real, real, real, whole)


def edges(product: Product, interval: Interval, start_ms: int, end_ms: int) -> IntArray:
    """(n + 1,): the intervals that cover start to end (both included).

    Days are the exchange's calendar days; hours begin at the minute at which its session opens (09:15, 10:15, …).
    """
    if interval == "1d":
        return _days(product, start_ms, end_ms)
    width = WIDTH_MS[interval]
    # Offsets of whole hours between time zones do not move these minutes.
    opens = _OPENS[product.exchange]
    offset = utc(start_ms).astimezone(ZoneInfo(product.timezone)).utcoffset() or timedelta()
    origin = (opens.hour * 60 + opens.minute) * MINUTE_MS - offset // timedelta(milliseconds=1)
    first = origin + (start_ms - origin) // width * width
    return np.arange(first, end_ms + 1 + width, width, dtype=np.int64)


def of_points(grid: IntArray, ts: ArrayLike, values: ArrayLike) -> Candles:
    """Candles of values (n,) at `ts` (n,), in order where instants are equal. NaN, and what is off the grid, is left
    out."""
    at, value = np.asarray(ts, dtype=np.int64), np.asarray(values, dtype=np.float64)
    known = np.isfinite(value)
    at, value = at[known], value[known]
    return _grouped(grid, Candles(at, value, value, value, value, np.ones(len(at), dtype=np.int64)))


def roll_up(grid: IntArray, fine: Candles) -> Candles:
    """Longer candles of shorter ones; exact if the longer intervals are made of whole shorter ones."""
    return _grouped(grid, fine)


def join(*parts: Candles) -> Candles:
    """One series of parts that share no interval."""
    order = np.argsort(np.concatenate([part.start for part in parts]), kind="stable")
    joined: list[Any] = [np.concatenate(columns)[order] for columns in zip(*parts, strict=True)]
    return Candles(*joined)


def gaps(product: Product, grid: IntArray, candles: Candles, *, until_ms: int) -> list[Gap]:
    """Stretches of `grid` without a candle, among the intervals that begin by `until_ms`."""
    starts = grid[:-1][grid[:-1] <= until_ms]
    missing = ~np.isin(starts, candles.start)
    if not missing.any():
        return []
    trading = _trading(product, starts, grid[1 : len(starts) + 1])
    # A stretch ends where a candle is, and where the session begins or ends.
    kind = np.where(missing, np.where(trading, 2, 1), 0)
    turns = np.flatnonzero(np.diff(kind, prepend=-1, append=-1))
    return [Gap(int(grid[a]), int(grid[b]), int(b - a), bool(kind[a] == 2)) for a, b in pairwise(turns) if kind[a]]


def session_minutes(product: Product, day_ms: int) -> float:
    """Length of a session of this product around `day_ms`, for annualising what is measured within sessions."""
    day = local_day(product, utc(day_ms))
    for _ in range(14):
        hours = session(product, day)
        if hours is not None:
            return (hours.close - hours.open) / timedelta(minutes=1)
        day -= timedelta(days=1)
    raise ValueError(f"{product.exchange} has not traded for a fortnight")


def _grouped(grid: IntArray, pieces: Candles) -> Candles:
    order = np.argsort(pieces.start, kind="stable")
    index = np.searchsorted(grid, pieces.start[order], side="right") - 1
    inside = (index >= 0) & (index < len(grid) - 1)
    order, index = order[inside], index[inside]
    if order.size == 0:
        return no_candles()
    first = np.flatnonzero(np.diff(index, prepend=-1))
    last = np.append(first[1:], index.size) - 1
    return Candles(
        start=grid[index[first]],
        open=pieces.open[order[first]],
        high=np.maximum.reduceat(pieces.high[order], first),
        low=np.minimum.reduceat(pieces.low[order], first),
        close=pieces.close[order[last]],
        counts=np.add.reduceat(pieces.counts[order], first),
    )


def _days(product: Product, start_ms: int, end_ms: int) -> IntArray:
    zone = ZoneInfo(product.timezone)
    day, last = (local_day(product, utc(at)) for at in (start_ms, end_ms))
    starts = []
    while day <= last + timedelta(days=1):
        starts.append(_epoch_ms(datetime.combine(day, time(), zone)))
        day += timedelta(days=1)
    return np.array(starts, dtype=np.int64)


def _trading(product: Product, starts: IntArray, ends: IntArray) -> BoolArray:
    """Which of the intervals [start, end) touch a session."""
    opens, closes = _sessions(product, int(starts[0]), int(ends[-1]))
    if opens.size == 0:
        return np.zeros(len(starts), dtype=np.bool_)
    # The first session that ends after the interval begins must begin before the interval ends.
    after = np.searchsorted(closes, starts, side="right")
    found = after < len(opens)
    result: BoolArray = found & (opens[np.minimum(after, len(opens) - 1)] < ends)
    return result


def _sessions(product: Product, start_ms: int, end_ms: int) -> tuple[IntArray, IntArray]:
    day, last = (local_day(product, utc(at)) for at in (start_ms, end_ms))
    found: list[tuple[int, int]] = []
    while day <= last:
        hours = session(product, day)
        if hours is not None:
            found.append((_epoch_ms(hours.open), _epoch_ms(hours.close)))
        day += timedelta(days=1)
    columns: Sequence[tuple[int, ...]] = list(zip(*found, strict=True)) or [(), ()]
    return np.array(columns[0], dtype=np.int64), np.array(columns[1], dtype=np.int64)


def _epoch_ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
