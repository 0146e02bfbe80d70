"""Publishing without waiting for the answer, so that one thread can publish and listen; answers are checked later."""

import socket
from collections.abc import Callable
from typing import Any

import hiredis

Command = Callable[[int, bytes], tuple[Any, ...]]
"""What publishes (n, data) for one kind of server."""


class Publisher:
    """`sound` says whether the answer to the command of message n is what it must be."""

    def __init__(self, port: int, command: Command, sound: Callable[[int, Any], bool], *, next_n: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = hiredis.Reader()
        self._command = command
        self._sound = sound
        self._answered = self.next_n = next_n
        self._unsent: list[bytes] = []

    def add(self, data: bytes) -> None:
        """Send it with the next `flush`."""
        self._unsent.append(hiredis.pack_command(self._command(self.next_n, data)))
        self.next_n += 1

    def flush(self) -> None:
        if self._unsent:
            self._socket.sendall(b"".join(self._unsent))
            self._unsent.clear()
            self._check(socket.MSG_DONTWAIT)

    def settle(self) -> None:
        """Wait for all answers. Raises RuntimeError if one is not sound."""
        while self._answered < self.next_n:
            self._check(0)

    def close(self) -> None:
        self._socket.close()

    def _check(self, flags: int) -> None:
        try:
            answered = self._socket.recv(1 << 16, flags)
        except BlockingIOError:
            return
        if not answered:
            raise RuntimeError("Redis closed the connection")
        self._reader.feed(answered)
        while (answer := self._reader.gets()) is not False:
            if not self._sound(self._answered, answer):
                raise RuntimeError(f"Redis answered {answer!r} to message {self._answered}")
            self._answered += 1
