"""The last minutes of each product's price: stored bars, read once, and of ticks only what is new."""

from dataclasses import dataclass, field
from typing import Final

from aro.adapters.bar_store import MINUTE_MS, PRODUCT_LEVEL, BarRow, BarStore
from worker_enricher.bar_values import BarValues
from worker_enricher.bars import SPOT, minute_bars, minute_of

LIVE_MINUTES: Final = 10
"""Minutes before the one that grows."""
OVERLAP_MS: Final = 5_000
"""Ticks are stored by several processes: so much of what was read is read again. What is later yet is in the bar
once its minute is rolled up."""


@dataclass
class _Held:
    """Of one product: stored bars, and ticks from `since` on by their number."""

    since: int
    closed: list[BarRow]
    ticks: dict[int, tuple[int, float]] = field(default_factory=dict)


class LiveBars:
    """One per process."""

    def __init__(self, store: BarStore, values: BarValues) -> None:
        self._store = store
        self._values = values
        self._held: dict[str, _Held] = {}

    def rows(self, product: str, newest_ts: int) -> tuple[list[BarRow], int]:
        """Bars up to the minute of `newest_ts`, and the instant of the newest tick in them; ([], 0) without any."""
        held = self._hold(product, minute_of(newest_ts))
        last_ts = max((ts for ts, _ in held.ticks.values()), default=held.since + OVERLAP_MS)
        start = max(held.since, last_ts - OVERLAP_MS)
        for source_ts, price, source_seq in self._values.prices(product, start, newest_ts):
            held.ticks[source_seq] = (source_ts, price)
        if not held.ticks:
            return [], 0
        in_order = sorted((ts, seq, price) for seq, (ts, price) in held.ticks.items())
        stamps, prices = [ts for ts, _, _ in in_order], [price for _, _, price in in_order]
        growing = [(minute, *found[SPOT]) for minute, found in sorted(minute_bars(stamps, {SPOT: prices}).items())]
        return [*held.closed, *growing], stamps[-1]

    def _hold(self, product: str, newest: int) -> _Held:
        """Whatever follows the last stored bar is made of ticks: the minute that grows, and one not rolled up yet."""
        held = self._held.get(product)
        if held is not None and held.since == newest:
            return held
        first = newest - LIVE_MINUTES * MINUTE_MS
        closed = self._store.bars(product, PRODUCT_LEVEL, SPOT, first, newest - MINUTE_MS)
        since = closed[-1][0] + MINUTE_MS if closed else first
        known = held.ticks if held is not None and held.since <= since else {}
        kept = {seq: tick for seq, tick in known.items() if tick[0] >= since}
        self._held[product] = _Held(since, closed, kept)
        return self._held[product]
