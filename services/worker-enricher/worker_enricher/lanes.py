"""Entries that wait for a task, so that no two tasks ever hold snapshots of the same series at once.

Every series (a product and expiry, or a product's ticks) belongs to one lane, by its hash. A batch takes whole lanes
from the front, and these stay closed until its task is done. So any number of workers may take batches from one
queue, and what a series said first is published first; without this, batches of one series overtake each other, and
what comes late is never seen. A lane whose task does not come back opens again after `TURN_SECONDS`.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

LANES: Final = 32
"""Several for each of the tasks that run or wait, so that a batch is full before lanes run out."""
TURN_SECONDS: Final = 2.0
"""Longer than a task takes, also when it waits; then freshness counts more than order, which clients are safe from."""

Entry = tuple[str, str, str | None]
"""Stream, id, and the id of the message where it has one."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A batch and the lanes that it closes; `number` is None if it closes none."""

    number: int | None
    entries: list[Entry]


@dataclass(slots=True)
class _Lane:
    waiting: deque[Entry] = field(default_factory=deque)
    closed_by: int | None = None


class Lanes:
    def __init__(self, first: int = 0) -> None:
        """Turns are numbered from `first` on; one that no earlier process of this name had, so that none is taken for
        one of those."""
        self._lanes = [_Lane() for _ in range(LANES)]
        self._unordered = _Lane()
        """Of what has no series: what cannot be read, and whatever the task finds out about it."""
        self._first = 0
        self._numbers = first
        self._taken: dict[int, tuple[float, list[_Lane]]] = {}

    def __len__(self) -> int:
        """Entries that wait."""
        return len(self._unordered.waiting) + sum(len(lane.waiting) for lane in self._lanes)

    @property
    def ready(self) -> int:
        """Those of them in open lanes."""
        return sum(len(lane.waiting) for lane in (self._unordered, *self._lanes) if lane.closed_by is None)

    @property
    def has_closed(self) -> bool:
        return bool(self._taken)

    def put(self, entry: Entry) -> None:
        name = entry[2]
        series = None if name is None else name.rpartition("|")[0]
        lane = self._unordered if series is None else self._lanes[crc32(series.encode()) % LANES]
        lane.waiting.append(entry)

    def take(self, most: int, now: float) -> Turn | None:
        """Up to `most` entries of open lanes, in order within each; None if all that wait are in closed ones."""
        entries: list[Entry] = []
        closed: list[_Lane] = []
        for lane in self._open():
            room = most - len(entries)
            if not room:
                break
            if lane.waiting and lane is not self._unordered:
                closed.append(lane)
            entries += [lane.waiting.popleft() for _ in range(min(room, len(lane.waiting)))]
        if not entries:
            return None
        if not closed:
            return Turn(None, entries)
        self._numbers += 1
        for lane in closed:
            lane.closed_by = self._numbers
        self._taken[self._numbers] = now, closed
        return Turn(self._numbers, entries)

    def done(self, number: int) -> None:
        """Open the lanes of this turn, unless that happened."""
        _, lanes = self._taken.pop(number, (0.0, []))
        for lane in lanes:
            if lane.closed_by == number:
                lane.closed_by = None

    def give_up(self, now: float) -> None:
        """Open what was closed for too long."""
        for number in [number for number, (taken, _) in self._taken.items() if now - taken > TURN_SECONDS]:
            self.done(number)

    def _open(self) -> Iterator[_Lane]:
        """Those without order, then the others, each time from another one on."""
        yield self._unordered
        self._first = (self._first + 1) % LANES
        for lane in self._lanes[self._first :] + self._lanes[: self._first]:
            if lane.closed_by is None:
                yield lane
