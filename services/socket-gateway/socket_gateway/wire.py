"""The one owner of what leaves on a connection.

Everything goes through the connection's `Wire`, the HTTP answer of the handshake and close frames included, and no
method here waits. So no two frames can interleave, and no lock is needed.

An idle wire writes at once, or at the end of the relay's turn (`Wires.flush`), all frames of the turn in one system
call. What the kernel does not take makes the wire *busy* until all is gone; then its loop calls back as soon as the
peer has read. A busy wire keeps, and writes in this order:

1. the rest of what was written in part (whole frames, so the stream never breaks),
2. the control lane: acks, pings, errors, replayed updates, first in, first out,
3. the state lane: per channel what it was sent last, and nothing older; channels take turns in the order in which
   they got here, and a replaced state keeps its place.

So a slow client costs memory for the newest states only (whose bytes all clients share), and gets those. Beyond
`max_outbox_bytes`, or without any progress for `slow_seconds`, it is `slow`, which its owner ends.
"""

import socket
from collections.abc import Callable
from typing import Any, Final, Protocol

from aro.adapters.clock import Clock
from socket_gateway.loop import Loop

BATCH_BYTES: Final = 64 << 10
"""Frames are joined up to this size for one system call; larger ones go alone, uncopied."""
HEARTBEAT: Final = ""
"""Key of heartbeats among the states; no channel is called so."""

OPEN, ENDING, SHUT, CLOSED = range(4)


class Owner(Protocol):
    def on_slow(self, detail: str) -> None:
        """The wire gave up. Called where waiting is allowed; the owner ends it."""

    def on_closed(self) -> None:
        """The wire is about to close its socket. Must not wait."""


class Wires:
    """What all wires share, and what is done to many at once."""

    def __init__(self, loop: Loop, clock: Clock, *, max_outbox_bytes: int, slow_seconds: float) -> None:
        self.loop: Final = loop
        self.clock: Final = clock
        self.max_outbox_bytes: Final = max_outbox_bytes
        self.slow_seconds: Final = slow_seconds
        self.open = 0
        """Wires whose socket is not closed yet."""
        self.corked: list[Wire] = []
        self.pressed: dict[Wire, None] = {}
        """Those with a reason to be looked at: busy, or ending."""
        self.bytes_sent = self.skipped = 0
        """Since the start; `skipped` counts states that were replaced before they left."""

    def flush(self) -> None:
        """Write what was gathered in this turn."""
        corked, self.corked = self.corked, []
        for wire in corked:
            wire.flush()

    def check(self) -> None:
        """Give up on wires without progress, and close those that took too long to end."""
        now = self.clock.monotonic()
        for wire in list(self.pressed):
            wire.check(now)

    @property
    def outbox_bytes(self) -> list[int]:
        """Of each wire that has any."""
        return [wire.outbox_bytes for wire in self.pressed]

    @property
    def longest_queue(self) -> int:
        """Frames that wait on the wire that has most of them."""
        return max((wire.frames_waiting for wire in self.pressed), default=0)


class Wire:
    """`connection` is connected and does not block; the wire closes it."""

    __slots__ = (
        "_connection",
        "_control",
        "_deadline",
        "_owner",
        "_pending",
        "_pending_bytes",
        "_phase",
        "_rest",
        "_states",
        "_wires",
        "_writing",
        "is_busy",
        "outbox_bytes",
    )

    def __init__(self, connection: socket.socket, wires: Wires, owner: Owner) -> None:
        self._connection = connection
        self._wires = wires
        self._owner = owner
        self._phase = OPEN
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self.is_busy = False
        """Whether frames are kept because the kernel did not take them."""
        self.outbox_bytes = 0
        # The rest exists only while the wire is busy: most wires never are.
        self._rest: memoryview | None = None
        self._control: list[bytes] | None = None
        self._states: dict[str, bytes] | None = None
        self._writing: Any = None
        self._deadline = 0.0
        wires.open += 1

    @property
    def is_closed(self) -> bool:
        return self._phase == CLOSED

    @property
    def frames_waiting(self) -> int:
        return (self._rest is not None) + len(self._control or ()) + len(self._states or ())

    def put(self, frame: bytes) -> None:
        """Send in order, now."""
        if self._phase != OPEN:
            return
        if self.is_busy:
            self._keep_control(frame)
        else:
            self._pending.append(frame)
            self.flush()

    def offer(self, channel: str, step: bytes, whole: Callable[[], bytes]) -> None:
        """Send the channel's next message, at the end of this turn.

        `step` is for a client that was sent the message before it. If that one is still waiting, both are skipped for
        what `whole` returns: a state that stands by itself.
        """
        if self._phase != OPEN:
            return
        if not self.is_busy:
            self._pend(step)
            return
        states = self._lane()
        if channel in states:
            self._wires.skipped += 1
            self._keep_state(channel, whole())
        else:
            self._keep_state(channel, step)

    def state(self, channel: str, frame: bytes) -> None:
        """Send a state that stands by itself, at the end of this turn, instead of whatever of it is still waiting."""
        if self._phase != OPEN:
            return
        if not self.is_busy:
            self._pend(frame)
        else:
            self._keep_state(channel, frame)

    def beat(self, frame: bytes) -> None:
        """Send a heartbeat behind all that waits: it speaks of positions, and must not come before them."""
        if self._phase != OPEN:
            return
        if self.is_busy:
            self.forget(HEARTBEAT)
            self._keep_state(HEARTBEAT, frame)
        else:
            self.put(frame)

    def forget(self, channel: str) -> None:
        """Drop the channel's state that waits, if any."""
        if self._states and (frame := self._states.pop(channel, None)) is not None:
            self.outbox_bytes -= len(frame)

    def flush(self) -> None:
        """Write what this turn has gathered."""
        pending = self._pending
        if not pending:
            return
        data = pending[0] if len(pending) == 1 else b"".join(pending)
        pending.clear()
        self._pending_bytes = 0
        sent = self._send(data)
        if sent < len(data) and self._phase < SHUT:
            self._rest = memoryview(data)[sent:]
            self._become_busy(len(self._rest))

    def end(self, last: bytes, seconds: float) -> None:
        """Send what is in order already and `last`, within `seconds`, then close. States that wait are dropped."""
        if self._phase != OPEN:
            return
        self.put(last)
        if self._phase != OPEN:
            return
        self._phase = ENDING
        self._drop_states()
        self._deadline = self._wires.clock.monotonic() + seconds
        self._wires.pressed[self] = None
        if not self.is_busy:
            self._shut()

    def drop_queued(self) -> None:
        """Forget all whole frames that wait: what follows is the last that this client is told."""
        self._drop_states()
        self._drop_control()

    def close(self) -> None:
        """At once, whatever still waits."""
        if self._phase == CLOSED:
            return
        self._phase = CLOSED
        self._stop_writing()
        self._wires.pressed.pop(self, None)
        self._wires.open -= 1
        self._rest, self._control, self._states, self.outbox_bytes = None, None, None, 0
        self._pending.clear()
        self._owner.on_closed()
        self._connection.close()

    def check(self, now: float) -> None:
        """What `Wires.check` does to each."""
        if self._phase == OPEN:
            if self.is_busy and now - self._deadline >= 0:
                self._give_up(f"nothing was taken for {self._wires.slow_seconds:g} s")
        elif now >= self._deadline:
            self.close()

    def _pend(self, frame: bytes) -> None:
        if not self._pending:
            self._wires.corked.append(self)
        self._pending.append(frame)
        self._pending_bytes += len(frame)
        if self._pending_bytes >= BATCH_BYTES:
            self.flush()

    def _lane(self) -> dict[str, bytes]:
        if self._states is None:
            self._states = {}
        return self._states

    def _keep_state(self, channel: str, frame: bytes) -> None:
        states = self._lane()
        replaced = states.get(channel, b"")
        states[channel] = frame
        self._grow(len(frame) - len(replaced))

    def _keep_control(self, frame: bytes) -> None:
        if self._control is None:
            self._control = []
        self._control.append(frame)
        self._grow(len(frame))

    def _grow(self, size: int) -> None:
        self.outbox_bytes += size
        if self.outbox_bytes > self._wires.max_outbox_bytes:
            self._give_up(f"{self.outbox_bytes} bytes are waiting; the limit is {self._wires.max_outbox_bytes}")

    def _give_up(self, why: str) -> None:
        # The owner's last words go out in its own time; until then only the rest is kept.
        self.drop_queued()
        self._deadline = self._wires.clock.monotonic() + self._wires.slow_seconds
        self._wires.loop.spawn(self._owner.on_slow, why)

    def _drop_states(self) -> None:
        if self._states:
            self.outbox_bytes -= sum(map(len, self._states.values()))
        self._states = None

    def _drop_control(self) -> None:
        if self._control:
            self.outbox_bytes -= sum(map(len, self._control))
        self._control = None

    def _send(self, data: bytes | memoryview) -> int:
        """How many bytes the kernel took. A dead connection takes none, and whoever reads it will notice."""
        try:
            sent = self._connection.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self._shut()
            return 0
        self._wires.bytes_sent += sent
        return sent

    def _become_busy(self, size: int) -> None:
        self.is_busy = True
        self.outbox_bytes = size
        wires = self._wires
        wires.pressed[self] = None
        self._deadline = wires.clock.monotonic() + wires.slow_seconds
        self._writing = wires.loop.on_writable(self._connection.fileno(), self._continue)

    def _continue(self, _number: int) -> None:
        """The peer has read: write one batch more."""
        if self._phase >= SHUT:
            return
        if self._rest is None:
            batch = self._next_batch()
            if not batch:
                self._become_idle()
                return
            self._rest = memoryview(batch)
        sent = self._send(self._rest)
        if not sent or self._phase >= SHUT:
            return
        self.outbox_bytes -= sent
        if self._phase == OPEN:
            self._deadline = self._wires.clock.monotonic() + self._wires.slow_seconds
        self._rest = self._rest[sent:] if sent < len(self._rest) else None
        if self._rest is None and not self._control and not self._states:
            self._become_idle()

    def _next_batch(self) -> bytes:
        batch: list[bytes] = []
        size = 0
        if self._control:
            for frame in self._control:
                if batch and size + len(frame) > BATCH_BYTES:
                    break
                batch.append(frame)
                size += len(frame)
            del self._control[: len(batch)]
        while self._states and not self._control:
            channel = next(iter(self._states))
            if batch and size + len(self._states[channel]) > BATCH_BYTES:
                break
            batch.append(self._states.pop(channel))
            size += len(batch[-1])
        return batch[0] if len(batch) == 1 else b"".join(batch)

    def _become_idle(self) -> None:
        self._stop_writing()
        self.is_busy = False
        self.outbox_bytes = 0
        self._control = self._states = None
        if self._phase == ENDING:
            self._shut()
        else:
            self._wires.pressed.pop(self, None)

    def _stop_writing(self) -> None:
        if self._writing is not None:
            self._wires.loop.forget(self._writing)
            self._writing = None

    def _shut(self) -> None:
        """Nothing more will be written. The peer's own end is waited for: closing with bytes unread would make the
        kernel throw away what the peer has not read yet."""
        if self._phase >= SHUT:
            return
        if self._phase == OPEN:
            self._deadline = self._wires.clock.monotonic() + self._wires.slow_seconds
        self._phase = SHUT
        self._stop_writing()
        self._wires.pressed[self] = None
        self.is_busy = False
        self._rest, self._control, self._states, self.outbox_bytes = None, None, None, 0
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError:
            self._deadline = 0.0  # it is gone already
