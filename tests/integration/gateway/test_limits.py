"""What a client may not do, what it is told, and that the others do not notice."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aro.testing.eventually import eventually

FROM_ONE_ADDRESS = {"ARO_GATEWAY_MAX_SOCKETS_PER_ADDRESS": "2000", "ARO_GATEWAY_HANDSHAKES_PER_SECOND": "2000"}
MALFORMED_EVENTS = [
    ("subscribe", ()),
    ("subscribe", (None,)),
    ("subscribe", ([],)),
    ("subscribe", ({"channels": []},)),
    ("subscribe", ({"channels": "status"},)),
    ("subscribe", ({"channels": ["status", 7]},)),
    ("subscribe", ({"channels": ["x" * 81]},)),
    ("subscribe", ({"channels": ["status"]}, "more")),
    ("subscribe", ({"channels": ["status"], "delta": "yes"},)),
    ("subscribe", ({"channels": ["status"], "resume": {"status": {"epoch": "a", "seq": -1}}},)),
    ("subscribe", ({"channels": ["status"], "max_rate_hz": 101},)),
    ("subscribe", ({"channels": ["status"], "id": ["x"]},)),
    ("unsubscribe", ({"channels": {"status": 1}},)),
    ("auth", ("token",)),
]


@pytest.mark.parametrize(("name", "arguments"), MALFORMED_EVENTS)
def test_malformed_payloads_are_answered(stack: Any, name: str, arguments: tuple[Any, ...]) -> None:
    with stack.connected() as raw:
        answer = raw.call(name, *arguments)
        assert answer["error"]["code"] == "invalid_request"
        error = raw.next_of("error")
        assert (error["code"], error["event"]) == ("invalid_request", name)
        assert raw.subscribe("status")["ok"], "the socket must live on"


def test_unknown_events_are_answered(stack: Any) -> None:
    with stack.connected() as raw:
        for name in ("join", "__init__", "trigger_event", "*", ""):
            assert raw.call(name, {})["error"]["code"] == "unknown_event"


@pytest.mark.parametrize(
    "frame",
    [
        '42/v1,["disconnect"]',
        '42/v1,["connect",{}]',
        "42/v1,{}",
        "42/v1,[]",
        "42/v1,[7]",
        "42/v1,",
        "42/v1,[" * 50,
        "42/v1," + "[" * 9_000,
        "4",
        "49/v1",
        '43/v1,1["ack of nothing"]',
        '451-/v1,["subscribe",{"_placeholder":true,"num":0}]',
        '4999999-/v1,["x"]',
        "x",
        "",
        "4\ud7ff",
    ],
)
def test_garbage_ends_the_connection_and_nothing_else(stack: Any, frame: str) -> None:
    with stack.connected() as bystander, stack.connected() as raw:
        raw.send_text(frame)
        raw.until_closed()
        assert "Traceback" not in str(raw.seen)
        assert bystander.subscribe("status")["ok"]
    assert "Traceback" not in stack.gateway.output()


def test_binary_ends_the_connection(stack: Any) -> None:
    with stack.connected() as raw:
        raw.send_binary(b"\x00" * 100)
        raw.until_closed()


def test_a_message_over_the_limit_ends_the_connection(stack: Any) -> None:
    with stack.connected() as raw:
        raw.call("subscribe", {"channels": ["x" * 80] * 128, "id": "y" * 80})
        raw.emit("subscribe", {"channels": ["status"], "id": "x" * 17_000})
        raw.until_closed()


def test_ended_sockets_leave_nothing_behind(stack: Any) -> None:
    for frame in ("x", '42/v1,["disconnect"]', "41/v1,", "1"):
        with stack.connected() as raw:
            raw.subscribe("ticks:SPY", "status")
            raw.send_text(frame)
            if frame != "41/v1,":
                raw.until_closed()
    eventually(lambda: stack.gateway.metric("ws_connections") == 0, "all sockets to be gone")
    assert stack.gateway.metric("ws_subscriptions") == 0


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory, stack: Any) -> Iterator[Any]:
    """A stack with limits that are quickly reached."""
    settings = {
        "ARO_GATEWAY_MAX_CHANNELS": "3",
        "ARO_GATEWAY_MAX_REQUEST_CHANNELS": "5",
        "ARO_GATEWAY_MESSAGES_PER_MINUTE": "20",
        "ARO_GATEWAY_MAX_SOCKETS_PER_USER": "2",
        "ARO_GATEWAY_ADMISSION_SECONDS": "0.5",
    }
    with type(stack)(Path(tmp_path_factory.mktemp("tight")), stack.auth, **settings) as running:
        yield running


def test_channels_per_socket(tight: Any) -> None:
    with tight.connected("channels") as raw:
        ticks = [f"ticks:{name}" for name in ("NIFTY", "SPY", "AAPL", "SENSEX")]
        answer = raw.subscribe(*ticks)
        assert [entry["channel"] for entry in answer["ok"]] == ticks[:3]
        assert [(r["channel"], r["code"]) for r in answer["rejected"]] == [(ticks[3], "too_many_channels")]
        raw.call("unsubscribe", {"channels": ticks[:1]})
        assert raw.subscribe(ticks[3], ticks[1])["rejected"] == []
        assert raw.subscribe(*["status"] * 6)["error"]["code"] == "invalid_request"


def test_messages_per_minute(tight: Any) -> None:
    with tight.connected("chatty") as raw, tight.connected("quiet") as bystander:
        for _ in range(20):  # the handshake was the first of the 20
            raw.emit("unsubscribe", {"channels": ["status"]})
        assert raw.next_of("error")["code"] == "rate_limited"
        raw.until(lambda name, _: name == "disconnect")
        raw.until_closed()
        assert bystander.subscribe("status")["ok"]
        assert tight.gateway.metric("ws_disconnects_total", reason="rate_limited") == 1


def test_sockets_per_account(tight: Any) -> None:
    with tight.connected("a"), tight.connected("b"):
        with tight.connected("a"), tight.raw() as third:
            kind, payload = third.connect(tight.auth.token("a"))
            assert (kind, payload["data"]["code"]) == ("refused", "too_many_sockets")
        eventually(lambda: tight.gateway.metric("ws_connections") == 2, "one to be gone")
        tight.connected("a").__exit__()


@pytest.fixture(scope="module")
def fronted(tmp_path_factory: pytest.TempPathFactory, stack: Any) -> Iterator[Any]:
    """A stack behind a proxy that is believed."""
    settings = {
        "ARO_TRUSTED_PROXIES": "127.0.0.0/8",
        "ARO_GATEWAY_MAX_SOCKETS_PER_ADDRESS": "2",
        "ARO_GATEWAY_HANDSHAKES_PER_ADDRESS": "6",
    }
    with type(stack)(Path(tmp_path_factory.mktemp("fronted")), stack.auth, **settings) as running:
        yield running


def knock(stack: Any, address: str) -> Any:
    """A connection from there, or None if it was refused with the hint to come back later."""
    try:
        return stack.wire(**{"X-Forwarded-For": address})
    except stack.refused as error:
        refusal = error
    assert refusal.status == 429
    assert int(refusal.headers["retry-after"]) >= 1
    return None


def test_sockets_per_address_behind_a_proxy(fronted: Any) -> None:
    """The proxy's own address is nobody's; what a client wrote before the proxy's word is not believed."""
    addresses = ["198.51.100.1", "203.0.113.9, 198.51.100.1", "198.51.100.2", "2001:db8:1:2::1", "2001:db8:1:2:ffff::9"]
    wires = [knock(fronted, address) for address in addresses]
    assert None not in wires
    assert [knock(fronted, address) for address in ("198.51.100.1", "2001:db8:1:2:3:4:5:6")] == [None, None]
    assert fronted.gateway.metric("ws_connects_total", result="too_many_sockets_of_address") == 2
    wires[0].close()
    wires.append(eventually(lambda: knock(fronted, "198.51.100.1"), "the place to be free again"))
    for wire in wires:
        wire.close()


def test_handshakes_per_address_behind_a_proxy(fronted: Any) -> None:
    for _ in range(6):
        eventually(lambda: knock(fronted, "198.51.100.77"), "a place").close()
    assert knock(fronted, "198.51.100.77") is None
    assert fronted.gateway.metric("ws_connects_total", result="too_many_handshakes_of_address") == 1
    other = knock(fronted, "198.51.100.78")
    assert other is not None
    other.close()


def test_who_never_shows_a_token_is_closed(tight: Any) -> None:
    with tight.raw() as silent, tight.connected("known") as admitted, tight.raw() as refused:
        assert refused.connect("nonsense")[0] == "refused"
        silent.until_closed(seconds=3)
        refused.until_closed(seconds=3)
        assert admitted.subscribe("status")["ok"]


def test_more_sockets_than_eventlet_serves_by_default(make_stack: Callable[..., Any]) -> None:
    """Eventlet's own limit of 1,024 would leave the next one hanging; ours answers 503, and frees places again."""
    stack = make_stack(ARO_GATEWAY_MAX_SOCKETS="1100", ARO_GATEWAY_MAX_SOCKETS_PER_USER="2000", **FROM_ONE_ADDRESS)
    with contextlib.ExitStack() as opened:
        for _ in range(1_100):
            opened.enter_context(stack.connected())
        assert stack.gateway.metric("ws_connections") == 1_100
        with pytest.raises(stack.refused) as caught:
            stack.raw()
        assert caught.value.status == 503
    eventually(lambda: stack.gateway.metric("ws_connections") == 0, "all to be gone")
    with stack.connected() as raw:
        assert raw.subscribe("status")["ok"]
