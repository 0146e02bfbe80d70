"""The newest states, held in memory as long as somebody asks for them.

A state is served without asking Redis for `CONFIRMED_SECONDS` after Redis last said that it is the newest. A thread
asks in time for all channels in demand, one round trip for all, so what is in demand is always at hand, in the
representations that are in demand too. With Redis away nothing is confirmed, and nothing served from here.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from api_gateway.question import Question
from api_gateway.representation import Representation, Variant, Version, represent
from aro.adapters.clock import Clock
from aro.adapters.live import LiveReader, Position
from aro.adapters.redis_client import RedisError
from aro.contracts.problems import InvalidRequest
from aro.runtime.logs import get_logger

log = get_logger(__name__)

CONFIRMED_SECONDS: Final = 0.05
ASK_SECONDS: Final = 0.02
"""Between two rounds of questions to Redis, while something is in demand."""
DEMAND_SECONDS: Final = 1.5
"""How long a channel is looked after since somebody asked for it: a client that asks every second finds it ready."""
FORGET_SECONDS: Final = 60.0
NEAREST_SECONDS: Final = 1.0
"""How long the nearest expiry of a product is believed to be that."""
AWAY_SECONDS: Final = 1.0
"""How long requests do not ask Redis after it failed one."""
BUDGET_BYTES: Final = 1 << 20
"""For the representations of one state; when it is spent, they are forgotten and made anew when asked for. There are
as many states as live channels that somebody asked for, so memory is bounded by what the feed publishes."""
ENTRY_BYTES: Final = 2_000
"""What a representation takes besides its body."""
PREPARED: Final = 4
"""Representations of one channel that are made before anybody asks: the most used of its state before."""


class _Head(msgspec.Struct):
    """Of every state."""

    source_ts: int
    source_time: str
    expiry_ts: int | None = None


_head = msgspec.json.Decoder(_Head)


@dataclass(slots=True)
class Held:
    """A state and its representations. Times are UTC epoch milliseconds, `taken_ts` is when Redis took it."""

    data: bytes
    version: Version
    taken_ts: int
    source_ts: int
    expiry_ts: int | None
    made: dict[Variant, Representation] = field(default_factory=dict)
    made_bytes: int = 0
    making: threading.Lock = field(default_factory=threading.Lock)

    def is_at(self, position: Position) -> bool:
        return (self.version.epoch, self.version.seq) == (position.epoch, position.seq)


@dataclass(frozen=True, slots=True)
class _Nearest:
    """`found_at` is monotonic seconds. `question` is one that left it open."""

    question: Question
    expiry: str
    expiry_ts: int
    found_at: float


class RedisAway(Exception):
    """Redis does not answer, or did not a moment ago."""


class LiveStates:
    """Safe for use by many threads. `reader` must give up within a fraction of a second."""

    def __init__(self, reader: LiveReader, clock: Clock, *, budget_bytes: int = BUDGET_BYTES) -> None:
        self._reader = reader
        self._clock = clock
        self._budget = budget_bytes
        self._held: dict[str, Held] = {}
        self._confirmed: dict[str, float] = {}
        self._wanted: dict[str, float] = {}
        self._nearest: dict[tuple[str, str], _Nearest] = {}
        self._asking = threading.Lock()
        self._installing = threading.Lock()
        self._away_until = float("-inf")
        self._demand = threading.Event()
        self._stopped = threading.Event()

    # --- for the event loop: nothing here waits ---

    def at_hand(self, question: Question) -> Held | None:
        """The newest state, if that is known at this moment. Asking keeps it known."""
        now = self._clock.monotonic()
        expiry = question.expiry or self._known_nearest(question, now)
        if expiry is None and question.kind != "surface":
            return None
        channel = question.channel(expiry or "")
        self._want(channel, now)
        return self._fresh(channel, now)

    # --- for threads ---

    def newest(self, question: Question) -> Held | None:
        """The newest state, asking Redis if need be; None if there is none. Raises `RedisAway`."""
        if question.expiry is not None or question.kind == "surface":
            return self._wanted_state(question, question.expiry or "")
        expiry = self._known_nearest(question, self._clock.monotonic())
        held = None if expiry is None else self._wanted_state(question, expiry)
        if held is None:
            expiry = self._find_nearest(question)
            held = None if expiry is None else self._wanted_state(question, expiry)
        return held

    def representation(self, held: Held, question: Question, variant: Variant) -> Representation:
        """Made once per state. Raises `InvalidRequest` if the state cannot be shaped as asked."""
        found = held.made.get(variant)
        if found is None:
            with held.making:
                found = held.made.get(variant)
                if found is None:
                    found = represent(question, variant, held.data, held.version)
                    self._keep(held, found)
        return found

    def start(self) -> None:
        """Look after what is in demand, in a daemon thread."""
        threading.Thread(target=self._run, name="live states", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._demand.set()

    # --- inside ---

    def _want(self, channel: str, now: float) -> None:
        self._wanted[channel] = now
        if not self._demand.is_set():
            self._demand.set()

    def _wanted_state(self, question: Question, expiry: str) -> Held | None:
        channel = question.channel(expiry)
        self._want(channel, self._clock.monotonic())
        return self._current(channel)

    def _fresh(self, channel: str, now: float) -> Held | None:
        return self._held.get(channel) if now - self._confirmed.get(channel, -1.0) <= CONFIRMED_SECONDS else None

    def _current(self, channel: str) -> Held | None:
        found = self._fresh(channel, self._clock.monotonic())
        if found is not None:
            return found
        # However many requests wait for one state, it is read once.
        with self._asking:
            found = self._fresh(channel, self._clock.monotonic())
            if found is None:
                self._ask_for(channel)
                found = self._held.get(channel)
        return found

    def _ask_for(self, channel: str) -> None:
        if self._clock.monotonic() < self._away_until:
            raise RedisAway
        try:
            self._refresh([channel])
        except RedisError as error:
            self._away_until = self._clock.monotonic() + AWAY_SECONDS
            raise RedisAway from error

    def _refresh(self, channels: Iterable[str]) -> None:
        """Make what is held of `channels` the newest that Redis has."""
        asked_at = self._clock.monotonic()
        changed: list[str] = []
        for channel, position in self._reader.positions(channels).items():
            held = self._held.get(channel)
            if position is None:
                self._forget(channel)
            elif held is not None and held.is_at(position):
                self._confirmed[channel] = max(asked_at, self._confirmed.get(channel, asked_at))
            else:
                changed.append(channel)
        for channel in changed:
            self._fetch(channel)

    def _fetch(self, channel: str) -> None:
        asked_at = self._clock.monotonic()
        fetched = self._read(channel)
        if fetched is None:
            self._forget(channel)
            return
        before = self._held.get(channel)
        if before is not None:
            self._prepare(fetched, before)
        with self._installing:
            # Another thread may have asked later and be done already.
            if self._confirmed.get(channel, asked_at) <= asked_at:
                self._held[channel] = fetched
                self._confirmed[channel] = asked_at

    def _read(self, channel: str) -> Held | None:
        try:
            state = self._reader.state(channel)
            head = None if state is None else _head.decode(state.data)
        except (LookupError, ValueError, msgspec.DecodeError) as error:
            log.warning("a live state is not what the worker writes", channel=channel, fault=type(error).__name__)
            return None
        if state is None or head is None:
            return None
        version = Version(state.epoch, state.seq, head.source_time)
        return Held(state.data, version, state.ts, head.source_ts, head.expiry_ts)

    def _prepare(self, held: Held, before: Held) -> None:
        """Make those representations of `held` that were asked for again and again before."""
        popular = sorted(before.made.copy().values(), key=lambda item: -item.uses)[:PREPARED]
        for item in popular:
            if item.uses > 1:
                try:
                    self.representation(held, item.question, item.variant)
                except InvalidRequest:
                    log.debug("a state cannot be shaped as the one before", look=item.variant.look)

    def _keep(self, held: Held, representation: Representation) -> None:
        size = len(representation.body) + ENTRY_BYTES
        if held.made_bytes + size > self._budget:
            held.made.clear()
            held.made_bytes = 0
        held.made[representation.variant] = representation
        held.made_bytes += size

    def _forget(self, channel: str) -> None:
        for memory in (self._held, self._confirmed, self._wanted):
            memory.pop(channel, None)

    def _known_nearest(self, question: Question, now: float) -> str | None:
        known = self._nearest.get((question.kind, question.product))
        if known is None or now - known.found_at > NEAREST_SECONDS or known.expiry_ts <= self._clock.now_ms():
            return None
        return known.expiry

    def _find_nearest(self, question: Question) -> str | None:
        """The nearest expiry that has a state and is not over. Raises `RedisAway`."""
        found_at = self._clock.monotonic()
        for expiry in self._expiries(question):
            held = self._current(question.channel(expiry))
            if held is not None and held.expiry_ts is not None and held.expiry_ts > self._clock.now_ms():
                found = _Nearest(question, expiry, held.expiry_ts, found_at)
                self._nearest[question.kind, question.product] = found
                return expiry
        self._nearest.pop((question.kind, question.product), None)
        return None

    def _expiries(self, question: Question) -> list[str]:
        prefix = question.channel("")
        try:
            channels = self._reader.channels()
        except RedisError as error:
            raise RedisAway from error
        return sorted(name.removeprefix(prefix) for name in channels if name.startswith(prefix))

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._demand.wait(FORGET_SECONDS)
            try:
                self._look_after(self._clock.monotonic())
            except (RedisError, RedisAway) as error:
                log.warning("live states cannot be confirmed", **{"error.type": type(error).__name__})
                self._stopped.wait(AWAY_SECONDS)
            except Exception:
                # Requests are still answered, by threads that ask Redis themselves.
                log.exception("live states were not looked after")
                self._stopped.wait(AWAY_SECONDS)
            self._stopped.wait(ASK_SECONDS)

    def _look_after(self, now: float) -> None:
        wanted = {channel for channel, at in list(self._wanted.items()) if now - at <= DEMAND_SECONDS}
        if not wanted:
            self._demand.clear()
        self._refresh(wanted)
        for known in list(self._nearest.values()):
            if now - known.found_at > NEAREST_SECONDS / 2 and known.question.channel(known.expiry) in wanted:
                self._find_nearest(known.question)
        for channel, at in list(self._wanted.items()):
            if now - at > FORGET_SECONDS:
                self._forget(channel)
