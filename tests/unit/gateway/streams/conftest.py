"""A gateway without sockets: its own sequencer, events, fan-out, pacer, pulse and wires.

They are between a Redis that loses what Redis can lose and clients that read when they like, and believe nothing.
"""

import json
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from aro.adapters.clock import ManualClock
from aro.adapters.live import LiveState
from aro.adapters.tokens import Principal
from aro.testing.live_model import Redis
from aro.testing.patches import applied, load
from socket_gateway import frames
from socket_gateway.budgets import Budget
from socket_gateway.catalog import Catalog
from socket_gateway.channels import Sequencer
from socket_gateway.clients import Client, Clients
from socket_gateway.deadlines import Deadlines
from socket_gateway.events import MarketNamespace
from socket_gateway.fanout import Fanout
from socket_gateway.freshness import Freshness
from socket_gateway.pacer import Pacer
from socket_gateway.pulse import Pulse
from socket_gateway.replays import Allowed
from socket_gateway.rounds import Rounds
from socket_gateway.wire import Wire, Wires

CHANNELS = ("ticks:NIFTY", "surface:NIFTY")
OUTBOX = 6_000
HISTORY = 1 << 30
SLOW_SECONDS = 5.0


class Turns:
    """A `Loop` that turns when told to."""

    def __init__(self) -> None:
        self.writable: dict[int, Callable[[int], None]] = {}
        self.spawned: deque[Callable[[], Any]] = deque()

    def on_writable(self, number: int, callback: Callable[[int], None]) -> int:
        assert number not in self.writable
        self.writable[number] = callback
        return number

    def on_readable(self, number: int, callback: Callable[[int], None]) -> int:
        raise NotImplementedError

    def take_over(self, environ: dict[str, Any]) -> Any:
        raise NotImplementedError

    def forget(self, handle: int) -> None:
        del self.writable[handle]

    def spawn(self, task: Callable[..., Any], *arguments: Any) -> None:
        self.spawned.append(lambda: task(*arguments))


class Line:
    """The socket of a wire; its peer takes `room` bytes more."""

    def __init__(self, number: int, room: int) -> None:
        self.number = number
        self.room = room
        self.arrived = b""
        self.is_shut = False

    def send(self, data: bytes | memoryview) -> int:
        assert not self.is_shut
        if not self.room:
            raise BlockingIOError
        taken = bytes(data[: self.room])
        self.room -= len(taken)
        self.arrived += taken
        return len(taken)

    def fileno(self) -> int:
        return self.number

    def shutdown(self, _how: int) -> None:
        self.is_shut = True

    def close(self) -> None:
        self.is_shut = True

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Whole frames, taken out."""
        while len(self.arrived) >= 2:
            size, at = self.arrived[1], 2
            if size >= 126:
                at = 4 if size == 126 else 10
                size = int.from_bytes(self.arrived[2:at], "big")
            if len(self.arrived) < at + size:
                return
            frame = self.arrived[0] & 0x0F, self.arrived[at : at + size]
            self.arrived = self.arrived[at + size :]
            yield frame


class Reader:
    """A client, and the owner of its wire at the other end."""

    def __init__(self, world: "World", number: int, options: dict[str, Any], room: int) -> None:
        self.world = world
        self.number = number
        self.at: dict[str, tuple[str, int]] = {}
        self.states: dict[str, Any] = {}
        self.taken: Counter[str] = Counter()
        self.connect(room)
        self.options = options
        """Those of the next subscription."""

    @property
    def is_ended(self) -> bool:
        return self._was_closed or self.line.is_shut

    def connect(self, room: int) -> None:
        """A new connection; what was on its way on the old one is lost."""
        world = self.world
        self._was_closed = False
        self._head: Any = None
        self._asked: deque[tuple[str, list[str], dict[str, Any]]] = deque()
        self.joined: set[str] = set()
        """What it asked for, and the gateway has agreed to."""
        self.in_force: dict[str, dict[str, Any]] = {}
        """By channel, as far as the answers have arrived here."""
        self.resets: set[str] = set()
        self.line = Line(world.next_number(), room)
        self.wire = Wire(self.line, world.wires, self)  # type: ignore[arg-type]
        engine_id = sid = str(self.line.number)
        self.client = Client(engine_id, self.wire, 0.0, Budget(10**9, 0.0))
        world.clients.open(self.client)
        world.clients.admit(self.client, sid, Principal(str(self.number), "user", "t", 2**40))

    def reconnect(self, room: int, *, resume: bool) -> None:
        channels = sorted(self.joined) or [CHANNELS[0]]
        self.world.clients.dismiss(self.client.engine_id)
        self.world.clients.close(self.client.engine_id)
        self.world.fanout.leave_all(self.client)
        self.wire.close()
        self.connect(room)
        self.subscribe(channels, resume=resume)

    @property
    def may_ask(self) -> bool:
        return not self.is_ended and self.client.end_reason is None

    def on_slow(self, _detail: str) -> None:
        if not self.is_ended and not self.wire.is_closed:
            self.client.end_reason = "slow"
            self.wire.last_words()
            self.world.fanout.send(self.client, "error", {"code": "slow"})
            self.wire.end(b"\x88\x00", 1.0)

    def on_closed(self) -> None: ...

    def subscribe(self, channels: Iterable[str], *, resume: bool) -> None:
        request: dict[str, Any] = {"channels": list(channels), **self.options}
        if resume:
            request["resume"] = {name: dict(zip(("epoch", "seq"), at, strict=True)) for name, at in self.at.items()}
        answer = self._ask("subscribe", request)
        assert [entry["channel"] for entry in answer["ok"]] == request["channels"]
        for entry in answer["ok"]:
            assert {name: entry.get(name) for name in self.options} == self.options
        self.joined.update(channels)

    def unsubscribe(self, channel: str) -> None:
        self._ask("unsubscribe", {"channels": [channel]})
        self.joined.discard(channel)

    def _ask(self, event: str, request: dict[str, Any]) -> Any:
        """As the door and Socket.IO do: the ack, then what follows it."""
        answer = self.world.namespace.trigger_event(event, self.client.engine_id, request)
        self._asked.append((event, request["channels"], self.options))
        self.wire.put(frames.text(b"43/v1,1" + json.dumps([answer]).encode()))
        self.world.fanout.answered(self.client)
        return answer

    def _answered(self) -> None:
        event, channels, options = self._asked.popleft()
        for channel in channels:
            # What was to follow an older subscription may not have followed.
            self.resets.discard(channel)
            self.in_force.pop(channel, None)
            if event == "subscribe":
                self.in_force[channel] = options

    def read(self, size: int) -> None:
        """What has arrived; from now on `size` bytes more are taken."""
        self.line.room = size
        while (callback := self.world.turns.writable.get(self.line.number)) and self.line.room:
            callback(self.line.number)
        for opcode, payload in self.line.frames():
            self.take(opcode, payload)

    def take(self, opcode: int, payload: bytes) -> None:
        if opcode == 8:
            self._was_closed = True
        elif opcode == 2:
            assert self._head is not None
            (event, message), self._head = self._head, None
            self.learn(event, message | {"data": load(zlib.decompress(payload))}, "deflate")
        else:
            assert self._head is None, "between an event and its attachment"
            kind, _, packet = payload.partition(b"/v1,")
            if kind == b"451-":
                self._head = load(packet)
                assert self._head[1]["data"] == {"_placeholder": True, "num": "0"}
            elif kind == b"43":
                self._answered()
            else:
                self.hear(*load(packet))

    def hear(self, event: str, message: dict[str, Any]) -> None:
        if event in ("snapshot", "update", "delta"):
            self.learn(event, message, None)
        elif event == "resync":
            self.resets.add(message["channel"])
        elif event == "heartbeat":
            for channel, seq in message["channels"].items():
                epoch = self.world.beats[int(message["server_ts"])].get(channel)
                has = self.at.get(channel)
                if seq is not None and has is not None and has[0] == epoch and channel in self.in_force:
                    assert has[1] >= int(seq), "promised what was not sent"

    def learn(self, event: str, message: dict[str, Any], encoding: str | None) -> None:
        channel, to = message["channel"], (message["epoch"], int(message["seq"]))
        options = self.in_force[channel]
        assert encoding == options.get("encoding")
        assert event != "delta" or options.get("delta")
        at = self.at.get(channel)
        if event == "snapshot":
            assert at is None or (age(to), to[1]) >= (age(at), at[1])
            self.states[channel] = message["data"]
            self.resets.discard(channel)
        elif at is not None and at[0] == to[0] and to[1] <= at[1]:
            return  # sent again, for it was on its way when the client asked for it
        else:
            assert channel not in self.resets, "a resync must be followed by a snapshot"
            assert at == (to[0], to[1] - 1), f"a hole: {event} to {to} at {at}"
            if event == "update":
                self.states[channel] = message["data"]
            else:
                assert int(message["prev_seq"]) == at[1]
                self.states[channel] = applied(self.states[channel], message["data"])
        self.at[channel] = to
        self.taken[event] += 1
        assert self.states[channel] == load(self.world.redis.channels[channel].history[to])


def age(at: tuple[str, int]) -> int:
    return int(at[0][1:])


class World:
    """Everything between Redis and the clients."""

    def __init__(self) -> None:
        self.redis = Redis(CHANNELS)
        self.turns = Turns()
        self.clock = ManualClock(1_000_000)
        self.wires = Wires(self.turns, self.clock, max_outbox_bytes=OUTBOX, slow_seconds=SLOW_SECONDS)
        self.pacer = Pacer(self.wires, self.clock, lambda _task: None)
        self.fanout = Fanout(self.wires, self.pacer, max_channels=10)
        self.sequencer = Sequencer(self.redis, self.fanout, history_bytes=HISTORY)
        self.clients = Clients(max_per_user=1_000)
        catalog = Catalog(self.sequencer, lambda: True)
        nobody: Any = None
        self.namespace = MarketNamespace(
            self.clients,
            nobody,
            self.fanout,
            self.sequencer,
            catalog,
            max_request_channels=10,
            allowed=lambda _subject, _texts: Allowed(),
        )
        rounds: Rounds[Client] = Rounds(1.0)
        self.pulse = Pulse(
            self.clients,
            Deadlines(),
            nobody,
            self.fanout,
            self.wires,
            self.sequencer,
            Freshness(),
            self.clock,
            pings=rounds,
            heartbeats=rounds,
        )
        self.beats: dict[int, dict[str, str]] = {}
        """Which epochs a heartbeat (by its `server_ts`) speaks of."""
        self.readers: list[Reader] = []
        self.in_flight: deque[LiveState] = deque()
        self._numbers = 0

    def publish(self, channel: str, seed: int) -> None:
        self.in_flight.append(self.redis.channels[channel].publish(seed))

    def deliver(self, number: int, *, corked: bool) -> None:
        for _ in range(min(number, len(self.in_flight))):
            self.sequencer.announce(self.in_flight.popleft())
            if not corked:
                self.fanout.flush()
        self.fanout.flush()

    def lose(self, number: int) -> None:
        for _ in range(min(number, len(self.in_flight))):
            self.in_flight.popleft()

    def trim(self, channel: str, keep: int) -> None:
        log = self.redis.channels[channel].log
        while len(log) > keep:
            log.popleft()

    def check_positions(self) -> None:
        for channel, position in self.redis.positions(CHANNELS).items():
            if position is not None:
                self.sequencer.catch_up(channel, position)
        self.fanout.flush()

    def join(self, channels: Iterable[str], options: dict[str, Any], room: int) -> Reader:
        reader = Reader(self, len(self.readers), options, room)
        reader.subscribe(sorted(channels), resume=False)
        self.readers.append(reader)
        return reader

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.pacer.release()
        self.wires.check()

    def settle(self) -> None:
        """Everything arrives, everyone reads, and whoever was cut off comes back: all have what Redis has."""
        self.deliver(len(self.in_flight), corked=False)
        self.check_positions()
        for reader in self.readers:
            reader.read(10**9)
        self.turn()
        for reader in self.readers:
            reader.read(10**9)
            if reader.is_ended:
                reader.reconnect(10**9, resume=True)
        self.wait(2.0)
        self.beat()
        for reader in self.readers:
            reader.read(10**9)
            for channel in reader.joined:
                memory = self.sequencer.find(channel)
                if memory is not None:
                    assert reader.at[channel] == (memory.epoch, memory.seq)
                    assert reader.states[channel] == load(memory.data)

    def look(self) -> None:
        """What holds at every moment."""
        for reader in self.readers:
            assert reader.wire.queue[1] <= OUTBOX + 64_000
        assert self.fanout._joined == sum(len(reader.client.channels) for reader in self.readers)

    def next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def beat(self) -> None:
        self.clock.advance(0.001)
        memories = {name: self.sequencer.find(name) for name in CHANNELS}
        self.beats[self.clock.now_ms()] = {name: memory.epoch for name, memory in memories.items() if memory}
        self.pulse._send_heartbeats(list(self.clients))

    def turn(self) -> None:
        while self.turns.spawned:
            self.turns.spawned.popleft()()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def make_world() -> type[World]:
    return World
