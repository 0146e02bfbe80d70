"""Packets: bytes that are never decoded go out as they came, and only what clients may send is read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socket_gateway.packets import Json, Malformed, StrictPacket, event, state_event

DATA = b'{"spot":25000.50,"text":"\xe2\x82\xb9 \\u20b9","n":[1.0,null,1e-7],"big":123456789012345678901234567890}'


def test_data_is_embedded_byte_for_byte() -> None:
    text = state_event("update", "ticks:NIFTY", "6b0", 7, DATA).encode()
    assert text == '42/v1,["update",{"channel":"ticks:NIFTY","epoch":"6b0","seq":7,"data":' + DATA.decode() + "}]"


def test_an_event_is_encoded_once_for_all() -> None:
    packet = event("heartbeat", {"server_ts": 1, "channels": {"status": None}})
    assert packet.encode() == '42/v1,["heartbeat",{"server_ts":1,"channels":{"status":null}}]'
    assert packet.encode() is packet.encode()


def test_hostile_names_stay_inside_their_string() -> None:
    packet = event("error", {"code": "x", "detail": '"}],["'})
    assert json.loads(packet.encode().removeprefix("42/v1,"))[1]["detail"] == '"}],["'


@pytest.mark.parametrize(
    ("text", "kind", "data"),
    [
        ('0/v1,{"token":"t"}', 0, {"token": "t"}),
        ("0/v1,", 0, None),
        ("0", 0, None),
        ("1/v1,", 1, None),
        ('2/v1,5["subscribe",{"channels":["status"]}]', 2, ["subscribe", {"channels": ["status"]}]),
        ('2/v1,["x"]', 2, ["x"]),
    ],
)
def test_what_clients_send_is_read(text: str, kind: int, data: object) -> None:
    packet = StrictPacket(encoded_packet=text)
    assert (packet.packet_type, packet.data) == (kind, data)


@pytest.mark.parametrize(
    "text",
    [
        '2/v1,["connect",{}]',
        '2/v1,["disconnect"]',
        "2/v1,[]",
        "2/v1,",
        "2/v1,{}",
        "2/v1,[null]",
        "3/v1,1[]",
        "4/v1,{}",
        '51-/v1,["x",{"_placeholder":true,"num":0}]',
        "21-[]",
        "7",
        "x",
        "²",
        "2/v1," + "[" * 5_000,
        "2/v1," + "9" * 200 + "[]",
        b"2",
    ],
)
def test_everything_else_is_malformed(text: str | bytes) -> None:
    with pytest.raises(Malformed):
        StrictPacket(encoded_packet=text)


@given(st.text(min_size=1, max_size=60) | st.from_regex(r"[0-6](\d+-)?(/v1,)?\d*[\[{].*", fullmatch=True))
def test_no_text_raises_anything_but_malformed(text: str) -> None:
    try:
        packet = StrictPacket(encoded_packet=text)
    except Malformed:
        return
    assert packet.packet_type in (0, 1, 2)
    assert packet.packet_type != 2 or isinstance(packet.data[0], str)


def test_json_module_raises_what_json_modules_raise() -> None:
    assert Json.loads(Json.dumps({"a": [1, None]}, separators=(",", ":"))) == {"a": [1, None]}
    for text in ("", "{", "NaN", "[" * 100_000, "\ud800"):
        with pytest.raises(ValueError, match="not JSON"):
            Json.loads(text)
