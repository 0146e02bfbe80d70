"""Keeps the marks of minutes that something was stored of: few for the minute that runs, one for each late batch."""

from collections.abc import Collection, Iterable
from typing import Final

from aro.adapters.bar_marks import BarMarks, Mark, Minute
from aro.adapters.bar_store import MINUTE_MS
from aro.adapters.clock import Clock

SETTLE_MS: Final = 5_000
"""From the end of a minute, or the last that came late for it, until it is rolled up."""
REPEAT_SECONDS: Final = 10.0
"""A minute that still runs is marked again so often, in case that Redis lost the mark."""


def due_ms(minute_ts: int, now_ms: int) -> int:
    """When a minute that something came for at `now_ms` may be rolled up."""
    return max(minute_ts + MINUTE_MS, now_ms) + SETTLE_MS


class OwedBars:
    """One per process."""

    def __init__(self, marks: BarMarks, clock: Clock) -> None:
        self._marks = marks
        self._clock = clock
        self._noted: dict[tuple[str, str], tuple[int, float]] = {}
        """(product, expiry) → its newest minute that was marked while it ran, and when."""

    def note(self, minutes: Iterable[Minute], unpublished: Collection[Minute] = ()) -> None:
        """Something of these minutes has been stored; of some of them, something that nobody was sent. Raises what
        Redis raises."""
        now_ms, now = self._clock.now_ms(), self._clock.monotonic()
        fresh = [minute for minute in set(minutes) if minute in unpublished or not self._is_known(minute, now_ms, now)]
        self._marks.mark(
            Mark(minute, due_ms(minute.minute_ts, now_ms), unpublished=minute in unpublished) for minute in fresh
        )
        for minute in fresh:
            if now_ms < minute.minute_ts + MINUTE_MS:
                self._noted[minute.product, minute.expiry] = (minute.minute_ts, now)

    def _is_known(self, minute: Minute, now_ms: int, now: float) -> bool:
        noted_ts, noted_at = self._noted.get((minute.product, minute.expiry), (None, 0.0))
        runs = now_ms < minute.minute_ts + MINUTE_MS
        return runs and noted_ts == minute.minute_ts and now - noted_at < REPEAT_SECONDS
