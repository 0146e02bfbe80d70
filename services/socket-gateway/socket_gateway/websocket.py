"""RFC 6455 as a server speaks it: the answer to an upgrade, frames out, and frames in from any pieces. No I/O.

No extension is ever negotiated, so permessage-deflate (one zlib run per message *and client*) cannot happen, and
every reserved bit is an error.
"""

import base64
import hashlib
import struct
from collections.abc import Mapping
from typing import Any, Final

TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

NORMAL: Final = 1000
PROTOCOL_ERROR: Final = 1002
NOT_UTF8: Final = 1007
TOO_BIG: Final = 1009

MAX_CONTROL_BYTES: Final = 125
MAX_FRAGMENTS: Final = 64
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_CHARS: Final = 24

Message = tuple[int, bytes]
"""(`TEXT`, `BINARY`, `CLOSE`, `PING` or `PONG`; payload)"""


class Broken(Exception):
    """What came is not WebSocket as we take it; `status` is the code of the close frame."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def upgrade(environ: Mapping[str, Any]) -> bytes | None:
    """The whole ``101`` answer to a WSGI request; None if it is no handshake of RFC 6455."""
    connection = {part.strip().lower() for part in environ.get("HTTP_CONNECTION", "").split(",")}
    key = environ.get("HTTP_SEC_WEBSOCKET_KEY", "")
    if (
        "upgrade" not in connection
        or environ.get("HTTP_UPGRADE", "").lower() != "websocket"
        or environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13"
        or len(key) != _KEY_CHARS
        or not key.isascii()
    ):
        return None
    accept = base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def frame(opcode: int, payload: bytes) -> bytes:
    """One whole frame; servers do not mask."""
    size = len(payload)
    if size <= MAX_CONTROL_BYTES:
        return bytes((0x80 | opcode, size)) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", 0x80 | opcode, 126, size) + payload
    return struct.pack("!BBQ", 0x80 | opcode, 127, size) + payload


def close_frame(status: int, reason: str = "") -> bytes:
    return frame(CLOSE, struct.pack("!H", status) + reason.encode()[: MAX_CONTROL_BYTES - 2])


class Reader:
    """Gathers a client's frames into messages of at most `max_bytes`."""

    __slots__ = ("_buffer", "_max_bytes", "_opcode", "_parts")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = b""
        self._opcode = 0
        self._parts: list[bytes] | None = None

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes. Raises `Broken`; after that the reader is of no more use."""
        buffer = self._buffer + data if self._buffer else data
        messages: list[Message] = []
        start = 0
        while (taken := self._take(buffer, start)) is not None:
            final, opcode, payload, start = taken
            message = self._message(final, opcode, payload)
            if message is not None:
                messages.append(message)
        self._buffer = buffer[start:]
        return messages

    def _take(self, buffer: bytes, start: int) -> tuple[bool, int, bytes, int] | None:
        """(is it final, opcode, unmasked payload, where the next one starts); None if it is not all there."""
        have = len(buffer) - start
        if have < 2:
            return None
        first, second = buffer[start], buffer[start + 1]
        size, head = second & 0x7F, 2
        if first & 0x70:
            raise Broken(PROTOCOL_ERROR, "a reserved bit is set")
        if not second & 0x80:
            raise Broken(PROTOCOL_ERROR, "a client's frames are masked")
        if size > MAX_CONTROL_BYTES:
            if first & 0x08:
                raise Broken(PROTOCOL_ERROR, "a control frame is too long")
            extended = 2 if size == 126 else 8
            if have < 2 + extended:
                return None
            size, head = int.from_bytes(buffer[start + 2 : start + 2 + extended]), 2 + extended
        if size > self._max_bytes:
            raise Broken(TOO_BIG, f"a message may have {self._max_bytes} bytes")
        begin = start + head + 4
        end = begin + size
        if len(buffer) < end:
            return None
        return bool(first & 0x80), first & 0x0F, _unmask(buffer[begin:end], buffer[begin - 4 : begin]), end

    def _message(self, final: bool, opcode: int, payload: bytes) -> Message | None:
        if opcode in (CLOSE, PING, PONG):
            if not final:
                raise Broken(PROTOCOL_ERROR, "a control frame is fragmented")
            return opcode, payload
        if opcode in (TEXT, BINARY) and self._parts is None:
            if final:
                return opcode, payload
            self._opcode, self._parts = opcode, [payload]
            return None
        if opcode != 0 or self._parts is None:
            raise Broken(PROTOCOL_ERROR, "an opcode that cannot come here")
        self._parts.append(payload)
        if len(self._parts) > MAX_FRAGMENTS or sum(map(len, self._parts)) > self._max_bytes:
            raise Broken(TOO_BIG, f"a message may have {self._max_bytes} bytes")
        if not final:
            return None
        whole, self._parts = b"".join(self._parts), None
        return self._opcode, whole


def _unmask(data: bytes, mask: bytes) -> bytes:
    size = len(data)
    if mask == b"\x00\x00\x00\x00" or not size:
        return data
    # One XOR of two long integers: a loop over bytes would be 100 times slower.
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data) ^ int.from_bytes(repeated)).to_bytes(size)
