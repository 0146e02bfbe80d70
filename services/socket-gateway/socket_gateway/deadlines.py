"""When something is due for a socket: one heap for all of them."""

import heapq
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

Kind = Literal["expiring", "expired"]


class Deadline(NamedTuple):
    """`at_ms` in UTC epoch milliseconds; `expires_at` (epoch seconds) is that of the token it was set for."""

    at_ms: int
    engine_id: str
    kind: Kind
    expires_at: int


class Deadlines:
    """Who takes a due one checks that its token is still the current one: replaced ones are not removed."""

    def __init__(self) -> None:
        self._heap: list[Deadline] = []

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, deadline: Deadline) -> None:
        heapq.heappush(self._heap, deadline)

    def due(self, now_ms: int) -> Iterator[Deadline]:
        while self._heap and self._heap[0].at_ms <= now_ms:
            yield heapq.heappop(self._heap)

    def keep(self, is_of_use: Callable[[Deadline], bool]) -> None:
        """Drop all others: clients that come and go would leave two each, for as long as their tokens live."""
        self._heap = [deadline for deadline in self._heap if is_of_use(deadline)]
        heapq.heapify(self._heap)
