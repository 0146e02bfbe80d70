"""A process says how it is: what it gained over the last minute, from its own metrics, into Redis every two seconds.

Counters only rise and histograms only fill; a window over their readings turns that into "of late", so whoever merges
the vitals of several processes has to remember nothing.
"""

import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from aro.adapters import redis_client
from aro.adapters.clock import Clock, SystemClock
from aro.adapters.redis_client import RedisError
from aro.adapters.vitals import EVERY_SECONDS, VitalsStore
from aro.contracts.vitals import WINDOW_SECONDS, ProcessVitals, Spread
from aro.runtime.logs import get_logger

log = get_logger(__name__)

REDIS_SECONDS: Final = 1.0
_STATM: Final = Path("/proc/self/statm")
_CPU: Final = "cpu"

Totals = Mapping[str, tuple[float, ...]]
"""Name → numbers that only rise."""


class Measures(Protocol):
    """What a service has to tell beyond what every process has."""

    def totals(self) -> Totals:
        """As of now."""

    def told(self, gained: Totals) -> Mapping[str, Any]:
        """Fields of `ProcessVitals`, from what `totals` gained in the window."""


class Window:
    """Gains of totals over the last `seconds`, or since the first reading. Pure."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._readings: deque[tuple[float, Totals]] = deque()

    def add(self, totals: Totals, now: float) -> tuple[float, Totals]:
        """The window's length in seconds, and what each total gained in it. `now` is monotonic seconds."""
        self._readings.append((now, totals))
        # The newest reading that is old enough is what the others are compared with.
        while len(self._readings) > 1 and self._readings[1][0] <= now - self._seconds:
            self._readings.popleft()
        since, before = self._readings[0]
        return now - since, {name: _gain(values, before.get(name)) for name, values in totals.items()}


def _gain(values: tuple[float, ...], before: tuple[float, ...] | None) -> tuple[float, ...]:
    if before is None:
        return values
    return tuple(new - old for new, old in zip(values, before, strict=True))


def spread(bounds: Sequence[float], gained: Sequence[float]) -> Spread:
    """`bounds` in seconds; `gained` as `aro.runtime.metrics.readings` has it."""
    *counts, total = gained
    return Spread(
        bounds_ms=tuple(round(bound * 1000, 3) for bound in bounds),
        counts=tuple(map(round, counts)),
        total_ms=round(total * 1000, 3),
    )


class Reporter:
    """One per process, made after any fork."""

    def __init__(self, store: VitalsStore, service: str, clock: Clock, measures: Measures | None) -> None:
        self.instance = secrets.token_hex(3)
        self._store = store
        self._service = service
        self._clock = clock
        self._measures = measures
        self._started_ts = clock.now_ms()
        self._window = Window(WINDOW_SECONDS)
        self._window.add(self._totals(), clock.monotonic())

    def start(self) -> None:
        threading.Thread(target=self.run, name="vitals", daemon=True).start()

    def run(self) -> None:
        """Never returns. A Redis that is away is told nothing, and everything of the window once it is back."""
        pause = threading.Event()
        while True:
            try:
                self.report()
            except RedisError:
                log.debug("redis does not hear how this process is")
            except Exception as error:  # the thread must outlive a defect in one turn
                log.error("vitals cannot be told", exc_info=error)
            pause.wait(EVERY_SECONDS)

    def report(self) -> None:
        """Raises `RedisError`."""
        span, gained = self._window.add(self._totals(), self._clock.monotonic())
        vitals = ProcessVitals(
            service=self._service,
            started_ts=self._started_ts,
            span_ms=round(span * 1000),
            cpu_seconds=gained[_CPU][0],
            memory_bytes=_memory_bytes(),
            **(self._measures.told(gained) if self._measures else {}),
        )
        self._store.report(self.instance, msgspec.msgpack.encode(vitals))

    def _totals(self) -> Totals:
        own = {_CPU: (time.process_time(),)}
        return {**own, **self._measures.totals()} if self._measures else own


def reporter(redis_url: str, service: str, measures: Measures | None = None) -> Reporter:
    """The reporter of this process, with a connection of its own; without `measures` it tells what all have."""
    store = VitalsStore(redis_client.connect(redis_url, timeout=REDIS_SECONDS))
    return Reporter(store, service, SystemClock(), measures)


def _memory_bytes() -> int | None:
    try:
        resident = _STATM.read_text(encoding="ascii").split()[1]
    except OSError:  # no Linux
        return None
    return int(resident) * os.sysconf("SC_PAGE_SIZE")
