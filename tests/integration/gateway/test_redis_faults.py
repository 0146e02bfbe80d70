"""Redis loses announcements, connections, its process or its data: clients miss nothing without being told."""

import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from aro.adapters.live import LiveReader
from aro.contracts.names import LIVE_INDEX, PUBSUB_LIVE, live_key, log_key
from aro.testing.eventually import eventually

BACK_SECONDS = 2.0
"""From Redis' return to the first fresh message: one pause of at most 0.9 s and the way through."""


def publish_silently(client: redis.Redis, channel: str, number: int) -> int:
    """What the publish script does, without its PUBLISH: an announcement that was lost on its way."""
    state = LiveReader(client).state(channel)
    assert state is not None
    data = json.dumps({"n": number})
    fields = {"seq": state.seq + 1, "source_seq": state.source_seq, "data": data}
    client.hset(live_key(channel), mapping=fields)
    client.xadd(log_key(channel), {"s": state.source_seq, "d": data}, id=f"{state.seq + 1}-0")
    return state.seq + 1


def story(raw: Any, channel: str) -> list[tuple[str, Any]]:
    """What the client was told about the channel: (event, seq, or reason of a resync)."""
    return [
        (name, p["reason"] if name == "resync" else p["seq"])
        for name, p in raw.seen
        if name in ("snapshot", "update", "resync") and p["channel"] == channel
    ]


@pytest.fixture
def subscribed(stack: Any) -> Any:
    """(stack, channel, a client that joined it and has its snapshot)."""
    channel = stack.chain()
    stack.seed(channel)
    with stack.connected() as raw:
        raw.subscribe(channel)
        raw.next_of("snapshot", channel)
        yield stack, channel, raw


def test_hole_before_an_announcement_is_repaired_in_order(subscribed: Any) -> None:
    stack, channel, raw = subscribed
    publish_silently(stack.client, channel, 2)
    publish_silently(stack.client, channel, 3)
    stack.publish(channel, 4)
    assert [raw.next_of("update", channel)["data"]["n"] for _ in range(3)] == [2, 3, 4]
    assert story(raw, channel) == [("snapshot", 1), ("update", 2), ("update", 3), ("update", 4)]


def test_hole_at_the_end_is_found_by_the_position_check(subscribed: Any) -> None:
    stack, channel, raw = subscribed
    publish_silently(stack.client, channel, 2)
    assert raw.next_of("update", channel, seconds=3)["data"]["n"] == 2
    assert story(raw, channel) == [("snapshot", 1), ("update", 2)]


def test_hole_that_the_log_cannot_fill_is_announced(subscribed: Any) -> None:
    stack, channel, raw = subscribed
    resyncs = stack.gateway.metric("ws_resync_total", reason="gap")
    publish_silently(stack.client, channel, 2)
    stack.client.xtrim(log_key(channel), maxlen=0)
    stack.publish(channel, 3)
    assert raw.next_of("snapshot", channel)["data"]["n"] == 3
    assert story(raw, channel) == [("snapshot", 1), ("resync", "gap"), ("snapshot", 3)]
    assert stack.gateway.metric("ws_resync_total", reason="gap") == resyncs + 1


def test_log_of_the_wrong_type_hurts_its_channel_only(subscribed: Any) -> None:
    stack, channel, raw = subscribed
    publish_silently(stack.client, channel, 2)
    stack.client.set(log_key(channel), "poison")
    stack.client.sadd(LIVE_INDEX, "chain:NIFTY:2099-01-01", "not a channel", "metrics:NIFTY:*")
    stack.client.set(live_key("chain:NIFTY:2099-01-01"), "poison")
    assert raw.next_of("snapshot", channel, seconds=3)["data"]["n"] == 2
    other = stack.chain()
    stack.seed(other)
    stack.client.delete(log_key(channel), live_key("chain:NIFTY:2099-01-01"))


def test_what_is_not_news_is_dropped(subscribed: Any) -> None:
    stack, channel, raw = subscribed
    published = stack.publish(channel, 2)
    state = LiveReader(stack.client).state(channel)
    dropped = stack.gateway.metric("stale_dropped_total")
    rejected = stack.gateway.metric("ws_announcements_rejected_total")
    old = f"{channel} {published.epoch} 1 1 {state.ts}\n".encode() + b'{"n":"old"}'
    for announcement in (
        old,
        old.replace(published.epoch.encode(), b"elder"),
        b"garbage",
        b"",
        f"{channel} {published.epoch} 3 1 1\nnot json".encode(),
        f"{channel} {published.epoch} 3 1 1\n".encode() + b'{"n":"\xff"}',
        f"{'x' * 50} {published.epoch} 3 1 1\n".encode() + b"{}",
    ):
        stack.client.publish(PUBSUB_LIVE, announcement)
    stack.publish(channel, 3)
    raw.until(lambda name, p: name == "update" and p["data"]["n"] == 3)
    assert story(raw, channel) == [("snapshot", 1), ("update", 2), ("update", 3)]
    assert stack.gateway.metric("stale_dropped_total") == dropped + 2
    assert stack.gateway.metric("ws_announcements_rejected_total") == rejected + 5


def test_killed_pubsub_connection_comes_back_without_a_hole(subscribed: Any) -> None:
    stack, channel, raw = subscribed
    stack.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    started = time.monotonic()
    for number in range(2, 5):
        stack.publish(channel, number)
    assert [raw.next_of("update", channel)["data"]["n"] for _ in range(3)] == [2, 3, 4]
    assert time.monotonic() - started < BACK_SECONDS
    assert [seq for _, seq in story(raw, channel)] == [1, 2, 3, 4]
    assert stack.gateway.metric("gateway_pubsub_reconnects_total") >= 1


def test_flushall_changes_the_epoch_and_clients_are_told(make_stack: Callable[..., Any]) -> None:
    stack = make_stack()
    first, second = stack.chain(), stack.chain()
    stack.seed(first)
    before = stack.seed(second)
    with stack.connected() as raw:
        raw.subscribe(first, second)
        stack.client.flushall()
        # What vanished is remembered until its new epoch comes.
        raw.next_of("heartbeat", seconds=3)
        raw.next_of("heartbeat", seconds=3)
        assert raw.subscribe(second)["ok"] == [{"channel": second, "epoch": before.epoch, "seq": 1}]
        after = stack.publish(first, 9)
        assert after.epoch != before.epoch
        assert raw.next_of("resync", first)["reason"] == "epoch_changed"
        snapshot = raw.next_of("snapshot", first)
        assert (snapshot["epoch"], snapshot["seq"], snapshot["data"]["n"]) == (after.epoch, 1, 9)
        stack.publish(first, 10)
        assert raw.next_of("update", first)["seq"] == 2
        assert story(raw, first) == [("snapshot", 1), ("resync", "epoch_changed"), ("snapshot", 1), ("update", 2)]


def test_killed_redis_with_its_log_comes_back(make_stack: Callable[..., Any]) -> None:
    stack = make_stack()
    channel = stack.chain()
    before = stack.seed(channel)
    with stack.connected() as raw:
        raw.subscribe(channel)
        raw.next_of("snapshot", channel)
        stack.redis.kill()
        eventually(lambda: not stack.gateway.is_ready(), "the gateway to notice")
        # Known state is served on, and what cannot be known is not denied.
        with stack.connected() as late:
            assert late.subscribe(channel)["ok"][0]["seq"] == 1
            assert late.subscribe("chain:NIFTY:2098-01-01")["rejected"][0]["code"] == "service_unavailable"
        stack.redis.start()
        back = time.monotonic()
        after = stack.publish(channel, 5)
        assert raw.next_of("snapshot", channel)["data"]["n"] == 5
        assert time.monotonic() - back < BACK_SECONDS
        assert after.epoch != before.epoch
        assert story(raw, channel)[1:] == [("resync", "epoch_changed"), ("snapshot", 1)]
        eventually(stack.gateway.is_ready, "the gateway to be ready again")


def test_hung_redis_is_noticed_and_forgiven(make_stack: Callable[..., Any]) -> None:
    stack = make_stack()
    channel = stack.chain()
    stack.seed(channel)
    with stack.connected() as raw:
        raw.subscribe(channel)
        raw.next_of("snapshot", channel)
        stack.redis.signal(signal.SIGSTOP)
        eventually(lambda: not stack.gateway.is_ready(), "the gateway to notice")
        assert raw.subscribe(channel)["ok"], "clients are served meanwhile"
        stack.redis.signal(signal.SIGCONT)
        back = time.monotonic()
        stack.publish(channel, 2)
        assert raw.next_of("update", channel)["data"]["n"] == 2
        assert time.monotonic() - back < BACK_SECONDS + 1
