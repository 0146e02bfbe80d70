"""Ticks to aligned open-high-low-close bars, whatever order the ticks come in and however often.

A bar is what its set of ticks says and nothing else: the open is that of the lowest (time, sequence), the close that
of the highest. So `merge` is associative, commutative and idempotent, and folding late or repeated ticks into bars
made earlier gives what all ticks at once would have given. A bar has no count: counting would need to know which
ticks it has seen. Any metric series can be folded; a price is only one.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from aro.quant.arrays import FloatArray, IntArray


class Bars(NamedTuple):
    """By rising `start`, one entry per interval that had a value; times are UTC epoch milliseconds."""

    start: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    first_ts: IntArray
    first_seq: IntArray
    """The tick of the open."""
    last_ts: IntArray
    last_seq: IntArray
    """The tick of the close: whatever is not after it cannot move the close."""


def bars(ts: ArrayLike, seq: ArrayLike, values: ArrayLike, *, interval_ms: int, origin_ms: int = 0) -> Bars:
    """Bars of ticks (n,) in any order, repeats allowed; NaN values are left out.

    Parameters
    ----------
    ts : UTC epoch milliseconds
    seq : orders ticks of one millisecond
    interval_ms : > 0
    origin_ms : bars start at ``origin_ms + i·interval_ms``; a session's open aligns 1-hour bars to it

    Raises
    ------
    ValueError
        If `interval_ms` is not above 0.
    """
    if interval_ms <= 0:
        raise ValueError(f"interval_ms must be above 0, not {interval_ms}")
    at, number = np.asarray(ts, dtype=np.int64), np.asarray(seq, dtype=np.int64)
    value = np.asarray(values, dtype=np.float64)
    known = np.isfinite(value)
    at, number, value = at[known], number[known], value[known]
    start = origin_ms + (at - origin_ms) // interval_ms * interval_ms
    return _group(Bars(start, value, value, value, value, at, number, at, number))


def merge(*parts: Bars) -> Bars:
    """One series of bars of the same interval and origin; the same tick in several parts counts once."""
    return _group(Bars(*(np.concatenate(columns) for columns in zip(*parts, strict=True))))


def roll_up(fine: Bars, *, interval_ms: int, origin_ms: int = 0) -> Bars:
    """Longer bars of shorter ones; exact if the longer interval and origin are made of whole shorter ones."""
    return _group(fine._replace(start=origin_ms + (fine.start - origin_ms) // interval_ms * interval_ms))


def _group(pieces: Bars) -> Bars:
    """Pieces of one start become one bar."""
    # The value itself breaks ties, so that two different values under one (time, sequence) cannot depend on order.
    by_first = np.lexsort((pieces.open, pieces.first_seq, pieces.first_ts, pieces.start))
    by_last = np.lexsort((pieces.close, pieces.last_seq, pieces.last_ts, pieces.start))
    starts = pieces.start[by_first]
    edges = np.flatnonzero(np.diff(starts, prepend=starts[:1] - 1)) if starts.size else np.empty(0, dtype=np.int64)
    opens = by_first[edges]
    closes = by_last[np.append(edges[1:], starts.size) - 1] if edges.size else edges
    high = np.maximum.reduceat(pieces.high[by_first], edges) if edges.size else pieces.high
    low = np.minimum.reduceat(pieces.low[by_first], edges) if edges.size else pieces.low
    return Bars(
        start=pieces.start[opens],
        open=pieces.open[opens],
        high=high,
        low=low,
        close=pieces.close[closes],
        first_ts=pieces.first_ts[opens],
        first_seq=pieces.first_seq[opens],
        last_ts=pieces.last_ts[closes],
        last_seq=pieces.last_seq[closes],
    )
