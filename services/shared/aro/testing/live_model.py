"""The live state in Redis without a server: chain-like states that change as chains do, and all that can be lost."""

import json
import random
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final

from aro.adapters.live import LiveState, Position

CELLS: Final = 24


class Channel:
    """One channel as Redis keeps it; lists are `CELLS` long, and sometimes all of their cells change."""

    def __init__(self, name: str) -> None:
        self.name: Final = name
        self.epochs = 0
        self.source_seq = 0
        self.epoch: str | None = None
        self.seq = 0
        self.log: deque[tuple[int, bytes]] = deque()
        self.history: dict[tuple[str, int], bytes] = {}
        """(epoch, seq) → data, of all that ever was."""
        self._columns: dict[str, list[float | None]] = {"bid": [0.05] * CELLS, "ask": [None] * CELLS}

    def publish(self, seed: int) -> LiveState:
        """The next state; `seed` decides what changes."""
        random_ = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        if self.epoch is None:
            self.epochs += 1
            self.epoch, self.seq = f"e{self.epochs}", 0
        self.seq += 1
        self.source_seq += 1
        for column in self._columns.values():
            for index in random_.sample(range(CELLS), random_.choice((0, 1, 5, CELLS))):
                column[index] = random_.choice((None, 0.0, round(random_.uniform(0, 1e4), 2)))
        state: dict[str, Any] = {"n": self.source_seq, "calls": self._columns, "flags": [["stale"]] * 5 + [[]]}
        if random_.random() < 0.3:
            state["strikes"] = list(range(random_.randrange(30)))
        data = json.dumps(state, separators=(",", ":")).encode()
        self.history[self.epoch, self.seq] = data
        self.log.append((self.seq, data))
        return LiveState(self.name, self.epoch, self.seq, self.source_seq, 0, data)

    def state(self) -> LiveState | None:
        if self.epoch is None:
            return None
        return LiveState(self.name, self.epoch, self.seq, self.source_seq, 0, self.history[self.epoch, self.seq])

    def flush(self) -> None:
        """Forget everything: what comes next is of another epoch."""
        self.epoch = None
        self.log.clear()


class Redis:
    """Answers what a gateway's sequencer asks."""

    def __init__(self, channels: Iterable[str]) -> None:
        self.channels = {name: Channel(name) for name in channels}

    def state(self, channel: str) -> LiveState | None:
        return self.channels[channel].state()

    def positions(self, channels: Iterable[str]) -> dict[str, Position | None]:
        return {name: _position(self.channels[name].state()) for name in channels}

    def replay(self, channel: str, first_seq: int, last_seq: int) -> Sequence[tuple[int, bytes]]:
        return [entry for entry in self.channels[channel].log if first_seq <= entry[0] <= last_seq]


def _position(state: LiveState | None) -> Position | None:
    return None if state is None else Position(state.epoch, state.seq, state.source_seq)
