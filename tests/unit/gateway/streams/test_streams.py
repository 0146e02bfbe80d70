"""What arrives: whatever a client asked for and whatever is lost on the way, it only ever has what was published.

The model is in `conftest.py`; a client there fails at the first message that does not follow what it has.
"""

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

CHANNELS = ("ticks:NIFTY", "surface:NIFTY")
ROOMS = (0, 1, 100, 1_000, 10_000, 10_000_000)
RATES = (0.5, 1.0, 10.0, 100.0)
PAUSES = (0.001, 0.01, 0.1, 1.0, 6.0)

OPTIONS = st.fixed_dictionaries(
    {},
    optional={"delta": st.just(True), "encoding": st.just("deflate"), "max_rate_hz": st.sampled_from(RATES)},
)
NAMES = st.sampled_from(CHANNELS)
SOME = st.sets(NAMES, min_size=1)
ROOM = st.sampled_from(ROOMS)
PICK = st.integers(0, 1_000)


class Streaming(RuleBasedStateMachine):
    def __init__(self, world: Any) -> None:
        super().__init__()
        self.world = world

    def pick(self, number: int) -> Any:
        return self.world.readers[number % len(self.world.readers)]

    @initialize(options=st.lists(OPTIONS, min_size=1, max_size=4), room=ROOM)
    def begin(self, options: list[dict[str, Any]], room: int) -> None:
        for each in options:
            self.world.join(CHANNELS, each, room)

    @rule(channel=NAMES, seeds=st.lists(st.integers(0, 2**32), min_size=1, max_size=3))
    def publish(self, channel: str, seeds: list[int]) -> None:
        for seed in seeds:
            self.world.publish(channel, seed)

    @rule(channel=NAMES, seeds=st.lists(st.integers(0, 2**32), min_size=1, max_size=4), corked=st.booleans())
    def flow(self, channel: str, seeds: list[int], corked: bool) -> None:
        for seed in seeds:
            self.world.publish(channel, seed)
        self.world.deliver(10, corked=corked)

    @rule(number=st.integers(1, 5), corked=st.booleans())
    def deliver(self, number: int, corked: bool) -> None:
        self.world.deliver(number, corked=corked)

    @rule(number=st.integers(1, 3))
    def lose_announcements(self, number: int) -> None:
        self.world.lose(number)

    @rule(channel=NAMES, keep=st.integers(0, 2))
    def trim_log(self, channel: str, keep: int) -> None:
        self.world.trim(channel, keep)

    @rule(channel=NAMES)
    def flush_redis(self, channel: str) -> None:
        self.world.redis.channels[channel].flush()

    @rule()
    def check_positions(self) -> None:
        self.world.check_positions()

    @precondition(lambda self: len(self.world.readers) < 6)
    @rule(options=OPTIONS, room=ROOM, channels=SOME)
    def join(self, options: dict[str, Any], room: int, channels: set[str]) -> None:
        self.world.join(channels, options, room)

    @rule(pick=PICK, options=OPTIONS, channels=SOME, resume=st.booleans())
    def subscribe_again(self, pick: int, options: dict[str, Any], channels: set[str], resume: bool) -> None:
        reader = self.pick(pick)
        if reader.may_ask:
            reader.options = options
            reader.subscribe(sorted(channels), resume=resume)

    @rule(pick=PICK)
    def unsubscribe(self, pick: int) -> None:
        reader = self.pick(pick)
        if reader.joined and reader.may_ask:
            reader.unsubscribe(min(reader.joined))

    @rule(pick=PICK, room=ROOM, resume=st.booleans())
    def reconnect(self, pick: int, room: int, resume: bool) -> None:
        self.pick(pick).reconnect(room, resume=resume)

    @rule(pick=PICK, room=ROOM)
    def read(self, pick: int, room: int) -> None:
        self.pick(pick).read(room)

    @rule(seconds=st.sampled_from(PAUSES))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule()
    def turn(self) -> None:
        self.world.turn()

    @rule()
    def beat(self) -> None:
        self.world.beat()

    @rule()
    def settle(self) -> None:
        self.world.settle()

    @invariant()
    def look(self) -> None:
        self.world.look()


def test_no_story_leaves_a_hole(make_world: Any) -> None:
    """Short stories, which hypothesis makes shorter still if one fails."""
    run_state_machine_as_test(
        lambda: Streaming(make_world()),
        settings=settings(
            max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )


@pytest.mark.parametrize("seed", range(4))
def test_long_streams_with_everything_going_wrong(world: Any, seed: int) -> None:
    """Thousands of messages to eight readers, one of each form: some always keep up, some hardly ever do."""
    random_ = random.Random(seed)
    forms = [(delta, encoding, rate) for delta in (0, 1) for encoding in (0, 1) for rate in (0, 1)]
    for delta, encoding, rate in forms:
        options: dict[str, Any] = {"delta": True} if delta else {}
        options |= {"encoding": "deflate"} if encoding else {}
        options |= {"max_rate_hz": random_.choice(RATES)} if rate else {}
        world.join(CHANNELS, options, 10**9)
    rare = (
        lambda: world.lose(1),
        lambda: world.trim(random_.choice(CHANNELS), 1),
        lambda: world.redis.channels[random_.choice(CHANNELS)].flush(),
        lambda: random_.choice(world.readers).reconnect(random_.choice(ROOMS), resume=random_.random() < 0.7),
        lambda: again(random_.choice(world.readers), random_.random() < 0.5),
        world.check_positions,
        world.settle,
    )
    for _ in range(1_000):
        for _ in range(random_.choice((0, 1, 1, 2, 5))):
            world.publish(random_.choice(CHANNELS), random_.randrange(2**32))
        world.deliver(random_.choice((1, 2, 100)), corked=random_.random() < 0.5)
        for reader in world.readers:
            is_slow = reader.number % 3 == seed % 3
            reader.read(random_.choice((0, 0, 300, 3_000)) if is_slow else 10**9)
        world.wait(random_.choice((0.003, 0.03, 0.3)))
        if random_.random() < 0.1:
            world.beat()
        if random_.random() < 0.1:
            random_.choice(rare)()
        if random_.random() < 0.8:
            world.turn()
        for reader in world.readers:
            if reader.is_ended:
                reader.reconnect(3_000, resume=random_.random() < 0.7)
        world.look()
    world.settle()
    taken = sum((reader.taken for reader in world.readers), Counter())
    assert min(taken[kind] for kind in ("snapshot", "update", "delta")) > 500
    assert world.wires.skipped > 300


def again(reader: Any, resume: bool) -> None:
    if reader.may_ask:
        reader.subscribe(CHANNELS, resume=resume)
