"""The rule by which channels move, against a model of Redis that loses what Redis can lose, at every moment."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aro.adapters.live import LiveState, Position
from aro.contracts.names import LOG_LENGTH
from aro.contracts.problems import UnknownChannel
from socket_gateway.channels import HISTORY_BYTES, MAX_HELD, Allowance, Memory, ResetReason, Sequencer, Verdict

CHANNEL = "metrics:NIFTY:2026-12-29"
INTERFERENCE = st.sampled_from(["", "publish", "flush", "restart", "renew", "trim"])
HISTORY = 1 << 30
NOTHING: Callable[[], None] = lambda: None  # noqa: E731


class ModelRedis:
    """The live state of one channel, as publish.lua keeps it; `between` runs before every read."""

    def __init__(self) -> None:
        self.epochs = 0
        self.history: dict[tuple[str, int], bytes] = {}
        self.sources: dict[tuple[str, int], int] = {}
        """(epoch, seq) → source_seq"""
        self.newest = 0
        self.epoch: str | None = None
        self.seq = 0
        self.is_restarted = False
        self.log: deque[tuple[int, bytes]] = deque()
        self.between: Callable[[], None] = NOTHING

    def publish(self, late: int = 0) -> LiveState:
        """`late`: how far behind the newest news this is, if the fence lets it pass."""
        fence = 0 if self.epoch is None else self.sources[self.epoch, self.seq]
        source_seq = max(self.newest + 1 - late, fence + 1)
        self.newest = max(self.newest, source_seq)
        if self.epoch is None or self.is_restarted:
            self.epochs += 1
            self.epoch, self.seq, self.is_restarted = f"e{self.epochs}", 0, False
            self.log.clear()
        self.seq += 1
        data = f"{self.epoch}:{self.seq}".encode()
        self.history[self.epoch, self.seq] = data
        self.sources[self.epoch, self.seq] = source_seq
        self.log.append((self.seq, data))
        return LiveState(CHANNEL, self.epoch, self.seq, source_seq, 0, data)

    def lose(self, last: int) -> None:
        """Restart without the last writes: the next publication opens a new epoch."""
        if self.epoch is None or self.seq <= last:
            self.flush()
        self.seq -= last
        self.log = deque(entry for entry in self.log if entry[0] <= self.seq)
        self.is_restarted = True

    def flush(self) -> None:
        self.epoch = None
        self.log.clear()

    def state(self, channel: str) -> LiveState | None:
        assert channel == CHANNEL
        self._interfere()
        if self.epoch is None:
            return None
        at = self.epoch, self.seq
        return LiveState(CHANNEL, *at, self.sources[at], 0, self.history[at])

    def positions(self, channels: Iterable[str]) -> dict[str, Position | None]:
        self._interfere()
        if self.epoch is None:
            return dict.fromkeys(channels)
        return dict.fromkeys(channels, Position(self.epoch, self.seq, self.sources[self.epoch, self.seq]))

    def replay(self, channel: str, first_seq: int, last_seq: int) -> Sequence[tuple[int, bytes]]:
        assert channel == CHANNEL
        self._interfere()
        return [entry for entry in self.log if first_seq <= entry[0] <= last_seq]

    def _interfere(self) -> None:
        between, self.between = self.between, NOTHING
        between()


class Client:
    """A subscriber that believes nothing: each update must follow, or a reset must have said that it does not."""

    def __init__(self, redis: ModelRedis) -> None:
        self._redis = redis
        self.at: tuple[str, int] | None = None

    def update(self, memory: Memory) -> None:
        assert self.at == (memory.epoch, memory.seq - 1)
        self._see(memory)

    def reset(self, memory: Memory, reason: ResetReason | None) -> None:
        assert (reason is None) == (self.at is None)
        if self.at is not None:
            assert (reason == "epoch_changed") == (memory.epoch != self.at[0])
            # Forward only: within an epoch by seq, and from an older epoch to a younger one.
            assert (_age(memory.epoch), memory.seq) > (_age(self.at[0]), self.at[1])
        self._see(memory)

    def _see(self, memory: Memory) -> None:
        before, self.at = self.at, (memory.epoch, memory.seq)
        assert self._redis.history[self.at] == memory.data
        if before is not None:
            assert self._redis.sources[self.at] >= self._redis.sources[before], "moved back in time"


class Sunk:
    """A sink that does not look."""

    def update(self, memory: Memory) -> None: ...

    def reset(self, memory: Memory, reason: ResetReason | None) -> None: ...


def _age(epoch: str) -> int:
    return int(epoch[1:])


class SequencingMachine(RuleBasedStateMachine):
    """Publications, losses and restarts in any order, also in the middle of the sequencer's own reads."""

    @initialize()
    def start(self) -> None:
        self.redis = ModelRedis()
        self.client = Client(self.redis)
        self.sequencer = Sequencer(self.redis, self.client, history_bytes=HISTORY)
        self.in_flight: deque[LiveState] = deque()
        self.delivered: list[LiveState] = []

    @rule(number=st.integers(1, 4), late=st.integers(0, 5))
    def publish(self, number: int, late: int) -> None:
        self.in_flight.extend(self.redis.publish(late) for _ in range(number))

    @precondition(lambda self: self.in_flight)
    @rule(number=st.integers(1, 4), interference=INTERFERENCE)
    def deliver(self, number: int, interference: str) -> None:
        self._interfere_with(interference)
        for news in [self.in_flight.popleft() for _ in range(min(number, len(self.in_flight)))]:
            self.delivered.append(news)
            self.sequencer.announce(news)

    @precondition(lambda self: self.delivered)
    @rule(index=st.integers(0, 10_000))
    def deliver_again(self, index: int) -> None:
        self.sequencer.announce(self.delivered[index % len(self.delivered)])

    @rule()
    def lose_announcements(self) -> None:
        self.in_flight.clear()

    @precondition(lambda self: self.in_flight)
    @rule()
    def lose_one(self) -> None:
        self.in_flight.popleft()

    @rule(keep=st.integers(0, 3))
    def trim_log(self, keep: int) -> None:
        while len(self.redis.log) > keep:
            self.redis.log.popleft()

    @rule()
    def flush_all(self) -> None:
        self.redis.flush()

    @rule(lost=st.integers(0, 3))
    def restart(self, lost: int) -> None:
        """What was announced before may still be in a buffer, and arrive."""
        self.redis.lose(lost)

    @rule(interference=INTERFERENCE)
    def check_position(self, interference: str) -> None:
        position = self.redis.positions([CHANNEL])[CHANNEL]
        self._interfere_with(interference)
        if position is not None:
            self.sequencer.catch_up(CHANNEL, position)

    @rule()
    def heal(self) -> None:
        """News comes, everything announced arrives and the position is checked: the client has the newest state."""
        # A restart that was still to come would lose the very news that heals.
        self.redis.between = NOTHING
        if self.redis.epoch is not None:
            self.in_flight.append(self.redis.publish())
        while self.in_flight:
            self.sequencer.announce(self.in_flight.popleft())
        position = self.redis.positions([CHANNEL])[CHANNEL]
        if position is None:
            return
        self.sequencer.catch_up(CHANNEL, position)
        memory = self.sequencer.find(CHANNEL)
        assert memory is not None
        # After a restart Redis may remember less than was delivered already; that is never taken back.
        assert memory.epoch == position.epoch
        assert memory.seq >= position.seq

    @invariant()
    def client_and_memory_agree(self) -> None:
        memory = self.sequencer.find(CHANNEL)
        assert self.client.at == (None if memory is None else (memory.epoch, memory.seq))

    @invariant()
    def what_can_be_resumed_has_no_hole(self) -> None:
        memory = self.sequencer.find(CHANNEL)
        if memory is None:
            return
        for seq in range(memory.seq + 2):
            missed = memory.since(memory.epoch, seq)
            if missed is not None:
                assert [(message.seq, message.data) for message in missed] == [
                    (after, self.redis.history[memory.epoch, after]) for after in range(seq + 1, memory.seq + 1)
                ]
        assert memory.since(memory.epoch, memory.seq) == []

    def _renew(self) -> None:
        """A new epoch whose numbers overlap with those of the last."""
        self.redis.flush()
        self.in_flight.extend(self.redis.publish() for _ in range(6))

    def _interfere_with(self, what: str) -> None:
        actions: dict[str, Callable[[], None]] = {
            "publish": lambda: self.in_flight.append(self.redis.publish()),
            "flush": self.redis.flush,
            "renew": self._renew,
            "restart": lambda: self.redis.lose(1),
            "trim": lambda: self.trim_log(0),
        }
        self.redis.between = actions.get(what, NOTHING)


TestSequencing = SequencingMachine.TestCase
TestSequencing.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def test_verdicts() -> None:
    redis = ModelRedis()
    sequencer = Sequencer(redis, Client(redis), history_bytes=HISTORY)
    first, second, third, fourth = (redis.publish() for _ in range(4))
    assert sequencer.announce(first) is Verdict.FIRST
    assert sequencer.announce(first) is Verdict.STALE
    assert sequencer.announce(second) is Verdict.NEXT
    assert sequencer.announce(fourth) is Verdict.GAP_REPAIRED
    assert sequencer.announce(third) is Verdict.STALE
    fifth, sixth = redis.publish(), redis.publish()
    redis.log.remove((fifth.seq, fifth.data))
    assert sequencer.announce(sixth) is Verdict.GAP_RESYNC
    redis.flush()
    assert sequencer.announce(redis.publish()) is Verdict.EPOCH_CHANGED
    assert sequencer.announce(sixth) is Verdict.STALE, "of an epoch that is over"


def test_what_was_announced_counts_although_redis_forgot_it() -> None:
    redis = ModelRedis()
    sequencer = Sequencer(redis, Client(redis), history_bytes=HISTORY)
    news = [redis.publish() for _ in range(4)]
    sequencer.announce(news[0])
    redis.lose(2)
    assert sequencer.announce(news[3]) is Verdict.GAP_RESYNC
    memory = sequencer.find(CHANNEL)
    assert memory is not None
    assert memory.seq == 4


def test_a_new_epoch_is_followed_from_its_first_news_that_is_newer() -> None:
    redis = ModelRedis()
    client = Client(redis)
    sequencer = Sequencer(redis, client, history_bytes=HISTORY)
    for _ in range(5):
        sequencer.announce(redis.publish())
    redis.flush()
    again = [redis.publish(late=3 - n) for n in range(2)]
    assert [redis.sources["e2", news.seq] for news in again] == [3, 4]
    assert [sequencer.announce(news) for news in again] == [Verdict.STALE, Verdict.STALE]
    assert sequencer.catch_up(CHANNEL, Position("e2", 2, 4)) is Verdict.STALE
    assert client.at == ("e1", 5)
    assert sequencer.announce(redis.publish()) is Verdict.EPOCH_CHANGED
    assert client.at == ("e2", 3)


def test_a_source_whose_clock_was_set_back_is_followed_after_a_while() -> None:
    redis = ModelRedis()
    sequencer = Sequencer(redis, Sunk(), history_bytes=HISTORY)
    redis.newest = 10_000
    sequencer.announce(redis.publish())
    redis.flush()
    redis.newest = 0
    verdicts = [sequencer.announce(redis.publish()) for _ in range(MAX_HELD + 1)]
    assert verdicts == [Verdict.STALE] * MAX_HELD + [Verdict.EPOCH_CHANGED]


def test_log_of_a_younger_epoch_is_not_taken_for_what_was_missed() -> None:
    redis = ModelRedis()
    client = Client(redis)
    sequencer = Sequencer(redis, client, history_bytes=HISTORY)
    news = [redis.publish() for _ in range(4)]
    sequencer.announce(news[0])

    def renew() -> None:
        redis.flush()
        for _ in range(6):
            redis.publish()

    redis.between = renew
    assert sequencer.announce(news[3]) is Verdict.EPOCH_CHANGED
    assert client.at == ("e2", 6)


def test_foreign_names_are_not_remembered() -> None:
    redis = ModelRedis()
    sequencer = Sequencer(redis, Client(redis), history_bytes=HISTORY)
    for name in ("bars", "metrics:NIFTY:*", "x" * 100, ""):
        with pytest.raises(UnknownChannel):
            sequencer.announce(LiveState(name, "e1", 1, 1, 0, b"{}"))
        with pytest.raises(UnknownChannel):
            sequencer.load(name)
    assert sequencer.channels() == []


def test_loading_brings_the_log_that_fits() -> None:
    redis = ModelRedis()
    for _ in range(5):
        redis.publish()
    redis.log.remove((2, b"e1:2"))
    sequencer = Sequencer(redis, Client(redis), history_bytes=HISTORY)
    assert sequencer.load(CHANNEL) is Verdict.FIRST
    memory = sequencer.find(CHANNEL)
    assert memory is not None
    missed = memory.since("e1", 2)
    assert missed is not None
    assert [(message.seq, message.data) for message in missed] == [(3, b"e1:3"), (4, b"e1:4"), (5, b"e1:5")]
    assert memory.since("e1", 1) is None
    assert sequencer.expiries("metrics", "NIFTY") == [CHANNEL]
    assert sequencer.expiries("chain", "NIFTY") == []


def test_history_is_bounded_by_count_and_by_bytes() -> None:
    memory = Memory(LiveState("ticks:NIFTY", "e", 1, 1, 0, b"{}"), Allowance(HISTORY))
    for seq in range(2, LOG_LENGTH + 100):
        memory.advance(seq, b"{}")
    assert memory.since("e", memory.seq - LOG_LENGTH) is not None
    assert memory.since("e", memory.seq - LOG_LENGTH - 1) is None
    large = b"x" * (HISTORY_BYTES // 4)
    for seq in range(memory.seq + 1, memory.seq + 10):
        memory.advance(seq, large)
    assert memory.since("e", memory.seq - 5) is not None
    assert memory.since("e", memory.seq - 6) is None
    memory.advance(memory.seq + 1, b"x" * (2 * HISTORY_BYTES))
    memory.advance(memory.seq + 1, b"{}")
    assert memory.since("e", memory.seq - 1) is not None, "the newest is always kept"
    assert memory.since("e", memory.seq - 2) is None


def test_what_is_kept_deflated_counts() -> None:
    memory = Memory(LiveState(CHANNEL, "e", 1, 1, 0, b"{}"), Allowance(HISTORY))
    for seq in range(2, 10):
        memory.advance(seq, b"x" * (HISTORY_BYTES // 4))
        memory.message.attachment = b"y" * (HISTORY_BYTES // 4)
    assert memory.since("e", memory.seq - 3) is not None
    assert memory.since("e", memory.seq - 4) is None


def test_all_channels_share_what_is_kept() -> None:
    redis = ModelRedis()
    sequencer = Sequencer(redis, Sunk(), history_bytes=8_000)
    names = [f"metrics:NIFTY:2026-12-{day:02}" for day in range(10, 18)]

    def publish(name: str, first: int, last: int) -> None:
        for seq in range(first, last + 1):
            sequencer.announce(LiveState(name, "e", seq, seq, 0, b"x" * 500))

    def kept(name: str) -> int:
        memory = sequencer.find(name)
        assert memory is not None
        return max(n for n in range(1, 21) if memory.since("e", memory.seq - n) is not None) - 1

    publish(names[0], 1, 20)
    assert kept(names[0]) == 16
    for name in names[1:]:
        publish(name, 1, 1)
    assert kept(names[0]) == 2, "who is quiet gives up what it may not keep any more"
    for name in names[1:]:
        publish(name, 2, 20)
    assert {kept(name) for name in names} == {2}
    sequencer.forget("metrics:NIFTY:2026-12-1")
    publish(names[0], 1, 20)
    assert kept(names[0]) == 16


def test_a_message_that_does_not_follow_is_refused() -> None:
    memory = Memory(LiveState("ticks:NIFTY", "e", 5, 5, 0, b"{}"), Allowance(HISTORY))
    for seq in (4, 5, 7):
        with pytest.raises(ValueError, match="does not follow"):
            memory.advance(seq, b"{}")
