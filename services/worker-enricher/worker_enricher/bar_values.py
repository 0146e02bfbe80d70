"""What bars are made of: the log of a channel where that has all of a stretch, else what MongoDB has stored.

Most minutes were published in order, whole, and a moment ago. Redis then has them at a tenth of what it costs the
embedded server to look up each of their metrics once more.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec

from aro.adapters.bar_marks import BarMarks, Mark, Minute
from aro.adapters.bar_store import MINUTE_MS, PRODUCT_LEVEL
from aro.adapters.chain_store import ChainStore
from aro.adapters.live import LiveReader
from aro.adapters.tick_store import TickStore
from aro.contracts.analytics import NUMERIC_METRICS
from aro.contracts.names import metrics_channel, ticks_channel
from worker_enricher.bars import SPOT, minute_of
from worker_enricher.prices import ticks_between

Price = tuple[int, float, int]
"""(source_ts, price, source_seq)"""
Row = tuple[Any, ...]
"""(source_ts, a value for each metric)"""


class _Price(msgspec.Struct):
    source_ts: int
    price: float
    source_seq: int


_metrics: Final = msgspec.json.Decoder(
    msgspec.defstruct("_Metrics", [("source_ts", int), *((name, float | None, None) for name in NUMERIC_METRICS)])
)
_price: Final = msgspec.json.Decoder(_Price)


class BarValues:
    def __init__(self, reader: LiveReader, marks: BarMarks, chains: ChainStore, ticks: TickStore) -> None:
        self._reader = reader
        self._marks = marks
        self._chains = chains
        self._ticks = ticks

    def of(self, stretch: Sequence[Mark]) -> tuple[Sequence[int], Mapping[str, Sequence[float | None]]]:
        """Instants in the order of time, and metric → its value at each, of consecutive minutes of one product and
        expiry. Raises what Redis raises, and `MongoError`."""
        product, expiry = stretch[0].minute.product, stretch[0].minute.expiry
        span = stretch[0].minute.minute_ts, stretch[-1].minute.minute_ts + MINUTE_MS - 1
        is_whole = not any(mark.unpublished for mark in stretch)
        names: Sequence[str] = (SPOT,) if expiry == PRODUCT_LEVEL else NUMERIC_METRICS
        if expiry == PRODUCT_LEVEL:
            rows: Sequence[Row] = self._prices(product, *span, is_whole)
        else:
            found = self._published(metrics_channel(product, expiry), _metrics, *span) if is_whole else None
            rows = list(self._chains.metric_series(product, expiry, names, *span)) if found is None else found
        columns = list(zip(*rows, strict=True)) or [()] * (1 + len(names))
        return columns[0], dict(zip(names, columns[1 : 1 + len(names)], strict=True))

    def prices(self, product: str, start_ms: int, end_ms: int) -> Sequence[Price]:
        """Of start ≤ source_ts ≤ end, oldest first. Raises what Redis raises, and `MongoError`."""
        minutes = range(minute_of(start_ms), end_ms + 1, MINUTE_MS)
        is_whole = not self._marks.unpublished([Minute(product, PRODUCT_LEVEL, minute) for minute in minutes])
        return self._prices(product, start_ms, end_ms, is_whole)

    def _prices(self, product: str, start_ms: int, end_ms: int, is_whole: bool) -> Sequence[Price]:
        found = self._published(ticks_channel(product), _price, start_ms, end_ms) if is_whole else None
        if found is not None:
            return found
        ticks = ticks_between(self._ticks, product, start_ms, end_ms)
        return [(tick.source_ts, tick.price, tick.source_seq) for tick in ticks]

    def _published(
        self, channel: str, decoder: "msgspec.json.Decoder[Any]", start_ms: int, end_ms: int
    ) -> list[Row] | None:
        """None if the channel's log does not reach back to before the start, or its order is not that of time."""
        try:
            rows = [msgspec.structs.astuple(decoder.decode(data)) for data in self._reader.since(channel, start_ms)]
        except msgspec.MsgspecError:  # no publisher wrote this
            return None
        # A `source_seq` need not be an instant, and instants need not rise with it: then the log cannot be trusted.
        if not rows or rows[0][0] >= start_ms or any(after[0] < before[0] for before, after in pairwise(rows)):
            return None
        return [row for row in rows if start_ms <= row[0] <= end_ms]
