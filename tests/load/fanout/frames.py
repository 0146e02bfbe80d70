"""What every server has to send, byte for byte, and what a client says: WebSocket frames around Socket.IO packets.

Message `n` of `size` bytes is a function of these two alone, so whoever receives can compute what must have come.
"""

import json
import random
import re
import string
from collections.abc import Callable
from dataclasses import dataclass

TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
_TEXT_POOL = "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=100_000))
SMALLEST, LARGEST = 64, 1 << 16


def message(n: int, size: int, source_ts: int) -> bytes:
    """The JSON object of `size` bytes that is published as number `n`; compact, as every encoder here writes it."""
    head, tail = f'{{"n":{n},"text":"', f'","source_ts":{source_ts}}}'
    room = size - len(head) - len(tail)
    if not SMALLEST <= size <= LARGEST:
        raise ValueError(f"a message has from {SMALLEST} to {LARGEST} bytes, not {size}")
    start = n * 7_919 % (len(_TEXT_POOL) - room)
    return f"{head}{_TEXT_POOL[start : start + room]}{tail}".encode()


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """As a server sends it: one frame, no mask."""
    return bytes((opcode,)) + _length(len(payload), 0) + payload


def masked(payload: bytes, opcode: int = TEXT) -> bytes:
    """As a client must send it; a mask of zeros leaves the payload as it is."""
    return bytes((opcode,)) + _length(len(payload), 0x80) + bytes(4) + payload


def _length(size: int, flag: int) -> bytes:
    if size < 126:
        return bytes((flag | size,))
    if size < 1 << 16:
        return bytes((flag | 126,)) + size.to_bytes(2, "big")
    return bytes((flag | 127,)) + size.to_bytes(8, "big")


def split(data: bytes, at: int) -> tuple[int, bytes, int] | None:
    """(opcode byte, payload, where it ends) of the frame that begins at `at`; None if it is not all there."""
    if len(data) < at + 2:
        return None
    size, begin = data[at + 1], at + 2
    if size >= 126:
        begin += 2 if size == 126 else 8
        if len(data) < begin:
            return None
        size = int.from_bytes(data[at + 2 : begin], "big")
    end = begin + size
    return (data[at], data[begin:end], end) if len(data) >= end else None


@dataclass(frozen=True, slots=True)
class Greeting:
    """One step of a handshake: say something, or nothing, and wait for a text that begins like this."""

    say: bytes | None
    hear: bytes


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server puts message `n` on the wire.

    `update` is the frame of the message that follows what a client has; `instead` the one that may come in place of
    several, or None if there is no such thing; `number` finds n in a text that should have been a message;
    `promised` finds in a heartbeat the n up to which a client must have everything.
    """

    greetings: tuple[Greeting, ...]
    update: Callable[[bytes, int], bytes]
    number: re.Pattern[bytes]
    control: tuple[bytes, ...] = ()
    instead: Callable[[bytes, int], bytes] | None = None
    promised: Callable[[bytes], int] | None = None


ROOM = "bench"


def stock() -> Dialect:
    """Any server that emits ``m`` with the object to a room, as tutorials do."""
    return Dialect(
        greetings=(
            Greeting(None, b"0{"),
            Greeting(b"40", b"40{"),
            Greeting(f'420["join","{ROOM}"]'.encode(), b"430["),
        ),
        update=lambda data, _n: frame(b'42["m",' + data + b"]"),
        number=re.compile(rb'^42\["m",\{"n":(\d+)'),
    )


def gateway(channel: str, epoch: str, token: str, present: int, data: bytes) -> Dialect:
    """Our gateway, whose ``seq`` is n. Who subscribes gets message `present`, which is `data`, as a snapshot."""

    def state(event: str, data: bytes, n: int) -> bytes:
        return f'42/v1,["{event}",{{"channel":"{channel}","epoch":"{epoch}","seq":{n},"data":'.encode() + data + b"}]"

    return Dialect(
        greetings=(
            Greeting(None, b"0{"),
            Greeting(f'40/v1,{{"token":"{token}"}}'.encode(), b"40/v1,{"),
            Greeting(f'42/v1,1["subscribe",{{"channels":["{channel}"]}}]'.encode(), b'43/v1,1[{"ok":[{"channel"'),
            Greeting(None, state("snapshot", data, present)),
        ),
        update=lambda data, n: frame(state("update", data, n)),
        instead=lambda data, n: frame(state("snapshot", data, n)),
        number=re.compile(rb'^42/v1,\["(?:snapshot|update)",\{.{0,120}?"seq":(\d+),'),
        control=(b'42/v1,["heartbeat",',),
        promised=lambda text: int(json.loads(text[6:])[1]["channels"][channel]),
    )
