"""Time is injected: code asks a `Clock`, tests hand in one they can move."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for stamps, monotonic time for schedules; never mix them."""

    def now_ms(self) -> int:
        """UTC epoch milliseconds."""

    def monotonic(self) -> float:
        """Seconds that only rise, whatever happens to the wall clock."""


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told to."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._monotonic = 0.0

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now_ms += round(seconds * 1000)
        self._monotonic += seconds


def utc(epoch_ms: int) -> datetime:
    """Aware UTC time of epoch milliseconds."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)


def epoch_ms(moment: datetime) -> int:
    """Inverse of `utc`."""
    return round(moment.timestamp() * 1000)


def iso(epoch_ms: int) -> str:
    """``2026-12-29T10:00:00.000+00:00``."""
    return utc(epoch_ms).isoformat(timespec="milliseconds")
