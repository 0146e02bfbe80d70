"""Our Engine.IO on engineio's own server: what it relies on is still there, and one connection from open to closed."""

import inspect
import json
import socket
from collections.abc import Iterator
from typing import Any

import engineio
import pytest
import socketio
from engineio import base_socket
from engineio import socket as engine_socket

from socket_gateway import websocket
from socket_gateway.engine import LINGER_SECONDS, Connection, Sessions, plug_in

HANDSHAKE = {
    "REQUEST_METHOD": "GET",
    "QUERY_STRING": "EIO=4&transport=websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_UPGRADE": "websocket",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Server:
    """An engineio server with our connections, and one client of it."""

    def __init__(self, line: Any) -> None:
        self.line = line
        self.seen: list[tuple[Any, ...]] = []
        self.refused: list[str] = []
        self.engine = engineio.Server(
            async_mode="threading",
            transports=["websocket"],
            async_handlers=False,
            monitor_clients=False,
            max_http_buffer_size=1_000,
        )
        for name in ("connect", "message", "disconnect"):
            self.engine.on(name, lambda *arguments, name=name: self.seen.append((name, *arguments[1:])))
        holder = type("Holder", (), {"eio": self.engine})
        self.extra, self.extra_limit = 0.0, 100.0
        plug_in(
            holder,
            line.wires,
            on_slow=lambda *words: self.seen.append(("slow", *words[1:])),
            on_broken=self.broken,
            spend=self.spend,
            on_flood=self.flooded,
        )
        line.wire.close()  # the connection makes its own
        line.peer.close()
        ours, line.peer = tcp_pair()
        answer = self.engine.handle_request(
            {**HANDSHAKE, "connection": ours}, lambda *words: self.refused.append(words[0])
        )
        assert answer == []
        [self.connection] = self.engine.sockets.values()

    def broken(self, engine_id: str) -> None:
        self.seen.append(("broken",))
        self.engine.sockets[engine_id].close(wait=False, abort=True)

    def spend(self, _engine_id: str, messages: float) -> bool:
        self.extra += messages
        return self.extra <= self.extra_limit

    def flooded(self, engine_id: str) -> None:
        self.seen.append(("flooded",))
        self.engine.sockets[engine_id].close(wait=False)

    def write(self, payload: bytes, opcode: int = websocket.TEXT) -> None:
        size = len(payload)
        head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else bytes([0x80 | opcode, 0xFE]) + size.to_bytes(2)
        self.line.peer.send(head + bytes(4) + payload)
        self.turn()

    def turn(self) -> None:
        while self.line.loop.turn():
            pass

    def read(self) -> bytes:
        self.line.received.clear()
        self.line.settle()
        return bytes(self.line.received)


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        peer = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
    for end in (ours, peer):
        end.setblocking(False)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a test does not wait for what it has sent
    return ours, peer


@pytest.fixture
def server(new_line: Any) -> Iterator[Server]:
    with new_line() as line:
        server = Server(line)
        server.turn()
        yield server
        server.connection.wire.close()


def test_what_is_used_of_engineio_is_there() -> None:
    """Semi-private names; a new version of engineio that changes one of them fails here."""
    assert list(inspect.signature(engineio.Server._handle_connect).parameters)[1:] == [
        "environ",
        "start_response",
        "transport",
        "jsonp_index",
    ]
    assert "self._handle_connect(environ, start_response," in inspect.getsource(engineio.Server.handle_request)
    assert list(inspect.signature(engineio.Server._trigger_event).parameters)[1:] == ["event", "args", "kwargs"]
    made = type("Made", (base_socket.BaseSocket,), {})(engineio.Server(async_mode="threading"), "sid")
    assert set(vars(made)) == {
        *("server", "sid", "queue", "last_ping", "connected", "upgrading", "upgraded", "closing", "closed", "session")
    }
    received = inspect.getsource(engine_socket.Socket.receive)
    for used in ("self.schedule_ping()", "self.server._trigger_event('message'", "self.send(", "self.close(wait=False"):
        assert used in received
    overridden = {"send", "close", "schedule_ping"}
    assert overridden <= set(vars(engine_socket.Socket)) & set(vars(Connection))


def test_sessions_come_and_go_without_rooms_of_their_own() -> None:
    manager = Sessions()
    socketio.Server(async_mode="threading", client_manager=manager)
    sid = manager.pre_connect("engine-1", "/v1")
    manager.connect(sid, "/v1")
    assert manager.is_connected(sid, "/v1")
    assert (manager.sid_from_eio_sid("engine-1", "/v1"), manager.eio_sid_from_sid(sid, "/v1")) == (sid, "engine-1")
    assert list(manager.rooms["/v1"]) == [None]
    manager.pre_disconnect(sid, "/v1")
    manager.disconnect(sid, "/v1")
    assert not manager.is_connected(sid, "/v1")
    assert manager.sid_from_eio_sid("engine-1", "/v1") is None


def test_the_handshake_is_answered_and_the_session_opened(server: Server) -> None:
    head, _, frames = server.read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    opened = json.loads(frames[3:])
    assert (frames[2:3], opened["sid"], opened["upgrades"]) == (b"0", server.connection.sid, [])
    assert opened["maxPayload"] == 1_000
    assert server.seen[0][0] == "connect"


def test_no_handshake_no_connection(server: Server) -> None:
    environ = {**HANDSHAKE, "HTTP_SEC_WEBSOCKET_VERSION": "8"}
    server.engine.handle_request(environ, lambda *words: server.refused.append(words[0]))
    assert server.refused[0].startswith("400")
    assert len(server.engine.sockets) == 1


def test_messages_are_handled_in_order_and_pings_answered(server: Server) -> None:
    server.read()
    server.write(b"4one")
    server.write(b"4two")
    server.write(b"ball", websocket.PING)
    assert server.seen[1:] == [("message", "one"), ("message", "two")]
    assert server.read() == websocket.frame(websocket.PONG, b"ball")


def test_reading_pauses_while_a_message_is_handled(server: Server) -> None:
    """So a client that asks faster than it is answered fills its own buffers, not ours."""
    waiting: list[bytes] = []

    def handle(_engine_id: str, text: str) -> None:
        if text == "first":
            server.line.peer.send(b"\x81\x88" + bytes(4) + b"4impatie")
            server.line.loop.turn()
            waiting.append(server.line.peer.fileno().to_bytes(2))
            assert ("message", "impatie") not in server.seen
        server.seen.append(("message", text))

    server.engine.on("message", handle)
    server.write(b"4first")
    server.turn()
    assert waiting
    assert server.seen[-2:] == [("message", "first"), ("message", "impatie")]


def test_a_pong_is_a_sign_of_life_and_silence_is_none(server: Server) -> None:
    server.read()
    server.connection.ping()
    assert server.read() == websocket.frame(websocket.TEXT, b"2")
    server.write(b"3")
    server.connection.ping()
    assert ("disconnect", "ping timeout") not in server.seen
    server.connection.ping()
    assert server.seen[-1] == ("disconnect", "ping timeout")
    assert server.engine.sockets == {}


def test_a_ping_that_waits_behind_data_is_not_unanswered(server: Server) -> None:
    while not server.connection.wire.is_busy:
        server.connection.wire.put(b"." * 10_000)
    for _ in range(3):
        server.connection.ping()
    assert server.seen[-1][0] == "connect"
    assert server.read().count(websocket.frame(websocket.TEXT, b"2")) == 1
    server.connection.ping()
    assert server.seen[-1] == ("disconnect", "ping timeout")


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"\x81\x01x", 1002), (b"\x81\xfe\x7f\xff", 1009), (b"\xf1\x80\x00\x00\x00\x00", 1002)],
)
def test_a_client_that_does_not_speak_websocket_is_told_so(server: Server, data: bytes, status: int) -> None:
    server.read()
    server.line.peer.send(data)
    server.turn()
    assert server.seen[-2:] == [("broken",), ("disconnect", "server disconnect")]
    assert server.read() == websocket.close_frame(status)


@pytest.mark.parametrize("payload", [b"", b"x", b"9", b"4\xff\xfe"])
def test_a_client_that_does_not_speak_engine_io_is_ended(server: Server, payload: bytes) -> None:
    server.write(payload)
    assert ("broken",) in server.seen
    assert server.engine.sockets == {}


def test_a_client_may_leave_in_three_ways(new_line: Any) -> None:
    for leave in (
        lambda server: server.write(b"1"),
        lambda server: server.write(b"\x03\xe8", websocket.CLOSE),
        lambda server: server.line.peer.close(),
    ):
        with new_line() as line:
            server = Server(line)
            server.turn()
            leave(server)
            server.turn()
            assert server.seen[-1][0] == "disconnect"
            assert server.engine.sockets == {}
            line.clock.advance(LINGER_SECONDS)
            line.wires.check()
            assert (line.wires.open, line.loop.watched) == (0, 0)


def test_closing_waits_for_the_peer_but_not_for_ever(server: Server) -> None:
    server.read()
    server.connection.close(wait=False)
    goodbye = websocket.frame(websocket.TEXT, b"1") + websocket.close_frame(websocket.NORMAL)
    assert server.read() == goodbye
    server.write(b"4too late")
    assert ("message", "too late") not in server.seen
    assert server.line.wires.open == 1
    server.line.clock.advance(LINGER_SECONDS)
    server.line.wires.check()
    assert (server.line.wires.open, server.line.loop.watched) == (0, 0)


def test_a_slow_client_is_reported(server: Server) -> None:
    server.line.wires.max_outbox_bytes = 1_000
    while not server.connection.wire.is_busy:
        server.connection.wire.put(b"." * 1_000)
    server.connection.wire.put(b"." * 1_000)
    server.turn()
    assert server.seen[-1][0] == "slow"


def test_what_is_no_message_is_counted(server: Server) -> None:
    for opcode in (websocket.PING, websocket.PONG):
        server.write(b"x", opcode)
    server.write(b"3")  # a pong that nobody asked for
    assert server.extra == 3
    server.line.peer.send(b"\x81\x8a")  # a piece of a frame
    server.turn()
    assert server.extra == pytest.approx(3.1)
    server.line.peer.send(bytes(4) + b"4hello you")
    server.turn()
    assert server.extra == pytest.approx(3.1), "messages are counted where they are handled"
    server.connection.ping()
    server.write(b"3")
    assert server.extra == pytest.approx(3.1), "a pong that was asked for is free"


def test_a_flood_of_control_frames_ends_the_connection(server: Server) -> None:
    server.read()
    server.line.peer.send((b"\x89\x80" + bytes(4)) * 2_000)
    server.turn()
    assert ("flooded",) in server.seen
    assert len(server.read()) < 3 * server.extra_limit, "it is not answered ping by ping"
