"""Clients that never read: the others do not notice, memory does not grow, and they end as slow."""

import select
import statistics
import struct
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aro.testing.eventually import eventually

STALLED = 10
PER_SECOND = 20
MESSAGE_BYTES = 16_000
CALM_SECONDS = 3.0
MAX_GROWTH_KB = 20 * 1024


class Crowd(threading.Thread):
    """Clients that read at once, in one thread: when everything came, and whether anything was left out."""

    def __init__(self, raws: list[Any]) -> None:
        super().__init__(daemon=True)
        self._buffers: dict[int, bytearray] = {}
        self._sockets = {}
        self._poll = select.epoll()
        self._positions: dict[int, int] = {}
        self.delays: list[tuple[float, float]] = []
        """(when it was published, seconds until it was here), of every message and client."""
        self.faults: list[str] = []
        self.is_done = False
        for raw in raws:
            connection, rest = raw.detach()
            connection.setblocking(False)
            self._sockets[connection.fileno()] = connection
            self._buffers[connection.fileno()] = bytearray(rest)
            self._poll.register(connection.fileno(), select.EPOLLIN)

    def run(self) -> None:
        while not self.is_done:
            for number, _ in self._poll.poll(0.1):
                data = self._sockets[number].recv(1 << 18)
                if not data:
                    self.faults.append("closed")
                    self._poll.unregister(number)
                self._buffers[number] += data
                self._parse(number)
        self._poll.close()

    def _parse(self, number: int) -> None:
        buffer, start = self._buffers[number], 0
        while len(buffer) - start >= 4:
            size, head = buffer[start + 1], 2
            if size == 126:
                size, head = struct.unpack_from("!H", buffer, start + 2)[0], 4
            if len(buffer) < start + head + size:
                break
            self._take(number, bytes(buffer[start + head : start + head + size]))
            start += head + size
        del buffer[:start]

    def _take(self, number: int, text: bytes) -> None:
        if text == b"2":
            self._sockets[number].send(b"\x81\x813333\x00")  # a pong: "3", masked
        elif text.startswith(b'42/v1,["update"'):
            state = msgspec.json.decode(text[6:])[1]
            sent = state["data"]["sent"]
            self.delays.append((sent, time.monotonic() - sent))
            if state["seq"] != self._positions.get(number, state["seq"] - 1) + 1:
                self.faults.append(f"{state['seq']} came after {self._positions[number]}")
            self._positions[number] = state["seq"]
        elif text.startswith((b'42/v1,["snapshot"', b'42/v1,["error"', b'42/v1,["resync"')):
            self.faults.append(text[:200].decode())

    def p99(self, since: float, until: float) -> float:
        delays = [delay for sent, delay in self.delays if since <= sent < until]
        assert len(delays) > 100
        return statistics.quantiles(delays, n=100)[98]


def test_clients_that_never_read(
    make_stack: Callable[..., Any],
    request: pytest.FixtureRequest,
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    """The 99th percentiles of the good ones' delays, without and with the stalled, are recorded (``--junit-xml``); what
    they may be is no matter for a test on a shared machine."""
    stack = make_stack(ARO_GATEWAY_SLOW_SECONDS="2")
    channel = stack.chain()
    stack.seed(channel)
    with ExitStack() as opened:
        raws = [opened.enter_context(stack.connected()) for _ in range(request.config.getoption("--stalled-beside"))]
        for raw in raws:
            raw.subscribe(channel)
            raw.next_of("snapshot", channel)
        crowd = Crowd(raws)
        crowd.start()
        publisher = Publisher(stack, channel)
        publisher.start()
        try:
            # In both parts of the run the same is looked at as often: looking costs the gateway time.
            calm_from = time.monotonic()
            eventually(lambda: slow(stack) or time.monotonic() > calm_from + CALM_SECONDS, "calm", interval=0.5)
            before_kb = largest_kb = rss_kb(stack)
            calm_until = time.monotonic()
            for _ in range(STALLED):
                opened.enter_context(stack.connected(receive_buffer=2_048)).emit("subscribe", {"channels": [channel]})

            def are_gone() -> bool:
                nonlocal largest_kb
                largest_kb = max(largest_kb, rss_kb(stack))
                return slow(stack) == STALLED

            eventually(are_gone, "all that never read to be closed as slow", seconds=30, interval=0.5)
            stalled_until = time.monotonic()
        finally:
            publisher.is_done = crowd.is_done = True
            publisher.join()
            crowd.join()
        assert crowd.faults == []
        assert largest_kb - before_kb < MAX_GROWTH_KB
        calm, beside = crowd.p99(0, calm_until), crowd.p99(calm_until, stalled_until)
        for name, value in (("p99_calm_ms", 1e3 * calm), ("p99_beside_ms", 1e3 * beside)):
            record_testsuite_property(name, round(value, 2))
        record_testsuite_property("rss_growth_kb", largest_kb - before_kb)


class Publisher(threading.Thread):
    def __init__(self, stack: Any, channel: str) -> None:
        super().__init__(daemon=True)
        self._stack, self._channel = stack, channel
        self.is_done = False

    def run(self) -> None:
        number = 0
        while not self.is_done:
            number += 1
            self._stack.publish(self._channel, number, pad=MESSAGE_BYTES, sent=time.monotonic())
            time.sleep(1 / PER_SECOND)


def slow(stack: Any) -> float:
    count: float = stack.gateway.metric("ws_disconnects_total", reason="slow")
    return count


def rss_kb(stack: Any) -> int:
    status = Path(f"/proc/{stack.gateway.pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
