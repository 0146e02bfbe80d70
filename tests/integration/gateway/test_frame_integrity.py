"""Frames stay whole, in order and true, whoever reads them how slowly, and whatever else is written meanwhile."""

import contextlib
import json
import random
import select
import struct
import time
import zlib
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec
import pytest

from aro.adapters.live import Publication
from aro.testing.eventually import eventually

CHANNELS = 8
READERS = 24
SECONDS, FRAMES_PER_SECOND = 60.0, 1_000
"""So much time at least, however slow the machine."""
SIZES = (10, 300, 3_000, 40_000)
"""Lengths of payloads, and so all three forms of a frame's length."""


class Reader:
    """One client on a bare socket. It takes a few KB now and then, asks and pings all the time, and checks it all."""

    def __init__(self, raw: Any, most: int, channels: list[str], *, deflate: bool) -> None:
        self._socket, rest = raw.detach()
        self._socket.setblocking(False)
        self._buffer = bytearray(rest)
        self._most = most
        self._unsent = b""
        self._requests, self._acks = count(1), count(1)
        self._pings: deque[bytes] = deque()
        self._channels = channels
        self._options = {"encoding": "deflate"} if deflate else {}
        self._positions: dict[str, int] = {}
        self._attachment_of: Any = None
        self.frames = self.skips = self.pongs = self.acks = 0
        self.ask({"channels": channels, **self._options})

    def fileno(self) -> int:
        number: int = self._socket.fileno()
        return number

    def ask(self, request: Any) -> None:
        self._write(1, b"42/v1,%d" % next(self._requests) + json.dumps(["subscribe", request]).encode())

    def ping(self) -> None:
        self._pings.append(random.randbytes(random.randrange(126)))
        self._write(9, self._pings[-1])

    def rejoin(self) -> None:
        channel = random.choice(self._channels)
        self.ask({"channels": [channel], **self._options})

    def read(self) -> None:
        try:
            data = self._socket.recv(self._most)
        except BlockingIOError:
            return
        assert data, "closed"
        self._buffer += data
        start = 0
        while (end := self._end(start)) is not None:
            head = 2 if self._buffer[start + 1] < 126 else 4 if self._buffer[start + 1] == 126 else 10
            self._check(self._buffer[start], bytes(self._buffer[start + head : end]))
            start = end
        del self._buffer[:start]

    def _end(self, start: int) -> int | None:
        """Where the frame ends that begins at `start`; None if it is not all there."""
        have = len(self._buffer) - start
        if have < 2:
            return None
        size = self._buffer[start + 1]
        assert size <= 127, "masked"
        if size < 126:
            end = start + 2 + size
        elif have < 10:
            return None
        elif size == 126:
            end = start + 4 + int(struct.unpack_from("!H", self._buffer, start + 2)[0])
        else:
            end = start + 10 + int(struct.unpack_from("!Q", self._buffer, start + 2)[0])
        return end if end <= len(self._buffer) else None

    def _check(self, first: int, payload: bytes) -> None:
        self.frames += 1
        assert (first == 0x82) == (self._attachment_of is not None), "an event and its attachment belong together"
        if first == 0x82:
            name, state = self._attachment_of
            self._attachment_of = None
            self._state(name, {**state, "data": msgspec.json.decode(zlib.decompress(payload))})
        elif first == 0x8A:
            assert payload == self._pings.popleft()
            self.pongs += 1
        elif first == 0x81:
            self._text(payload)
        else:
            raise AssertionError(f"a frame that begins with {first:#x}: {payload!r}")

    def _text(self, payload: bytes) -> None:
        if payload == b"2":
            self._write(1, b"3")
        elif payload.startswith(b"43/v1,"):
            number, _, answer = payload[6:].partition(b"[")
            assert int(number) == next(self._acks)
            assert "rejected" in msgspec.json.decode(b"[" + answer)[0]
            self.acks += 1
        elif payload.startswith(b"451-/v1,"):
            self._attachment_of = msgspec.json.decode(payload[8:])
        else:
            assert payload.startswith(b"42/v1,"), payload[:100]
            name, content = msgspec.json.decode(payload[6:])
            if name == "heartbeat":
                for channel, position in content["channels"].items():
                    assert position is None or position <= self._positions.get(channel, 0), "a promise"
            else:
                self._state(name, content)

    def _state(self, name: str, state: dict[str, Any]) -> None:
        assert zlib.crc32(state["data"]["pad"].encode()) == state["data"]["crc"]
        last = self._positions.get(state["channel"], 0)
        if name == "update":
            assert state["seq"] == last + 1, "a silent hole"
        else:
            assert name == "snapshot"
            assert state["seq"] >= last
            self.skips += state["seq"] > last + 1
        self._positions[state["channel"]] = state["seq"]

    def _write(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else struct.pack("!BBH", 0x80 | opcode, 0xFE, size)
        self._unsent += head + bytes(4) + payload
        with contextlib.suppress(BlockingIOError):
            self._unsent = self._unsent[self._socket.send(self._unsent) :]


def test_every_frame_parses_and_every_checksum_matches(
    make_stack: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    stack = make_stack(
        ARO_GATEWAY_MESSAGES_PER_MINUTE="1000000", ARO_GATEWAY_SLOW_SECONDS="60", ARO_GATEWAY_HEARTBEAT_SECONDS="0.5"
    )
    channels = [stack.chain() for _ in range(CHANNELS)]
    publish(stack, channels)
    with contextlib.ExitStack() as opened:
        probe = opened.enter_context(stack.connected())
        eventually(lambda: not probe.subscribe(*channels)["rejected"], "the channels to be known")
        probe.call("unsubscribe", {"channels": channels})
        readers = []
        for number in range(READERS):
            is_tiny = number % 3 != 0
            raw = opened.enter_context(stack.connected(f"user-{number}", receive_buffer=8_192 if is_tiny else None))
            readers.append(Reader(raw, 2_000 if is_tiny else 1 << 16, channels, deflate=number % 2 == 0))
        exchange(stack, channels, readers, request.config.getoption("--frames"))
    assert all(reader.frames for reader in readers)
    assert min(sum(reader.pongs for reader in readers), sum(reader.acks for reader in readers)) > READERS
    assert sum(reader.skips for reader in readers) > 0, "nobody was slow: this has tried nothing"
    assert stack.gateway.metric("ws_conflated_total") > 0
    assert stack.gateway.metric("ws_disconnects_total", reason="slow") == 0


def exchange(stack: Any, channels: list[str], readers: list[Reader], frames: int) -> None:
    """Until so many frames were read: publications, slow reading, pings and requests, all mixed."""
    until = time.monotonic() + SECONDS + frames / FRAMES_PER_SECOND
    turn = 0
    while sum(reader.frames for reader in readers) < frames:
        assert time.monotonic() < until, [reader.frames for reader in readers]
        turn += 1
        if turn % 10 == 1:
            publish(stack, channels)
        ready, _, _ = select.select(readers, [], [], 0.01)
        for reader in ready:
            reader.read()
        chosen = random.choice(readers)
        chosen.ping()
        if turn % 7 == 0:
            chosen.rejoin()


def publish(stack: Any, channels: list[str]) -> None:
    """One message on each channel."""
    publications = []
    for channel in channels:
        pad = random.choice("xyz₹") * random.choice(SIZES)
        data = {"pad": pad, "crc": zlib.crc32(pad.encode()), "source_ts": int(time.time() * 1000)}
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()
        publications.append(Publication(channel, next(stack._source_seq), text))
    stack.publisher.publish(publications)
