"""Rates kept by the pacer: how far apart messages leave, and what it remembers of those who left."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from socket_gateway import pacer

CHANNEL = "ticks:NIFTY"


def follow(world: Any, reader: Any, *, seconds: float, every: float) -> list[float]:
    """When each message arrived, while one is published `every` so many seconds."""
    arrived, published = [], world.clock.monotonic()
    until = published + seconds
    while (now := world.clock.monotonic()) < until:
        if now >= published + every:
            published = now
            world.publish(CHANNEL, 1)
            world.deliver(1, corked=True)
        before = reader.taken.total()
        reader.read(10**9)
        arrived += [now] * (reader.taken.total() - before)
        world.wait(0.001)
    return arrived


def test_messages_are_an_interval_apart(world: Any) -> None:
    world.publish(CHANNEL, 0)
    world.deliver(1, corked=False)
    reader = world.join([CHANNEL], {"max_rate_hz": 10.0}, 10**9)
    arrived = follow(world, reader, seconds=3.0, every=0.007)
    assert 28 <= len(arrived) <= 31
    assert all(later - earlier > 0.099 for earlier, later in pairwise(arrived))


def test_what_comes_less_often_than_the_rate_is_not_held_back(world: Any) -> None:
    world.publish(CHANNEL, 0)
    world.deliver(1, corked=False)
    reader = world.join([CHANNEL], {"max_rate_hz": 10.0}, 10**9)
    follow(world, reader, seconds=3.0, every=0.15)
    assert reader.taken["snapshot"] == 1
    assert reader.taken["update"] == 19


def test_places_of_those_who_left_are_given_up(world: Any) -> None:
    """A slow rate, and a client that subscribes again and again."""
    world.publish(CHANNEL, 0)
    world.deliver(1, corked=False)
    reader = world.join([CHANNEL], {"max_rate_hz": 0.001}, 10**9)
    for seed in range(5 * pacer.SPARE_PLACES):
        world.publish(CHANNEL, seed)
        world.deliver(1, corked=False)
        reader.read(10**9)
        reader.subscribe([CHANNEL], resume=False)
        reader.read(10**9)
    assert len(world.pacer._waiting) <= 2 * pacer.SPARE_PLACES


def test_it_runs_only_while_somebody_waits(world: Any) -> None:
    spawned: list[Callable[[], None]] = []
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        world.clock.advance(seconds)

    world.pacer._spawn, world.pacer._sleep = spawned.append, sleep
    world.publish(CHANNEL, 0)
    world.deliver(1, corked=False)
    reader = world.join([CHANNEL], {"max_rate_hz": 20.0}, 10**9)
    assert spawned == []
    for turn in (1, 2):
        world.publish(CHANNEL, turn)
        world.deliver(1, corked=False)
        assert len(spawned) == turn
        spawned[-1]()
        reader.read(10**9)
        assert reader.taken["update"] == turn
    assert pauses
    assert max(pauses) <= pacer.MAX_PAUSE
