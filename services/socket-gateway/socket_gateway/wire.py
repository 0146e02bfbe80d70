"""The one owner of what leaves on a connection.

Everything goes through the connection's `Wire`, the HTTP answer of the handshake and close frames included, and no
method here waits. So no two frames can interleave, and no lock is needed.

An idle wire writes at once, or at the end of the relay's turn (`Wires.flush`), all frames of the turn in one system
call. What the kernel does not take makes the wire *busy* until all is gone: the rest of what was written in part (so
frames stay whole), then an `Outbox`, each time the loop says that the peer has read. There, of each channel's states
only the newest is kept, so a slow client costs memory for those only (whose bytes all clients share), and gets those.
Beyond `max_outbox_bytes`, or without any progress for `slow_seconds`, it is slow, and its owner ends it.
"""

import socket
from collections.abc import Callable
from typing import Any, Final, Protocol

from aro.adapters.clock import Clock
from socket_gateway.loop import Loop
from socket_gateway.outbox import BATCH_BYTES, Outbox

HEARTBEAT: Final = ""
"""Key of heartbeats among the states; no channel is called so."""

OPEN, GIVEN_UP, LAST_WORDS, ENDING, SHUT, CLOSED = range(6)
"""States are taken while `OPEN` only; what goes in order, while `OPEN` and for the last words. From `SHUT` on nothing
is written."""


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
        """Those with a deadline: busy, or ending."""
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
    def queues(self) -> list[tuple[int, int]]:
        """(frames, bytes) of each wire that has something to write."""
        return [wire.queue for wire in self.pressed]


class Wire:
    """`connection` is connected and does not block; the wire closes it."""

    __slots__ = (
        "_connection",
        "_deadline",
        "_outbox",
        "_owner",
        "_pending",
        "_pending_bytes",
        "_phase",
        "_rest",
        "_wires",
        "_writing",
    )

    def __init__(self, connection: socket.socket, wires: Wires, owner: Owner) -> None:
        self._connection = connection
        self._wires = wires
        self._owner = owner
        self._phase = OPEN
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        # These exist only while the wire is busy: most wires never are.
        self._rest: memoryview | None = None
        self._outbox: Outbox | None = None
        self._writing: Any = None
        self._deadline = 0.0
        wires.open += 1

    @property
    def is_busy(self) -> bool:
        """Whether frames are kept because the kernel did not take them."""
        return self._outbox is not None

    @property
    def is_closed(self) -> bool:
        return self._phase == CLOSED

    @property
    def queue(self) -> tuple[int, int]:
        """(frames, bytes) that wait."""
        if self._outbox is None:
            return 0, 0
        rest = len(self._rest) if self._rest is not None else 0
        return len(self._outbox) + (rest > 0), self._outbox.size + rest

    def put(self, frame: bytes) -> None:
        """Send in order, now."""
        if self._phase not in (OPEN, LAST_WORDS):
            return
        if self._outbox is not None:
            self._outbox.put(frame)
            self._limit()
        else:
            self._pending.append(frame)
            self.flush()

    def offer(self, channel: str, step: bytes, whole: Callable[[], bytes]) -> None:
        """Send the channel's next messages, at the end of this turn: `step`, for who was sent all before them. If some
        of that is still waiting, all is skipped for what `whole` returns: a state that stands by itself."""
        if self._outbox is None:
            self._pend(step)
        elif self._phase == OPEN:
            if channel in self._outbox:
                self._wires.skipped += 1
                step = whole()
            self._outbox.keep(channel, step)
            self._limit()

    def state(self, channel: str, frame: bytes) -> None:
        """Send a state that stands by itself, at the end of this turn, instead of whatever of it is still waiting."""
        if self._outbox is None:
            self._pend(frame)
        elif self._phase == OPEN:
            self._outbox.keep(channel, frame)
            self._limit()

    def beat(self, frame: bytes) -> None:
        """Send a heartbeat behind all that waits: it speaks of positions, and must not come before them."""
        if self._outbox is None:
            self.put(frame)
        else:
            self.forget(HEARTBEAT)
            self.state(HEARTBEAT, frame)

    def forget(self, channel: str) -> None:
        """Drop the channel's state that waits, if any, and a heartbeat that may promise it."""
        if self._outbox is not None:
            self._outbox.forget(channel)
            self._outbox.forget(HEARTBEAT)

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
            self._become_busy(memoryview(data)[sent:])

    def last_words(self) -> None:
        """Forget all whole frames that wait: what is put now is the last that this client is told."""
        if self._phase <= LAST_WORDS:
            self._phase = LAST_WORDS
            self._outbox = None if self._outbox is None else Outbox()

    def end(self, last: bytes, seconds: float) -> None:
        """Send what goes in order, and `last`, within `seconds`, then close. States that wait are dropped."""
        self.put(last)
        if self._phase >= ENDING:
            return
        self._phase = ENDING
        self._press(seconds)
        if self._outbox is not None:
            self._outbox.forget_states()
        else:
            self._shut()

    def close(self) -> None:
        """At once, whatever still waits."""
        if self._phase == CLOSED:
            return
        self._phase = CLOSED
        self._become_idle()
        self._wires.pressed.pop(self, None)
        self._wires.open -= 1
        self._pending.clear()
        self._owner.on_closed()
        self._connection.close()

    def check(self, now: float) -> None:
        """What `Wires.check` does to each."""
        if now < self._deadline:
            return
        if self._phase == OPEN:
            self._give_up(f"nothing was taken for {self._wires.slow_seconds:g} s")
        else:
            self.close()

    def _pend(self, frame: bytes) -> None:
        if self._phase != OPEN:
            return
        if not self._pending:
            self._wires.corked.append(self)
        self._pending.append(frame)
        self._pending_bytes += len(frame)
        if self._pending_bytes >= BATCH_BYTES:
            self.flush()

    def _limit(self) -> None:
        _, size = self.queue
        if size > self._wires.max_outbox_bytes:
            self._give_up(f"{size} bytes wait for it; the limit is {self._wires.max_outbox_bytes}")

    def _give_up(self, why: str) -> None:
        # From here to the owner's last words nothing is taken: after what is dropped now, it would leave a hole.
        if self._phase == OPEN:
            self._phase = GIVEN_UP
            self._outbox = Outbox()
            self._press(self._wires.slow_seconds)
            self._wires.loop.spawn(self._owner.on_slow, why)

    def _press(self, seconds: float) -> None:
        """Whatever is under way now has to happen within `seconds`."""
        self._deadline = self._wires.clock.monotonic() + seconds
        self._wires.pressed[self] = None

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

    def _become_busy(self, rest: memoryview) -> None:
        self._rest = rest
        self._outbox = Outbox()
        self._writing = self._wires.loop.on_writable(self._connection.fileno(), self._continue)
        if self._phase == OPEN:
            self._press(self._wires.slow_seconds)

    def _continue(self, _number: int) -> None:
        """The peer has read: write one batch more."""
        if self._outbox is None:
            return
        if self._rest is None and self._outbox:
            self._rest = memoryview(self._outbox.take())
        if self._rest is not None:
            sent = self._send(self._rest)
            if not sent or self._outbox is None:
                return
            if self._phase == OPEN:
                self._press(self._wires.slow_seconds)
            self._rest = self._rest[sent:] if sent < len(self._rest) else None
        if self._rest is None and not self._outbox:
            self._become_idle()
            if self._phase == ENDING:
                self._shut()
            elif self._phase == OPEN:
                self._wires.pressed.pop(self, None)

    def _become_idle(self) -> None:
        self._rest = self._outbox = None
        if self._writing is not None:
            self._wires.loop.forget(self._writing)
            self._writing = None

    def _shut(self) -> None:
        """Nothing more will be written. The peer's own end is waited for: closing with bytes unread would make the
        kernel throw away what the peer has not read yet."""
        if self._phase >= SHUT:
            return
        if self._phase != ENDING:
            self._press(self._wires.slow_seconds)
        self._phase = SHUT
        self._become_idle()
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError:
            self._deadline = 0.0  # it is gone already
