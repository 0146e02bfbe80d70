"""Something that is done for each of many, again and again, without doing it for all of them at once. Pure."""

from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Rounds(Generic[Item]):
    """Each item is due `seconds` after it was added, so the work is spread as the additions were."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._queue: deque[tuple[float, Item]] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, item: Item, now: float) -> None:
        """`now` is monotonic seconds, and never less than before."""
        self._queue.append((now + self._seconds, item))

    def due(self, now: float, most: int) -> list[Item]:
        """Take out up to `most` of those that are due. Who is to have another turn is added again."""
        items: list[Item] = []
        while self._queue and self._queue[0][0] <= now and len(items) < most:
            items.append(self._queue.popleft()[1])
        return items
