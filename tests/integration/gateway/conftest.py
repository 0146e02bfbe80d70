"""A real gateway on a real Redis, an issuer of tokens that it trusts, and a client that sees the wire order."""

import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aro.adapters.clock import SystemClock
from aro.adapters.live import LivePublisher, Publication, Published
from aro.adapters.tokens import TokenIssuer, to_jwk
from aro.testing.eventually import eventually
from aro.testing.servers import RedisServer
from aro.testing.services import HttpService

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)

ISSUER, AUDIENCE = "option-aro-auth", "option-aro"


class Auth:
    """Stands in for the auth service: serves a JWKS, and signs what a test asks for."""

    def __init__(self, port: int = 0) -> None:
        key = Ed25519PrivateKey.generate()
        self.issuer = TokenIssuer(key, "test-key", issuer=ISSUER, audience=AUDIENCE, clock=SystemClock())
        # Same key id, another key: what a forger would send.
        self.forger = TokenIssuer(
            Ed25519PrivateKey.generate(), "test-key", issuer=ISSUER, audience=AUDIENCE, clock=SystemClock()
        )
        document = json.dumps({"keys": [to_jwk("test-key", key.public_key())]}).encode()
        issuer = self.issuer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(document)

            def do_POST(self) -> None:
                """A login for anyone who knows the password."""
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if body["password"] != "right":
                    self._answer(b'{"code": "bad_credentials", "detail": "Wrong e-mail or password"}', 401)
                    return
                token = {"access_token": issuer.issue(body["email"], "user"), "token_type": "Bearer"}
                self._answer(json.dumps(token).encode())

            def _answer(self, data: bytes, status: int = 200) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def token(self, subject: str = "user-1", *, lifetime: int = 900) -> str:
        return self.issuer.issue(subject, "user", lifetime=lifetime)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Gateway(HttpService):
    def __init__(self, directory: Path, redis_url: str, auth_url: str, *, wait_for: str = "/readyz", **settings: str):
        environ = {
            "ARO_REDIS_URL": redis_url,
            "ARO_JWKS_URL": f"{auth_url}/.well-known/jwks.json",
            "ARO_GATEWAY_MAX_SOCKETS_PER_USER": "1000",
            "ARO_GATEWAY_DRAIN_SECONDS": "0.5",
            # Both are 5 s in earnest.
            "ARO_GATEWAY_HEARTBEAT_SECONDS": "1",
            "ARO_GATEWAY_CHECK_SECONDS": "1",
            **settings,
        }
        super().__init__("socket_gateway", directory, environ, wait_for=wait_for)

    def is_ready(self) -> bool:
        return requests.get(f"{self.url}/readyz", timeout=2).status_code == 200

    def metric(self, name: str, **labels: str) -> float:
        """The sum over all series of `name` that have these labels."""
        total = 0.0
        for line in requests.get(f"{self.url}/metrics", timeout=5).text.splitlines():
            found = re.fullmatch(r"([a-z_]+)(?:\{(.*)\})? ([-+.e0-9]+)", line)
            if found and found[1] == name and all(f'{k}="{v}"' in (found[2] or "") for k, v in labels.items()):
                total += float(found[3])
        return total


class HandshakeRefused(Exception):
    def __init__(self, status: int, headers: dict[str, str]) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.headers = headers


class Wire:
    """One WebSocket by hand: nothing is hidden, nothing is repaired. Raises OSError when it is closed."""

    def __init__(self, port: int, *, receive_buffer: int | None = None, **headers: str) -> None:
        self._socket = socket.socket()
        self._socket.settimeout(5)
        if receive_buffer is not None:
            # Before connecting, or the first window is larger.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.connect(("127.0.0.1", port))
        self._buffer = b""
        given = {"Host": f"127.0.0.1:{port}", "Connection": "Upgrade", "Upgrade": "websocket", **headers}
        given |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg=="}
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        self._socket.sendall(f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n{lines}\r\n".encode())
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
        if " 101 " not in first:
            self.close()
            raise HandshakeRefused(int(first.split()[1]), self.headers)

    def send(self, data: bytes, opcode: int = 1) -> None:
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
        # A mask of zeros leaves the data as it is.
        self._socket.sendall(bytes([0x80 | opcode]) + size + bytes(4) + data)

    def receive(self, timeout: float) -> str | None:
        """The next text; None at the server's close frame. Raises TimeoutError."""
        self._socket.settimeout(timeout)
        head = self._take(2)
        size = head[1] & 0x7F
        if size >= 126:
            size = int.from_bytes(self._take(2 if size == 126 else 8), "big")
        payload = self._take(size)
        return payload.decode() if head[0] == 0x81 else None

    def close(self) -> None:
        self._socket.close()

    def detach(self) -> tuple[socket.socket, bytes]:
        return self._socket, self._buffer

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _fill(self) -> None:
        more = self._socket.recv(1 << 16)
        if not more:
            raise ConnectionError("closed")
        self._buffer += more


class Raw:
    """Socket.IO spoken by hand, so that messages are seen in the order in which they were sent."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self._wire = Wire(port, receive_buffer=receive_buffer)
        self.opening = json.loads((self._wire.receive(5) or " {}")[1:])
        self.seen: list[tuple[str, Any]] = []
        """(event name, ``ack``, ``connect``, ``refused``, ``disconnect`` or ``close``; payload) in order."""
        self._ids = count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: TracebackType | type | BaseException | None) -> None:
        self._wire.close()

    def connect(self, token: Any = None, namespace: str = "/v1") -> tuple[str, Any]:
        """Ask for the namespace; ``("connect", …)`` or ``("refused", {message, data})``."""
        auth = "" if token is None else json.dumps({"token": token})
        self.send_text(f"40{namespace},{auth}" if namespace != "/" else f"40{auth}")
        return self.until(lambda name, _: name in ("connect", "refused"))

    def emit(self, name: str, *arguments: Any) -> None:
        self.send_text("42/v1," + json.dumps([name, *arguments]))

    def call(self, name: str, *arguments: Any) -> Any:
        """Emit and wait for the ack, keeping what comes before it in `seen`."""
        number = next(self._ids)
        self.send_text(f"42/v1,{number}" + json.dumps([name, *arguments]))
        return self.until(lambda kind, _: kind == "ack")[1]

    def subscribe(self, *channels: str, **options: Any) -> Any:
        return self.call("subscribe", {"channels": list(channels), **options})

    def send_text(self, text: str) -> None:
        self._wire.send(text.encode())

    def send_binary(self, data: bytes) -> None:
        self._wire.send(data, opcode=2)

    def until(self, predicate: Callable[[str, Any], bool], *, seconds: float = 5.0) -> tuple[str, Any]:
        """Read on to the first message that fits. Fails after `seconds`, or when the connection ends before."""
        deadline = time.monotonic() + seconds
        while True:
            message = self._read(deadline)
            if message is None:
                raise AssertionError(f"nothing that fits in {seconds} s; seen: {str(self.seen[-5:])[:500]}")
            if predicate(*message):
                return message
            if message[0] == "close":
                raise AssertionError(f"closed; seen: {str(self.seen[-5:])[:500]}")

    def next_of(self, name: str, channel: str | None = None, *, seconds: float = 5.0) -> Any:
        """Payload of the next event of this name (and channel)."""
        return self.until(lambda n, p: n == name and channel in (None, p.get("channel")), seconds=seconds)[1]

    def until_closed(self, *, seconds: float = 5.0) -> None:
        self.until(lambda name, _: name == "close", seconds=seconds)

    def detach(self) -> tuple[socket.socket, bytes]:
        """The bare connection, and what was read of it but not looked at."""
        return self._wire.detach()

    def poll(self) -> str | None:
        """The kind of the next message, or None if there is none yet."""
        message = self._read(time.monotonic() + 0.001)
        return message[0] if message else None

    def _read(self, deadline: float) -> tuple[str, Any] | None:
        while (left := deadline - time.monotonic()) > 0:
            try:
                text = self._wire.receive(left)
            except TimeoutError:
                return None
            except OSError:
                text = None
            if text == "2":
                self._wire.send(b"3")
                continue
            message = _parse(text)
            self.seen.append(message)
            return message
        return None


def _parse(text: str | None) -> tuple[str, Any]:
    if text is None or text == "1":
        return "close", None
    found = re.fullmatch(r"4(\d)(?:(/[^,]*),?)?(\d*)(.*)", text, re.DOTALL)
    assert found, text[:200]
    payload = json.loads(found[4]) if found[4] else None
    match found[1]:
        case "0":
            return "connect", payload
        case "1":
            return "disconnect", payload
        case "2":
            return payload[0], payload[1]
        case "3":
            return "ack", payload[0] if payload else None
        case "4":
            return "refused", payload
    raise AssertionError(text[:200])


class Stack(AbstractContextManager["Stack"]):
    """Redis, a gateway on it, and a publisher."""

    def __init__(self, directory: Path, auth: Auth, **settings: str) -> None:
        self.auth = auth
        self.redis = RedisServer(directory / "redis")
        self.gateway = Gateway(directory / "gateway", self.redis.url, auth.url, **settings)
        self._days = count(1)
        self._source_seq = count(int(time.time() * 1000))

    def __enter__(self) -> Self:
        self.redis.start()
        self.client = self.redis.client()
        self.publisher = LivePublisher(self.client)
        self.gateway.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gateway.kill()
        self.client.close()
        self.redis.kill()

    def expiry(self) -> str:
        """An expiry that no other test of this stack uses."""
        return f"20{next(self._days) + 30}-01-01"

    def chain(self) -> str:
        return f"chain:NIFTY:{self.expiry()}"

    def publish(self, channel: str, number: int = 0, *, pad: int = 0, **fields: Any) -> Published:
        data = {"n": number, "pad": "x" * pad, **fields, "source_ts": int(time.time() * 1000), "id": "test"}
        [published] = self.publisher.publish(
            [Publication(channel, next(self._source_seq), json.dumps(data, separators=(",", ":")).encode())]
        )
        assert published.accepted
        return published

    def seed(self, channel: str) -> Published:
        """Publish, and wait until the gateway knows the channel."""
        published = self.publish(channel)
        with self.connected() as raw:
            eventually(lambda: raw.subscribe(channel)["ok"], f"{channel} to be known")
        return published

    refused = HandshakeRefused

    def wire(self, gateway: Gateway | None = None, **headers: str) -> Wire:
        return Wire((gateway or self.gateway).port, **headers)

    def raw(self, *, receive_buffer: int | None = None) -> Raw:
        return Raw(self.gateway.port, receive_buffer=receive_buffer)

    def connected(self, subject: str = "user-1", *, lifetime: int = 900, receive_buffer: int | None = None) -> Raw:
        raw = self.raw(receive_buffer=receive_buffer)
        kind, payload = raw.connect(self.auth.token(subject, lifetime=lifetime))
        assert kind == "connect", payload
        return raw


@pytest.fixture(scope="session")
def auth() -> Iterator[Auth]:
    auth = Auth()
    yield auth
    auth.close()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, auth: Auth) -> Iterator[Stack]:
    """Shared by all tests of the gateway: they use channels of their own and kill nothing."""
    with Stack(Path(tmp_path_factory.mktemp("gateway")), auth) as running:
        yield running


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory, auth: Auth) -> Iterator[Stack]:
    """A module's own: its tests may kill what is in it."""
    with Stack(Path(tmp_path_factory.mktemp("own")), auth) as running:
        yield running


@pytest.fixture
def make_stack(tmp_path: Path, auth: Auth) -> Iterator[Callable[..., Stack]]:
    """A stack of a test's own, with its settings; ended with the test."""
    running: list[Stack] = []

    def make(**settings: str) -> Stack:
        stack = Stack(tmp_path / str(len(running)), auth, **settings)
        running.append(stack)
        return stack.__enter__()

    yield make
    for stack in running:
        stack.__exit__()
