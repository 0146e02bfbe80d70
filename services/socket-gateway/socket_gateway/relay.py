"""From Redis to the fan-out: one greenlet that listens, checks its position, and comes back after every outage."""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from redis.exceptions import ResponseError

from aro.adapters.clock import Clock
from aro.adapters.live import LiveReader, LiveState, Position, parse_announcement
from aro.adapters.redis_client import RedisError
from aro.contracts.names import is_replay, parse_channel, replay_bus
from aro.contracts.problems import UnknownChannel
from aro.runtime.logs import get_logger
from socket_gateway import metrics
from socket_gateway.channels import Entry, Sequencer, Sink, Verdict
from socket_gateway.freshness import Freshness
from socket_gateway.listener import Listener
from socket_gateway.passed_on import PassedOn
from socket_gateway.replays import Replays, parse_ending

log = get_logger(__name__)

CONFIRM_SECONDS: Final = 2.0
"""How long Redis may take to answer a ping, behind what is on its way still, before a check is given up."""
POLL_SECONDS: Final = 0.5
ANNOUNCEMENTS_PER_TURN: Final = 50
TURN_SECONDS: Final = 0.02
"""Reading what has arrived already does not yield, so a long backlog would starve everybody else."""
BACKOFF_SECONDS: Final = (0.05, 0.1, 0.2, 0.4, 0.6)
"""Pauses between attempts to reconnect, before jitter of up to a half; the last one repeats."""


class Outlet(Sink, Protocol):
    """A `Sink` that may gather what it is given until it is flushed."""

    def flush(self) -> None: ...


class Relay:
    """`run` is the only mover of the sequencer."""

    def __init__(
        self,
        reader: LiveReader,
        sink: Outlet,
        freshness: Freshness,
        replays: Replays,
        clock: Clock,
        *,
        listen: Callable[[], Listener],
        check_seconds: float,
        history_bytes: int,
    ) -> None:
        self.sequencer: Final = Sequencer(_Guarded(reader, sink.flush), sink, history_bytes=history_bytes)
        self._sink = sink
        self._reader = reader
        self._freshness = freshness
        self._replays = replays
        self._passed_on = PassedOn()
        self._clock = clock
        self._listen = listen
        self._check_seconds = check_seconds
        self._attempt = 0
        self.is_current = False
        """Whether Redis is being followed now."""
        self.is_warm = False
        """Whether it ever was: since then all channels can be served from memory."""
        metrics.pubsub_connected.set_function(lambda: float(self.is_current))

    def run(self) -> None:
        """Never returns."""
        while True:
            try:
                self._follow()
            except RedisError as error:
                if self.is_current:
                    metrics.pubsub_reconnects.inc()
                    log.warning("redis lost", error=type(error).__name__)
            except Exception as error:  # a deaf gateway looks alive; whatever it was, listen again
                log.error("relay failed", exc_info=error)
            self.is_current = False
            pause = BACKOFF_SECONDS[min(self._attempt, len(BACKOFF_SECONDS) - 1)]
            self._attempt += 1
            time.sleep(pause * random.uniform(0.75, 1.5))  # noqa: S311 - jitter, not a secret

    def _follow(self) -> None:
        """Until Redis is lost."""
        listener = self._listen()
        self._replays.followed = frozenset()
        try:
            # Subscribed first, read second: what is published in between is announced, and dropped if read already.
            self._align(self._positions())
            self.is_current = self.is_warm = True
            self._attempt = 0
            log.info("redis followed", channels=len(self.sequencer.channels()))
            while True:
                self._receive(listener, self._check_seconds)
                self._follow_sessions(listener)
                positions = self._positions()
                listener.ping()
                self._receive(listener, CONFIRM_SECONDS, until_abreast=True)
                if listener.is_abreast:
                    # What led to these positions was announced before the answer to the ping: it is here, or lost.
                    self._align(positions)
        finally:
            listener.close()

    def _receive(self, listener: Listener, seconds: float, *, until_abreast: bool = False) -> None:
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0 and not (until_abreast and listener.is_abreast):
            if not until_abreast and self._replays.wanted != self._replays.followed:
                return
            announcement = listener.next(min(left, POLL_SECONDS))
            if announcement is not None:
                self._turn(listener, announcement)
            self._passed_on.say(self._clock.monotonic())

    def _follow_sessions(self, listener: Listener) -> None:
        """Subscribe to what somebody listens to; the check that comes next loads what is there already."""
        wanted, followed = self._replays.wanted, self._replays.followed
        gone = sorted(followed - wanted)
        if gone:
            listener.unsubscribe(*map(replay_bus, gone))
            for session in gone:
                self.sequencer.forget(f"{replay_bus(session)}:")
        if fresh := sorted(wanted - followed):
            listener.subscribe(*map(replay_bus, fresh))
        self._replays.followed = wanted
        for session in self._replays.ended():
            self._replays.end(session, "it was stopped")

    def _turn(self, listener: Listener, first: bytes) -> None:
        """All that has arrived by now: each socket gets its share of it in one piece. Alone, the first waits for
        nothing."""
        handed_over: list[LiveState] = []
        announcement: bytes | None = first
        count, until = 0, self._clock.monotonic() + TURN_SECONDS
        while announcement is not None:
            news = self._announce(announcement)
            if news is not None:
                handed_over.append(news)
            count += 1
            is_over = count == ANNOUNCEMENTS_PER_TURN or self._clock.monotonic() > until
            announcement = None if is_over else listener.next(0)
        self._sink.flush()
        now_ms = self._clock.now_ms()
        for news in handed_over:
            if is_replay(news.channel):
                continue  # its times are those of the past
            metrics.pubsub_lag.observe(max(0, now_ms - news.ts) / 1000)
            self._freshness.note(news, now_ms)
            self._passed_on.note(news, self._clock.monotonic())
        if is_over:
            time.sleep(0)

    def _announce(self, announcement: bytes) -> LiveState | None:
        """The news, if it was."""
        ending = parse_ending(announcement)
        if ending is not None:
            self._replays.end(*ending)
            return None
        try:
            news = parse_announcement(announcement)
            if is_replay(news.channel) and parse_channel(news.channel).session not in self._replays.followed:
                return None  # announced before it was left
            if not _is_sound(news.data):
                raise ValueError("not a JSON object")
            verdict = self.sequencer.announce(news)
        except (ValueError, UnknownChannel):
            metrics.rejected_announcements.inc()
            return None
        _count(verdict)
        return None if verdict is Verdict.STALE else news

    def _positions(self) -> dict[str, Position | None]:
        channels = self._reader.channels() | self._replays.channels() | set(self.sequencer.channels())
        return self._reader.positions(channels)

    def _align(self, positions: dict[str, Position | None]) -> None:
        """Catch up where Redis is ahead. What vanished from Redis is remembered until its new epoch comes."""
        for channel, position in positions.items():
            if position is None:
                continue
            try:
                verdict = self.sequencer.catch_up(channel, position)
            except UnknownChannel:
                metrics.rejected_announcements.inc()
            else:
                if verdict is not Verdict.STALE:
                    _count(verdict)
        self._sink.flush()


def _count(verdict: Verdict) -> None:
    if verdict is Verdict.STALE:
        metrics.stale_dropped.labels("gateway").inc()
    if verdict in (Verdict.GAP_REPAIRED, Verdict.GAP_RESYNC):
        metrics.gaps_detected.inc()
    if verdict is Verdict.GAP_RESYNC:
        metrics.resyncs.labels("gap").inc()
    if verdict is Verdict.EPOCH_CHANGED:
        metrics.resyncs.labels("epoch_changed").inc()


def _is_sound(data: bytes) -> bool:
    """Whether `data` can be put into a packet unread: a braced text. More would mean to decode it."""
    try:
        return data[:1] == b"{" and data[-1:] == b"}" and (data.isascii() or bool(data.decode()))
    except UnicodeDecodeError:
        return False


class _Guarded:
    """A `Source` that takes what is unreadable (a key of the wrong type, say) for empty: other channels go on.

    Asking Redis takes time, so what was gathered is sent `before`.
    """

    def __init__(self, reader: LiveReader, before: Callable[[], None]) -> None:
        self._reader = reader
        self._before = before

    def state(self, channel: str) -> LiveState | None:
        self._before()
        try:
            state = self._reader.state(channel)
        except (ResponseError, KeyError, ValueError):
            return None
        return state if state is not None and _is_sound(state.data) else None

    def positions(self, channels: Iterable[str]) -> dict[str, Position | None]:
        self._before()
        return self._reader.positions(channels)

    def replay(self, channel: str, first_seq: int, last_seq: int) -> Sequence[Entry]:
        self._before()
        try:
            entries = self._reader.replay(channel, first_seq, last_seq)
        except (ResponseError, KeyError, ValueError):
            return []
        return entries if all(_is_sound(data) for _, data in entries) else []
