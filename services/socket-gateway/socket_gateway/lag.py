"""How late the event loop was, at worst, for as long as somebody who looks seldom needs to see it. Pure."""

from collections import deque
from typing import Final

WINDOW_SECONDS: Final = 15.0
"""Prometheus' usual interval: a shorter memory would hide most of what happens between two looks."""


class Lag:
    def __init__(self) -> None:
        self._worst: deque[tuple[float, float]] = deque()
        """(when, seconds late), each later one less late than the one before."""

    def note(self, late: float, now: float) -> None:
        """`late` in seconds, `now` in monotonic ones."""
        while self._worst and self._worst[-1][1] <= late:
            self._worst.pop()
        self._worst.append((now, late))
        while self._worst[0][0] <= now - WINDOW_SECONDS:
            self._worst.popleft()

    @property
    def worst(self) -> float:
        """Up to the last note."""
        return self._worst[0][1] if self._worst else 0.0
