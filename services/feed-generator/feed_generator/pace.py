"""When the next tick is due, by a clock that nobody sets."""

import threading
from typing import Final

from aro.adapters.clock import Clock

_NO_MISS: Final = 0


class Pace:
    """Ticks every `interval` seconds; what was missed (a stopped process, a slow tick) is not made up for."""

    def __init__(self, interval: float, clock: Clock) -> None:
        self._interval = interval
        self._clock = clock
        self._due = clock.monotonic()

    def wait(self, stop: threading.Event) -> int:
        """Sleep until the next tick is due, or `stop`; how many ticks were missed before it."""
        self._due += self._interval
        late = self._clock.monotonic() - self._due
        missed = int(late // self._interval) + 1 if late > 0 else _NO_MISS
        self._due += missed * self._interval
        stop.wait(self._due - self._clock.monotonic())
        return missed
