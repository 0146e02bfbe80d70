"""From what replay sessions play to Celery: one small task at a time, so that live batches hardly notice.

One at a time keeps the order without lanes, and what a worker took along comes again, because entries leave only when
they were published.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final

from kombu.exceptions import OperationalError

from aro.adapters.clock import Clock
from aro.adapters.redis_client import RedisError
from aro.adapters.replay_sessions import ReplayLedger, ReplaySessions
from aro.contracts.names import KEY_REPLAY_TURN
from aro.runtime.logs import get_logger
from worker_enricher import metrics

log = get_logger(__name__)

MOST_PER_TASK: Final = 32
"""10 to 15 ms of a worker."""
TASK_SECONDS: Final = 4
"""Then the task is taken for lost, and what it was about is sent again."""
ALONE_FROM_ATTEMPT: Final = 3
MAX_ATTEMPTS: Final = 5
"""Then an entry is given up: it ended its worker each time."""
POLL_SECONDS: Final = 0.005
IDLE_MS: Final = 500
BUSY_SECONDS: Final = 0.05
TURN_MS: Final = 10_000


class ReplayConsumer:
    """Of several only one has the turn. `queued` are tasks that no worker has taken yet."""

    def __init__(
        self,
        sessions: ReplaySessions,
        ledger: ReplayLedger,
        send: Callable[[Sequence[str]], None],
        queued: Callable[[], int],
        clock: Clock,
        *,
        name: str,
    ) -> None:
        self._sessions = sessions
        self._ledger = ledger
        self._send = send
        self._queued = queued
        self._clock = clock
        self._name = name
        self._head: str | None = None
        self._attempts = 0

    def start(self) -> None:
        threading.Thread(target=self._run, name="replays", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self._ledger.wait(IDLE_MS)
                has_turn = self.turn()
            except (RedisError, OperationalError, OSError) as error:
                log.debug("waiting for redis", reason=type(error).__name__)
                has_turn = False
            pause.wait(0 if has_turn else IDLE_MS / 1000)

    def turn(self) -> bool:
        """Hand on what is oldest and wait until it is published; whether that is ours to do. Raises what Redis and
        Celery raise."""
        if not self._sessions.hold(KEY_REPLAY_TURN, self._name, milliseconds=TURN_MS):
            return False
        if self._queued():
            # No worker has taken it yet: it is not lost, and nobody's fault.
            threading.Event().wait(BUSY_SECONDS)
            return True
        ids = self._ledger.oldest(1 if self._attempts >= ALONE_FROM_ATTEMPT - 1 else MOST_PER_TASK)
        if not ids:
            self._head, self._attempts = None, 0
            return True
        self._attempts = self._attempts + 1 if ids[0] == self._head else 1
        self._head = ids[0]
        if self._attempts > MAX_ATTEMPTS:
            self._give_up(ids[0])
            return True
        self._send(ids)
        self._wait(ids[-1])
        return True

    def _wait(self, last: str) -> None:
        pause = threading.Event()
        until = self._clock.monotonic() + TASK_SECONDS
        while self._clock.monotonic() < until:
            pause.wait(POLL_SECONDS)
            if not self._ledger.has(last):
                self._attempts = 0
                return
        log.warning("a task of replay sessions is lost; sending it again", attempt=self._attempts)

    def _give_up(self, entry: str) -> None:
        self._ledger.remove([entry])
        self._attempts = 0
        metrics.replay_rejected.labels("delivery_limit").inc()
        log.error("a replayed message is given up: its worker died or hung each time", entry=entry)
