"""Messages between the tick loop and the sender: bounded, and in trouble the newest are what is kept."""

import threading
from collections import deque
from collections.abc import Sequence
from typing import Literal, NamedTuple

from feed_generator import metrics

Blocked = Literal["overload", "redis_away", "backpressure"]
"""Why the buffer is not emptied: the sender is slow, Redis does not answer, or nobody works off the ledger."""


class Entry(NamedTuple):
    """An encoded message on its way to `stream`."""

    stream: str
    key: str
    """Of its `source_seq`, see `SourceSequences`."""
    source_seq: int
    product: str
    source_ts: int
    message: bytes


class Outbox:
    """Never blocks and never grows beyond `capacity` (plus what the sender holds at the moment)."""

    def __init__(self, capacity: int) -> None:
        self._entries: deque[Entry] = deque()
        self._capacity = capacity
        self._filled = threading.Condition()
        self.blocked_by: Blocked = "overload"

    def put(self, entries: Sequence[Entry]) -> None:
        with self._filled:
            self._entries.extend(entries)
            self._shrink()
            self._filled.notify()

    def take(self, most: int) -> list[Entry]:
        """Up to `most` entries, oldest first."""
        with self._filled:
            taken = [self._entries.popleft() for _ in range(min(most, len(self._entries)))]
            metrics.buffered.set(len(self._entries))
            return taken

    def give_back(self, entries: Sequence[Entry]) -> None:
        """Return what could not be sent; it is older than everything here."""
        with self._filled:
            self._entries.extendleft(reversed(entries))
            self._shrink()

    def wait(self, seconds: float) -> None:
        """Until there is something to send, at most `seconds`."""
        with self._filled:
            self._filled.wait_for(lambda: bool(self._entries), seconds)

    def __len__(self) -> int:
        return len(self._entries)

    def _shrink(self) -> None:
        while len(self._entries) > self._capacity:
            self._entries.popleft()
            metrics.dropped.labels(self.blocked_by).inc()
        metrics.buffered.set(len(self._entries))
