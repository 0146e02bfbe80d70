"""The one process that plays sessions: it starts what is ordered, ends what nobody listens to, and says it is alive."""

import secrets
import threading
from collections.abc import Sequence
from typing import Final

import redis

from aro.adapters.clock import Clock
from aro.adapters.live import LivePublisher, Publication
from aro.adapters.redis_client import RedisError
from aro.adapters.replay_sessions import ReplayLedger, ReplaySessions
from aro.contracts.codec import encode_json
from aro.contracts.names import CHANNEL_STATUS, KEY_REPLAY_PLAYER, replay_channel
from aro.contracts.replays import Replayed, ReplayOrder, ReplayProgress, ReplayRecording, ReplayStatus
from aro.runtime.logs import get_logger
from feed_generator import metrics
from feed_generator.sessions.playback import Open, Playback
from feed_generator.sessions.sources import Folder

log = get_logger(__name__)

TURN_SECONDS: Final = 0.05
PLAY_SECONDS: Final = 0.02
"""Between looks at what is due; states of live channels come in bursts farther apart."""
LOOK_SECONDS: Final = 1.0
OFFER_SECONDS: Final = 5.0
LEASE_MS: Final = 3_000
MOST_ON_THE_WAY: Final = 128
"""Messages of all sessions that wait for a worker: more would only make orders take longer to be seen."""


class RedisOutlet:
    """Of one session."""

    def __init__(self, client: redis.Redis, session: str) -> None:
        self._session = session
        self._ledger = ReplayLedger(client)
        self._sessions = ReplaySessions(client)
        self._publisher = LivePublisher(client)

    def room(self) -> int:
        return max(0, MOST_ON_THE_WAY - len(self._ledger))

    def send(self, messages: Sequence[Replayed]) -> None:
        self._ledger.append(messages)

    def note(self, progress: ReplayProgress, status: ReplayStatus) -> None:
        self._sessions.note(self._session, progress)
        channel = replay_channel(self._session, CHANNEL_STATUS)
        self._publisher.publish([Publication(channel, status.server_ts, encode_json(status))])


class Running:
    """A session and its thread."""

    def __init__(self, playback: Playback) -> None:
        self.playback = playback
        self.quiet_since: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"session {playback.order.id}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            is_busy = False
            try:
                is_busy = self.playback.turn()
            except RedisError as error:
                log.debug("waiting for redis", reason=type(error).__name__)
            except Exception as error:  # a session that only looks alive is worse than one that failed
                log.error("replay session failed", exc_info=error, session=self.playback.order.id)
                self.playback.fail("an internal error; the log has it")
            if not is_busy:
                self._stop.wait(PLAY_SECONDS)
        self.playback.close()


class Player:
    def __init__(
        self, client: redis.Redis, open_source: Open, folder: Folder, clock: Clock, *, idle_seconds: float
    ) -> None:
        self._redis = client
        self._sessions = ReplaySessions(client)
        self._open = open_source
        self._folder = folder
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._holder = secrets.token_hex(8)
        self._running: dict[str, Running] = {}
        self._looked_at = self._offered_at = -OFFER_SECONDS
        self.last_turn = clock.monotonic()
        metrics.replay_sessions.set_function(lambda: float(len(self._running)))

    def run(self, stop: threading.Event) -> None:
        """Until `stop`; sessions are left to the next player."""
        while not stop.is_set():
            self.last_turn = self._clock.monotonic()
            try:
                self.turn()
            except (RedisError, OSError) as error:
                log.warning("waiting for redis", reason=type(error).__name__)
                stop.wait(LOOK_SECONDS)
            stop.wait(TURN_SECONDS)
        self._leave()

    def turn(self) -> None:
        """Follow the orders. Raises what Redis raises."""
        if not self._sessions.hold(KEY_REPLAY_PLAYER, self._holder, milliseconds=LEASE_MS):
            # Another one plays, and has taken over if this one had slept for long.
            self._stop(list(self._running))
            return
        orders = self._sessions.orders()
        self._stop([session for session in self._running if session not in orders])
        for session, order in orders.items():
            running = self._running.get(session)
            if running is None:
                self._start(order)
            elif running.playback.order.revision != order.revision:
                running.playback.order = order
        now = self._clock.monotonic()
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self._sessions.forget_progress([one for one in self._sessions.all_progress() if one not in orders])
            self._end_unheard(now)
        if now - self._offered_at >= OFFER_SECONDS:
            self._offered_at = now
            self._sessions.offer(self._recordings())

    def _start(self, order: ReplayOrder) -> None:
        outlet = RedisOutlet(self._redis, order.id)
        progress = self._sessions.progress(order.id)
        self._running[order.id] = Running(Playback(order, progress, self._open, outlet, self._clock))
        log.info("playing a session", session=order.id, recording=order.recording, resumed=progress.revision > 0)

    def _stop(self, sessions: Sequence[str]) -> None:
        for session in sessions:
            self._running.pop(session).stop()
            log.info("a session is over", session=session)

    def _end_unheard(self, now: float) -> None:
        for session, is_heard in self._sessions.listened(list(self._running)).items():
            running = self._running[session]
            if is_heard:
                running.quiet_since = None
            elif running.quiet_since is None:
                running.quiet_since = now
            elif now - running.quiet_since >= self._idle_seconds:
                self._sessions.end(session, "nobody listens")
                metrics.replay_unheard.inc()

    def _recordings(self) -> list[ReplayRecording]:
        try:
            return self._folder.recordings()
        except OSError as error:
            log.warning("the folder of recordings cannot be read", cause=error.strerror)
            return []

    def _leave(self) -> None:
        self._stop(list(self._running))
        try:
            self._sessions.release(KEY_REPLAY_PLAYER, self._holder)
        except (RedisError, OSError) as error:
            log.warning("redis is away; another player waits until it has forgotten this one", cause=str(error))
