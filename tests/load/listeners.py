"""Clients that note when messages arrive, all in one thread: with a thread each they would wait for one another, which
would count as latency of the platform."""

import contextlib
import json
import re
import selectors
import socket
import threading
import time
from typing import Final

import websocket

from aro.testing.witness import NAMESPACE

SOURCE_TS: Final = re.compile(rb'"source_ts":(\d+)')
TURN_SECONDS: Final = 0.2
_TEXT, _LONG = 0x81, 126
_PONG: Final = bytes([_TEXT, 0x81, 0, 0, 0, 0]) + b"3"


class Listeners:
    """`latencies_ms` are from `source_ts` to receipt, of every update of a channel of kind `watched`, of all."""

    def __init__(self, url: str, watched: str) -> None:
        self.latencies_ms: list[float] = []
        self.lost = 0
        """Connections that were closed."""
        self._url = f"{url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket"
        self._watched = f'42{NAMESPACE},["update",{{"channel":"{watched}:'.encode()
        # In a chain the time stands behind the columns.
        self._tail = 400 if watched == "chain" else 4_000
        self._selector = selectors.DefaultSelector()
        self._sockets: list[websocket.WebSocket] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def join(self, token: str, channels: list[str]) -> None:
        """One more client. Before `start`."""
        client = websocket.create_connection(self._url)
        client.recv()
        client.send(f"40{NAMESPACE}," + json.dumps({"token": token}))
        client.recv()
        client.send(f"42{NAMESPACE}," + json.dumps(["subscribe", {"channels": channels}]))
        client.sock.setblocking(False)
        self._sockets.append(client)
        self._selector.register(client.sock, selectors.EVENT_READ, bytearray())

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        for client in self._sockets:
            client.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            for key, _ in self._selector.select(TURN_SECONDS):
                connection: socket.socket = key.fileobj  # type: ignore[assignment]
                try:
                    data = connection.recv(1 << 18)
                except BlockingIOError:
                    continue
                except OSError:
                    data = b""
                now_ms = time.time() * 1000
                if not data:
                    self.lost += 1
                    self._selector.unregister(connection)
                    continue
                key.data.extend(data)
                self._take(connection, key.data, now_ms)

    def _take(self, connection: socket.socket, buffered: bytearray, now_ms: float) -> None:
        at = 0
        while (found := _frame(buffered, at)) is not None:
            start, end = found
            if buffered.startswith(self._watched, start):
                stamp = SOURCE_TS.search(buffered, max(start, end - self._tail), end)
                assert stamp is not None, bytes(buffered[start:end][-400:])
                self.latencies_ms.append(now_ms - int(stamp[1]))
            elif end - start == 1 and buffered[start] == ord("2"):
                with contextlib.suppress(OSError):
                    connection.send(_PONG)
            at = end
        del buffered[:at]


def _frame(data: bytearray, at: int) -> tuple[int, int] | None:
    """Start and end of the payload of the frame at `at`; None if it is not whole yet."""
    if len(data) < at + 2:
        return None
    size, start = data[at + 1], at + 2
    if size >= _LONG:
        width = 2 if size == _LONG else 8
        size, start = int.from_bytes(data[start : start + width], "big"), start + width
    return (start, start + size) if len(data) >= start + size else None
