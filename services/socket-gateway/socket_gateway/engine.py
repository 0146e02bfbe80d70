"""Engine.IO without a greenlet per connection: its protocol and its sessions, on our own WebSocket and wires.

python-engineio gives each WebSocket a reader, a writer and a pinging greenlet, 58 KB together, and hands every packet
from one to the next. Here a connection is taken out of the WSGI server once its handshake is answered. The event loop
calls `Connection` when there is something to read; a greenlet exists only while a client's message is handled, and
reading pauses meanwhile, so messages are handled one by one in their order. Pings are sent by `Pulse`.

What is used of engineio beyond its documented interface (versions are pinned): `Server._handle_connect`,
`Server._trigger_event`, `Server.sockets` and `handlers`, `Socket.receive`, the attributes that `BaseSocket.__init__`
sets, and of socketio `Manager.basic_enter_room`. `tests/unit/gateway/test_engine.py` holds all of them to it.
"""

import socket
from collections.abc import Callable
from typing import Any, Final

import engineio
import socketio
from engineio import packet as engine_packet
from engineio import socket as engine_socket

from aro.runtime.logs import get_logger
from socket_gateway import websocket
from socket_gateway.wire import Wire, Wires

log = get_logger(__name__)

READ_BYTES: Final = 16 << 10
LINGER_SECONDS: Final = 1.0
"""How long the last words to a client may take."""
SEND_BUFFER_BYTES: Final = 256 << 10
"""The kernel would grow it to 4 MiB, seconds of lag that nobody sees."""
UNSENT_BYTES: Final = 128 << 10
"""The kernel takes no more than what is on its way to the client and this much, so that what waits is ours, where only
the newest is kept, and so that little progress is seen as such."""
USER_TIMEOUT_MS: Final = 20_000
"""A peer that acknowledges nothing for so long is gone."""
PIECE: Final = 0.1
"""What it costs a client, in messages, to send a piece that completes nothing."""
_MESSAGE: Final = str(engine_packet.MESSAGE).encode()
_PONG: Final = [(websocket.TEXT, str(engine_packet.PONG).encode())]


class Engine(engineio.Server):  # type: ignore[misc]
    """Made by `plug_in`, never directly."""

    wires: Wires
    on_slow: Callable[[str, str], None]
    """(engine id, why): a client does not keep up; end it."""
    on_broken: Callable[[str], None]
    """(engine id): a client does not speak the protocol; end it."""
    spend: Callable[[str, float], bool]
    """(engine id, messages): count what a client sends besides messages; False if that is too much."""
    on_flood: Callable[[str], None]
    """(engine id): it was too much; end it."""

    def _handle_connect(self, environ: Any, start_response: Any, *_unused: Any) -> Any:  # noqa: ARG002
        """Answer the handshake and take the connection out of the WSGI server's hands."""
        answer = websocket.upgrade(environ)
        if answer is None:
            bad: dict[str, Any] = self._bad_request("not a WebSocket handshake")
            return bad
        engine_id = self.generate_id()
        connection = Connection(self, engine_id, self.wires.loop.take_over(environ), self.wires)
        self.sockets[engine_id] = connection
        opening = {
            "sid": engine_id,
            "upgrades": [],
            "pingTimeout": int(self.ping_timeout * 1000),
            "pingInterval": int(self.ping_interval * 1000),
            "maxPayload": self.max_http_buffer_size,
        }
        connection.wire.put(answer)
        connection.send(engine_packet.Packet(engine_packet.OPEN, opening))
        if self._trigger_event("connect", engine_id, environ, run_async=False) is False:
            connection.close(wait=False)
        connection.read_on()
        return []


class Sessions(socketio.Manager):  # type: ignore[misc]
    """Socket.IO's sessions without a room for each, which nobody sends to: leaving would look through all of them."""

    def basic_enter_room(self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None) -> None:
        if room is None:
            super().basic_enter_room(sid, namespace, room, eio_sid=eio_sid)


def plug_in(
    server: Any,
    wires: Wires,
    *,
    on_slow: Callable[[str, str], None],
    on_broken: Callable[[str], None],
    spend: Callable[[str, float], bool],
    on_flood: Callable[[str], None],
) -> None:
    """Put our Engine.IO below a Socket.IO server, which Flask-SocketIO makes, and of classes that nobody can choose."""
    engine: Engine = server.eio
    engine.__class__ = Engine
    engine.wires, engine.on_slow, engine.on_broken = wires, on_slow, on_broken
    engine.spend, engine.on_flood = spend, on_flood


class Connection(engine_socket.Socket):  # type: ignore[misc]
    """One client's connection, from the answered handshake to the closed socket."""

    def __init__(self, server: Engine, engine_id: str, raw: socket.socket, wires: Wires) -> None:
        # BaseSocket's own would also make a queue, which this has no use for.
        self.server, self.sid = server, engine_id
        self.connected = self.upgraded = True
        self.closing = self.closed = False
        self.session: dict[str, Any] = {}
        self._owes_pong = False
        _tune(raw)
        self.wire = Wire(raw, wires, self)
        self._raw = raw
        self._loop = wires.loop
        self._reader = websocket.Reader(server.max_http_buffer_size)
        self._reading: Any = None
        self._status = websocket.NORMAL

    def send(self, pkt: engine_packet.Packet) -> None:
        encoded = pkt.encode()
        if isinstance(encoded, str):
            self.wire.put(websocket.frame(websocket.TEXT, encoded.encode()))
        else:
            self.wire.put(websocket.frame(websocket.BINARY, encoded))

    def ping(self) -> None:
        """Ask for a sign of life, or end the connection if there was none since the last time.

        While the wire is busy the ping may not have been read yet, and that anything is read is looked at there.
        """
        if self.closing or (self._owes_pong and self.wire.is_busy):
            return
        if self._owes_pong:
            self.close(wait=False, reason=self.server.reason.PING_TIMEOUT)
            return
        self._owes_pong = True
        self.send(engine_packet.Packet(engine_packet.PING))

    def schedule_ping(self) -> None:
        """A pong has come."""
        self._owes_pong = False

    def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002
        """Tell Socket.IO, send what is in order already (unless `abort`, Engine.IO's own goodbye too), and close."""
        if self.closing:
            return
        self.closing = True
        reason = reason or self.server.reason.SERVER_DISCONNECT
        self.server._trigger_event("disconnect", self.sid, reason, run_async=False)
        if not abort:
            self.send(engine_packet.Packet(engine_packet.CLOSE))
        self.closed = True
        self.server.sockets.pop(self.sid, None)
        self.wire.end(websocket.close_frame(self._status), LINGER_SECONDS)

    def on_slow(self, detail: str) -> None:
        self.server.on_slow(self.sid, detail)

    def on_closed(self) -> None:
        self._stop_reading()

    def read_on(self) -> None:
        if self._reading is None and not self.wire.is_closed:
            self._reading = self._loop.on_readable(self._raw.fileno(), self._read)

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._loop.forget(self._reading)
            self._reading = None

    def _read(self, _number: int) -> None:
        """Called by the loop, so this must not wait: what may is left to a greenlet."""
        try:
            data = self._raw.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.wire.close()
            self._loop.spawn(self.close, False, True, self.server.reason.TRANSPORT_CLOSE)
        elif not self.closing:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
        except websocket.Broken as error:
            self._status = error.status
            self._stop_reading()
            self._loop.spawn(self._fail, error)
            return
        if messages == _PONG and self._owes_pong:
            self.schedule_ping()
        elif not self.server.spend(self.sid, _besides(messages)):
            self._stop_reading()
            self._loop.spawn(self._flooded)
        elif messages:
            self._stop_reading()
            self._loop.spawn(self._handle, messages)

    def _handle(self, messages: list[websocket.Message]) -> None:
        try:
            for opcode, payload in messages:
                if not self.closing:
                    self._take(opcode, payload)
        except Exception as error:  # noqa: BLE001 - whatever it was, the others must not notice
            self._fail(error)
        self.read_on()

    def _flooded(self) -> None:
        self.server.on_flood(self.sid)
        self.read_on()

    def _fail(self, error: Exception) -> None:
        log.info("connection broke", error=type(error).__name__)
        self.server.on_broken(self.sid)
        self.read_on()  # what else comes is read and dropped, until the client closes too

    def _take(self, opcode: int, payload: bytes) -> None:
        match opcode:
            case websocket.TEXT:
                self.receive(engine_packet.Packet(encoded_packet=payload.decode()))
            case websocket.BINARY:
                self.receive(engine_packet.Packet(encoded_packet=payload))
            case websocket.PING:
                self.wire.put(websocket.frame(websocket.PONG, payload))
            case websocket.CLOSE:
                self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_CLOSE)


def _besides(messages: list[websocket.Message]) -> float:
    """What these cost besides the messages among them, which are counted one by one when they are handled."""
    if not messages:
        return PIECE
    return sum(
        opcode != websocket.BINARY and (opcode, payload[:1]) != (websocket.TEXT, _MESSAGE)
        for opcode, payload in messages
    )


def _tune(raw: socket.socket) -> None:
    # Without this the second of two small messages waits for the client's delayed ACK: 40 ms on Linux.
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
