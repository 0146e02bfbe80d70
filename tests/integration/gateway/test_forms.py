"""Deltas, deflate and rates on the wire: what a client has at the end is what Redis has, to the last value."""

import json
import random
import zlib
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import pytest

from aro.adapters.live import LiveReader, Publication
from aro.testing.eventually import eventually
from aro.testing.ordered_client import OrderedClient
from aro.testing.patches import applied

FORMS = [
    {name: value for name, value in zip(("delta", "encoding", "max_rate_hz"), chosen, strict=True) if value is not None}
    for chosen in product((None, True), (None, "deflate"), (None, 20.0))
]


class Follower:
    """python-socketio's client, applying what it is sent to what it has, and refusing what does not follow."""

    def __init__(self, url: str, token: str, channel: str, options: dict[str, Any]) -> None:
        self.options = options
        self.state: Any = None
        self.at: tuple[str, int] | None = None
        self.events: list[str] = []
        self.faults: list[str] = []
        self._client = OrderedClient(reconnection=False)
        for name in ("snapshot", "update", "delta"):
            self._client.on(name, self._hear(name), namespace="/v1")
        self._client.connect(url, namespaces=["/v1"], transports=["websocket"], auth={"token": token}, wait_timeout=5)
        request = {"channels": [channel], **options}
        self.answer = self._client.call("subscribe", request, namespace="/v1", timeout=5)

    def is_at(self, epoch: str, seq: int) -> bool:
        return self.at == (epoch, seq)

    def close(self) -> None:
        self._client.disconnect()

    def _hear(self, name: str) -> Any:
        def hear(message: dict[str, Any]) -> None:
            data = message["data"]
            if ("encoding" in self.options) != isinstance(data, bytes):
                self.faults.append(f"{name} with data of type {type(data).__name__}")
            if isinstance(data, bytes):
                data = json.loads(zlib.decompress(data))
            if name != "snapshot" and self.at != (message["epoch"], message["seq"] - 1):
                self.faults.append(f"{name} {message['seq']} at {self.at}")
            if name == "delta" and message["prev_seq"] != message["seq"] - 1:
                self.faults.append(f"delta {message['seq']} from {message['prev_seq']}")
            self.state = data if name != "delta" else applied(self.state, data)
            self.at = (message["epoch"], message["seq"])
            self.events.append(name)

        return hear


def states(number: int) -> Iterator[dict[str, Any]]:
    """Chains of which some cells change, and now and then the strikes."""
    random_ = random.Random(number)
    size = 40
    columns: dict[str, list[float | None]] = {name: [0.05] * size for name in ("bid", "ask", "iv")}
    for n in range(number):
        for column in columns.values():
            for index in random_.sample(range(len(column)), 5):
                column[index] = random_.choice((None, round(random_.uniform(0, 1e4), 2)))
        if n % 40 == 39:
            columns = {name: column[1:] for name, column in columns.items()}
        yield {"n": n, "spot": 25_000 + n / 4, "calls": columns, "flags": [] if n % 3 else ["wide"]}


@pytest.fixture
def followers(stack: Any) -> Iterator[list[Follower]]:
    channel = stack.chain()
    stack.seed(channel)
    followers = [Follower(stack.gateway.url, stack.auth.token(), channel, options) for options in FORMS]
    yield followers
    for follower in followers:
        follower.close()


def test_every_form_ends_with_what_redis_has(stack: Any, followers: list[Follower]) -> None:
    [entry] = followers[0].answer["ok"]
    channel = entry["channel"]
    for follower in followers:
        assert follower.answer == {"ok": [{**entry, **follower.options}], "rejected": []}

    with stack.connected() as slow:
        slow.subscribe(channel, delta=True)
        for number, state in enumerate(states(200)):
            data = json.dumps(state, separators=(",", ":")).encode()
            stack.publisher.publish([Publication(channel, 10**15 + number, data)])
        stored = LiveReader(stack.client).state(channel)
        assert stored is not None
        for follower in followers:
            eventually(
                partial(follower.is_at, stored.epoch, stored.seq), f"{follower.options} to have the newest state"
            )
            assert follower.faults == []
            assert follower.state == json.loads(stored.data)
            assert_kinds(follower.events, follower.options)
        slow.until(lambda name, p: name in ("delta", "update") and p["seq"] == stored.seq)


def assert_kinds(events: list[str], options: dict[str, Any]) -> None:
    if "max_rate_hz" in options:
        assert len(events) < 201, "none was left out"
    else:
        assert len(events) == 201
        assert events.count("snapshot") == 1
        assert (events.count("delta") > 150) == ("delta" in options)
    assert options.get("delta") or "delta" not in events


def test_a_rate_is_kept(stack: Any) -> None:
    channel = stack.chain()
    first = stack.seed(channel)
    with stack.connected() as raw:
        raw.subscribe(channel, max_rate_hz=5)
        raw.next_of("snapshot", channel)
        for number in range(1, 51):
            stack.publish(channel, number)
        message = raw.until(lambda _, p: isinstance(p, dict) and p.get("seq") == 51)[1]
        assert message["data"]["n"] == 50, "the newest comes, late but at last"
        sent = [p for _, p in raw.seen if isinstance(p, dict) and p.get("channel") == channel and "seq" in p]
        assert len(sent) <= 5, "a burst of a fraction of a second"
        beat = raw.next_of("heartbeat")
        assert beat["channels"] == {channel: 51}
        assert raw.subscribe(channel, resume={channel: {"epoch": first.epoch, "seq": 1}})["ok"] == [
            {"channel": channel, "epoch": first.epoch, "seq": 51, "recovered": True}
        ]
        assert [raw.next_of("update", channel)["seq"] for _ in range(50)] == list(range(2, 52))


def test_with_a_rate_no_more_than_one_message_is_replayed(stack: Any) -> None:
    channel = stack.chain()
    stack.seed(channel)
    last = [stack.publish(channel, number) for number in (1, 2)][-1]
    with stack.connected() as raw:
        for seq, recovered, event in ((2, True, "update"), (1, False, "snapshot")):
            answer = raw.subscribe(channel, max_rate_hz=1, resume={channel: {"epoch": last.epoch, "seq": seq}})
            assert answer["ok"][0]["recovered"] is recovered
            assert raw.next_of(event, channel)["seq"] == 3


@pytest.mark.parametrize("options", [{"encoding": "br"}, {"max_rate_hz": 0}, {"delta": 1}])
def test_what_is_not_offered_is_refused_by_name(stack: Any, options: dict[str, Any]) -> None:
    with stack.connected() as raw:
        problem = raw.subscribe("ticks:BANKEX", **options)["error"]
        assert problem["code"] == "invalid_request"
        assert next(iter(options)) in problem["detail"]
