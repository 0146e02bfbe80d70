"""The wire form: Socket.IO packets around JSON that is never decoded here, and strict reading of what clients send."""

from typing import Any, Final

import msgspec
import socketio
from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from socketio import packet as socketio_packet

NAMESPACE: Final = "/v1"
_PREFIX: Final = f"{socketio_packet.EVENT}{NAMESPACE},".encode()
_FROM_CLIENTS: Final = frozenset({socketio_packet.CONNECT, socketio_packet.DISCONNECT, socketio_packet.EVENT})
_RESERVED: Final = frozenset(socketio.Server.reserved_events)

_encoder = msgspec.json.Encoder()


class State(msgspec.Struct, frozen=True):
    """Payload of ``snapshot`` and ``update``; `data` goes out byte for byte as it came from Redis."""

    channel: str
    epoch: str
    seq: int
    data: msgspec.Raw


class Malformed(ValueError):
    """Not a packet that a client of this gateway sends."""


def event(name: str, payload: Any) -> EnginePacket:
    """One packet for any number of sockets: Engine.IO encodes it at its first use only."""
    return EnginePacket(MESSAGE, (_PREFIX + _encoder.encode((name, payload))).decode())


def state_event(name: str, channel: str, epoch: str, seq: int, data: bytes) -> EnginePacket:
    return event(name, State(channel, epoch, seq, msgspec.Raw(data)))


class Json:
    """The JSON module that Socket.IO and Engine.IO are given."""

    @staticmethod
    def dumps(value: Any, **_formatting: Any) -> str:
        return _encoder.encode(value).decode()

    @staticmethod
    def loads(text: str) -> Any:
        """Raises ValueError, as callers expect of a JSON module, also for absurd nesting."""
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise ValueError("not JSON") from error


class StrictPacket(socketio_packet.Packet):  # type: ignore[misc]
    """Socket.IO's packet, refusing what this protocol has no use for: attachments, acks, nameless events."""

    uses_binary_events = False
    json = Json

    def decode(self, encoded_packet: Any) -> int:
        """Raises `Malformed`."""
        if not isinstance(encoded_packet, str):
            raise Malformed("binary data")
        try:
            attachments = super().decode(encoded_packet)
        except (ValueError, IndexError) as error:
            raise Malformed("not a Socket.IO packet") from error
        if attachments or self.packet_type not in _FROM_CLIENTS:
            raise Malformed(f"packet type {self.packet_type}")
        if self.packet_type == socketio_packet.EVENT and not _is_event(self.data):
            raise Malformed("an event without a name")
        return 0


def _is_event(data: Any) -> bool:
    # An event called "connect" or "disconnect" would reach the handlers of the real ones.
    return isinstance(data, list) and bool(data) and isinstance(data[0], str) and data[0] not in _RESERVED
