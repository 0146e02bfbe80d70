"""How long a state counts as the newest, and what is kept of its representations."""

from api_gateway.live_states import CONFIRMED_SECONDS, LiveStates
from api_gateway.question import JSON_TYPE, Question, parse_question
from api_gateway.representation import Variant
from aro.adapters.clock import ManualClock
from aro.adapters.live import LiveReader, LiveState, Position
from aro.contracts.names import chain_channel
from aro.testing import enriched, factories

EXPIRY = "2026-11-23"
CHANNEL = chain_channel("NIFTY", EXPIRY)
QUESTION = Question("chain", "NIFTY", EXPIRY)
PLAIN = Variant("", JSON_TYPE, "identity")


class OneChannel(LiveReader):
    """Redis with one channel, at whatever `seq` a test says, that counts what it is asked."""

    def __init__(self) -> None:
        self.seq = 1
        self.asked = 0
        self.read = 0

    def positions(self, channels):
        self.asked += 1
        return {name: Position("epoch", self.seq, self.seq) if name == CHANNEL else None for name in channels}

    def state(self, channel):
        self.read += 1
        data = enriched.record(factories.SNAPSHOT_TS + self.seq).data
        return LiveState(channel, "epoch", self.seq, self.seq, factories.SNAPSHOT_TS, data)

    def channels(self):
        return {CHANNEL}


def states(**options: int) -> tuple[LiveStates, OneChannel, ManualClock]:
    reader, clock = OneChannel(), ManualClock(factories.SNAPSHOT_TS)
    return LiveStates(reader, clock, **options), reader, clock


def test_redis_is_asked_once_per_fifty_milliseconds_and_data_read_once_per_state() -> None:
    held, reader, clock = states()
    for _ in range(100):
        assert held.newest(QUESTION) is not None
    assert (reader.asked, reader.read) == (1, 1)
    clock.advance(CONFIRMED_SECONDS + 0.001)
    assert held.at_hand(QUESTION) is None
    held.newest(QUESTION)
    assert (reader.asked, reader.read) == (2, 1)
    reader.seq = 2
    assert held.newest(QUESTION).version.seq == 1
    clock.advance(CONFIRMED_SECONDS + 0.001)
    assert held.newest(QUESTION).version.seq == 2
    assert held.at_hand(QUESTION).version.seq == 2


def test_what_was_asked_for_again_and_again_is_ready_in_the_next_state() -> None:
    held, reader, clock = states()
    first = held.newest(QUESTION)
    often, once = PLAIN, Variant("", JSON_TYPE, "gzip")
    held.representation(first, QUESTION, often).uses = 5
    held.representation(first, QUESTION, once).uses = 1
    reader.seq = 2
    clock.advance(1)
    assert list(held.newest(QUESTION).made) == [often]


def test_representations_of_one_state_are_bounded_in_bytes() -> None:
    held, _, _ = states(budget_bytes=50_000)
    state = held.newest(QUESTION)
    for count in range(300):
        question = parse_question("/api/v1/chains/NIFTY", f"expiry={EXPIRY}&strikes=atm:{count}")
        held.representation(state, question, Variant(question.look, JSON_TYPE, "identity"))
        assert sum(len(made.body) for made in state.made.values()) <= state.made_bytes <= 50_000
    assert state.made


def test_nothing_is_remembered_of_channels_that_do_not_exist() -> None:
    held, _, _ = states()
    for day in range(1, 29):
        unknown = Question("chain", "NIFTY", f"2031-01-{day:02}")
        assert held.at_hand(unknown) is None
        assert held.newest(unknown) is None
    assert held._wanted == held._held == held._confirmed == {}
