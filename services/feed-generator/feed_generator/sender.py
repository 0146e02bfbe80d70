"""Moves the outbox into the ledger, in its own thread, and makes good what a restarted Redis may have lost."""

import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

import redis

from aro.adapters.clock import Clock
from aro.adapters.ledger import Ledger
from aro.adapters.redis_client import RedisError
from aro.contracts.names import STREAM_CHAINS, STREAM_TICKS
from aro.runtime.logs import concerning, get_logger
from feed_generator import metrics
from feed_generator.numbering import SequenceStore
from feed_generator.outbox import Entry, Outbox

log = get_logger(__name__)

MOST_PER_SEND: Final = 64
IDLE_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 0.2
AT_RISK_SECONDS: Final = 3.0
"""With fsync once a second a dying Redis takes up to 2 s of what it had confirmed with it."""


class Sender:
    """At-least-once: what was sent but not confirmed is sent again, and so is what was confirmed shortly before
    Redis restarted or forgot. Whoever reads ignores repetitions by `source_seq`."""

    def __init__(
        self, client: redis.Redis, store: SequenceStore, outbox: Outbox, clock: Clock, *, stream_cap: int
    ) -> None:
        self._redis = client
        self._ledger = Ledger(client)
        self._store = store
        self._outbox = outbox
        self._clock = clock
        self._cap = stream_cap
        self._confirmed: deque[tuple[float, Entry]] = deque()
        self._run_id = ""
        self._in_doubt = False
        self._is_blocked = False
        self.last_turn = clock.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Until `stop`; then one last attempt to empty the outbox."""
        while not stop.is_set():
            self._outbox.wait(IDLE_SECONDS)
            if not self.turn():
                stop.wait(RETRY_SECONDS)
        while len(self._outbox) and self.turn():
            pass

    def turn(self) -> bool:
        """Send some of what is due. False if that was not possible now."""
        self.last_turn = self._clock.monotonic()
        entries: list[Entry] = []
        try:
            self._look_for_restart()
            if self._is_full():
                self._block("backpressure", "the ledger is full")
                return False
            entries = self._outbox.take(MOST_PER_SEND)
            self._send(entries)
        except (RedisError, OSError) as error:
            self._in_doubt = True
            self._outbox.give_back(entries)
            metrics.publish_errors.inc()
            self._block("redis_away", type(error).__name__)
            return False
        self._unblock()
        return True

    def _look_for_restart(self) -> None:
        # The client reconnects by itself, so a quick restart shows only in the server's identity.
        run_id = str(self._redis.info("server")["run_id"])
        self._in_doubt = self._in_doubt or bool(self._run_id and run_id != self._run_id)
        self._run_id = run_id

    def _is_full(self) -> bool:
        return max(self._ledger.lengths().values()) >= self._cap

    def _send(self, entries: Sequence[Entry]) -> None:
        if entries:
            # Numbers are stored before they are used: a crash in between wastes some and repeats none.
            last = {entry.key: entry.source_seq for entry in entries}
            self._in_doubt = self._store.save(last) or self._in_doubt
        if self._in_doubt:
            self._repeat()
        if entries:
            self._append(entries)
            self._confirm(entries)

    def _repeat(self) -> None:
        """Send again what the server had confirmed before it went away."""
        at_risk = [entry for _, entry in self._confirmed]
        for start in range(0, len(at_risk), MOST_PER_SEND):
            self._append(at_risk[start : start + MOST_PER_SEND])
        metrics.resent.inc(len(at_risk))
        self._in_doubt = False
        about = concerning(_id(entry) for entry in at_risk)
        log.warning("redis was away or forgot; sent again what it may have lost", entries=len(at_risk), **about)

    def _append(self, entries: Sequence[Entry]) -> None:
        self._ledger.append([(entry.stream, entry.message) for entry in entries])

    def _confirm(self, entries: Sequence[Entry]) -> None:
        now = self._clock.monotonic()
        self._confirmed.extend((now, entry) for entry in entries)
        # Counted back from the newest confirmation, so that a long absence does not age what is at risk.
        while now - self._confirmed[0][0] > AT_RISK_SECONDS:
            self._confirmed.popleft()
        log.info("published", **concerning(_id(entry) for entry in entries))
        for entry in entries:
            if entry.stream == STREAM_TICKS:
                metrics.ticks_published.labels(entry.product).inc()
                metrics.last_tick.labels(entry.product).set(entry.source_ts / 1000)
            elif entry.stream == STREAM_CHAINS:
                metrics.chains_published.labels(entry.product).inc()

    def _block(self, reason: str, cause: str) -> None:
        if not self._is_blocked:
            log.warning("publishing is blocked", reason=reason, cause=cause)
        self._is_blocked = True
        self._outbox.blocked_by = "backpressure" if reason == "backpressure" else "redis_away"

    def _unblock(self) -> None:
        if self._is_blocked:
            log.info("publishing goes on", waiting=len(self._outbox))
        self._is_blocked = False
        self._outbox.blocked_by = "overload"


def _id(entry: Entry) -> str:
    """The id that logs carry: keys are ``NIFTY|2026-12-29`` for chains and ``NIFTY`` for ticks."""
    return f"{entry.key}|{entry.source_seq}"
