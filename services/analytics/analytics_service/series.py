"""Reading bars: finished minutes from where they are rolled up, the last ones from raw data."""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from analytics_service.answers import BarsAnswer, HistoryColumns, MissingBars, OhlcBar
from analytics_service.candles import (
    MINUTE_MS,
    Candles,
    Gap,
    Interval,
    edges,
    gaps,
    join,
    no_candles,
    of_points,
    roll_up,
)
from analytics_service.market import MONGO, Market
from analytics_service.solved import array
from aro.adapters.bar_store import PRODUCT_LEVEL, BarRow
from aro.adapters.clock import iso
from aro.contracts.analytics import Column
from aro.contracts.products import Product
from aro.quant.arrays import IntArray
from aro.runtime.queries import DAY_MS, HOUR_MS, Span, SpanRule, resolve

RAW_TAIL_MS: Final = 15 * MINUTE_MS
"""How far back raw data stands in for minutes that have no bars yet."""
TICKS_AT_MOST: Final = 20_000
RULES: Final[dict[Interval, SpanRule]] = {
    "1m": SpanRule(usual_ms=HOUR_MS, longest_ms=2 * DAY_MS),
    "5m": SpanRule(usual_ms=6 * HOUR_MS, longest_ms=7 * DAY_MS),
    "15m": SpanRule(usual_ms=DAY_MS, longest_ms=14 * DAY_MS),
    "1h": SpanRule(usual_ms=7 * DAY_MS, longest_ms=31 * DAY_MS),
    "1d": SpanRule(usual_ms=31 * DAY_MS, longest_ms=92 * DAY_MS),
}
HEAVY_MS: Final = 12 * HOUR_MS
"""A longer span is a heavy question."""


class Spelled(msgspec.Struct, frozen=True):
    """A span on its grid: from the start of the first interval to `end_ms`."""

    interval: Interval
    grid: IntArray
    start_ms: int
    end_ms: int

    @property
    def is_heavy(self) -> bool:
        return self.end_ms - self.start_ms > HEAVY_MS


def spelled(
    product: Product, interval: Interval, from_ms: int | None, end_ms: int, rule: SpanRule | None = None
) -> Spelled:
    """Raises `InvalidRequest` naming ``from`` if the span is reversed, or longer than `rule` or the interval allow."""
    span: Span = resolve({"from": from_ms, "to": end_ms}, rule or RULES[interval], now_ms=end_ms)
    grid = edges(product, interval, span.start_ms, span.end_ms)
    return Spelled(interval, grid, int(grid[0]), span.end_ms)


class Series:
    """`expiry` is None for ``spot``, which belongs to the product."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def candles(self, name: str, expiry: str | None, metric: str, span: Spelled) -> Candles:
        """Bars of the whole span, from what was known at its end."""
        return self.several(name, expiry, [metric], span)[metric]

    def several(self, name: str, expiry: str | None, metrics: Sequence[str], span: Spelled) -> dict[str, Candles]:
        """`candles` of several metrics by name, in one reading."""
        self._market.require(MONGO)
        whole_until = (span.end_ms + 1) // MINUTE_MS * MINUTE_MS
        rows = self._market.bars.columns(name, expiry or PRODUCT_LEVEL, metrics, span.start_ms, whole_until - MINUTE_MS)
        rolled = {metric: _candles(column) for metric, column in rows.items()}
        # A minute has all of its bars or none: what one metric lacks in a minute that another has, it did not have.
        last = max((int(part.start[-1]) for part in rolled.values() if part.start.size), default=-MINUTE_MS)
        tail_from = max(last + MINUTE_MS, whole_until - RAW_TAIL_MS, span.start_ms)
        tail_grid = np.arange(tail_from // MINUTE_MS * MINUTE_MS, span.end_ms + 1 + MINUTE_MS, MINUTE_MS)
        ts, values = self._raw(name, expiry, metrics, tail_from, span.end_ms)
        return {
            metric: roll_up(span.grid, join(rolled[metric], of_points(tail_grid, ts, array(column))))
            for metric, column in zip(metrics, values, strict=True)
        }

    def history(self, product: Product, expiry: str, fields: Sequence[str], span: Spelled) -> HistoryColumns:
        """The closes of several metrics of one expiry, on the intervals in which any of them has one."""
        return columns(product, span, self.several(product.name, expiry, fields, span))

    def _raw(
        self, name: str, expiry: str | None, metrics: Sequence[str], start_ms: int, end_ms: int
    ) -> tuple[list[int], list[Column]]:
        """Instants, and a column for each metric."""
        if start_ms > end_ms:
            return [], [[] for _ in metrics]
        if expiry is not None:
            rows = list(self._market.stored_chains.metric_series(name, expiry, metrics, start_ms, end_ms))
            return [row[0] for row in rows], [[row[1 + i] for row in rows] for i in range(len(metrics))]
        ticks = self._market.ticks.ticks(name, start_ms=start_ms, end_ms=end_ms, limit=TICKS_AT_MOST, cursor=None)
        return [tick.source_ts for tick in ticks.items], [[tick.price for tick in ticks.items]]


def columns(product: Product, span: Spelled, candles: dict[str, Candles]) -> HistoryColumns:
    """Closes side by side; None where a column has none in an interval in which another has."""
    starts = np.unique(np.concatenate([part.start for part in candles.values()]))
    made: dict[str, Column] = {}
    for name, part in candles.items():
        closes = np.full(len(starts), np.nan)
        closes[np.searchsorted(starts, part.start)] = part.close
        made[name] = [None if np.isnan(value) else value for value in closes.tolist()]
    there = no_candles()._replace(start=starts)
    return HistoryColumns(
        interval=span.interval,
        from_ts=span.start_ms,
        to_ts=span.end_ms,
        ts=starts.tolist(),
        time=[iso(start) for start in starts.tolist()],
        columns=made,
        gaps=missing(product, span, there),
    )


def bars_answer(
    product: Product, symbol: str, expiry: str | None, metric: str, span: Spelled, candles: Candles
) -> BarsAnswer:
    ends = dict(zip(span.grid[:-1].tolist(), span.grid[1:].tolist(), strict=True))
    return BarsAnswer(
        symbol=symbol,
        product=product.name,
        expiry=expiry,
        metric=metric,
        interval=span.interval,
        timezone=product.timezone,
        from_ts=span.start_ms,
        to_ts=span.end_ms,
        bars=[
            OhlcBar(
                start_ts=start,
                start_time=iso(start),
                open=open_,
                high=high,
                low=low,
                close=close,
                count=count,
                complete=ends[start] <= span.end_ms + 1,
            )
            for start, open_, high, low, close, count in zip(*(part.tolist() for part in candles), strict=True)
        ],
        gaps=missing(product, span, candles),
    )


def missing(product: Product, span: Spelled, candles: Candles) -> list[MissingBars]:
    return [_missing(gap) for gap in gaps(product, span.grid, candles, until_ms=span.end_ms)]


def _missing(gap: Gap) -> MissingBars:
    return MissingBars(
        from_ts=gap.start_ms,
        to_ts=gap.end_ms,
        from_time=iso(gap.start_ms),
        to_time=iso(gap.end_ms),
        bars=gap.bars,
        in_session=gap.in_session,
    )


def _candles(rows: Sequence[BarRow]) -> Candles:
    if not rows:
        return no_candles()
    start, open_, high, low, close, counts = zip(*rows, strict=True)
    return Candles(
        start=np.array(start, dtype=np.int64),
        open=np.array(open_, dtype=np.float64),
        high=np.array(high, dtype=np.float64),
        low=np.array(low, dtype=np.float64),
        close=np.array(close, dtype=np.float64),
        counts=np.array(counts, dtype=np.int64),
    )
