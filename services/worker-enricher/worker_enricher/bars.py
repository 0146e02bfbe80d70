"""Pure: series of one minute or many in, what they did in each minute out. No server, no clock, no state."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from aro.adapters.bar_store import MINUTE_MS, BarRow, Ohlc
from aro.adapters.clock import iso
from aro.contracts.analytics import Bar, BarsState
from aro.contracts.products import product
from aro.quant.arrays import FloatArray

SPOT: Final = "spot"


def minute_of(source_ts: int) -> int:
    """The start of the minute of an instant, both UTC epoch milliseconds."""
    return source_ts // MINUTE_MS * MINUTE_MS


def minute_bars(source_ts: Sequence[int], columns: Mapping[str, Sequence[float | None]]) -> dict[int, dict[str, Ohlc]]:
    """Minute → metric → its bar, of columns in the order of time with an entry per `source_ts`.

    None is "not computable" and makes no bar.
    """
    if not len(source_ts):
        return {}
    starts = np.array(source_ts, dtype=np.int64) // MINUTE_MS * MINUTE_MS
    values = np.array(list(columns.values()), dtype=np.float64)
    edges = [0, *(np.flatnonzero(np.diff(starts)) + 1).tolist(), len(starts)]
    found = {int(starts[a]): _fold(values[:, a:b], columns) for a, b in pairwise(edges)}
    return {start: folded for start, folded in found.items() if folded}


def _fold(values: FloatArray, names: Iterable[str]) -> dict[str, Ohlc]:
    """Bars of the rows of (metrics, n), n > 0, without those that have no value."""
    known = np.isfinite(values)
    counts, row, last = known.sum(axis=1), np.arange(len(values)), values.shape[1] - 1
    opened = values[row, known.argmax(axis=1)]
    closed = values[row, last - known[:, ::-1].argmax(axis=1)]
    high, low = (np.where(known, values, edge) for edge in (-np.inf, np.inf))
    numbers = (opened, high.max(axis=1), low.min(axis=1), closed, counts)
    folded = zip(names, *(part.tolist() for part in numbers), strict=True)
    return {name: Ohlc(*bar) for name, *bar in folded if bar[-1]}


def runs(minutes: Iterable[int], *, longest: int) -> Iterator[tuple[int, int]]:
    """(first, last) of stretches of up to `longest` consecutive minutes, rising."""
    first = last = None
    for minute in sorted(minutes):
        if first is not None and last is not None:
            if minute == last + MINUTE_MS and minute - first < longest * MINUTE_MS:
                last = minute
                continue
            yield first, last
        first = last = minute
    if first is not None and last is not None:
        yield first, last


def bars_state(name: str, rows: Sequence[BarRow], *, source_ts: int, computed_ts: int) -> BarsState:
    """The state of channel ``bars:{name}:1m``; `source_ts` is that of the newest tick in `rows`."""
    return BarsState(
        product=name,
        exchange=product(name).exchange,
        interval="1m",
        metric=SPOT,
        bars=[_bar(row) for row in rows],
        source_ts=source_ts,
        source_time=iso(source_ts),
        computed_ts=computed_ts,
    )


def _bar(row: BarRow) -> Bar:
    start, opened, high, low, closed, count = row
    return Bar(start_ts=start, start_time=iso(start), open=opened, high=high, low=low, close=closed, count=count)
