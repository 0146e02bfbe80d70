"""The wire form of messages: msgpack inside the platform, JSON at its edge."""

from typing import Any, Final, TypeVar

import msgspec

from aro.contracts.market import MESSAGE_VERSION, ChainSnapshot, RawChain, UnderlyingTick
from aro.contracts.names import snapshot_id, tick_id
from aro.contracts.problems import MessageRejected

MAX_MESSAGE_BYTES: Final = 1 << 20
"""A chain of 250 strikes is about 40 kB; whatever exceeds 1 MiB is not ours."""

_to_msgpack = msgspec.msgpack.Encoder()
_to_json = msgspec.json.Encoder()
_chain = msgspec.msgpack.Decoder(ChainSnapshot)
_tick = msgspec.msgpack.Decoder(UnderlyingTick)
_raw_chain = msgspec.msgpack.Decoder(RawChain)
_version = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])
_int = msgspec.msgpack.Decoder(int)


class _Head(msgspec.Struct, frozen=True):
    """The fields that a message's id is made of."""

    product: str
    source_seq: int
    expiry: str | None = None


_head = msgspec.msgpack.Decoder(_Head)
_MAP_16: Final = b"\xde"
_FOUR: Final = b"\x84"
_HEAD_MARK: Final = b"\xa9source_ts"
_HEAD_BYTES: Final = 160
"""A chain begins with product, expiry, expiry_ts and source_seq: these make a map of four pairs, read without all the
numbers that follow."""

Message = TypeVar("Message", ChainSnapshot, UnderlyingTick)


def encode_message(message: ChainSnapshot | UnderlyingTick) -> bytes:
    return _to_msgpack.encode(message)


def encode_json(value: Any) -> bytes:
    """JSON bytes of a contract; NaN and infinities become ``null``."""
    return _to_json.encode(value)


def decode_chain(data: bytes) -> ChainSnapshot:
    """Raises `MessageRejected` with reason ``too_large``, ``wrong_version`` or ``malformed``."""
    return _decode(data, _chain)


def decode_raw_chain(data: bytes) -> RawChain | None:
    """The head of a chain, with its columns as they are, unchecked; None for what `decode_chain` would reject, so that
    there is one place that says why. It takes 5 µs, `decode_chain` 40."""
    if len(data) > MAX_MESSAGE_BYTES:
        return None
    try:
        chain = _raw_chain.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return chain if chain.v == MESSAGE_VERSION else None


def decode_tick(data: bytes) -> UnderlyingTick:
    """Raises `MessageRejected` with reason ``too_large``, ``wrong_version`` or ``malformed``."""
    return _decode(data, _tick)


def message_id(data: bytes) -> str | None:
    """The id that logs carry for an encoded chain or tick, valid or not; None if it has none. It takes 1 µs for a chain
    as `encode_message` writes it, 8 µs for any other."""
    head = _quick_head(data) or _read_head(data)
    if head is None:
        return None
    if head.expiry is None:
        return tick_id(head.product, head.source_seq)
    return snapshot_id(head.product, head.expiry, head.source_seq)


def _quick_head(data: bytes) -> _Head | None:
    end = data.find(_HEAD_MARK, 0, _HEAD_BYTES)
    if end < 0 or data[:1] != _MAP_16:
        return None
    head = _read_head(_FOUR + data[3:end])
    return head if head is not None and head.expiry is not None else None


def _read_head(data: bytes) -> _Head | None:
    try:
        return _head.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _decode(data: bytes, decoder: msgspec.msgpack.Decoder[Message]) -> Message:
    if len(data) > MAX_MESSAGE_BYTES:
        raise MessageRejected("too_large", f"message of {len(data)} bytes; the limit is {MAX_MESSAGE_BYTES}")
    try:
        message = decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # A newer version may have fields that this one forbids: say so rather than "malformed".
        _reject_other_version(data)
        raise MessageRejected("malformed", f"not a {decoder.type.__name__}: {error}") from None
    if message.v != MESSAGE_VERSION:
        raise MessageRejected("wrong_version", f"message version {message.v}; this worker reads {MESSAGE_VERSION}")
    return message


def _reject_other_version(data: bytes) -> None:
    try:
        version = _int.decode(_version.decode(data)["v"])
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError, RecursionError):
        return
    if version != MESSAGE_VERSION:
        raise MessageRejected("wrong_version", f"message version {version}; this worker reads {MESSAGE_VERSION}")
