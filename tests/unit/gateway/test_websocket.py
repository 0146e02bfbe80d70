"""RFC 6455: the answer to a handshake, frames in any pieces, and what breaks the connection."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socket_gateway import websocket
from socket_gateway.websocket import BINARY, CLOSE, PING, PONG, TEXT, Broken, Reader

ENVIRON = {
    "HTTP_CONNECTION": "keep-alive, Upgrade",
    "HTTP_UPGRADE": "WebSocket",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
}


def masked(
    opcode: int, payload: bytes, *, final: bool = True, mask: bytes = b"\x37\xfa\x21\x3d", bits: int = 0
) -> bytes:
    """A client's frame, made another way than the reader takes it apart."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", (0x80 if final else 0) | bits | opcode, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", (0x80 if final else 0) | bits | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", (0x80 if final else 0) | bits | opcode, 0x80 | 127, size)
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def test_the_answer_to_the_handshake_is_that_of_the_standard() -> None:
    """The example of RFC 6455, section 1.3."""
    answer = websocket.upgrade({**ENVIRON, "HTTP_SEC_WEBSOCKET_EXTENSIONS": "permessage-deflate"})
    assert answer is not None
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(b"\r\n\r\n")
    assert b"xtensions" not in answer


@pytest.mark.parametrize(
    "change",
    [
        {"HTTP_CONNECTION": "close"},
        {"HTTP_UPGRADE": "h2c"},
        {"HTTP_SEC_WEBSOCKET_VERSION": "8"},
        {"HTTP_SEC_WEBSOCKET_KEY": ""},
        {"HTTP_SEC_WEBSOCKET_KEY": "short"},
        {"HTTP_SEC_WEBSOCKET_KEY": "é" * 24},
    ],
)
def test_anything_else_is_no_handshake(change: dict[str, str]) -> None:
    assert websocket.upgrade({**ENVIRON, **change}) is None


def test_examples_of_the_standard() -> None:
    """RFC 6455, section 5.7: "Hello" whole, in two pieces, and a ping with its pong."""
    hello = bytes.fromhex("818537fa213d7f9f4d5158")
    assert Reader(100).feed(hello) == [(TEXT, b"Hello")]
    assert masked(TEXT, b"Hello") == hello
    pieces = masked(TEXT, b"Hel", final=False) + masked(PING, b"Hello") + masked(0, b"lo")
    assert Reader(100).feed(pieces) == [(PING, b"Hello"), (TEXT, b"Hello")]
    assert websocket.frame(PONG, b"Hello") == bytes.fromhex("8a0548656c6c6f")
    assert websocket.frame(BINARY, bytes(256))[:4] == bytes.fromhex("827e0100")
    assert websocket.frame(BINARY, bytes(65536))[:10] == bytes.fromhex("827f0000000000010000")
    assert websocket.close_frame(1002, "x" * 200)[:4] == bytes.fromhex("887d03ea")


Messages = st.lists(
    st.tuples(st.sampled_from([TEXT, BINARY, PING, PONG, CLOSE]), st.binary(max_size=125))
    | st.tuples(st.sampled_from([TEXT, BINARY]), st.binary(max_size=70_000)),
    max_size=8,
)


@given(Messages, st.binary(min_size=4, max_size=4), st.data())
def test_messages_come_whole_however_they_are_cut(
    messages: list[tuple[int, bytes]], mask: bytes, data: st.DataObject
) -> None:
    stream = b""
    for opcode, payload in messages:
        cut = data.draw(st.integers(0, len(payload))) if opcode in (TEXT, BINARY) else 0
        if cut:
            stream += masked(opcode, payload[:cut], final=False, mask=mask) + masked(PING, b"between")
            stream += masked(0, payload[cut:], mask=mask)
        else:
            stream += masked(opcode, payload, mask=mask)
    reader, got, start = Reader(1 << 20), [], 0
    while start < len(stream):
        size = data.draw(st.integers(1, 20_000))
        got += reader.feed(stream[start : start + size])
        start += size
    assert [message for message in got if message != (PING, b"between")] == [
        message for message in messages if message != (PING, b"between")
    ]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (masked(TEXT, b"x", bits=0x40), 1002),
        (b"\x81\x01x", 1002),
        (masked(3, b""), 1002),
        (masked(0xB, b""), 1002),
        (masked(0, b"continues nothing"), 1002),
        (masked(TEXT, b"a", final=False) + masked(TEXT, b"b"), 1002),
        (masked(PING, b"", final=False), 1002),
        (b"\x89\xfe", 1002),
        (masked(TEXT, b"x" * 101), 1009),
        (b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff", 1009),
        (masked(TEXT, b"x" * 60, final=False) + masked(0, b"x" * 60, final=False), 1009),
        (masked(TEXT, b"", final=False) + masked(0, b"", final=False) * 70, 1009),
    ],
)
def test_what_breaks_the_connection(data: bytes, status: int) -> None:
    with pytest.raises(Broken) as caught:
        Reader(100).feed(data)
    assert caught.value.status == status


def test_what_is_announced_too_long_is_not_waited_for() -> None:
    reader = Reader(100)
    with pytest.raises(Broken):
        reader.feed(b"\x81\xfe\x00\x65")


@given(st.binary(max_size=300))
def test_noise_raises_nothing_else(noise: bytes) -> None:
    with contextlib.suppress(Broken):
        Reader(100).feed(noise)
