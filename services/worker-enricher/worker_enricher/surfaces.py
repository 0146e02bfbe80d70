"""What beat asks for: the surface of every live product on its channel, and once a minute its place in history."""

from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec
from pymongo.errors import BulkWriteError

from aro.adapters.chain_pointers import slot_of
from aro.adapters.clock import Clock, utc
from aro.adapters.live import LivePublisher, LiveReader, Publication
from aro.adapters.mongo import MongoError, is_duplicate_id
from aro.adapters.surface_store import StoredSurface
from aro.contracts.analytics import EnrichedChain, IvHistoryPoint, SurfaceState
from aro.contracts.calendars import local_day
from aro.contracts.codec import encode_json
from aro.contracts.names import parse_channel, surface_channel
from aro.contracts.products import product
from aro.quant.iv_rank import DAYS
from aro.runtime.logs import get_logger
from worker_enricher import metrics
from worker_enricher.surface import current, is_news, surface_state

log = get_logger(__name__)

HISTORY_SECONDS: Final = 300.0
"""Closes of past days do not change; they are read again this often because a day ends."""
BUDGET_SECONDS: Final = 0.08
"""Of each task, for chains wait behind it: what is left, of six products or of an exchange, comes with the next one."""
REST: Final = 8.0
"""How many times as long as it worked a process then lets surfaces be, if it took more than twice its budget: one of
fifty expiries may take half a second."""
PERIOD_MS: Final = 1_900
"""No surface is fitted again sooner."""
RECORD_MS: Final = 60_000
RECORD_SECONDS: Final = 0.03
"""How often a product's volatility is stored, and what a task may take for that."""
RETRY_SECONDS: Final = 15.0
"""After MongoDB failed, surfaces are published without a rank and unstored this long before it is asked again."""
MAX_UNSTORED: Final = 600
"""Surfaces that one process keeps for a MongoDB that is away: three minutes of the default feed, 3 MB."""

_chain = msgspec.json.Decoder(EnrichedChain)
_surface = msgspec.json.Decoder(SurfaceState)


class History(Protocol):
    def save(self, points: Sequence[IvHistoryPoint]) -> None: ...

    def points(self, product: str, *, before_day: str, limit: int) -> list[IvHistoryPoint]: ...


class Surfaces(Protocol):
    def save(self, surfaces: Sequence[StoredSurface]) -> int: ...


class SurfaceDesk:
    """One per process; keeps the history that it read, and surfaces that MongoDB has not taken yet."""

    def __init__(
        self, reader: LiveReader, publisher: LivePublisher, history: History, surfaces: Surfaces, clock: Clock
    ) -> None:
        self._reader = reader
        self._publisher = publisher
        self._history = history
        self._surfaces = surfaces
        self._clock = clock
        self._tried: dict[str, int] = {}
        """When each channel was looked at last: one that has no news, or fails, must not be the first for ever."""
        self._closes: dict[tuple[str, str], tuple[float, list[float]]] = {}
        self._recorded: dict[str, int] = {}
        """Product → the slot of `RECORD_MS` in which this process recorded it last."""
        self._unstored: deque[StoredSurface] = deque()
        self._mongo_paused_until = 0.0
        self._rests_until = 0.0

    def publish(self) -> None:
        """Fit and publish products that have newer chains than their surface, the oldest surfaces first, as far as
        `BUDGET_SECONDS` reach. Raises what Redis raises."""
        began = self._clock.monotonic()
        if began < self._rests_until:
            return
        until = began + BUDGET_SECONDS
        made: list[tuple[StoredSurface, str]] = []
        products = {surface_channel(name): (name, channels) for name, channels in self._products().items()}
        for channel in self._reader.oldest_first(products, self._tried):
            if self._clock.monotonic() > until:
                break
            self._tried[channel] = self._clock.now_ms()
            name, channels = products[channel]
            try:
                found = self._surface(name, channels)
            except (ArithmeticError, ValueError, IndexError) as error:  # one product must not cost the others
                metrics.enrich_failures.labels("surface").inc()
                log.error("surface failed", product=name, exc_info=error)
            else:
                made += [] if found is None else [found]
        took = self._clock.monotonic() - began
        if took > 2 * BUDGET_SECONDS:
            self._rests_until = began + took + REST * took
        surfaces = [surface for surface, _ in made]
        # All at once: one by one, MongoDB would wait for its disk as often as there are products.
        self._store(surfaces)
        self._publisher.publish(
            [Publication(surface_channel(item.product), item.source_seq, item.data) for item in surfaces]
        )
        for surface, model in made:
            metrics.surfaces.labels(surface.product, model).inc()

    def record(self) -> None:
        """Store the latest 30-day volatility, as that of its day, of products of which this process has not done so for
        `RECORD_MS`, as far as `RECORD_SECONDS` reach. They wait for a MongoDB that is away."""
        if self._clock.monotonic() < self._mongo_paused_until:
            return
        until, now = self._clock.monotonic() + RECORD_SECONDS, self._clock.now_ms()
        slots = {name: slot_of(name, now, RECORD_MS) for name in self._products()}
        looked_at: dict[str, int] = {}
        points: list[IvHistoryPoint] = []
        for name in sorted(name for name, slot in slots.items() if slot > self._recorded.get(name, -1)):
            if self._clock.monotonic() > until:
                break
            looked_at[name] = slots[name]
            state = self._last(name)
            if state is not None and state.iv_30d is not None:
                points.append(
                    IvHistoryPoint(
                        product=name,
                        day=_day(name, state.source_ts),
                        iv_30d=state.iv_30d,
                        variance_index=state.variance_index,
                        spot=state.spot,
                        source_ts=state.source_ts,
                    )
                )
        try:
            self._history.save(points)
        except MongoError as error:
            self._pause(error)
        else:
            self._recorded |= looked_at

    def _surface(self, name: str, channels: Sequence[str]) -> tuple[StoredSurface, str] | None:
        """A surface and its model; None without news, or too soon for them."""
        last = self._last(name)
        if last is not None and 0 <= self._clock.now_ms() - last.computed_ts < PERIOD_MS:
            return None
        states = self._reader.states(channels).values()
        chains = current([_chain.decode(state.data) for state in states if state is not None])
        if not chains or not is_news(chains, last):
            return None
        with metrics.stage_seconds.labels("surface").time():
            day = _day(name, max(chain.source_ts for chain in chains))
            now = self._clock.now_ms()
            state = surface_state(chains, last, self._past(name, day), computed_ts=now)
        if state is None:
            return None
        return StoredSurface(name, state.source_ts, now, encode_json(state)), state.model

    def _store(self, surfaces: Sequence[StoredSurface]) -> None:
        """Store them now, or with later ones: the live surface does not wait for a MongoDB that is away."""
        self._unstored += surfaces
        while len(self._unstored) > MAX_UNSTORED:
            self._unstored.popleft()
            metrics.surfaces_lost.inc()
        if not self._unstored or self._clock.monotonic() < self._mongo_paused_until:
            return
        try:
            self._surfaces.save(self._unstored)
        except BulkWriteError as error:  # MongoDB is there and refuses some
            refused = [failure for failure in (error.details or {})["writeErrors"] if not is_duplicate_id(failure)]
            log.error("mongodb refused surfaces", detail=str(refused)[:500])
            metrics.surfaces_lost.inc(len(refused))
        except MongoError as error:
            self._pause(error)
            return
        self._unstored.clear()

    def _pause(self, error: MongoError) -> None:
        self._mongo_paused_until = self._clock.monotonic() + RETRY_SECONDS
        log.warning("mongodb is away; surfaces have no rank and wait to be stored", reason=type(error).__name__)

    def _products(self) -> dict[str, list[str]]:
        """Product → its live chain channels."""
        found: dict[str, list[str]] = {}
        for text in self._reader.channels():
            if text.startswith("chain:") and (name := parse_channel(text).product) is not None:
                found.setdefault(name, []).append(text)
        return found

    def _last(self, name: str) -> SurfaceState | None:
        state = self._reader.state(surface_channel(name))
        return None if state is None else _surface.decode(state.data)

    def _past(self, name: str, day: str) -> list[float]:
        """Daily closes before `day`; the ones known, or none, while MongoDB is away."""
        now = self._clock.monotonic()
        read_at, closes = self._closes.get((name, day), (None, []))
        if (read_at is not None and now - read_at < HISTORY_SECONDS) or now < self._mongo_paused_until:
            return closes
        try:
            closes = [point.iv_30d for point in self._history.points(name, before_day=day, limit=DAYS)]
        except MongoError as error:
            self._pause(error)
            return closes
        self._closes = {key: value for key, value in self._closes.items() if key[0] != name}
        self._closes[name, day] = (now, closes)
        return closes


def _day(name: str, source_ts: int) -> str:
    return local_day(product(name), utc(source_ts)).isoformat()
