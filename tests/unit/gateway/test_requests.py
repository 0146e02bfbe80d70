"""What clients may ask for: payloads, names of channels, and how fresh the answer is."""

from typing import Any

import pytest

from aro.adapters.live import LiveState
from aro.contracts.codec import encode_json
from aro.contracts.problems import AroError, InvalidRequest, ServiceUnavailable, UnknownExpiry
from socket_gateway import metrics
from socket_gateway.catalog import Catalog
from socket_gateway.channels import Sequencer
from socket_gateway.frames import PLAIN, Form
from socket_gateway.freshness import Freshness
from socket_gateway.payloads import Resume, Subscribe, Unsubscribe, list_is_bounded, read


class Nowhere:
    def update(self, memory: Any) -> None: ...

    def reset(self, memory: Any, reason: Any) -> None: ...


def state(channel: str, data: bytes = b"{}") -> LiveState:
    return LiveState(channel, "e", 1, 1, 0, data)


@pytest.fixture
def sequencer() -> Sequencer:
    sequencer = Sequencer(None, Nowhere(), history_bytes=0)  # type: ignore[arg-type]
    for channel in ("chain:NIFTY:2026-12-29", "chain:NIFTY:2026-11-24", "metrics:NIFTY:2026-11-24", "ticks:NIFTY"):
        sequencer.announce(state(channel))
    return sequencer


def test_a_full_request_is_read() -> None:
    payload = {"id": 5, "channels": ["status"], "delta": True, "resume": {"status": {"epoch": "e", "seq": 3}}}
    assert read(Subscribe, (payload,)) == Subscribe(["status"], 5, True, {"status": Resume("e", 3)})
    assert read(Unsubscribe, ({"channels": ["status"]},)).id is None


@pytest.mark.parametrize("arguments", [(), ("x",), ({"channels": ["a"]}, 1), ({},), ({"channels": [1]},), (None,)])
def test_anything_else_is_an_invalid_request(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidRequest):
        read(Subscribe, arguments)


def test_a_form_is_asked_for_by_name() -> None:
    assert read(Subscribe, ({"channels": ["status"]},)).form == PLAIN
    request = read(Subscribe, ({"channels": ["status"], "delta": True, "encoding": "deflate", "max_rate_hz": 2},))
    assert (request.form, request.max_rate_hz) == (Form(delta=True, deflate=True), 2.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"encoding": "gzip"}, "encoding 'gzip' is not one of: deflate"),
        ({"encoding": 1}, "encoding"),
        ({"delta": "yes"}, "delta"),
        ({"max_rate_hz": 0}, "max_rate_hz must be above 0 and at most 100"),
        ({"max_rate_hz": -1.5}, "max_rate_hz"),
        ({"max_rate_hz": 100.1}, "max_rate_hz"),
        ({"max_rate_hz": True}, "max_rate_hz"),
        ({"max_rate": 1}, "max_rate"),
    ],
)
def test_what_is_wrong_with_an_option_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        read(Subscribe, ({"channels": ["status"], **options},))


def test_lists_are_bounded() -> None:
    list_is_bounded(["a"] * 3, 3)
    with pytest.raises(InvalidRequest):
        list_is_bounded(["a"] * 4, 3)


def test_names_stand_for_what_is_live(sequencer: Sequencer) -> None:
    catalog = Catalog(sequencer, lambda: True)
    assert catalog.resolve("chain:NIFTY:*") == ["chain:NIFTY:2026-11-24", "chain:NIFTY:2026-12-29"]
    assert catalog.resolve("metrics:NIFTY:2026-11-24") == ["metrics:NIFTY:2026-11-24"]
    assert catalog.resolve("ticks:SPY") == ["ticks:SPY"]
    assert catalog.resolve("status") == ["status"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("metrics:NIFTY:2026-12-29", "unknown_expiry"),
        ("chain:SPY:*", "unknown_expiry"),
        ("chain:DOGE:*", "unknown_product"),
        ("ticks:DOGE", "unknown_product"),
        ("bars:NIFTY:2m", "unknown_channel"),
    ],
)
def test_what_does_not_exist_has_a_code(sequencer: Sequencer, text: str, code: str) -> None:
    with pytest.raises(AroError) as caught:
        Catalog(sequencer, lambda: True).resolve(text)
    assert caught.value.code == code


def test_nothing_is_denied_while_nobody_can_know(sequencer: Sequencer) -> None:
    with pytest.raises(ServiceUnavailable):
        Catalog(sequencer, lambda: False).resolve("chain:SPY:*")
    with pytest.raises(UnknownExpiry):
        Catalog(sequencer, lambda: True).resolve("chain:SPY:*")


def test_age_comes_from_the_end_of_the_message_undecoded() -> None:
    freshness = Freshness()
    head = encode_json({"source_ts": 1, "strikes": [0.5] * 500})
    data = head[:-1] + b"," + encode_json({"source_ts": 9_000, "id": "x"})[1:]
    freshness.note(state("chain:BANKEX:2026-12-29", data), now_ms=10_000)
    freshness.note(state("status", b'{"server_ts":5}'), now_ms=10_000)
    freshness.publish(now_ms=11_500)
    assert metrics.topic_age.labels("BANKEX")._value.get() == pytest.approx(2.5)
