"""Subscribing on the wire: the ack, then the snapshot, then updates; and what is refused, with its code."""

import threading
from typing import Any

import pytest

from aro.testing.eventually import eventually


def positions(raw: Any, channel: str) -> list[tuple[str, int]]:
    """(event, seq) of everything that came for the channel."""
    return [
        (name, p["seq"]) for name, p in raw.seen if isinstance(p, dict) and p.get("channel") == channel and "seq" in p
    ]


def test_ack_then_snapshot_then_updates(stack: Any) -> None:
    channel = stack.chain()
    first = stack.seed(channel)
    with stack.connected() as raw:
        answer = raw.subscribe(channel, id="a-1")
        assert answer == {
            "id": "a-1",
            "ok": [{"channel": channel, "epoch": first.epoch, "seq": 1}],
            "rejected": [],
        }
        snapshot = raw.next_of("snapshot", channel)
        assert (snapshot["epoch"], snapshot["seq"], snapshot["data"]["n"]) == (first.epoch, 1, 0)
        stack.publish(channel, 7)
        update = raw.next_of("update", channel)
        assert (update["epoch"], update["seq"], update["data"]["n"]) == (first.epoch, 2, 7)
        assert [name for name, _ in raw.seen] == ["connect", "ack", "snapshot", "update"]


def test_order_holds_while_everything_moves(stack: Any) -> None:
    """Channels are published to as fast as possible while clients subscribe, again and again."""
    channels = [stack.chain() for _ in range(3)]
    for channel in channels:
        stack.seed(channel)
    stop = threading.Event()

    def publish() -> None:
        while not stop.is_set():
            for channel in channels:
                stack.publish(channel, pad=2_000)

    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        for _ in range(15):
            with stack.connected() as raw:
                answer = raw.subscribe(*channels)
                # A heartbeat may come at any time; of the channels nothing may come before the ack.
                assert [name for name, _ in raw.seen if name != "heartbeat"] == ["connect", "ack"]
                promised = {entry["channel"]: entry["seq"] for entry in answer["ok"]}
                for channel in channels:
                    for _ in range(10):
                        raw.next_of("update", channel)
                for channel in channels:
                    seen = positions(raw, channel)
                    assert seen[0] == ("snapshot", promised[channel])
                    assert [seq for _, seq in seen] == list(range(promised[channel], promised[channel] + len(seen)))
                    assert {name for name, _ in seen[1:]} == {"update"}
    finally:
        stop.set()
        publisher.join()


def test_snapshot_goes_to_the_one_who_asked(stack: Any) -> None:
    channel = stack.chain()
    stack.seed(channel)
    with stack.connected() as first, stack.connected() as second:
        first.subscribe(channel)
        first.next_of("snapshot")
        second.subscribe(channel)
        second.next_of("snapshot")
        stack.publish(channel)
        first.next_of("update", channel)
        second.next_of("update", channel)
        assert positions(first, channel) == [("snapshot", 1), ("update", 2)]


def test_patterns_stand_for_what_is_live(stack: Any) -> None:
    live = [f"metrics:SPY:{stack.expiry()}" for _ in range(2)]
    for channel in live:
        stack.seed(channel)
    with stack.connected() as raw:
        answer = raw.subscribe("metrics:SPY:*", live[0])
        assert [entry["channel"] for entry in answer["ok"]] == live
        left = raw.call("unsubscribe", {"channels": ["metrics:SPY:*"]})
        assert left == {"ok": [{"channel": channel} for channel in live], "rejected": []}


def test_channels_named_before_their_first_data_get_it_as_a_snapshot(stack: Any) -> None:
    names = ("ticks:MIDCPNIFTY", "surface:MIDCPNIFTY", "bars:MIDCPNIFTY:1m")
    with stack.connected() as raw:
        answer = raw.subscribe(*names, "status")
        assert answer["ok"] == [{"channel": name, "epoch": None, "seq": None} for name in (*names, "status")]
        for name in names:
            stack.publish(name, 1)
            stack.publish(name, 2)
            assert raw.next_of("snapshot", name)["data"]["n"] == 1
            assert raw.next_of("update", name)["data"]["n"] == 2


@pytest.mark.parametrize(
    ("channel", "code"),
    [
        ("chain:NIFTY:2099-12-31", "unknown_expiry"),
        ("chain:BANKEX:*", "unknown_expiry"),
        ("chain:NIFTY:2026-02-30", "unknown_channel"),
        ("chain:NIFTY", "unknown_channel"),
        ("ticks:nifty", "unknown_channel"),
        ("", "unknown_channel"),
        ("ticks:DOGE", "unknown_product"),
        ("metrics:DOGE:*", "unknown_product"),
        ("bars:NIFTY:5m", "unknown_channel"),
        ("bars:DOGE:1m", "unknown_product"),
    ],
)
def test_what_does_not_exist_is_rejected_and_the_rest_accepted(stack: Any, channel: str, code: str) -> None:
    with stack.connected() as raw:
        answer = raw.subscribe(channel, "ticks:NIFTY")
        assert [(r["channel"], r["code"]) for r in answer["rejected"]] == [(channel, code)]
        assert answer["rejected"][0]["detail"]
        assert [entry["channel"] for entry in answer["ok"]] == ["ticks:NIFTY"]


def test_unsubscribe_ends_updates(stack: Any) -> None:
    stays, leaves = stack.chain(), stack.chain()
    stack.seed(stays)
    stack.seed(leaves)
    with stack.connected() as raw:
        raw.subscribe(stays, leaves)
        answer = raw.call("unsubscribe", {"channels": [leaves, "ticks:SPY"], "id": 9})
        assert answer["id"] == 9
        assert answer["ok"] == [{"channel": leaves}]
        assert [(r["channel"], r["code"]) for r in answer["rejected"]] == [("ticks:SPY", "not_subscribed")]
        stack.publish(leaves)
        stack.publish(stays)
        raw.next_of("update", stays)
        assert ("update", 2) not in positions(raw, leaves)


def test_resume_replays_all_that_was_missed_or_sends_a_snapshot(stack: Any) -> None:
    channel = stack.chain()
    first = stack.seed(channel)
    for number in range(2, 6):
        stack.publish(channel, number)
    with stack.connected() as raw:
        eventually(lambda: raw.subscribe(channel)["ok"][0]["seq"] == 5, "the gateway to have five")

    def resumed(epoch: str, seq: int) -> tuple[bool, list[tuple[str, int]]]:
        with stack.connected() as raw:
            answer = raw.subscribe(channel, resume={channel: {"epoch": epoch, "seq": seq}})
            raw.call("unsubscribe", {"channels": [channel]})
            return answer["ok"][0]["recovered"], positions(raw, channel)

    assert resumed(first.epoch, 2) == (True, [("update", 3), ("update", 4), ("update", 5)])
    assert resumed(first.epoch, 5) == (True, [])
    assert resumed("another", 2) == (False, [("snapshot", 5)])
    assert resumed(first.epoch, 99) == (False, [("snapshot", 5)])


def test_more_than_the_log_holds_is_not_replayed_in_part(stack: Any) -> None:
    channel = stack.chain()
    first = stack.seed(channel)
    for number in range(30):
        stack.publish(channel, number, pad=60_000)
    with stack.connected() as raw:
        eventually(lambda: raw.subscribe(channel)["ok"][0]["seq"] == 31, "the gateway to have all")
    with stack.connected() as raw:
        answer = raw.subscribe(channel, resume={channel: {"epoch": first.epoch, "seq": 2}})
        assert answer["ok"][0]["recovered"] is False
        raw.next_of("snapshot")
        assert positions(raw, channel) == [("snapshot", 31)]


def test_heartbeat_names_the_position_of_each_joined_channel(stack: Any) -> None:
    channel = stack.chain()
    stack.seed(channel)
    with stack.connected() as raw:
        raw.subscribe(channel, "ticks:BANKEX")
        stack.publish(channel)
        raw.next_of("update", channel)
        beat = raw.next_of("heartbeat", seconds=3)
        assert beat["channels"] == {channel: 2, "ticks:BANKEX": None}
        assert beat["server_ts"] > 1_700_000_000_000
