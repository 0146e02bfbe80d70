"""Thousands of clients in one thread: raw sockets on one epoll, and every byte that comes is compared.

A client is a file descriptor and the number of the message that it must get next. Nearly always that message is what
the next read brings, so nearly all work is one `recv_into` and one `memcmp`; the rest is told frame by frame.
"""

import select
import socket
import time
from array import array
from collections.abc import Callable

from frames import CLOSE, PING, PONG, TEXT, Dialect, masked, split

READ_BYTES = 1 << 18
AT_ONCE = 40
"""Handshakes at a time: fewer than fit into a backlog of 50, which is eventlet's default."""
HANDSHAKE_SECONDS = 20.0
_UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


class Broken(Exception):
    """What a server sent is not what it had to send. `kind`: corrupt, hole, reordered, foreign or closed."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


class Feed:
    """What was published: the same for all clients of one server. `frame` and `instead` make each frame once."""

    def __init__(self, dialect: Dialect, message: Callable[[int], bytes], first: int) -> None:
        self._dialect = dialect
        self._message = message
        self.next_n = first
        self.due_ns: dict[int, int] = {}
        """When message n was to be published, on `time.perf_counter_ns`."""
        self._frames: dict[int, bytes] = {}

    def publish(self, due_ns: int) -> bytes:
        """Count one more as published; its data."""
        n, self.next_n = self.next_n, self.next_n + 1
        self.due_ns[n] = due_ns
        data = self._message(n)
        self._frames[n] = self._dialect.update(data, n)
        return data

    @property
    def frames(self) -> dict[int, bytes]:
        return self._frames

    def instead(self, n: int) -> bytes | None:
        return self._dialect.instead(self._message(n), n) if self._dialect.instead and n < self.next_n else None

    def change(self, message: Callable[[int], bytes]) -> None:
        """From the next message on; everybody must have what was published before."""
        self._message = message
        self._frames.clear()
        self.due_ns.clear()


class Crowd:
    """All clients of one server. `delivered` counts messages, `skipped` those in whose place a newer one came."""

    def __init__(self, dialect: Dialect, feed: Feed) -> None:
        self._dialect = dialect
        self.feed = feed
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._receive: dict[int, Callable[[memoryview], int]] = {}
        self._next: dict[int, int] = {}
        self._rest: dict[int, bytes] = {}
        self._buffer = bytearray(READ_BYTES)
        self._view = memoryview(self._buffer)
        self._at_start = 0
        self.delivered = self.skipped = self.controls = self.reads = 0
        self.latencies_ns: array[int] | None = None
        """Of every delivery while it is not None."""

    def __len__(self) -> int:
        return len(self._sockets)

    @property
    def behind(self) -> int:
        """Deliveries that are due and have not come: at most how far the crowd is behind, summed."""
        return self.feed.next_n * len(self._next) - self._at_start - self.delivered - self.skipped

    def join(self, port: int, count: int, *, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Connect `count` clients while nothing is published. `meanwhile` is called now and then."""
        first = self.feed.next_n
        for begin in range(0, count, AT_ONCE):
            for connection, rest in _shake_hands(port, min(AT_ONCE, count - begin), self._dialect):
                self.add(connection, first, rest)
            self.turn(0)
            meanwhile()

    def add(self, connection: socket.socket, first: int, rest: bytes = b"") -> None:
        """A client that has shaken hands, and gets message `first` next; `rest` is what came since."""
        connection.setblocking(False)
        number = connection.fileno()
        self._sockets[number] = connection
        self._receive[number] = connection.recv_into
        self._next[number] = first
        if rest:
            self._rest[number] = rest
        self._epoll.register(number, select.EPOLLIN)
        self._at_start += first

    def leave(self) -> None:
        for connection in self._sockets.values():
            connection.close()
        self._epoll.close()

    def turn(self, seconds: float) -> None:
        """Read what has come, waiting at most `seconds` for it. Raises `Broken`."""
        buffer, view, rests = self._buffer, self._view, self._rest
        frames, following, latencies = self.feed.frames, self._next, self.latencies_ns
        ready = self._epoll.poll(seconds, 4_096)
        self.reads += len(ready)
        for number, _ in ready:
            try:
                if number in rests:
                    rest = rests.pop(number)
                    at = len(rest)
                    buffer[:at] = rest
                    size = at + self._receive[number](view[at:])
                else:
                    at, size = 0, self._receive[number](view)
            except OSError as error:
                raise Broken("closed", str(error)) from None
            if size == at:
                raise Broken("closed", f"by the server, before message {following[number]}")
            n = first = following[number]
            at = 0
            expected = frames.get(n)
            while expected is not None and size - at >= len(expected) and buffer.startswith(expected, at):
                at += len(expected)
                n += 1
                expected = frames.get(n)
            if n > first:
                following[number] = n
                self.delivered += n - first
                if latencies is not None:
                    self._note(first, n)
            if at < size:
                self._tell(number, bytes(view[at:size]))

    def _tell(self, number: int, data: bytes) -> None:
        """Frame by frame: a part of one, or another than that which was expected, with others behind it."""
        at, frames = 0, self.feed.frames
        while at < len(data):
            n = self._next[number]
            expected = frames.get(n)
            if expected is not None and data.startswith(expected, at):
                at += len(expected)
                self._take(number, n)
                continue
            found = split(data, at)
            if found is None:
                self._rest[number] = data[at:]
                return
            opcode, payload, end = found
            self._judge(number, n, opcode, payload, data[at:end])
            at = end

    def _take(self, number: int, n: int) -> None:
        self._next[number] = n + 1
        self.delivered += 1
        if self.latencies_ns is not None:
            self._note(n, n + 1)

    def _note(self, first: int, end: int) -> None:
        assert self.latencies_ns is not None
        now, due = time.perf_counter_ns(), self.feed.due_ns
        self.latencies_ns.extend([now - due[n] for n in range(first, end)])

    def _judge(self, number: int, n: int, opcode: int, payload: bytes, frame: bytes) -> None:
        """A whole frame that is not message `n`. Raises `Broken` unless it may come all the same."""
        if opcode == TEXT and payload == b"2":
            self._answer(number, masked(b"3"))
        elif opcode == PING:
            self._answer(number, masked(payload, PONG))
        elif opcode == TEXT and payload.startswith(self._dialect.control):
            self.controls += 1
            promised = self._dialect.promised(payload) if self._dialect.promised else n - 1
            if promised >= n:
                raise Broken("hole", f"a heartbeat says that the client has {promised}, but {n} did not come")
        else:
            self._judge_message(number, n, opcode, payload, frame)

    def _judge_message(self, number: int, n: int, opcode: int, payload: bytes, frame: bytes) -> None:
        match = self._dialect.number.match(payload) if opcode == TEXT else None
        if opcode == CLOSE or payload[:1] == b"1" or payload[:2] == b"41":
            raise Broken("closed", repr(payload[:200]))
        if match is None:
            raise Broken("corrupt" if n in self.feed.frames else "foreign", repr(payload[:200]))
        came = int(match[1])
        if came >= n and frame == self.feed.instead(came):
            self.skipped += came - n
            self._take(number, came)
            return
        if came == n or frame != self.feed.frames.get(came):
            raise Broken("corrupt", f"{payload[:200]!r} where message {n} was due")
        raise Broken("hole" if came > n else "reordered", f"message {came} came where {n} was due")

    def _answer(self, number: int, data: bytes) -> None:
        try:
            self._sockets[number].send(data)
        except OSError as error:
            raise Broken("closed", str(error)) from None


def _shake_hands(port: int, count: int, dialect: Dialect) -> list[tuple[socket.socket, bytes]]:
    """Step by step for all at once, so that the server and not the way there and back sets the pace."""
    connections = [socket.create_connection(("127.0.0.1", port), timeout=HANDSHAKE_SECONDS) for _ in range(count)]
    for connection in connections:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(_UPGRADE % port)
    rests = [_upgraded(connection) for connection in connections]
    for greeting in dialect.greetings:
        if greeting.say is not None:
            for connection in connections:
                connection.sendall(masked(greeting.say))
        for index, connection in enumerate(connections):
            rests[index] = _hear(connection, rests[index], greeting.hear, dialect)
    return list(zip(connections, rests, strict=True))


def _upgraded(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, rest = data.partition(b"\r\n\r\n")
    if b" 101 " not in head.split(b"\r\n")[0] or b"permessage-deflate" in head:
        raise Broken("closed", repr(data[:200]))
    return rest


def _hear(connection: socket.socket, data: bytes, beginning: bytes, dialect: Dialect) -> bytes:
    """Read on to the text that begins so; what came after it."""
    while True:
        found = split(data, 0)
        if found is None:
            data += _more(connection)
            continue
        _, payload, end = found
        data = data[end:]
        if payload.startswith(beginning):
            return data
        if payload == b"2":
            connection.sendall(masked(b"3"))
        elif not (dialect.control and payload.startswith(dialect.control)):
            raise Broken("foreign", f"{payload[:200]!r} instead of {beginning!r}")


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(READ_BYTES)
    if not data:
        raise Broken("closed", "during the handshake")
    return data
