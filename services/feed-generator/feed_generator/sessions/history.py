"""Plays MongoDB history: what was stored becomes the messages that it was made of, and so takes the same way again.

A stored chain has everything that its snapshot had but the dividend yield, which is the product's.
"""

from collections.abc import Collection, Iterator
from heapq import merge
from typing import Final

import msgspec

from aro.adapters.chain_store import ChainStore, StoredChain
from aro.adapters.clock import Clock
from aro.adapters.mongo import MongoDatabase, MongoError
from aro.adapters.tick_store import TickStore
from aro.contracts.analytics import EnrichedChain, EnrichedQuotes, EnrichedTick
from aro.contracts.codec import encode_message
from aro.contracts.market import FLAG_NAMES, ChainSnapshot, Quotes, UnderlyingTick
from aro.contracts.products import product
from feed_generator.provider import FeedError
from feed_generator.sessions.sources import LOOK_BACK_MS, Played, nothing_until

WINDOW_MS: Final = 20_000
"""Read at once, of all series; they are held packed, about 10 kB per chain."""
LONGEST_MS: Final = 600_000
"""Windows double up to this where there is nothing."""
LEAST_MS: Final = 1_000
"""At the present's heels: less than a second is not asked for."""
SETTLED_MS: Final = 5_000
"""Younger than this may still be on its way into MongoDB; history is played up to there."""
PAGE: Final = 500
QUIET_MS: Final = 3_600_000
"""An expiry whose pointer is so far behind has nothing to play: pointers are a minute late at most."""

_BITS: Final = {name: bit for bit, name in FLAG_NAMES.items()}
_chain = msgspec.json.Decoder(EnrichedChain)


class HistorySource:
    """From `first_ts` to `last_ts`, or for ever `SETTLED_MS` behind the present."""

    def __init__(
        self, database: MongoDatabase, clock: Clock, products: Collection[str], *, last_ts: int | None
    ) -> None:
        self._chains = ChainStore(database)
        self._ticks = TickStore(database)
        self._clock = clock
        self.first_ts: int | None = None
        self.last_ts = last_ts
        self._products = sorted(products)

    def entries(self, from_ts: int) -> Iterator[Played]:
        start, width = max(0, from_ts - LOOK_BACK_MS), WINDOW_MS
        while self.last_ts is None or start <= self.last_ts:
            end = self._clock.now_ms() - SETTLED_MS
            if self.last_ts is not None:
                end = min(end, self.last_ts + 1)
            stop = min(start + width, end)
            if stop <= start or (stop - start < LEAST_MS and self.last_ts is None):
                yield nothing_until(start)
                continue
            is_empty = True
            try:
                for entry in self._window(start, stop):
                    is_empty = False
                    yield entry
            except MongoError as error:
                raise FeedError(f"history cannot be read: {type(error).__name__}") from None
            if is_empty:
                yield nothing_until(stop)
            start, width = stop, min(2 * width, LONGEST_MS) if is_empty else WINDOW_MS

    def close(self) -> None:
        """The database is everybody's."""

    def _window(self, start: int, stop: int) -> Iterator[Played]:
        """Of [start, stop), ordered by time; chains are unpacked as they become due."""
        self._products = self._products or sorted(self._chains.products())
        series: list[list[tuple[int, int, str, str | None, StoredChain | EnrichedTick]]] = []
        for name in self._products:
            ticks = self._ticks_of(name, start, stop)
            series.append([(tick.source_ts, tick.source_seq, name, None, tick) for tick in ticks])
            alive = (item for item in self._chains.expiries(name) if item["source_ts"] > start - QUIET_MS)
            for expiry in (str(item["expiry"]) for item in alive):
                chains = self._chains_of(name, expiry, start, stop)
                series.append([(chain.source_ts, chain.source_seq, name, expiry, chain) for chain in chains])
        for ts, _, name, label, found in merge(*series, key=lambda item: (item[0], item[2], item[3] or "", item[1])):
            message = _tick(found) if isinstance(found, EnrichedTick) else snapshot(_chain.decode(found.data))
            yield Played(ts, name, label, encode_message(message))

    def _chains_of(self, name: str, expiry: str, start: int, stop: int) -> Iterator[StoredChain]:
        cursor: str | None = None
        while True:
            span = {"start_ms": start, "end_ms": stop - 1}
            page = self._chains.chains(name, expiry, **span, limit=PAGE, cursor=cursor)
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def _ticks_of(self, name: str, start: int, stop: int) -> Iterator[EnrichedTick]:
        cursor: str | None = None
        while True:
            page = self._ticks.ticks(name, start_ms=start, end_ms=stop - 1, limit=PAGE, cursor=cursor)
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return


def _tick(tick: EnrichedTick) -> UnderlyingTick:
    return UnderlyingTick(
        product=tick.product,
        price=tick.price,
        source_seq=tick.source_seq,
        source_ts=tick.source_ts,
        origin="replay" if tick.origin == "replay" else "synthetic",
        prev_close=tick.prev_close,
    )


def snapshot(chain: EnrichedChain) -> ChainSnapshot:
    """What a published chain was made of."""
    return ChainSnapshot(
        product=chain.product,
        expiry=chain.expiry,
        expiry_ts=chain.expiry_ts,
        source_seq=chain.source_seq,
        source_ts=chain.source_ts,
        origin="replay" if chain.origin == "replay" else "synthetic",
        spot=chain.spot,
        rate=chain.rate,
        dividend_yield=product(chain.product).dividend_yield,
        contract_size=chain.contract_size,
        tick_size=chain.tick_size,
        strikes=chain.strikes,
        calls=_quotes(chain.calls),
        puts=_quotes(chain.puts),
        future=chain.future,
    )


def _quotes(side: EnrichedQuotes) -> Quotes:
    columns = {name: getattr(side, name) for name in Quotes.__struct_fields__ if name != "flags"}
    return Quotes(**columns, flags=[sum(_BITS[name] for name in names) for names in side.flags])
