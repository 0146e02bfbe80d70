"""Retention, and what it must not take: the last chain of an expiry, also when its feed has stopped for the night."""

import threading
from collections.abc import Callable
from typing import Final

from aro.adapters.chain_pointers import POINTER_MS
from aro.adapters.chain_store import ChainStore
from aro.adapters.clock import Clock
from aro.adapters.mongo import MongoError
from aro.runtime.logs import get_logger

log = get_logger(__name__)

INTERVAL_SECONDS: Final = 2.0
"""Often, so that each sweep is small: of all of an exchange, 44 expiries of 1,320 have their turn, which takes 40 ms
of MongoDB; all at once they would hold up chains for seconds."""
IDLE_MS: Final = 3 * POINTER_MS
"""Pointers of live expiries are behind by `POINTER_MS`."""


class Housekeeping:
    def __init__(self, chains: ChainStore, clock: Clock, expire: Callable[[int], int]) -> None:
        """`expire` deletes what is too old at an instant (UTC epoch milliseconds), and says how much that was."""
        self._expire = expire
        self._chains = chains
        self._clock = clock
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="housekeeping", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL_SECONDS):
            try:
                kept = self._chains.keep_last(idle_since_ms=self._clock.now_ms() - IDLE_MS)
                self._expire(self._clock.now_ms())
                if kept:
                    log.info("kept last chains of expiries that went quiet", chains=kept)
            except MongoError as error:
                log.warning("housekeeping failed; it will be tried again", **{"error.type": type(error).__name__})
