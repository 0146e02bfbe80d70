"""Rates that subscribers asked for: when each one's next message may go, and who waits for that moment. Pure.

Times are monotonic seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final, Generic, TypeVar

from socket_gateway.frames import PLAIN, Form, Message

Waiter = TypeVar("Waiter")


class Pace:
    """One subscription's rate, and what was sent under it last."""

    __slots__ = ("_due", "_epoch", "_interval", "is_waiting", "rate_hz", "seq")

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz: Final = rate_hz
        self._interval: Final = 1 / rate_hz
        self._due = 0.0
        self._epoch: str | None = None
        self.seq: int | None = None
        self.is_waiting = False
        """Whether something newer than `seq` waits for its time."""

    def wait(self, now: float) -> float | None:
        """When the next message may go; None if that is now."""
        return self._due if now < self._due else None

    def follows(self, message: Message) -> bool:
        """Whether nothing is skipped when `message` is the next one."""
        return self._epoch == message.epoch and self.seq == message.seq - 1

    def sent(self, epoch: str, seq: int, now: float) -> None:
        self._epoch, self.seq = epoch, seq
        self._due = now + self._interval
        self.is_waiting = False


@dataclass(slots=True, eq=False)
class Subscription:
    """What one client asked for on one channel."""

    channel: str
    form: Form = PLAIN
    pace: Pace | None = None


@dataclass(slots=True)
class Waiting(Generic[Waiter]):
    """Who waits, by the time that each is due."""

    _heap: list[tuple[float, int, Waiter]] = field(default_factory=list)
    _turns: "count[int]" = field(default_factory=count)

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, waiter: Waiter, due: float) -> None:
        heappush(self._heap, (due, next(self._turns), waiter))

    def next_due(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> list[Waiter]:
        """Take out all whose time has come, the earliest first."""
        waiters = []
        while self._heap and self._heap[0][0] <= now:
            waiters.append(heappop(self._heap)[2])
        return waiters

    def keep(self, wanted: Callable[[Waiter], bool]) -> None:
        """Take out all others."""
        self._heap = [entry for entry in self._heap if wanted(entry[2])]
        heapify(self._heap)
