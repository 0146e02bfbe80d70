"""What attacks on a gateway have in common: whom they hit, and somebody who would notice."""

import json
import socket
import statistics
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import requests

from aro.testing.eventually import eventually

HEAD = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
)
MB = 1 << 20
PATIENCE_SECONDS = 2


class Witness(threading.Thread):
    """A good client on a channel of its own, all the while: how long each message took, and what was wrong."""

    def __init__(self, stack: Any) -> None:
        super().__init__(name="witness", daemon=True)
        self._stack = stack
        self._channel = stack.chain()
        stack.seed(self._channel)
        self._raw = stack.connected("witness")
        self._raw.subscribe(self._channel)
        self._raw.next_of("snapshot")
        self.delays: list[float] = []
        self.fault: str | None = None
        self._done = threading.Event()

    def run(self) -> None:
        try:
            while not self._done.wait(0.03):
                began = time.monotonic()
                published = self._stack.publish(self._channel)
                update = self._raw.next_of("update", self._channel)
                self.delays.append(time.monotonic() - began)
                assert update["seq"] == published.seq
        except (AssertionError, OSError) as error:  # told by `stop`, where it fails the test
            self.fault = repr(error)

    def stop(self) -> None:
        self._done.set()
        self.join()
        self._raw.__exit__()
        assert self.fault is None
        assert "resync" not in [name for name, _ in self._raw.seen]
        assert statistics.median(self.delays) < 0.25
        assert max(self.delays) < 3, "several of us share few cores; the loop itself is never held up for long"


class Victim:
    """A gateway with little patience, its memory, and somebody who would notice."""

    def __init__(self, stack: Any) -> None:
        self.stack = stack
        self.process = psutil.Process(stack.gateway.pid)
        self.before = self.files = 0

    @property
    def port(self) -> int:
        port: int = self.stack.gateway.port
        return port

    def grown(self) -> float:
        """MB since the attack began."""
        return (self.process.memory_info().rss - self.before) / MB

    def count(self, result: str) -> float:
        counted: float = self.stack.gateway.metric("ws_connects_total", result=result)
        return counted

    def dial(self, sent: bytes = b"") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        connection.sendall(sent)
        return connection

    def open(self) -> socket.socket:
        """An upgraded connection, its opening read."""
        connection = self.dial(HEAD + UPGRADE + b"\r\n")
        data = b""
        while b'"maxPayload"' not in data:
            data += connection.recv(4096)
        return connection

    def admitted(self, subject: str) -> socket.socket:
        connection = self.open()
        connection.sendall(masked(b"40/v1," + json.dumps({"token": self.stack.auth.token(subject)}).encode()))
        assert connection.recv(4096)[2:8] == b"40/v1,"
        return connection


@contextmanager
def impatient(stack: Any, directory: Path) -> Iterator[Any]:
    """A stack that takes many clients from one address, and waits for none of them for long."""
    settings = {
        "ARO_GATEWAY_ADMISSION_SECONDS": str(PATIENCE_SECONDS),
        "ARO_GATEWAY_MAX_SOCKETS_PER_ADDRESS": "3000",
        "ARO_GATEWAY_HANDSHAKES_PER_SECOND": "3000",
        "ARO_GATEWAY_HANDSHAKES_PER_ADDRESS": "30000",
    }
    with type(stack)(directory, stack.auth, **settings) as running:
        yield running


@contextmanager
def attacked(stack: Any) -> Iterator[Victim]:
    """Afterwards all is as before, and nobody noticed anything."""
    victim = Victim(stack)
    witness = Witness(stack)
    witness.start()
    eventually(lambda: len(witness.delays) > 3 or witness.fault, "the witness to be served")
    victim.before, victim.files = victim.process.memory_info().rss, victim.process.num_fds()
    yield victim
    witness.stop()
    eventually(lambda: victim.process.num_fds() < victim.files, "all connections to be closed")
    assert requests.get(f"{stack.gateway.url}/livez", timeout=5).status_code == 200
    assert "Traceback" not in stack.gateway.output()


def closing(connection: socket.socket, seconds: float = 5.0) -> tuple[int | None, bytes]:
    """(status of the close frame, all that came before it), once the server has closed. Raises TimeoutError."""
    connection.settimeout(seconds)
    data = b""
    try:
        while more := connection.recv(1 << 16):
            data += more
    except ConnectionResetError:
        pass
    connection.close()
    at = data.rfind(b"\x88\x02")
    return (struct.unpack("!H", data[at + 2 : at + 4])[0], data[:at]) if at >= 0 else (None, data)


def masked(payload: bytes, first: int = 0x81) -> bytes:
    size = len(payload)
    head = bytes([first, 0x80 | size]) if size < 126 else bytes([first, 0xFE]) + struct.pack("!H", size)
    return head + bytes(4) + payload
