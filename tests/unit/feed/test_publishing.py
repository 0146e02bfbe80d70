"""Numbers, buffer, pace, checks and the truth file: everything between a provider and Redis."""

import json
import math
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.adapters.clock import ManualClock
from aro.contracts.codec import decode_chain, decode_tick
from aro.contracts.names import STREAM_CHAINS, STREAM_TICKS
from aro.testing.factories import SNAPSHOT_TS, chain, quotes, tick
from feed_generator import metrics
from feed_generator.feed import Feed
from feed_generator.numbering import SourceSequences
from feed_generator.outbox import Entry, Outbox
from feed_generator.pace import Pace
from feed_generator.provider import Batch
from feed_generator.truth import TruthFile


def value(counter, *labels):
    return (counter.labels(*labels) if labels else counter)._value.get()


def entry(number):
    return Entry("s", "NIFTY", number, "NIFTY", number, b"")


# --- Numbers -------------------------------------------------------------------------------
@given(st.lists(st.integers(-(10**12), 2 * 10**12), min_size=1), st.integers(0, 10**12))
def test_numbers_rise_whatever_the_clock_does(clock, last):
    sequences = SourceSequences({"NIFTY": last})
    numbers = [sequences.next("NIFTY", now) for now in clock]
    assert numbers[0] > last
    assert all(later > earlier for earlier, later in pairwise(numbers))
    assert all(number >= now for number, now in zip(numbers, clock, strict=True))


def test_numbers_are_milliseconds_when_the_clock_is_right_and_separate_per_key():
    sequences = SourceSequences({"NIFTY": 5_000})
    assert sequences.next("NIFTY", 1_000) == 5_001
    assert sequences.next("NIFTY|2026-12-29", 1_000) == 1_000
    assert sequences.next("NIFTY", 7_000) == 7_000


# --- Buffer --------------------------------------------------------------------------------
def test_a_full_buffer_keeps_the_newest_and_counts_what_it_dropped():
    outbox = Outbox(3)
    outbox.blocked_by = "redis_away"
    before = value(metrics.dropped, "redis_away")
    outbox.put([entry(number) for number in range(5)])
    assert [kept.source_seq for kept in outbox.take(10)] == [2, 3, 4]
    assert value(metrics.dropped, "redis_away") == before + 2


def test_what_could_not_be_sent_goes_back_to_the_front():
    outbox = Outbox(4)
    outbox.put([entry(number) for number in range(4)])
    taken = outbox.take(2)
    outbox.put([entry(4)])
    outbox.give_back(taken)
    assert [kept.source_seq for kept in outbox.take(10)] == [1, 2, 3, 4]


def test_waiting_ends_when_something_comes():
    outbox = Outbox(3)
    waiter = threading.Thread(target=outbox.wait, args=(30.0,))
    waiter.start()
    outbox.put([entry(1)])
    waiter.join(5)
    assert not waiter.is_alive()


def test_putting_never_waits():
    outbox = Outbox(1_000)
    started = time.monotonic()
    for number in range(10_000):
        outbox.put([entry(number)])
    assert time.monotonic() - started < 1.0
    assert len(outbox) == 1_000


# --- Pace ----------------------------------------------------------------------------------
class SteppingClock(ManualClock):
    """Its `wait` is an Event whose waiting moves the clock."""

    def __init__(self):
        super().__init__(0)
        self.waited = []
        clock = self

        class Stop(threading.Event):
            def wait(self, timeout=None):
                clock.waited.append(round(timeout, 6))
                clock.advance(timeout)
                return False

        self.stop = Stop()


def test_ticks_are_due_at_fixed_distances_however_long_they_take():
    clock = SteppingClock()
    pace = Pace(1.0, clock)
    for work in (0.1, 0.7, 0.0):
        clock.advance(work)
        assert pace.wait(clock.stop) == 0
    assert clock.monotonic() == pytest.approx(3.0)
    assert clock.waited == [0.9, 0.3, 1.0]


def test_a_pause_skips_what_was_missed_and_makes_no_burst():
    clock = SteppingClock()
    pace = Pace(1.0, clock)
    pace.wait(clock.stop)
    clock.advance(15.3)  # SIGSTOP, SIGCONT
    assert pace.wait(clock.stop) == 15
    assert clock.waited[-1] == pytest.approx(0.7)
    assert pace.wait(clock.stop) == 0
    assert clock.waited[-1] == pytest.approx(1.0)


# --- Checks --------------------------------------------------------------------------------
class Scripted:
    def __init__(self, batch):
        self.batch = batch

    def tick(self, _now_ms):
        return self.batch


def published(batch, *, truth=None, last=None):
    outbox = Outbox(1_000)
    Feed(Scripted(batch), SourceSequences(last or {}), outbox, truth).tick(SNAPSHOT_TS)
    return outbox.take(1_000)


def test_sound_messages_are_numbered_and_encoded():
    entries = published(Batch([tick(source_seq=0)], [chain(source_seq=0)]), last={"NIFTY|2026-11-23": SNAPSHOT_TS})
    assert [(sent.stream, sent.key, sent.source_seq) for sent in entries] == [
        (STREAM_TICKS, "NIFTY", SNAPSHOT_TS),
        (STREAM_CHAINS, "NIFTY|2026-11-23", SNAPSHOT_TS + 1),
    ]
    assert decode_tick(entries[0].message) == tick(source_seq=SNAPSHOT_TS)
    assert decode_chain(entries[1].message) == chain(source_seq=SNAPSHOT_TS + 1)


def with_bid(*bids):
    return chain(calls=quotes(list(bids), [270.0, 240.0, 212.0, 186.0, 162.0]))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (with_bid(271.0, 239.0, 211.0, 185.0, 161.0), "crossed"),
        (with_bid(-1.0, 239.0, 211.0, 185.0, 161.0), "negative"),
        (with_bid(math.nan, 239.0, 211.0, 185.0, 161.0), "not_finite"),
        (with_bid(math.inf, 239.0, 211.0, 185.0, 161.0), "not_finite"),
        (chain(strikes=[3.0, 2.0, 1.0, 4.0, 5.0]), "bad_strikes"),
        (chain(strikes=[1.0, 2.0]), "bad_columns"),
        (chain(expiry_ts=SNAPSHOT_TS), "bad_time"),
        (chain(expiry="tomorrow"), "bad_time"),
        (chain(spot=math.nan), "not_finite"),
        (chain(product="DAX"), "unknown_product"),
    ],
)
def test_what_is_not_sound_is_counted_and_its_neighbours_are_sent(message, reason):
    before = value(metrics.rejected, reason)
    entries = published(Batch([tick(), tick(price=-1.0)], [message, chain(expiry="2026-12-01")]))
    assert [sent.key for sent in entries] == ["NIFTY", "NIFTY|2026-12-01"]
    assert value(metrics.rejected, reason) >= before + 1


# --- Truth ---------------------------------------------------------------------------------
@pytest.fixture
def truth(tmp_path):
    file = TruthFile(tmp_path / "truth.jsonl")
    yield file
    file.close()


def test_truth_carries_the_number_of_its_chain(truth, tmp_path):
    batch = Batch([], [chain(), chain(expiry="2026-12-01")], [{"forward": 1.5}, {"forward": 2.5}])
    entries = published(batch, truth=truth)
    published(batch, truth=truth)
    lines = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
    assert len(lines) == 4
    assert lines[:2] == [
        {"source_seq": sent.source_seq, "forward": forward} for sent, forward in zip(entries, (1.5, 2.5), strict=True)
    ]


def test_a_full_disk_costs_the_truth_and_not_the_feed():
    full = TruthFile(Path("/dev/full"))
    for _ in range(2):
        assert len(published(Batch([], [chain()], [{"forward": 1.5}]), truth=full)) == 1


def test_messages_without_truth_are_fine(truth, tmp_path):
    assert published(Batch([tick()], [chain()]), truth=truth)
    assert (tmp_path / "truth.jsonl").read_text() == ""
