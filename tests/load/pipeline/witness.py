"""Who hears what was published and when: a process of its own, as a socket gateway is."""

import multiprocessing
import re
import socket
import time
from multiprocessing.sharedctypes import RawArray, RawValue
from typing import Any

import hiredis

from aro.adapters.embedded import LOOPBACK
from aro.contracts.names import PUBSUB_LIVE

CAPACITY = 600_000
"""Messages between two calls of `clear`."""
OF_PEER = "peer-chains"
_SEQ = re.compile(rb'"source_seq": ?(\d+)')


class Witness:
    """`heard` counts chains; `at[seq - base]` is the monotonic nanosecond at which that one was heard, else 0."""

    def __init__(self, port: int) -> None:
        self.at = RawArray("q", CAPACITY)
        self._heard = RawValue("q", 0)
        self._base = RawValue("q", 0)
        self._listening = RawValue("q", 0)
        context = multiprocessing.get_context("spawn")
        arguments = (port, self.at, self._heard, self._base, self._listening)
        self._process = context.Process(target=_listen, args=arguments, daemon=True)
        self._process.start()
        while not self._listening.value:
            time.sleep(0.01)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def heard(self) -> int:
        return int(self._heard.value)

    def clear(self, base: int) -> None:
        """From now on only `base` and later numbers count."""
        self._base.value = base
        self._heard.value = 0
        self.at[:] = [0] * CAPACITY

    def close(self) -> None:
        self._process.kill()
        self._process.join()


def _listen(port: int, at: Any, heard: Any, base: Any, listening: Any) -> None:
    connection = socket.create_connection((LOOPBACK, port))
    connection.sendall(f"SUBSCRIBE {PUBSUB_LIVE} {OF_PEER}\r\n".encode())
    reader = hiredis.Reader()
    while True:
        reader.feed(connection.recv(1 << 20))
        while (message := reader.gets()) is not False:
            if message[0] != b"message":
                listening.value = 1
                continue
            seq = _seq(message[2])
            if seq is not None and 0 <= seq - base.value < CAPACITY and not at[seq - base.value]:
                at[seq - base.value] = time.monotonic_ns()
                heard.value += 1


def _seq(data: bytes) -> int | None:
    if data.startswith(b"chain:"):
        return int(data[:120].split(b" ", 4)[3])
    found = _SEQ.search(data, 0, 400) if data.startswith(b"{") else None
    return int(found[1]) if found else None
