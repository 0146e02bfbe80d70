"""Frames: one parser reads back what was meant, the data byte for byte, and every form is built once."""

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socket_gateway import frames
from socket_gateway.deltas import State
from socket_gateway.frames import PLAIN, Form, Message

DATA = b'{"spot":25000.50,"text":"\xe2\x82\xb9 \\u20b9","n":[1.0,null,1e-7],"big":123456789012345678901234567890}'
DEFLATED = Form(deflate=True)


def parse(stream: bytes) -> list[tuple[int, bytes]]:
    """(opcode, payload) of each frame; RFC 6455, 5.2."""
    found = []
    while stream:
        first, size = stream[0], stream[1]
        assert first & 0xF0 == 0x80, "final, and no extension"
        assert size < 0x80, "not masked"
        at = 2
        if size == 126:
            at, size = 4, int.from_bytes(stream[2:4], "big")
            assert size >= 126, "the shortest form"
        elif size == 127:
            at, size = 10, int.from_bytes(stream[2:10], "big")
            assert size >= 1 << 16, "the shortest form"
        assert len(stream) >= at + size
        found.append((first & 0x0F, stream[at : at + size]))
        stream = stream[at + size :]
    return found


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_every_length_has_its_head(size: int) -> None:
    payload = b"x" * size
    assert parse(frames.text(payload) + frames.binary(payload)) == [(1, payload), (2, payload)]


def test_an_event_is_a_packet_of_the_namespace() -> None:
    [(opcode, packet)] = parse(frames.event("heartbeat", {"server_ts": 1, "channels": {"status": None}}))
    assert (opcode, packet) == (1, b'42/v1,["heartbeat",{"server_ts":1,"channels":{"status":null}}]')


def test_hostile_text_stays_inside_its_string() -> None:
    [(_, packet)] = parse(frames.event("error", {"code": "x", "detail": '"}],["'}))
    assert json.loads(packet.removeprefix(b"42/v1,"))[1]["detail"] == '"}],["'


def test_data_goes_out_byte_for_byte() -> None:
    message = Message("ticks:NIFTY", "6b0", 7, DATA)
    payload = b'{"channel":"ticks:NIFTY","epoch":"6b0","seq":7,"data":' + DATA + b"}"
    assert parse(message.step()) == [(1, b'42/v1,["update",' + payload + b"]")]
    assert parse(message.snapshot()) == [(1, b'42/v1,["snapshot",' + payload + b"]")]


def test_a_deflated_message_is_an_event_with_an_attachment() -> None:
    [(text, packet), (binary, attachment)] = parse(Message("ticks:NIFTY", "6b0", 7, DATA).snapshot(DEFLATED))
    assert (text, binary) == (1, 2)
    head = b'{"channel":"ticks:NIFTY","epoch":"6b0","seq":7,"data":{"_placeholder":true,"num":0}}'
    assert packet == b'451-/v1,["snapshot",' + head + b"]"
    assert zlib.decompress(attachment) == DATA


def test_a_delta_names_what_it_follows() -> None:
    before = {"a": 1, "column": list(range(100))}
    after = before | {"a": 2}
    message = Message("c", "e", 8, json.dumps(after).encode(), State(json.dumps(before).encode()))
    [(_, packet)] = parse(message.step(Form(delta=True)))
    payload = b'{"channel":"c","epoch":"e","prev_seq":7,"seq":8,"data":{"put":{"a":2}}}'
    assert packet == b'42/v1,["delta",' + payload + b"]"
    [(_, packet), (_, attachment)] = parse(message.step(Form(delta=True, deflate=True)))
    assert packet.startswith(b'451-/v1,["delta",')
    assert zlib.decompress(attachment) == b'{"put":{"a":2}}'
    assert parse(message.step())[0][1].startswith(b'42/v1,["update",')


@pytest.mark.parametrize("before", [None, State(b"not JSON"), State(b'{"n":2}')])
def test_without_a_patch_that_helps_it_is_an_update(before: State | None) -> None:
    message = Message("c", "e", 8, b'{"n":1}', before)
    assert message.step(Form(delta=True)) is message.step(PLAIN)


def test_every_form_is_built_once() -> None:
    message = Message("c", "e", 8, DATA, State(DATA.replace(b"25000.50", b"25000.55")))
    for form in (PLAIN, DEFLATED, Form(delta=True), Form(delta=True, deflate=True)):
        assert message.step(form) is message.step(form)
        assert message.snapshot(form) is message.snapshot(form)
    assert message.snapshot(Form(delta=True)) is message.snapshot()


def test_nothing_is_taken_apart_unless_deltas_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("compared")

    monkeypatch.setattr(frames.deltas, "make", fail)
    message = Message("c", "e", 8, b"{", State(b"}"))
    for form in (PLAIN, DEFLATED):
        message.step(form)
        message.snapshot(form)
    message.snapshot(Form(delta=True))


def test_a_settled_message_can_be_replayed_but_holds_nothing_else() -> None:
    message = Message("c", "e", 8, b'{"n":1,"m":[1,2,3]}', State(b'{"n":2,"m":[1,2,3]}'))
    deflated = message.step(DEFLATED)
    message.settle()
    assert message.state is None
    assert parse(message.step(Form(delta=True)))[0][1].startswith(b'42/v1,["update",')
    assert message.step(DEFLATED) == deflated


@given(
    name=st.sampled_from(["chain:NIFTY:2026-12-29", "status"]),
    seq=st.integers(1, 2**53),
    data=st.dictionaries(st.text(), st.text() | st.integers() | st.none() | st.lists(st.floats(allow_nan=False))),
    delta=st.booleans(),
)
def test_every_form_says_the_same(name: str, seq: int, data: dict[str, object], delta: bool) -> None:
    text = json.dumps(data).encode()
    message = Message(name, "e", seq, text)
    for form in (Form(delta), Form(delta, deflate=True)):
        for stream, kind in ((message.snapshot(form), "snapshot"), (message.step(form), "update")):
            (_, packet), *attachments = parse(stream)
            event, payload = json.loads(packet.partition(b"/v1,")[2])
            assert event == kind
            body = zlib.decompress(attachments[0][1]) if attachments else json.dumps(payload["data"])
            assert json.loads(body) == data
            assert (payload["channel"], payload["epoch"], payload["seq"]) == (name, "e", seq)
