"""Many light socket clients in one process: WebSocket and Socket.IO by hand, each watched by a `Continuity`.

They reconnect as good clients do (back-off with jitter, ``draining.retry_after``, ``Retry-After``), resume, apply
deltas and inflate, but repair nothing: what a client would ask again for is a fault.
"""

import asyncio
import random
import re
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from aro.adapters.embedded import LOOPBACK
from aro.testing.continuity import Continuity, Truth

NAMESPACE: Final = "/v1"
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0
"""Seconds; doubled at each attempt that fails, with jitter of a half."""
_TEXT, _BINARY, _CLOSE, _PING = 0x81, 0x82, 0x88, 0x89
_MASK_ZERO: Final = bytes(4)
_STATES: Final = frozenset({"snapshot", "update", "delta"})

Patch = Callable[[Any, Any], Any]
"""(state, patch) → the state after it."""


class Member:
    """One client. Read its attributes from any thread; its methods belong to the crowd's."""

    def __init__(
        self, token: str, channels: Sequence[str], truth: Truth, *, apply: Patch | None = None, **options: Any
    ) -> None:
        """`options` go into the subscription: ``delta`` (needs `apply`), ``encoding``, ``max_rate_hz``."""
        self.token = token
        self.channels = list(channels)
        self.options = options
        self.checked = Continuity(truth)
        self.heard: list[tuple[float, str, Any]] = []
        """(monotonic time of arrival, channel, `at` of the data) of every state."""
        self.connects = 0
        self.problems: Counter[str] = Counter()
        """Refusals by HTTP status or code, and codes of ``error`` events."""
        self.subscribed_at: float | None = None
        """When the last connection had its ack; None while there is none."""
        self.rejected: list[Any] = []
        self._apply = apply
        self._attempt = 0
        self._retry_after: float | None = None
        self._is_leaving = False
        self._link: _Link | None = None
        self._port = 0

    def connect(self, port: int) -> None:
        self._port = port
        self._go()

    def leave(self) -> None:
        self._is_leaving = True
        if self._link is not None and self._link.transport is not None:
            self._link.transport.abort()

    def opened(self, link: "_Link") -> None:
        link.send(b"40%b,%b" % (NAMESPACE.encode(), msgspec.json.encode({"token": self.token})))

    def lost(self) -> None:
        self.subscribed_at = None
        if self._is_leaving:
            return
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._attempt) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        self._attempt += 1
        if self._retry_after is not None:
            pause, self._retry_after = self._retry_after, None
        asyncio.get_running_loop().call_later(pause, self._go)

    def refused(self, status: int, retry_after: float | None) -> None:
        self.problems[str(status)] += 1
        self._retry_after = retry_after

    def packet(self, kind: str, data: Any, link: "_Link") -> None:
        """`kind` is Socket.IO's packet type."""
        if kind == "0":
            self._attempt = 0
            self.connects += 1
            self.checked.connected()
            request = {"channels": self.channels, "resume": self.checked.positions(), **self.options}
            link.send(b"42%b,0%b" % (NAMESPACE.encode(), msgspec.json.encode(["subscribe", request])))
        elif kind == "3":
            self.checked.answered(data[0]["ok"])
            self.rejected = data[0]["rejected"]
            self.subscribed_at = time.monotonic()
        elif kind == "4":
            self.problems[data["data"]["code"]] += 1
            link.close()
        elif kind == "2":
            self._take(*data)

    def _take(self, event: str, payload: Any) -> None:
        if event in _STATES:
            data = payload["data"]
            if isinstance(data, bytes | bytearray):
                data = msgspec.json.decode(zlib.decompress(data))
            if event == "delta" and self._apply is not None:
                data = self._apply(self.checked.data(payload["channel"]), data)
            payload = {**payload, "data": data}
            self.heard.append((time.monotonic(), payload["channel"], data.get("at")))
        elif event == "draining":
            self._retry_after = payload["retry_after"]
        elif event == "error":
            self.problems[payload["code"]] += 1
        self.checked.take(event, payload)

    def _go(self) -> None:
        if not self._is_leaving:
            self._link = _Link(self)
            asyncio.get_running_loop().create_task(self._open(self._link))

    async def _open(self, link: "_Link") -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: link, LOOPBACK, self._port)
        except OSError:
            self.lost()


class _Link(asyncio.Protocol):
    """One connection of a member."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._buffer = bytearray()
        self._is_open = False
        self._attached: tuple[str, Any] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: crowd\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        )

    def connection_lost(self, _: Exception | None) -> None:
        self._member.lost()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open and not self._open():
            return
        while (frame := self._frame()) is not None:
            self._take(*frame)

    def send(self, text: bytes) -> None:
        if self.transport is None:
            return
        size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
        # A mask of zeros leaves the text as it is.
        self.transport.write(bytes([_TEXT]) + size + _MASK_ZERO + text)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def _open(self) -> bool:
        head, separator, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not separator:
            return False
        status = int(head.split(b" ", 2)[1])
        if status != 101:
            found = re.search(rb"(?i)^retry-after: *([\d.]+)", head, re.MULTILINE)
            self._member.refused(status, float(found[1]) if found else None)
            self.close()
            return False
        self._is_open, self._buffer = True, bytearray(rest)
        return True

    def _frame(self) -> tuple[int, bytes] | None:
        """(first byte, payload) of the next whole frame."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1], 2
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(buffer[2:start], "big") if len(buffer) >= start else 1 << 62
        if len(buffer) < start + size:
            return None
        payload = bytes(buffer[start : start + size])
        first = buffer[0]
        del buffer[: start + size]
        return first, payload

    def _take(self, first: int, payload: bytes) -> None:
        if first == _BINARY and self._attached is not None:
            kind, data = self._attached
            self._attached = None
            data[1]["data"] = payload
            self._member.packet(kind, data, self)
        elif first == _TEXT and self._attached is None:
            self._text(payload)
        elif first == _CLOSE:
            self.close()
        elif first != _PING:
            self._member.checked.faults.append(f"a frame that begins with {first:#x}, {len(payload)} bytes")

    def _text(self, payload: bytes) -> None:
        if payload[:1] == b"0":
            self._member.opened(self)
        elif payload == b"2":
            self.send(b"3")
        elif payload[:1] == b"4":
            head, _, body = payload.partition(b",")
            data = msgspec.json.decode(body.lstrip(b"0123456789")) if body else None
            if head[1:2] == b"5":
                self._attached = ("2", data)
            else:
                self._member.packet(head[1:2].decode(), data, self)


class Crowd:
    """Members on an event loop in a thread of its own."""

    def __init__(self, port: int, members: Sequence[Member]) -> None:
        self._port = port
        self.members = list(members)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="crowd", daemon=True)

    def start(self) -> None:
        self._thread.start()
        for member in self.members:
            self._loop.call_soon_threadsafe(member.connect, self._port)

    def stop(self) -> None:
        for member in self.members:
            self._loop.call_soon_threadsafe(member.leave)
        self._loop.call_soon_threadsafe(self._loop.call_later, 0.1, self._loop.stop)
        self._thread.join()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def faults(self) -> list[str]:
        """What any member must not have been told; the first hundred."""
        found = (f"{number}: {fault}" for number, member in enumerate(self.members) for fault in member.checked.faults)
        return [fault for fault, _ in zip(found, range(100), strict=False)]

    def told(self) -> Counter[str]:
        """The sum of what all members were told."""
        return sum((member.checked.told for member in self.members), Counter[str]())

    def problems(self) -> Counter[str]:
        """The sum of what members were refused for."""
        return sum((member.problems for member in self.members), Counter[str]())

    def subscribed(self, since: float = 0.0) -> int:
        """How many members are subscribed on a connection that had its ack after `since` (monotonic)."""
        return sum(1 for member in self.members if (member.subscribed_at or -1.0) > since)
