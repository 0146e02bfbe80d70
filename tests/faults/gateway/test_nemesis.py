"""One fault of Redis after the other under a running feed: fresh messages soon after, no silent hole, no reordering."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import takewhile
from typing import Any

import option_aro_client as official
import pytest

from aro.testing.crowd import Crowd, Member
from aro.testing.eventually import eventually

pytestmark = pytest.mark.fault

FRESH_SECONDS = 2.0
"""From the moment when Redis is back to a client's first message that was published after it."""
FORMS: list[dict[str, Any]] = [
    {},
    {"delta": True},
    {"encoding": "deflate"},
    {"delta": True, "encoding": "deflate"},
    {"max_rate_hz": 4},
    {"delta": True, "encoding": "deflate", "max_rate_hz": 4},
]


def pubsub_killed(estate: Any, _: float) -> None:
    client = estate.redis.client()
    client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    client.close()


def killed(estate: Any, _: float) -> None:
    estate.redis.restart()


def restarted(estate: Any, _: float) -> None:
    estate.redis.stop()
    estate.redis.start()


def flushed(estate: Any, _: float) -> None:
    client = estate.redis.client()
    client.flushall()
    client.close()


def hung(estate: Any, seconds: float) -> None:
    estate.redis.signal(signal.SIGSTOP)
    threading.Event().wait(seconds)
    estate.redis.signal(signal.SIGCONT)


def publish_dropped(estate: Any, _: float) -> None:
    for channel in estate.final():
        estate.feed.publish_silently(channel)


FAULTS = [pubsub_killed, killed, restarted, flushed, hung, publish_dropped]
ENOUGH = 20
"""Messages of each channel between two faults."""
NEW_EPOCH = {killed, restarted, flushed}


def fresh(member: Member, since: float) -> list[tuple[float, str]]:
    """(arrival, channel) of what the member heard that was published after `since`, the newest first."""
    recent = takewhile(lambda heard: heard[0] > since, reversed(member.heard))
    return [(arrived, channel) for arrived, channel, at in recent if at > since]


def first_fresh(crowd: Crowd, since: float) -> list[float]:
    """Seconds from `since` to each member's first fresh message. AssertionError before there is one."""
    found = [fresh(member, since) for member in crowd.members]
    assert all(found)
    return [times[-1][0] - since for times in found]


def goes_on(crowd: Crowd, since: float) -> bool:
    """Whether all members hear a while of every channel: what breaks in a fault may show only later."""
    for member in crowd.members:
        heard = Counter(channel for _, channel in fresh(member, since))
        enough = 1 if "max_rate_hz" in member.options else ENOUGH
        if any(heard[channel] < enough for channel in member.channels):
            return False
    return True


def test_redis_fails_in_every_way(
    estate: Callable[..., Any], request: pytest.FixtureRequest, note: Callable[..., None]
) -> None:
    running = estate(gateways=2, hertz=60.0)
    crowds = [
        running.crowd(
            gateway.port,
            [running.member(number, apply=official.apply_patch, **form) for number, form in enumerate(FORMS)],
        )
        for gateway in running.gateways
    ]
    for crowd in crowds:
        eventually(lambda crowd=crowd: crowd.subscribed() == len(FORMS), "everybody to be there")
    order = random.Random(11).sample(FAULTS, k=len(FAULTS))
    took: dict[str, float] = {}
    for fault in order:
        epochs = {channel: epoch for channel, (epoch, _) in running.final().items()}
        fault(running, request.config.getoption("--hang-seconds"))
        back = time.monotonic()
        worst = 0.0
        for crowd in crowds:
            seconds: list[float] = eventually(partial(first_fresh, crowd, back), f"news after {fault.__name__}")
            worst = max(worst, *seconds)
            eventually(partial(goes_on, crowd, back), f"news on all channels after {fault.__name__}", seconds=20)
            assert crowd.faults() == [], fault.__name__
        took[fault.__name__] = round(worst, 3)
        changed = {channel for channel, (epoch, _) in running.final().items() if epoch != epochs[channel]}
        assert changed == (set(epochs) if fault in NEW_EPOCH else set()), fault.__name__
    for crowd in crowds:
        running.settle(crowd)
        assert crowd.told()["resync"] >= len(NEW_EPOCH) * len(FORMS) * len(running.final())
        assert {member.connects for member in crowd.members} == {1}, "sockets outlive whatever happens to Redis"
    note(seconds_to_fresh=took, told=dict(crowds[0].told() + crowds[1].told()))
    assert max(took.values()) <= FRESH_SECONDS, took
