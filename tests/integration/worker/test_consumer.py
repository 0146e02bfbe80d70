"""Role consume against a real ledger: what is dispatched, sent again, and buried."""

import itertools
import threading
from collections.abc import Callable

import pytest
import redis

from aro.adapters.clock import ManualClock, SystemClock
from aro.adapters.dead_letters import DeadLetters
from aro.adapters.ledger import Ledger
from aro.adapters.turns import Turns
from aro.contracts.codec import encode_message
from aro.contracts.names import BATCH_TURN, STREAM_CHAINS, STREAM_TICKS
from aro.testing import factories
from aro.testing.eventually import eventually
from worker_enricher.consumer import (
    LATE_QUEUED_TASKS,
    LATE_SECONDS,
    MAX_DELIVERIES,
    MAX_QUEUED_TASKS,
    PASSED_AT_ONCE,
    READ_ON_SECONDS,
    STUCK_SECONDS,
    Batch,
    Consumer,
)


class Recorder:
    """A dispatch that keeps what it was given and acknowledges nothing."""

    def __init__(self) -> None:
        self.batches: list[dict[str, list[str]]] = []
        self.passed: list[dict[str, list[str]]] = []
        self.waiting = 0

    def send(self, batch: Batch) -> None:
        self.batches.append({stream: list(ids) for stream, ids in batch.items()})

    def pass_over(self, batch: Batch) -> None:
        self.passed.append({stream: list(ids) for stream, ids in batch.items()})

    def queued(self) -> int:
        return self.waiting

    def finished(self) -> list[int]:
        return []

    def ids(self, stream: str = STREAM_CHAINS) -> list[str]:
        return [entry for batch in self.batches for entry in batch.get(stream, ())]


Make = Callable[..., Consumer]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def make(redis_client: redis.Redis, recorder: Recorder) -> Make:
    Ledger(redis_client).ensure_groups()

    def build(**options: int) -> Consumer:
        values = {"batch_size": 64, "batch_ms": 50, "reclaim_idle_ms": 1, "conflate_after_ms": 60_000, **options}
        clock = SystemClock()
        return Consumer(Ledger(redis_client), DeadLetters(redis_client), recorder, clock, name="test", **values)

    return build


def chains(client: redis.Redis, count: int) -> list[str]:
    return Ledger(client).append([(STREAM_CHAINS, b"%d" % n) for n in range(count)])


def test_a_burst_is_one_batch_up_to_its_size(redis_client: redis.Redis, recorder: Recorder, make: Make) -> None:
    ids = chains(redis_client, 10)
    tick_ids = Ledger(redis_client).append([(STREAM_TICKS, b"t")])
    make(reclaim_idle_ms=60_000).turn(threading.Event())
    assert recorder.batches == [{STREAM_CHAINS: ids, STREAM_TICKS: tick_ids}]
    more = chains(redis_client, 150)
    consumer = make(reclaim_idle_ms=60_000)
    for _ in range(3):
        consumer.turn(threading.Event())
    assert [len(batch[STREAM_CHAINS]) for batch in recorder.batches[1:]] == [64, 64, 22]
    assert recorder.ids() == ids + more


def test_a_full_queue_is_given_nothing_more(redis_client: redis.Redis, recorder: Recorder, make: Make) -> None:
    ids = chains(redis_client, 3)
    recorder.waiting = MAX_QUEUED_TASKS
    consumer = make(reclaim_idle_ms=60_000)
    consumer.turn(threading.Event())
    assert recorder.batches == []
    recorder.waiting = 0
    consumer.turn(threading.Event())
    assert recorder.ids() == ids


def test_unacknowledged_entries_are_sent_again_then_alone_then_buried(
    redis_client: redis.Redis, recorder: Recorder, make: Make
) -> None:
    [first, second] = chains(redis_client, 2)
    consumer, ledger, dead = make(), Ledger(redis_client), DeadLetters(redis_client)
    ledger.read_new("test", count=2, block_ms=10)
    dead.note_error(STREAM_CHAINS, first, "ZeroDivisionError: x")

    def given_up() -> bool:
        consumer.maintain()
        return ledger.pending(STREAM_CHAINS) == 0

    eventually(given_up, "both entries to be given up")
    together = [batch for batch in recorder.batches if batch == {STREAM_CHAINS: [first, second]}]
    alone = [batch for batch in recorder.batches if batch == {STREAM_CHAINS: [first]}]
    # One delivery by reading, one together, the rest alone.
    assert (len(together), len(alone)) == (1, MAX_DELIVERIES - 2)
    letters = {letter.entry_id: letter for letter in dead.list(limit=9)}
    assert {letter.reason for letter in letters.values()} == {"delivery_limit"}
    assert "ZeroDivisionError: x" in letters[first].error
    assert "died or hung" in letters[second].error
    assert letters[second].message == b"1"


def test_nothing_is_reclaimed_while_tasks_wait_in_the_queue(
    redis_client: redis.Redis, recorder: Recorder, make: Make
) -> None:
    chains(redis_client, 2)
    Ledger(redis_client).read_new("test", count=2, block_ms=10)
    recorder.waiting = 1
    consumer = make(reclaim_idle_ms=1)
    consumer.maintain()
    assert recorder.batches == []
    recorder.waiting = 0

    def sent() -> bool:
        consumer.maintain()
        return bool(recorder.batches)

    eventually(sent, "the entries to be sent again")


def test_groups_lost_with_redis_data_are_made_again(redis_client: redis.Redis, recorder: Recorder, make: Make) -> None:
    consumer, stop = make(reclaim_idle_ms=60_000), threading.Event()
    loop = threading.Thread(target=consumer.run, args=[stop])
    loop.start()
    try:
        redis_client.flushall()
        ids = chains(redis_client, 1)
        eventually(lambda: recorder.ids() == ids, "the entry after FLUSHALL")
    finally:
        stop.set()
        loop.join(timeout=10)
    assert not loop.is_alive()


class Worker(Recorder):
    """A dispatch whose tasks end when the test says so."""

    def __init__(self, client: redis.Redis) -> None:
        super().__init__()
        self.turns = Turns(client)

    def finished(self) -> list[int]:
        return self.turns.finished("test")

    def end(self, batch: dict[str, list[str]]) -> None:
        self.turns.done(*batch[BATCH_TURN])


def test_a_series_waits_for_its_task_and_others_do_not(redis_client: redis.Redis) -> None:
    ledger, worker, stop = Ledger(redis_client), Worker(redis_client), threading.Event()
    ledger.ensure_groups()
    options = {"batch_size": 64, "batch_ms": 1, "reclaim_idle_ms": 60_000, "conflate_after_ms": 60_000}
    consumer = Consumer(ledger, DeadLetters(redis_client), worker, SystemClock(), name="test", **options)

    def fed(expiry: str, seq: int) -> str:
        message = encode_message(factories.chain(expiry=expiry, source_seq=seq))
        [entry] = ledger.append([(STREAM_CHAINS, message)])
        consumer.turn(stop)
        return entry

    first = fed("2026-11-23", 1)
    other = fed("2026-11-24", 1)
    late = fed("2026-11-23", 2)
    assert [batch[STREAM_CHAINS] for batch in worker.batches] == [[first], [other]]
    worker.end(worker.batches[1])
    consumer.turn(stop)
    assert len(worker.batches) == 2
    worker.end(worker.batches[0])
    consumer.turn(stop)
    assert [batch[STREAM_CHAINS] for batch in worker.batches[2:]] == [[late]]


def test_when_entries_wait_too_long_the_newest_goes_first_and_the_others_are_passed_over(
    redis_client: redis.Redis, recorder: Recorder, make: Make
) -> None:
    ledger, now = Ledger(redis_client), SystemClock().now_ms()
    consumer, stop = make(batch_size=4, batch_ms=1, reclaim_idle_ms=60_000, conflate_after_ms=50), threading.Event()
    messages = [encode_message(factories.chain(expiry=f"2026-12-0{n % 3 + 1}", source_seq=now + n)) for n in range(300)]
    ids = ledger.append([(STREAM_CHAINS, message) for message in messages])
    past = ledger.append([(STREAM_CHAINS, encode_message(factories.chain(expiry="2026-12-01", source_seq=n)))
                          for n in range(2)])  # fmt: skip

    def turned() -> bool:
        consumer.turn(stop)
        return len(recorder.ids()) + sum(len(batch[STREAM_CHAINS]) for batch in recorder.passed) == 302

    eventually(turned, "everything to be handed on")
    passed = [entry for batch in recorder.passed for entry in batch[STREAM_CHAINS]]
    assert sorted(recorder.ids() + passed) == sorted(ids + past), "each once"
    assert set(ids[-3:] + past) <= set(recorder.ids()), "the newest of each series, and what fills in history"
    assert len(passed) > 200
    assert max(map(len, (batch[STREAM_CHAINS] for batch in recorder.passed))) <= PASSED_AT_ONCE
    assert ledger.lag(STREAM_CHAINS) == 0, "all of it was read, to find the newest"


class Flood:
    """Series that each get another snapshot in every step, and a worker that ends a batch before the next."""

    def __init__(self, client: redis.Redis, *, series: int, batch_size: int) -> None:
        self.clock = ManualClock(SystemClock().now_ms())
        self.worker, self._ledger, self._series = Worker(client), Ledger(client), series
        self._ledger.ensure_groups()
        options = {"batch_size": batch_size, "batch_ms": 1, "reclaim_idle_ms": 60_000, "conflate_after_ms": 500}
        self.consumer = Consumer(self._ledger, DeadLetters(client), self.worker, self.clock, name="test", **options)
        self._seq = self.clock.now_ms()
        self.names: dict[str, str] = {}
        """Entry → series"""

    def comes(self, *, each: int = 1, series: int | None = None) -> None:
        """`each` snapshots of every series, or of the first `series` of them."""
        for _ in range(each):
            self._seq += 1
            days = [f"2027-{n // 28 + 1:02}-{n % 28 + 1:02}" for n in range(series or self._series)]
            messages = [encode_message(factories.chain(expiry=day, source_seq=self._seq)) for day in days]
            ids = self._ledger.append([(STREAM_CHAINS, message) for message in messages])
            self.names |= dict(zip(ids, days, strict=True))

    def step(self, seconds: float) -> list[str]:
        """Series of the batch, if there is one."""
        self.clock.advance(seconds)
        before = len(self.worker.batches)
        self.consumer.turn(threading.Event())
        made = self.worker.batches[before:]
        for batch in made:
            self.worker.end(batch)
        return [self.names[entry] for batch in made for entry in batch[STREAM_CHAINS]]


def test_in_overload_batches_are_of_one_size_and_series_in_every_third(redis_client: redis.Redis) -> None:
    flood = Flood(redis_client, series=240, batch_size=100)
    batches = []
    for _ in range(30):
        flood.comes(each=2)
        batches.append(flood.step(0.6))
    assert all(len(batch) == len(set(batch)) for batch in batches), "the newest of each series and nothing else"
    # A third of 240 and what is left of the last lane. Full ones would be of 100, 100 and 40.
    assert all(70 <= len(batch) <= 95 for batch in batches), [len(batch) for batch in batches]
    for name in set(flood.names.values()):
        turns = [n for n, batch in enumerate(batches) if name in batch]
        assert {after - before for before, after in itertools.pairwise(turns)} <= {2, 3, 4}, name


def test_overload_is_not_over_when_nothing_waits_for_a_moment(redis_client: redis.Redis) -> None:
    flood = Flood(redis_client, series=3, batch_size=100)
    flood.comes(each=5)
    assert len(flood.step(0.6)) == 3
    flood.comes(each=5)
    assert len(flood.step(0.1)) == 3
    for _ in range(round(LATE_SECONDS / 0.2)):
        assert flood.step(0.2) == []
    flood.comes(each=5)
    assert len(flood.step(0.1)) == 15


def test_what_was_passed_over_goes_on_its_way_while_little_comes(redis_client: redis.Redis) -> None:
    flood = Flood(redis_client, series=2, batch_size=100)
    flood.comes(each=1 + 2 * PASSED_AT_ONCE)
    assert len(flood.step(0.6)) == 2
    for _ in range(8):
        flood.comes(series=1)
        assert len(flood.step(0.2)) == 1
    assert sum(len(batch[STREAM_CHAINS]) for batch in flood.worker.passed) == 4 * PASSED_AT_ONCE


def test_in_overload_the_ledger_is_read_while_workers_are_busy_and_not_when_they_are_gone(
    redis_client: redis.Redis,
) -> None:
    flood, ledger = Flood(redis_client, series=10, batch_size=100), Ledger(redis_client)
    flood.comes()
    assert len(flood.step(0.6)) == 10
    flood.worker.waiting = LATE_QUEUED_TASKS
    flood.comes()
    assert flood.step(READ_ON_SECONDS) == []
    assert ledger.lag(STREAM_CHAINS) == 0
    flood.comes()
    assert flood.step(STUCK_SECONDS) == []
    assert ledger.lag(STREAM_CHAINS) == 10
    flood.worker.waiting = 0
    assert len(flood.step(0.1)) == 10
    assert ledger.lag(STREAM_CHAINS) == 0
