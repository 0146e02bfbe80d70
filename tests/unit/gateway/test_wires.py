"""The owner of a connection's bytes: whole frames in order, the newest states for who is slow, and an end for who is
too slow."""

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socket_gateway import frames
from socket_gateway.websocket import CLOSE, frame

SLOW = 5.0
"""Seconds, of the wires of these tests."""


def parsed(stream: bytes) -> list[tuple[int, bytes]]:
    """(opcode, payload) of each frame of a server; fails unless all of them are whole."""
    found = []
    at = 0
    while at < len(stream):
        size, head = stream[at + 1] & 0x7F, 2
        if size >= 126:
            head = 4 if size == 126 else 10
            size = int.from_bytes(stream[at + 2 : at + head])
        assert stream[at] & 0xF0 == 0x80
        assert at + head + size <= len(stream), "a frame was cut"
        found.append((stream[at] & 0x0F, bytes(stream[at + head : at + head + size])))
        at += head + size
    return found


def test_an_idle_wire_writes_at_once(new_line: Any) -> None:
    with new_line() as line:
        line.wire.put(b"one")
        line.wire.put(b"two")
        assert line.read(100) == 6
        assert not line.wire.is_busy


def test_states_of_one_turn_leave_together_and_in_order(new_line: Any) -> None:
    with new_line() as line:
        line.wire.offer("a", b"a1", bytes)
        line.wire.offer("b", b"b1", bytes)
        line.wire.offer("a", b"a2", bytes)
        assert line.read(100) == 0, "the turn is not over"
        line.wires.flush()
        line.settle()
        assert line.received == b"a1b1a2"
        line.wire.offer("a", b"a3", bytes)
        line.wire.put(b"ack")
        line.settle()
        assert line.received == b"a1b1a2a3ack", "what goes in order waits for no turn, and nothing overtakes"


def test_a_busy_wire_sends_the_rest_then_acks_then_the_newest_states(new_line: Any) -> None:
    with new_line() as line:
        line.choke()
        line.wire.offer("a", b"[a1]", partial(pytest.fail, "nothing of it was skipped"))
        line.wire.offer("b", b"[b1]", bytes)
        line.wire.put(b"[ack]")
        line.wire.offer("b", b"[b2]", lambda: b"[B2]")
        line.wire.offer("b", b"[b3]", lambda: b"[B3]")
        line.settle()
        assert line.received.lstrip(b".") == b"[ack][a1][B3]"
        assert line.wires.skipped == 2
        assert not line.wire.is_busy
        line.wire.put(b"[idle again]")
        line.settle()
        assert line.received.endswith(b"[B3][idle again]")


def test_a_heartbeat_is_behind_all_that_it_speaks_of(new_line: Any) -> None:
    with new_line() as line:
        line.choke()
        line.wire.beat(b"[heart 1]")
        line.wire.offer("a", b"[a1]", bytes)
        line.wire.beat(b"[heart 2]")
        line.settle()
        assert line.received.lstrip(b".") == b"[a1][heart 2]"


def test_a_state_that_stands_by_itself_replaces_what_waits(new_line: Any) -> None:
    with new_line() as line:
        line.choke()
        line.wire.offer("a", b"[old epoch]", bytes)
        line.wire.put(b"[resync]")
        line.wire.state("a", b"[snapshot]")
        line.wire.offer("gone", b"[gone]", bytes)
        line.wire.forget("gone")
        line.settle()
        assert line.received.lstrip(b".") == b"[resync][snapshot]"


def test_forgetting_the_last_that_waits_ends_the_business(new_line: Any) -> None:
    with new_line() as line:
        line.choke()
        line.wire.offer("a", b"[a1]", bytes)
        while line.wire.queue[0] > 1:  # the rest is gone, the state still waits
            line.read(1000)
            line.loop.turn()
        line.wire.forget("a")
        line.settle()
        assert not line.wire.is_busy
        assert line.loop.watched == 0
        assert not line.wires.pressed


def test_too_much_is_slow(new_line: Any) -> None:
    with new_line(max_outbox_bytes=10_000) as line:
        line.choke()
        for number in range(20):
            line.wire.offer(str(number), b"x" * 1000, bytes)
        assert not line.slow, "the owner is called where waiting is allowed"
        line.loop.turn()
        [detail] = line.slow
        assert "the limit is 10000" in detail
        assert line.wire.queue[0] <= 1, "only the rest of a frame is kept"
        line.wire.offer("0", b"x", bytes)
        line.wire.put(b"x")
        assert line.wire.queue[0] <= 1, "and nothing is taken: it would leave a hole"


def test_no_progress_is_slow_and_progress_is_not(new_line: Any) -> None:
    with new_line() as line:
        line.choke()
        for _ in range(10):
            line.wire.offer("a", b"x" * 3000, lambda: b"x" * 3000)
            line.clock.advance(SLOW - 0.1)
            line.read(3000)
            line.loop.turn()
            line.wires.check()
            line.loop.turn()
            assert not line.slow
        line.choke()
        line.clock.advance(SLOW)
        line.wires.check()
        line.loop.turn()
        assert line.slow == ["nothing was taken for 5 s"]


def test_a_slow_client_hears_the_last_words_if_it_reads_at_last(new_line: Any) -> None:
    with new_line() as line:
        line.choke()
        line.wire.offer("a", b"[a1]", bytes)
        line.wire.put(b"[ack]")
        line.clock.advance(SLOW)
        line.wires.check()
        line.loop.turn()
        line.wire.last_words()
        line.wire.put(b"[slow]")
        line.wire.offer("a", b"[a2]", bytes)
        line.wire.end(b"[close]", 1.0)
        line.wire.put(b"[too late]")
        line.settle()
        assert line.received.lstrip(b".") == b"[slow][close]"
        assert line.peer.recv(10) == b"", "our end is shut"
        assert not line.is_closed, "the peer's own end is waited for"
        line.clock.advance(1.0)
        line.wires.check()
        assert line.is_closed
        assert line.wires.open == 0


def test_a_client_that_never_reads_is_closed_all_the_same(new_line: Any) -> None:
    with new_line() as line:
        line.choke()
        line.wire.end(b"[close]", 1.0)
        line.clock.advance(1.0)
        line.wires.check()
        assert line.is_closed
        assert (line.loop.watched, line.wires.open, len(line.wires.pressed)) == (0, 0, 0)


def test_a_dead_connection_is_left_to_its_reader(new_line: Any) -> None:
    with new_line() as line:
        line.peer.close()
        line.wire.put(b"one")
        line.wire.offer("a", b"two", bytes)
        line.wires.flush()
        assert not line.is_closed
        line.clock.advance(SLOW)
        line.wires.check()
        assert line.is_closed, "or closed, if it has none"


def test_ending_drops_states_but_not_what_goes_in_order(new_line: Any) -> None:
    with new_line() as line:
        line.choke()
        line.wire.offer("a", b"[a1]", bytes)
        line.wire.put(b"[draining]")
        line.wire.end(b"[close]", 1.0)
        line.settle()
        assert line.received.lstrip(b".") == b"[draining][close]"


def event(name: str, payload: Any) -> bytes:
    return frames.event(name, payload)


Steps = st.lists(
    st.sampled_from(["ack", "flush", "beat", "resync", "rejoin"])
    | st.tuples(st.just("read"), st.integers(1, 30_000))
    | st.tuples(st.just("publish"), st.sampled_from("abc"), st.integers(0, 20_000)),
    max_size=80,
)


@settings(max_examples=150, deadline=None)
@given(Steps)
def test_nothing_is_cut_reordered_or_left_out_silently(new_line: Any, steps: list[Any]) -> None:
    """However the peer reads: acks all come in order; of each channel, steps follow each other and only a whole state
    may jump; heartbeats never promise what was not sent; and the last state of each channel arrives."""
    with new_line() as line:
        sent = Sent(line)
        for step in steps:
            sent.do(step)
        line.wires.flush()
        line.wire.put(frame(CLOSE, b""))
        line.settle()
        assert not line.slow
        received = parsed(bytes(line.received))
    assert received.count((CLOSE, b"")) == 1
    seen = dict.fromkeys("abc", 0)
    acks = 0
    for name, payload in (json.loads(text.removeprefix(b"42/v1,")) for opcode, text in received if opcode != CLOSE):
        if name == "ack":
            acks += 1
            assert payload == acks
        elif name == "heartbeat":
            assert all(payload[channel] <= seen[channel] for channel in "abc")
        elif name in ("step", "whole"):
            channel, position, _ = payload
            assert position == seen[channel] + 1 or (name == "whole" and position >= seen[channel])
            seen[channel] = position
    assert (acks, seen) == (sent.acks, sent.positions)


class Sent:
    """Does to a line what a gateway does, and remembers it."""

    def __init__(self, line: Any) -> None:
        self.line = line
        self.positions = dict.fromkeys("abc", 0)
        self.acks = 0

    def do(self, step: Any) -> None:
        line = self.line
        match step:
            case "ack":
                self.ack()
            case "flush":
                line.wires.flush()
            case "beat":
                line.wire.beat(event("heartbeat", self.positions))
            case "resync":
                self.positions["a"] += 5
                line.wire.put(event("resync", "a"))
                self.show("a")
            case "rejoin":
                line.wire.forget("b")
                self.ack()
                self.show("b")
            case ("read", size):
                line.read(size)
                line.loop.turn()
            case ("publish", channel, size):
                self.positions[channel] += 1
                content = [channel, self.positions[channel], "x" * size]
                line.wire.offer(channel, event("step", content), partial(event, "whole", content))

    def ack(self) -> None:
        self.acks += 1
        self.line.wire.put(event("ack", self.acks))

    def show(self, channel: str) -> None:
        self.line.wire.state(channel, event("whole", [channel, self.positions[channel], ""]))
