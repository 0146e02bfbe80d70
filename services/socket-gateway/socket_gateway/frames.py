"""Every event in the form in which it leaves: complete WebSocket frames of Socket.IO packets, built once for all.

Pure. A result is one `bytes` that must leave in one piece: an event with an attachment is two frames, and nothing may
come between them. Frames of a server are not masked (RFC 6455, 5.1), and none is fragmented. The JSON of a channel's
state is embedded byte for byte as it came from Redis.

`DEFLATE_LEVEL` by measurement (zlib 1.2.13): bytes, and µs per message, on one core of a shared machine:

    ==============================  ======  ==========  ==========  ==========  ==========  ==========
    message                          bytes  level 1     level 3     level 4     level 6     level 9
    ==============================  ======  ==========  ==========  ==========  ==========  ==========
    chain of 81 strikes              28141  8736   81   8313  119   8016  230   7675  563   7563 1281
    its patch after a second         18987  6837   70   6584   88   6257   98   6012  356   6002  526
    metrics                           1473   746    9    737   10    718   11    711   11    711   11
    ==============================  ======  ==========  ==========  ==========  ==========  ==========

From level 5 on, a tenth of a millisecond more buys less than 2 %. Inflating the chain takes 34 µs.
"""

import zlib
from typing import Any, Final, Literal, NamedTuple

import msgspec

from socket_gateway import deltas
from socket_gateway.packets import NAMESPACE

DEFLATE_LEVEL: Final = 4
_FINAL_TEXT: Final = 0x81
_FINAL_BINARY: Final = 0x82
_EVENT: Final = f"42{NAMESPACE},".encode()
"""Engine.IO message, Socket.IO event."""
_EVENT_WITH_ATTACHMENT: Final = f"451-{NAMESPACE},".encode()
"""Engine.IO message, Socket.IO binary event with one attachment."""
_ATTACHMENT: Final = b'{"_placeholder":true,"num":0}'

_to_json: Final = msgspec.json.Encoder()
_Kind = Literal["snapshot", "update", "delta"]


class Form(NamedTuple):
    """How a subscriber wants a channel's messages."""

    delta: bool = False
    deflate: bool = False


PLAIN: Final = Form()


class _State(msgspec.Struct, frozen=True):
    """Payload of ``snapshot`` and ``update``."""

    channel: str
    epoch: str
    seq: int
    data: msgspec.Raw


class _Delta(msgspec.Struct, frozen=True):
    channel: str
    epoch: str
    prev_seq: int
    seq: int
    data: msgspec.Raw
    """A patch: see `socket_gateway.deltas`."""


def text(payload: bytes) -> bytes:
    """One frame with `payload`, which is UTF-8."""
    return _head(_FINAL_TEXT, len(payload)) + payload


def binary(payload: bytes) -> bytes:
    return _head(_FINAL_BINARY, len(payload)) + payload


def event(name: str, payload: Any) -> bytes:
    """An event of the namespace; `payload` is whatever msgspec makes JSON of."""
    return text(_EVENT + _to_json.encode((name, payload)))


class Message:
    """One message of one channel: the state that it leads to, in every form that somebody asks for.

    `before` is the state that it follows within its epoch; without it there is no ``delta``.
    """

    __slots__ = ("_before", "_built", "_patch", "attachment", "channel", "data", "epoch", "seq", "state")

    def __init__(
        self,
        channel: str,
        epoch: str,
        seq: int,
        data: bytes,
        before: deltas.State | None = None,
        *,
        attachment: bytes | None = None,
    ) -> None:
        self.channel: Final = channel
        self.epoch: Final = epoch
        self.seq: Final = seq
        self.data: Final = data
        self.state: deltas.State | None = deltas.State(data)
        self._before = before
        self._patch: bytes | None = None
        self.attachment: bytes | None = attachment
        """`data` deflated, once somebody asked for it."""
        self._built: dict[tuple[_Kind, bool], bytes] = {}

    def step(self, form: Form = PLAIN) -> bytes:
        """For who has the message before it: the event that `step_kind` names."""
        return self._frames(self.step_kind(form), form.deflate)

    def step_kind(self, form: Form = PLAIN) -> Literal["update", "delta"]:
        """``delta`` where that is wanted and clearly smaller, else ``update``."""
        if form.delta:
            self._compare()
        return "delta" if form.delta and self._patch is not None else "update"

    def snapshot(self, form: Form = PLAIN) -> bytes:
        """For everyone else."""
        return self._frames("snapshot", form.deflate)

    def settle(self) -> None:
        """It is not the newest any more: keep what a replay may need, and what took long to make."""
        self.state = self._before = self._patch = None
        self._built.clear()

    def _compare(self) -> None:
        if self._before is not None and self.state is not None:
            self._patch = deltas.make(self._before, self.state)
            self._before = None

    def _frames(self, kind: _Kind, deflate: bool) -> bytes:
        frames = self._built.get((kind, deflate))
        if frames is None:
            frames = self._built[kind, deflate] = self._build(kind, deflate)
        return frames

    def _build(self, kind: _Kind, deflate: bool) -> bytes:
        data = self.data if kind != "delta" or self._patch is None else self._patch
        if not deflate:
            return event(kind, self._payload(kind, data))
        if kind == "delta":
            attachment = zlib.compress(data, DEFLATE_LEVEL)
        else:
            attachment = self.attachment = self.attachment or zlib.compress(data, DEFLATE_LEVEL)
        packet = _EVENT_WITH_ATTACHMENT + _to_json.encode((kind, self._payload(kind, _ATTACHMENT)))
        return text(packet) + binary(attachment)

    def _payload(self, kind: _Kind, data: bytes) -> _State | _Delta:
        raw = msgspec.Raw(data)
        if kind == "delta":
            return _Delta(self.channel, self.epoch, self.seq - 1, self.seq, raw)
        return _State(self.channel, self.epoch, self.seq, raw)


def _head(first: int, size: int) -> bytes:
    if size < 126:
        return bytes((first, size))
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")
