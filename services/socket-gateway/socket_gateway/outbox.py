"""What one client has not been sent yet: everything of what goes in order, and of states the newest only. Pure."""

from collections import deque
from typing import Final

BATCH_BYTES: Final = 64 << 10
"""Frames are joined up to this size for one system call; larger ones go alone, uncopied."""


class Outbox:
    """Two lanes: control (first in, first out) goes before states.

    Per channel there is at most one state. Channels take turns in the order in which they got here, and one that is
    replaced keeps its place.
    """

    __slots__ = ("_control", "_states", "size")

    def __init__(self) -> None:
        self._control: deque[bytes] = deque()
        self._states: dict[str, bytes] = {}
        self.size = 0
        """In bytes."""

    def __len__(self) -> int:
        """Frames in it."""
        return len(self._control) + len(self._states)

    def __contains__(self, channel: str) -> bool:
        """Whether a state of `channel` waits."""
        return channel in self._states

    def put(self, frame: bytes) -> None:
        self._control.append(frame)
        self.size += len(frame)

    def keep(self, channel: str, frame: bytes) -> None:
        """Instead of the channel's state that waits, or behind all others."""
        self.size += len(frame) - len(self._states.get(channel, b""))
        self._states[channel] = frame

    def forget(self, channel: str) -> None:
        self.size -= len(self._states.pop(channel, b""))

    def forget_states(self) -> None:
        self.size -= sum(map(len, self._states.values()))
        self._states.clear()

    def take(self) -> bytes:
        """The next frames, up to `BATCH_BYTES` but at least one; nothing if it is empty."""
        batch: list[bytes] = []
        size = 0
        while self:
            channel = "" if self._control else next(iter(self._states))
            frame = self._control[0] if self._control else self._states[channel]
            if batch and size + len(frame) > BATCH_BYTES:
                break
            if self._control:
                self._control.popleft()
            else:
                del self._states[channel]
            batch.append(frame)
            size += len(frame)
        self.size -= size
        return batch[0] if len(batch) == 1 else b"".join(batch)
