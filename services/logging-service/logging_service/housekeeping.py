"""Retention and the cap on the disk, a little at a time."""

import threading
from typing import Final

from aro.adapters.clock import Clock
from aro.adapters.log_store import LogStore
from aro.adapters.mongo import MongoError
from aro.runtime.logs import get_logger
from logging_service import metrics

log = get_logger(__name__)

INTERVAL_SECONDS: Final = 10.0


class Housekeeping:
    def __init__(self, store: LogStore, clock: Clock, *, days: float, max_bytes: int) -> None:
        self._store = store
        self._clock = clock
        self._days = days
        self._max_bytes = max_bytes
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="housekeeping", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def turn(self) -> None:
        """Raises `MongoError`."""
        deleted = self._store.sweep(now_ms=self._clock.now_ms(), days=self._days, max_bytes=self._max_bytes)
        metrics.deleted.inc(deleted)
        metrics.size.set(self._store.size())

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL_SECONDS):
            try:
                self.turn()
            except MongoError as error:
                log.warning("housekeeping failed; it will be tried again", **{"error.type": type(error).__name__})
