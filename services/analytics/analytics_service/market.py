"""The door to data: live state from Redis, the state of an instant from MongoDB. One question never mixes them."""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from analytics_service.answers import Scope
from aro.adapters.bar_store import BarStore
from aro.adapters.chain_store import ChainStore
from aro.adapters.clock import Clock, iso, utc
from aro.adapters.iv_history_store import IvHistoryStore
from aro.adapters.live import LiveReader
from aro.adapters.mongo import MongoDatabase
from aro.adapters.surface_store import SurfaceStore
from aro.adapters.tick_store import TickStore
from aro.contracts.analytics import ChainMetrics, EnrichedChain, EnrichedTick, IvHistoryPoint, SurfaceState
from aro.contracts.calendars import local_day
from aro.contracts.names import chain_channel, metrics_channel, parse_channel, surface_channel, ticks_channel
from aro.contracts.problems import NotFound, UnknownExpiry
from aro.contracts.products import product

CATALOG_SECONDS: Final = 1.0
NEXT: Final = 3
"""Expiries of scope ``next3``."""
REDIS: Final = "redis"
MONGO: Final = "mongo"

Versions = tuple[tuple[str, str, int], ...]
"""(channel, epoch, seq) of each live channel that an answer depends on."""


class Expiry(NamedTuple):
    expiry: str
    expiry_ts: int


class _Stamp(msgspec.Struct):
    """What of metrics says whether an expiry is over; the decoder skips the rest."""

    expiry: str
    expiry_ts: int


_chain = msgspec.json.Decoder(EnrichedChain)
_metrics = msgspec.json.Decoder(ChainMetrics)
_surface = msgspec.json.Decoder(SurfaceState)
_tick = msgspec.json.Decoder(EnrichedTick)
_stamp = msgspec.json.Decoder(_Stamp)


class Market:
    """`at` is an instant (UTC epoch milliseconds), or None for now. Safe for threads.

    All raise `UnknownProduct`; what is not there raises `UnknownExpiry` or `NotFound`, never gives something older.
    """

    def __init__(
        self, live: LiveReader, database: MongoDatabase, clock: Clock, require: Callable[[str], None] = lambda _: None
    ) -> None:
        """`require` raises `ServiceUnavailable` at once while ``redis`` or ``mongo`` is known to be away."""
        self.clock = clock
        self.require = require
        self.stored_chains = ChainStore(database)
        self.ticks = TickStore(database)
        self.bars = BarStore(database)
        self._live = live
        self._surfaces = SurfaceStore(database)
        self._history = IvHistoryStore(database)
        self._catalog: dict[str, tuple[float, list[Expiry]]] = {}
        self._lock = threading.Lock()

    # --- which expiries --------------------------------------------------------------------

    def choose(self, name: str, expiry: str | None, scope: Scope, at: int | None) -> tuple[str, ...]:
        """The expiries that a question is about, nearest first: the one asked for, the nearest, the next three or
        all that are not over."""
        if expiry is not None and scope == "expiry":
            product(name)
            return (expiry,)
        known = [item.expiry for item in self.expiries(name, at)]
        if expiry is not None:
            known = [item for item in known if item >= expiry]
        if not known:
            raise UnknownExpiry(f"{name} has no expiry with data {_when(at)}")
        return tuple(known[: {"expiry": 1, "next3": NEXT, "all": len(known)}[scope]])

    def expiries(self, name: str, at: int | None) -> list[Expiry]:
        """Those with data that are not over, nearest first."""
        product(name)
        now = self.clock.now_ms() if at is None else at
        found = self._live_expiries(name) if at is None else self._stored_expiries(name, at)
        return [item for item in found if item.expiry_ts > now]

    def versions(self, channels: Iterable[str]) -> Versions:
        """Where these channels are now: an answer made of them changes when this does. Raises `UnknownExpiry`."""
        self.require(REDIS)
        found = self._live.positions(channels)
        missing = [channel for channel, position in found.items() if position is None]
        if missing:
            raise _not_live(missing[0])
        return tuple((channel, where.epoch, where.seq) for channel, where in sorted(found.items()) if where is not None)

    # --- states ----------------------------------------------------------------------------

    def chain(self, name: str, expiry: str, at: int | None) -> EnrichedChain:
        if at is None:
            return _chain.decode(self._state(chain_channel(name, expiry)))
        self.require(MONGO)
        data = self.stored_chains.chain_at(name, expiry, at)
        if data is None:
            raise UnknownExpiry(f"no chain of {name} {expiry} is kept of {iso(at)}")
        return _chain.decode(data)

    def metrics(self, name: str, expiry: str, at: int | None) -> ChainMetrics:
        if at is None:
            return _metrics.decode(self._state(metrics_channel(name, expiry)))
        self.require(MONGO)
        found = self.stored_chains.metrics_at(name, expiry, at)
        if found is None:
            raise UnknownExpiry(f"no metrics of {name} {expiry} are kept of {iso(at)}")
        return found

    def surface(self, name: str, at: int | None) -> SurfaceState:
        product(name)
        data = self._state(surface_channel(name)) if at is None else self.surface_data(name, at)
        if data is None:
            raise NotFound(f"no surface of {name} is kept {_when(at)}")
        return _surface.decode(data)

    def surface_data(self, name: str, at: int) -> bytes | None:
        """As it was published."""
        self.require(MONGO)
        return self._surfaces.at(name, at)

    def tick(self, name: str) -> EnrichedTick:
        """The newest price of the underlying."""
        return _tick.decode(self._state(ticks_channel(name)))

    def days(self, name: str, before_ms: int, limit: int) -> list[IvHistoryPoint]:
        """Volatilities of the days before that of `before_ms`, oldest first."""
        self.require(MONGO)
        day = local_day(product(name), utc(before_ms)).isoformat()
        return self._history.points(name, before_day=day, limit=limit)

    def surface_chains(self, state: SurfaceState) -> list[EnrichedChain]:
        """The chains that a surface was fitted to, as far as they are kept."""
        self.require(MONGO)
        ids = [(item.expiry, item.source_ts) for item in state.slices]
        found = (self.stored_chains.chain_at(state.product, expiry, ts) for expiry, ts in ids)
        return [_chain.decode(data) for data in found if data is not None]

    def _state(self, channel: str) -> bytes:
        self.require(REDIS)
        found = self._live.state(channel)
        if found is None:
            raise _not_live(channel)
        return found.data

    def _stored_expiries(self, name: str, at: int) -> list[Expiry]:
        self.require(MONGO)
        found = [Expiry(item["expiry"], item["expiry_ts"]) for item in self.stored_chains.expiries_at(name, at)]
        return sorted(found, key=lambda item: (item.expiry_ts, item.expiry))

    def _live_expiries(self, name: str) -> list[Expiry]:
        self.require(REDIS)
        # One thread reads for all who ask within a second.
        with self._lock:
            read_at, known = self._catalog.get(name, (-CATALOG_SECONDS, []))
            now = self.clock.monotonic()
            if now - read_at < CATALOG_SECONDS and known:
                return known
            known = self._read_catalog(name)
            self._catalog[name] = (now, known)
            return known

    def _read_catalog(self, name: str) -> list[Expiry]:
        stamps = [
            _stamp.decode(state.data)
            for text in self._live.channels()
            if (channel := parse_channel(text)).kind == "metrics" and channel.product == name
            if (state := self._live.state(text)) is not None
        ]
        return sorted((Expiry(item.expiry, item.expiry_ts) for item in stamps), key=lambda item: (item[1], item[0]))


def channels_of(kind: str, name: str, expiries: Sequence[str]) -> list[str]:
    """Live channels of ``chain`` or ``metrics``."""
    build = chain_channel if kind == "chain" else metrics_channel
    return [build(name, expiry) for expiry in expiries]


def _not_live(channel: str) -> UnknownExpiry | NotFound:
    if parse_channel(channel).expiry is None:
        return NotFound(f"there is no live data for {channel}; the past is asked for with as_of")
    return UnknownExpiry(f"there is no live data for {channel}; the past is asked for with as_of")


def _when(at: int | None) -> str:
    return "now" if at is None else f"of {iso(at)}"
