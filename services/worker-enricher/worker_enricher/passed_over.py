"""What overload passed over: stored raw when there is no time, and enriched for history when there is."""

from collections.abc import Mapping, Sequence
from typing import Final

import redis

from aro.adapters.clock import Clock
from aro.adapters.dead_letters import DeadLetters
from aro.adapters.ledger import Ledger
from aro.adapters.mongo import MongoError
from aro.adapters.passed_over_store import Entry, PassedOverStore
from aro.adapters.turn_lock import turn_lock
from aro.contracts.codec import MAX_MESSAGE_BYTES
from aro.contracts.names import KEY_CATCH_UP_TURN, LEDGER_STREAMS
from aro.runtime.logs import get_logger
from worker_enricher import metrics
from worker_enricher.batch import BatchProcessor

log = get_logger(__name__)

BUDGET_SECONDS: Final = 0.8
"""Of each second, in one child; the rest comes with the next task."""
MOST_PENDING: Final = 256
"""With more than a batch under way, or anything unread, there is no time."""
RETRY_SECONDS: Final = 5.0
"""After MongoDB failed it is left alone this long."""
TURN_MS: Final = 12_000
"""Longer than a task may run."""


class PassedOverKeeper:
    """Stores them raw. One per process."""

    def __init__(self, ledger: Ledger, dead: DeadLetters, store: PassedOverStore, *, consumer: str) -> None:
        self._ledger = ledger
        self._dead = dead
        self._store = store
        self._consumer = consumer

    def keep(self, batch: Mapping[str, Sequence[str]]) -> None:
        """Store and acknowledge. Raises what Redis raises; without MongoDB all of it stays owed and comes again."""
        for stream, ids in batch.items():
            entries = self._fetch(stream, ids)
            try:
                with metrics.stage_seconds.labels("keep").time():
                    self._store.save(stream, entries)
            except MongoError as error:
                log.warning("mongodb is away; passed over entries stay owed", reason=type(error).__name__)
                metrics.store_failures.inc()
                self._ledger.forgive(stream, self._consumer, ids)
                continue
            self._ledger.ack(stream, ids)

    def _fetch(self, stream: str, ids: Sequence[str]) -> list[Entry]:
        found: list[Entry] = []
        for entry, message in zip(ids, self._ledger.fetch(stream, ids), strict=True):
            if message is None:  # acknowledged by an earlier delivery and trimmed, or lost with Redis' data
                metrics.duplicates.labels("ledger").inc()
            elif len(message) > MAX_MESSAGE_BYTES:
                detail = f"message of {len(message)} bytes; the limit is {MAX_MESSAGE_BYTES}"
                self._dead.bury(stream, entry, message, reason="too_large", error=detail)
                metrics.dead_letters.labels("too_large").inc()
            else:
                found.append((entry, message))
        return found


class CatchUpDesk:
    """What beat asks for every second: enrich what was passed over, oldest first, while nobody waits."""

    def __init__(
        self, client: redis.Redis, ledger: Ledger, store: PassedOverStore, processor: BatchProcessor, clock: Clock
    ) -> None:
        self._redis = client
        self._ledger = ledger
        self._store = store
        self._processor = processor
        self._clock = clock
        self._paused_until = 0.0

    def run(self) -> None:
        """Raises what Redis raises. A MongoDB that is away costs nothing but the time until it is back."""
        if self._clock.monotonic() < self._paused_until:
            return
        with turn_lock(self._redis, KEY_CATCH_UP_TURN, longest_ms=TURN_MS) as ours:
            if not ours:
                return
            try:
                self._catch_up()
            except MongoError as error:
                self._pause(type(error).__name__)

    def _catch_up(self) -> None:
        until = self._clock.monotonic() + BUDGET_SECONDS
        blocks = self._store.blocks()
        left = sum(block.entries for block in blocks)
        for block in blocks:
            if self._clock.monotonic() > until or self._somebody_waits():
                break
            if not self._processor.complete(block.stream, self._store.load(block)):
                self._pause("batch was not stored")
                break
            self._store.remove(block)
            left -= block.entries
            metrics.caught_up.inc(block.entries)
        metrics.passed_over.set(left)
        self._ledger.note_passed_over(left)

    def _somebody_waits(self) -> bool:
        return any(self._ledger.lag(name) or self._ledger.pending(name) > MOST_PENDING for name in LEDGER_STREAMS)

    def _pause(self, reason: str) -> None:
        self._paused_until = self._clock.monotonic() + RETRY_SECONDS
        log.warning("mongodb is away; what was passed over waits", reason=reason)
