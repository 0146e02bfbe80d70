"""Entries that wait for a task, so that no two tasks ever hold snapshots of the same series at once.

Every series (a product and expiry, or a product's ticks) belongs to one lane, by its hash. A batch takes whole lanes,
the one that has waited longest first, and these stay closed until its task is done. So any number of workers may take
batches from one queue, and what a series said first is published first; without this, batches of one series overtake
each other, and what comes late is never seen. A lane whose task does not come back opens again after `TURN_SECONDS`.

When all of it waits too long, `conflate` leaves the newest of each series, in the place of its oldest.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from zlib import crc32

LANES: Final = 32
"""Several for each of the tasks that run or wait, so that a batch is full before lanes run out."""
TURN_SECONDS: Final = 2.0
"""Longer than a task takes, also when it waits; then freshness counts more than order, which clients are safe from."""
PAST_MS: Final = 60_000
"""What is numbered so long before it came is history that is filled in: it supersedes nothing and nothing it."""


class Entry(NamedTuple):
    """An entry of the ledger; `name` is the id of its message where it has one."""

    stream: str
    id: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Turn:
    """A batch and the lanes that it closes; `number` is None if it closes none."""

    number: int | None
    entries: list[Entry]


@dataclass(slots=True)
class _Series:
    """Never empty. `since` is when the first of them began to wait."""

    since: float
    entries: deque[Entry] = field(default_factory=deque)


@dataclass(slots=True)
class _Lane:
    """Series in the order in which they began to wait."""

    waiting: dict[str, _Series] = field(default_factory=dict)
    size: int = 0
    closed_by: int | None = None
    last_turn: int = 0

    @property
    def since(self) -> float:
        """When the first of what waits began to; not if nothing does."""
        return next(iter(self.waiting.values())).since

    def put(self, series: str, entry: Entry, now: float) -> None:
        held = self.waiting.get(series)
        if held is None:
            held = self.waiting[series] = _Series(now)
        held.entries.append(entry)
        self.size += 1

    def take(self, most: int) -> Iterator[Entry]:
        for series in list(self.waiting):
            held = self.waiting[series]
            while held.entries and most:
                most -= 1
                self.size -= 1
                yield held.entries.popleft()
            if held.entries:
                return
            del self.waiting[series]

    def conflate(self) -> Iterator[Entry]:
        for held in self.waiting.values():
            if len(held.entries) == 1:
                continue
            newest = max(filter(_is_present, held.entries), key=_number, default=None)
            superseded = [entry for entry in held.entries if _is_present(entry) and entry is not newest]
            if superseded:
                held.entries = deque(entry for entry in held.entries if entry is newest or not _is_present(entry))
                self.size -= len(superseded)
                yield from superseded


class Lanes:
    def __init__(self, first: int = 0) -> None:
        """Turns are numbered from `first` on; one that no earlier process of this name had, so that none is taken for
        one of those."""
        self._lanes = [_Lane() for _ in range(LANES)]
        self._unordered = _Lane()
        """Of what has no series: what cannot be read, and whatever the task finds out about it."""
        self._numbers = first
        self._taken: dict[int, tuple[float, list[_Lane]]] = {}

    def __len__(self) -> int:
        """Entries that wait."""
        return self._unordered.size + sum(lane.size for lane in self._lanes)

    @property
    def ready(self) -> int:
        """Those of them in open lanes."""
        return sum(lane.size for lane in (self._unordered, *self._lanes) if lane.closed_by is None)

    @property
    def has_closed(self) -> bool:
        return bool(self._taken)

    def longest_wait(self, now: float) -> float:
        """Seconds since the first of them was put here, 0 if none waits."""
        return now - min((lane.since for lane in self._lanes if lane.waiting), default=now)

    def put(self, entry: Entry, now: float) -> None:
        series = None if entry.name is None else entry.name.rpartition("|")[0]
        lane = self._unordered if series is None else self._lanes[crc32(series.encode()) % LANES]
        lane.put(series or "", entry, now)

    def take(self, most: int, now: float, *, enough: int | None = None) -> Turn | None:
        """Up to `most` entries of open lanes, in order within each; None if all that wait are in closed ones. With
        `enough` of them, no further lane is begun.

        Not the lanes in turn: the one that a batch has only a part of would be the last of each, and starve.
        """
        entries = list(self._unordered.take(most))
        closed: list[_Lane] = []
        ready = (lane for lane in self._lanes if lane.size and lane.closed_by is None)
        for lane in sorted(ready, key=lambda lane: (lane.since, lane.last_turn)):
            if len(entries) >= (most if enough is None else enough):
                break
            closed.append(lane)
            entries += lane.take(most - len(entries))
        if not entries:
            return None
        if not closed:
            return Turn(None, entries)
        self._numbers += 1
        for lane in closed:
            lane.closed_by = lane.last_turn = self._numbers
        self._taken[self._numbers] = now, closed
        return Turn(self._numbers, entries)

    def conflate(self) -> list[Entry]:
        """Take out what a newer one of its series supersedes that waits too. The newest keeps the place of the oldest:
        otherwise what comes most often would never have its turn."""
        return [entry for lane in self._lanes for entry in lane.conflate()]

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


def _number(entry: Entry) -> int:
    """Its `source_seq`: UTC epoch milliseconds, or a little more. Only of entries in a series."""
    return int((entry.name or "").rpartition("|")[2])


def _is_present(entry: Entry) -> bool:
    return int(entry.id.partition("-")[0]) - _number(entry) < PAST_MS
