"""A loop, a clock and both ends of a connection for tests of wires: real sockets, and nothing that waits."""

import select
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Self

import pytest

from aro.adapters.clock import ManualClock
from socket_gateway.wire import Wire, Wires

SLOW_SECONDS = 5.0


class ManualLoop:
    """A `Loop` that turns when it is told to."""

    def __init__(self) -> None:
        self._readable: dict[int, Callable[[int], None]] = {}
        self._writable: dict[int, Callable[[int], None]] = {}
        self._tasks: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()

    def on_readable(self, number: int, callback: Callable[[int], None]) -> Any:
        assert number not in self._readable
        self._readable[number] = callback
        return self._readable, number

    def on_writable(self, number: int, callback: Callable[[int], None]) -> Any:
        assert number not in self._writable
        self._writable[number] = callback
        return self._writable, number

    def forget(self, handle: Any) -> None:
        watched, number = handle
        del watched[number]

    def spawn(self, task: Callable[..., Any], *arguments: Any) -> None:
        self._tasks.append((task, arguments))

    def take_over(self, environ: dict[str, Any]) -> socket.socket:
        taken: socket.socket = environ["connection"]
        return taken

    def turn(self) -> bool:
        """Call back all that is ready; whether there was anything."""
        tasks, self._tasks = self._tasks, deque()
        for task, arguments in tasks:
            task(*arguments)
        read, write, _ = select.select(list(self._readable), list(self._writable), [], 0)
        for ready, watched in ((read, self._readable), (write, self._writable)):
            for number in ready:
                if number in watched:
                    watched[number](number)
        return bool(tasks or read or write)

    @property
    def watched(self) -> int:
        return len(self._readable) + len(self._writable)


class Line:
    """One wire and the peer at its other end, whose buffers hold a few KB only."""

    def __init__(self, *, max_outbox_bytes: int = 1 << 20) -> None:
        self.loop, self.clock = ManualLoop(), ManualClock(0)
        self.wires = Wires(self.loop, self.clock, max_outbox_bytes=max_outbox_bytes, slow_seconds=SLOW_SECONDS)
        ours, self.peer = socket.socketpair()
        for end in (ours, self.peer):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.wire = Wire(ours, self.wires, self)
        self.received = bytearray()
        self.slow: list[str] = []
        self.is_closed = False

    def on_slow(self, detail: str) -> None:
        self.slow.append(detail)

    def on_closed(self) -> None:
        self.is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()
        self.peer.close()

    def read(self, most: int) -> int:
        """Let the peer read up to so many bytes; how many there were."""
        try:
            data = self.peer.recv(most)
        except BlockingIOError:
            return 0
        self.received += data
        return len(data)

    def settle(self) -> None:
        """Read and turn until nothing moves any more."""
        while self.read(1 << 16) + self.loop.turn():
            pass

    def choke(self) -> None:
        """Send until the wire is busy."""
        while not self.wire.is_busy:
            self.wire.put(b"." * 1000)


@pytest.fixture(scope="session")
def new_line() -> type[Line]:
    return Line
