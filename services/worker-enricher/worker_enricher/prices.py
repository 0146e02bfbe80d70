"""Ticks of a stretch of time, all of them."""

from collections.abc import Iterator
from typing import Final

from aro.adapters.tick_store import TickStore
from aro.contracts.analytics import EnrichedTick

PAGE: Final = 5_000


def ticks_between(store: TickStore, product: str, start_ms: int, end_ms: int) -> Iterator[EnrichedTick]:
    """Those with start ≤ source_ts ≤ end, oldest first."""
    cursor: str | None = None
    while True:
        page = store.ticks(product, start_ms=start_ms, end_ms=end_ms, limit=PAGE, cursor=cursor)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return
