"""Answers that are computed once: a cache of bytes, one computation per question, and a bound on heavy ones."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from analytics_service import metrics
from aro.contracts.problems import ServiceUnavailable

OVERHEAD_BYTES: Final = 600
"""Of an entry beside its body: key, dictionary, strings."""
WAIT_SECONDS: Final = 8.0
"""How long one who asks the same waits for who asked first: longer than any computation is allowed."""
HEAVY_AT_ONCE: Final = 2
HEAVY_PRESENT: Final = 4
"""Threads that heavy questions may hold, computing or waiting: half of what gunicorn has."""
PATIENCE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Result:
    """A finished answer. `as_of_ms` is the instant it is the state of, UTC epoch milliseconds; None for none."""

    body: bytes
    media_type: str
    etag: str
    as_of_ms: int | None


class _Flight:
    """One computation that others wait for."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.result: Result | None = None
        self.error: BaseException | None = None


class Results:
    """Least recently used results leave when `max_bytes` are reached. Safe for threads."""

    def __init__(self, *, max_bytes: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[float, Result]] = OrderedDict()
        self._bytes = 0
        self._flights: dict[Hashable, _Flight] = {}

    def find(self, key: Hashable) -> Result | None:
        with self._lock:
            return self._find(key)

    def get(self, key: Hashable, *, seconds: float, compute: Callable[[], Result]) -> Result:
        """The result of `key`, computed by one thread and kept for `seconds`.

        Raises what `compute` raises, in every thread that waited for it; nothing is kept then. Raises
        `ServiceUnavailable` after waiting `WAIT_SECONDS` for another thread.
        """
        with self._lock:
            found = self._find(key)
            if found is not None:
                return found
            flight = self._flights.get(key)
            is_first = flight is None
            if flight is None:
                flight = self._flights[key] = _Flight()
        if is_first:
            return self._fly(key, flight, seconds, compute)
        if not flight.done.wait(WAIT_SECONDS):
            raise ServiceUnavailable("this answer is still being computed; try again in a moment")
        if flight.error is not None:
            raise flight.error
        assert flight.result is not None
        return flight.result

    def _fly(self, key: Hashable, flight: _Flight, seconds: float, compute: Callable[[], Result]) -> Result:
        try:
            flight.result = compute()
        except BaseException as error:
            flight.error = error
            raise
        else:
            self._keep(key, flight.result, seconds)
            return flight.result
        finally:
            with self._lock:
                del self._flights[key]
            flight.done.set()

    def _find(self, key: Hashable) -> Result | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept[0] <= self._monotonic():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept[1]

    def _keep(self, key: Hashable, result: Result, seconds: float) -> None:
        size = len(result.body) + OVERHEAD_BYTES
        if size > self._max_bytes // 4:
            return
        with self._lock:
            self._drop(key)
            self._kept[key] = (self._monotonic() + seconds, result)
            self._bytes += size
            while self._bytes > self._max_bytes:
                self._drop(next(iter(self._kept)))
            metrics.cache_bytes.set(self._bytes)

    def _drop(self, key: Hashable) -> None:
        dropped = self._kept.pop(key, None)
        if dropped is not None:
            self._bytes -= len(dropped[1].body) + OVERHEAD_BYTES


class Gate:
    """Heavy questions: so many are computed at once, and so many threads wait for it; the rest is refused."""

    def __init__(
        self, *, at_once: int = HEAVY_AT_ONCE, present: int = HEAVY_PRESENT, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._running = threading.BoundedSemaphore(at_once)
        self._present = threading.BoundedSemaphore(present)
        self._patience = patience

    @contextmanager
    def presence(self) -> Iterator[None]:
        """Hold a thread for a heavy question. Raises `ServiceUnavailable` at once when enough do."""
        with _held(self._present, seconds=0.0):
            yield

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Compute. Raises `ServiceUnavailable` if it does not come to that within the patience."""
        with _held(self._running, seconds=self._patience):
            yield


@contextmanager
def _held(semaphore: threading.BoundedSemaphore, *, seconds: float) -> Iterator[None]:
    if not semaphore.acquire(timeout=seconds):
        metrics.refused.inc()
        raise ServiceUnavailable("too many heavy questions are being answered; try again in a moment")
    try:
        yield
    finally:
        semaphore.release()
