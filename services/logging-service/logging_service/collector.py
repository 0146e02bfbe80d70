"""From the stream to the database: read, store durably, acknowledge. What was acknowledged is kept.

It may fall behind: it stores no more than so many lines a second, and while MongoDB is away it holds one batch and
waits. The stream is bounded, so what it is too slow for goes from there, oldest first, and is counted.
"""

import threading
from collections.abc import Sequence
from typing import Final

from pymongo.errors import BulkWriteError

from aro.adapters.clock import Clock
from aro.adapters.log_store import LogRecord, LogStore
from aro.adapters.log_stream import LogEntry, LogStream
from aro.adapters.mongo import MongoError
from aro.adapters.redis_client import RedisError
from aro.runtime.logs import get_logger
from logging_service import metrics
from logging_service.lines import of_entry, record_of
from logging_service.tail import BACKFILL_LINES

log = get_logger(__name__)

BATCH_LINES: Final = 500
BATCH_SECONDS: Final = 1.0
"""Pause between batches that are not full: a write each second costs less than one per line."""
BLOCK_MS: Final = 1_000
RETRY_SECONDS: Final = 1.0
RECLAIM_SECONDS: Final = 5.0
RECLAIM_IDLE_MS: Final = 10_000
"""Longer than a write may take: what is owed longer has lost its process."""
FORGET_MS: Final = 3_600_000
HUNG_SECONDS: Final = 60.0


class Collector:
    def __init__(
        self, stream: LogStream, store: LogStore, clock: Clock, *, consumer: str, lines_per_second: int
    ) -> None:
        self._stream = stream
        self._store = store
        self._clock = clock
        self._consumer = consumer
        self._rate = lines_per_second
        self._owed: list[LogEntry] = []
        self._next_at = clock.monotonic()
        self._reclaim_at = clock.monotonic()
        self._is_in_trouble = False
        self._stopped = threading.Event()
        self.last_turn: float = clock.monotonic()

    def start(self) -> None:
        threading.Thread(target=self.run, name="collector", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def check(self) -> None:
        """A liveness check: raises TimeoutError if the loop does not turn."""
        if self._clock.monotonic() - self.last_turn > HUNG_SECONDS:
            raise TimeoutError("the collector does not turn")

    def run(self) -> None:
        while not self._stopped.wait(max(0.0, self._next_at - self._clock.monotonic())):
            self.last_turn = self._clock.monotonic()
            try:
                self.turn()
                self._recovered()
            except (RedisError, MongoError) as error:
                self._failed(error)
                self._next_at = self._clock.monotonic() + RETRY_SECONDS
            except Exception as error:  # a defect with one batch must not end collecting for good
                log.error("collecting failed", exc_info=error)
                self._owed = []
                self._next_at = self._clock.monotonic() + RETRY_SECONDS

    def turn(self) -> None:
        """One batch. Raises what the servers raise; the batch is kept for the next turn then."""
        if not self._owed:
            self._owed = self._read()
        entries = self._owed
        self._keep([entry for entry in entries if not entry.is_stored])
        self._stream.ack([entry.id for entry in entries])
        self._owed = []
        pause = len(entries) / self._rate
        self._next_at = self._clock.monotonic() + (pause if len(entries) >= BATCH_LINES else max(pause, BATCH_SECONDS))

    def _read(self) -> list[LogEntry]:
        self._stream.ensure_group()
        if self._clock.monotonic() >= self._reclaim_at:
            entries, gone = self._stream.reclaim(self._consumer, min_idle_ms=RECLAIM_IDLE_MS, count=BATCH_LINES)
            metrics.lost.inc(gone)
            if entries:
                return entries
            self._stream.forget_consumers(idle_ms=FORGET_MS)
            self._stream.trim(BACKFILL_LINES)
            self._reclaim_at = self._clock.monotonic() + RECLAIM_SECONDS
        state = self._stream.state()
        entries = self._stream.read_new(self._consumer, count=BATCH_LINES, block_ms=BLOCK_MS)
        metrics.waiting.set(state.waiting)
        metrics.owed.set(state.owed + len(entries))
        metrics.lost.inc(state.gone)
        return entries

    def _keep(self, entries: Sequence[LogEntry]) -> None:
        records = [record_of(of_entry(entry)) for entry in entries]
        try:
            fresh = self._store.save(records)
        except BulkWriteError:  # MongoDB is there and refuses a document: find out which
            fresh = sum(self._keep_one(record) for record in records)
        metrics.stored.inc(fresh)
        metrics.repeated.inc(len(records) - fresh)

    def _keep_one(self, record: LogRecord) -> int:
        try:
            return self._store.save([record])
        except BulkWriteError as error:
            metrics.refused.inc()
            log.error("mongodb refused a line", detail=str(error.details)[:500])
            return 0

    def _failed(self, error: Exception) -> None:
        # Once for each outage: every line said here comes back as one more to store.
        if not self._is_in_trouble:
            log.warning("collecting is interrupted", **{"error.type": type(error).__name__})
        self._is_in_trouble = True

    def _recovered(self) -> None:
        if self._is_in_trouble:
            log.info("collecting goes on")
        self._is_in_trouble = False
