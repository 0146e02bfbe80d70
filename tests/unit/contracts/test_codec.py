"""The wire form: what goes in comes out, and everything else is refused with its reason."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.contracts.codec import MAX_MESSAGE_BYTES, decode_chain, decode_tick, encode_json, encode_message, message_id
from aro.contracts.problems import MessageRejected
from aro.testing import factories


def test_messages_survive_the_wire() -> None:
    chain, tick = factories.chain(), factories.tick()
    assert decode_chain(encode_message(chain)) == chain
    assert decode_tick(encode_message(tick)) == tick


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "malformed"),
        (b"garbage", "malformed"),
        (b"\xc1" * 20, "malformed"),
        (b"\x91" * 100_000, "malformed"),
        (b"x" * (MAX_MESSAGE_BYTES + 1), "too_large"),
        (msgspec.msgpack.encode({"v": 2, "product": "NIFTY", "shape": "new"}), "wrong_version"),
        (encode_message(factories.chain(v=2)), "wrong_version"),
        (msgspec.msgpack.encode({"v": 1, "product": "NIFTY"}), "malformed"),
        (encode_message(factories.tick()), "malformed"),
    ],
)
def test_what_is_no_chain_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(MessageRejected) as refused:
        decode_chain(data)
    assert refused.value.reason == reason


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_but_decode_or_be_refused(data: bytes) -> None:
    for decode in (decode_chain, decode_tick):
        with pytest.raises(MessageRejected):
            decode(data)


def test_json_writes_null_for_what_is_not_a_number() -> None:
    assert encode_json({"a": float("nan"), "b": [float("inf"), 1.5, None]}) == b'{"a":null,"b":[null,1.5,null]}'


@given(st.integers(0, 1 << 53), st.integers(0, 1 << 53), st.sampled_from(["NIFTY", "M&M", "A" * 20]))
def test_the_id_of_a_chain_is_the_same_however_it_is_read(seq: int, expiry_ts: int, product: str) -> None:
    message = encode_message(factories.chain(product=product, source_seq=seq, expiry_ts=expiry_ts))
    fields = msgspec.msgpack.decode(message)
    in_another_order = msgspec.msgpack.encode(dict(reversed(fields.items())))
    assert message_id(message) == message_id(in_another_order) == f"{product}|2026-11-23|{seq}"
    cut = message[: len(message) // 2]
    assert message_id(cut) == message_id(message), "a dead letter says whose it is"


def test_the_id_of_a_message_is_read_without_the_rest() -> None:
    assert message_id(encode_message(factories.chain(source_seq=7))) == "NIFTY|2026-11-23|7"
    assert message_id(encode_message(factories.tick(source_seq=7))) == "NIFTY|7"
    for other in (b"", b"\xc1", b"\x93" * 3_000, msgspec.msgpack.encode({"product": "NIFTY"})):
        assert message_id(other) is None
