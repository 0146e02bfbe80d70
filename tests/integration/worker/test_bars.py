"""From stored metrics and ticks to bars and their channel, on real servers: live, late, missed and without MongoDB."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
import redis
from pymongo.database import Database

from aro.adapters import mongo
from aro.adapters.bar_marks import BarMarks, Minute
from aro.adapters.bar_store import PRODUCT_LEVEL, BarRow, BarStore
from aro.adapters.chain_store import ChainRecord, ChainStore
from aro.adapters.clock import ManualClock
from aro.adapters.live import LivePublisher, LiveReader, Publication
from aro.adapters.mongo import Document
from aro.adapters.tick_store import TickStore
from aro.contracts.analytics import BarsState
from aro.contracts.codec import encode_json
from aro.contracts.names import bars_channel, log_key, metrics_channel, ticks_channel
from aro.testing import enriched
from aro.testing.servers import MongoServer
from worker_enricher.bar_desk import CATCH_UP_MS, RETRY_SECONDS, SHORT_SECONDS, BarDesk
from worker_enricher.bars import minute_of
from worker_enricher.owed_bars import REPEAT_SECONDS, SETTLE_MS, OwedBars

MINUTE = 60_000
T = minute_of(1_795_000_000_000)
EXPIRY = "2026-11-23"
MINUTE_OF_T = Minute("NIFTY", EXPIRY, T)


@dataclass
class Bench:
    """Stores what `data` is told, as a batch does; the clock is that of whoever stores and of the desk."""

    client: redis.Redis
    database: Database[Document]
    clock: ManualClock = field(default_factory=lambda: ManualClock(T))

    def __post_init__(self) -> None:
        self.chains, self.ticks = ChainStore(self.database), TickStore(self.database)
        self.store, self.marks = BarStore(self.database), BarMarks(self.client)
        self.owed = OwedBars(self.marks, self.clock)
        self.publisher = LivePublisher(self.client)

    def desk(self) -> BarDesk:
        """As of a process that has just begun."""
        reader = LiveReader(self.client)
        return BarDesk(reader, self.publisher, self.chains, self.ticks, self.store, self.marks, self.clock)

    def chain(self, offset_ms: int, iv_atm: float | None, expiry: str = EXPIRY) -> None:
        record = enriched.record(T + offset_ms, expiry=expiry)
        metrics = msgspec.structs.replace(record.metrics, iv_atm=iv_atm)
        self.chains.save([ChainRecord(record.chain, metrics, record.data)])
        self.owed.note([Minute("NIFTY", expiry, minute_of(T + offset_ms))])

    def publish(self, offset_ms: int, iv_atm: float | None, *, source_seq: int | None = None) -> None:
        """Without storing it."""
        metrics = msgspec.structs.replace(enriched.record(T + offset_ms).metrics, iv_atm=iv_atm)
        channel = metrics_channel("NIFTY", EXPIRY)
        seq = metrics.source_seq if source_seq is None else source_seq
        self.publisher.publish([Publication(channel, seq, encode_json(metrics))])

    def tick(self, offset_ms: int, price: float) -> None:
        tick = msgspec.structs.replace(enriched.tick(T + offset_ms), price=price)
        self.ticks.save([tick])
        publication = Publication(ticks_channel("NIFTY"), tick.source_seq, encode_json(tick))
        [published] = self.publisher.publish([publication])
        minutes = [Minute("NIFTY", PRODUCT_LEVEL, minute_of(T + offset_ms))]
        self.owed.note(minutes, [] if published.accepted else minutes)

    def move_to(self, offset_ms: int) -> None:
        self.clock.advance((T + offset_ms - self.clock.now_ms()) / 1000)

    def bars(self, metric: str, expiry: str = EXPIRY) -> list[BarRow]:
        """Minutes counted from T."""
        rows = self.store.bars("NIFTY", expiry, metric, T - 600 * MINUTE, T + 600 * MINUTE)
        return [((row[0] - T) // MINUTE, *row[1:]) for row in rows]

    def shown(self) -> BarsState | None:
        state = LiveReader(self.client).state(bars_channel("NIFTY"))
        return None if state is None else msgspec.json.decode(state.data, type=BarsState)


@pytest.fixture
def bench(redis_client: redis.Redis, database: Database[Document]) -> Bench:
    return Bench(redis_client, database)


def test_a_minute_is_rolled_up_once_it_is_over_and_settled(bench: Bench) -> None:
    desk = bench.desk()
    for second, iv in ((1, 0.2), (2, None), (30, 0.3), (59, 0.25)):
        bench.move_to(second * 1_000)
        bench.chain(second * 1_000, iv)
        bench.tick(second * 1_000, 25_000.0 + second)
    bench.move_to(MINUTE + SETTLE_MS - 1)
    desk.run()
    assert bench.bars("iv_atm") == []
    bench.move_to(MINUTE + SETTLE_MS)
    desk.run()
    assert bench.bars("iv_atm") == [(0, 0.2, 0.3, 0.2, 0.25, 3)]
    assert bench.bars("forward") == [(0, 25_010.5, 25_010.5, 25_010.5, 25_010.5, 4)]
    assert bench.bars("spot", PRODUCT_LEVEL) == [(0, 25_001.0, 25_059.0, 25_001.0, 25_059.0, 4)]
    assert bench.bars("pcr_volume") == [], "what was never computable has no bar"
    assert bench.marks.count() == 0


def test_what_comes_late_changes_its_bar_however_late_it_is(bench: Bench) -> None:
    desk = bench.desk()
    bench.chain(1_000, 0.2)
    bench.move_to(3 * MINUTE)
    desk.run()
    assert bench.bars("iv_atm") == [(0, 0.2, 0.2, 0.2, 0.2, 1)]
    bench.chain(500, 0.1)
    bench.chain(-90 * MINUTE, 0.4)
    desk.run()
    assert [row[0] for row in bench.bars("iv_atm")] == [0], "more may be on its way"
    bench.clock.advance(SETTLE_MS / 1000)
    desk.run()
    assert bench.bars("iv_atm") == [(-90, 0.4, 0.4, 0.4, 0.4, 1), (0, 0.1, 0.2, 0.1, 0.2, 2)]


def test_a_minute_that_was_published_whole_is_not_looked_up(bench: Bench) -> None:
    """What is stored of it is another number here, to tell which of the two its bar is made of."""
    bench.publish(-1, 0.1)
    for second, iv in ((0, 0.2), (20, None), (40, 0.4), (59, 0.3)):
        bench.chain(second * 1_000, 0.9)
        bench.publish(second * 1_000, iv)
    bench.publish(MINUTE, 0.5)
    bench.move_to(MINUTE + SETTLE_MS)
    bench.desk().run()
    assert bench.bars("iv_atm") == [(0, 0.2, 0.4, 0.2, 0.3, 3)]


@pytest.mark.parametrize("lack", ["beginning", "something", "order", "times", "sense", "log"])
def test_a_minute_that_its_log_lacks_something_of_is_looked_up(bench: Bench, lack: str) -> None:
    if lack != "beginning":
        bench.publish(-1, 0.1, source_seq=1 if lack == "times" else None)
    for second in (0, 59):
        bench.chain(second * 1_000, 0.9)
        bench.publish(second * 1_000, 0.2, source_seq=2 + second if lack == "times" else None)
    if lack == "something":
        bench.owed.note([MINUTE_OF_T], [MINUTE_OF_T])
    elif lack == "order":
        bench.publish(30_000, 0.2, source_seq=T + MINUTE)
    elif lack == "sense":
        bench.publisher.publish([Publication(metrics_channel("NIFTY", EXPIRY), T + MINUTE, b'{"source_ts": "?"}')])
    elif lack == "log":
        bench.client.set(log_key(metrics_channel("NIFTY", EXPIRY)), "of somebody else")
    bench.move_to(MINUTE + SETTLE_MS)
    bench.desk().run()
    assert bench.bars("iv_atm") == [(0, 0.9, 0.9, 0.9, 0.9, 2)]
    assert bench.marks.count() == 0
    bench.chain(5_000, 0.8)
    bench.clock.advance(SETTLE_MS / 1000)
    [mark] = bench.marks.due(bench.clock.now_ms(), limit=9)
    assert not mark.unpublished, "what is done is no longer known to be so"


def test_an_hour_of_history_gets_its_bars_in_a_few_tasks(bench: Bench) -> None:
    desk = bench.desk()
    bench.move_to(MINUTE)
    for n in range(-60, 0):
        bench.chain(n * MINUTE + 7_000, 0.2 + n / 1000)
        bench.tick(n * MINUTE + 7_000, 25_000.0 + n)
    bench.clock.advance(10)
    for _ in range(10):
        desk.run()
    assert [row[0] for row in bench.bars("iv_atm")] == list(range(-60, 0))
    assert [row[1] for row in bench.bars("spot", PRODUCT_LEVEL)] == [25_000.0 + n for n in range(-60, 0)]
    assert bench.marks.count() == 0


def test_a_running_minute_is_marked_seldom_and_a_late_one_each_time(redis_client: redis.Redis) -> None:
    clock, marks = ManualClock(T + 1_000), BarMarks(redis_client)
    owed, minute = OwedBars(marks, clock), Minute("NIFTY", EXPIRY, T)
    owed.note([minute, minute])
    assert [mark.due_ms for mark in marks.due(T + 10 * MINUTE, limit=9)] == [T + MINUTE + SETTLE_MS]
    redis_client.flushall()
    owed.note([minute])
    assert marks.count() == 0
    clock.advance(REPEAT_SECONDS)
    owed.note([minute])
    assert marks.count() == 1, "a Redis that lost its data gets it again"
    clock.advance(120)
    for _ in range(2):
        owed.note([minute])
        assert [mark.due_ms for mark in marks.due(T + 10 * MINUTE, limit=9)] == [clock.now_ms() + SETTLE_MS]
        clock.advance(1)


def test_what_redis_forgot_is_found_at_once_by_any_process(bench: Bench) -> None:
    for n in range(3):
        bench.chain(n * MINUTE, 0.2)
        bench.tick(n * MINUTE, 25_000.0)
    bench.chain(-CATCH_UP_MS - 5 * MINUTE, 0.3)
    bench.client.flushall()
    bench.move_to(7 * MINUTE)
    desk = bench.desk()
    desk.run()
    assert bench.marks.count() == 6
    bench.clock.advance(SETTLE_MS / 1000)
    desk.run()
    assert [row[0] for row in bench.bars("iv_atm")] == [0, 1, 2]
    assert [row[0] for row in bench.bars("spot", PRODUCT_LEVEL)] == [0, 1, 2]
    assert bench.marks.count() == 0
    bench.chain(-30 * MINUTE, 0.3)
    bench.chain(7 * MINUTE, 0.3)
    bench.client.flushall()
    bench.move_to(17 * MINUTE)
    desk.run()
    bench.clock.advance(SETTLE_MS / 1000)
    desk.run()
    assert [row[0] for row in bench.bars("iv_atm")] == [-30, 0, 1, 2, 7]


def test_the_channel_shows_closed_minutes_and_the_one_that_grows(bench: Bench) -> None:
    desk = bench.desk()
    desk.run()
    assert bench.shown() is None
    for n in range(13):
        if n != 9:
            bench.move_to(n * MINUTE + 1_000)
            bench.tick(n * MINUTE, 25_000.0 + n)
            bench.tick(n * MINUTE + 1_000, 25_000.5 + n)
            desk.run()
    state = bench.shown()
    assert state is not None
    assert [(bar.start_ts - T) // MINUTE for bar in state.bars] == [2, 3, 4, 5, 6, 7, 8, 10, 11, 12], "9 is a gap"
    assert {bar.count for bar in state.bars} == {2}
    assert (state.bars[-1].open, state.bars[-1].close) == (25_012.0, 25_012.5)
    assert state.source_ts == T + 12 * MINUTE + 1_000
    position = LiveReader(bench.client).positions([bars_channel("NIFTY")])
    desk.run()
    assert LiveReader(bench.client).positions([bars_channel("NIFTY")]) == position, "nothing new, nothing is sent"


class Slow(ManualClock):
    """By it one product takes all the time there is for a part of a task."""

    def monotonic(self) -> float:
        self.advance(SHORT_SECONDS)
        return super().monotonic()


def test_with_too_many_products_for_a_task_the_next_goes_on(bench: Bench) -> None:
    """The channels that were shown longest ago come first, and what is looked for on disk is looked for bit by bit."""
    for name in ("NIFTY", "SPY", "AAPL"):
        tick = enriched.tick(T, product=name)
        bench.ticks.save([tick])
        bench.publisher.publish([Publication(ticks_channel(name), tick.source_seq, encode_json(tick))])
        record = enriched.record(T, product=name)
        bench.chains.save([record])
    bench.clock = Slow(T + 10 * MINUTE)
    desk = bench.desk()
    shown, owed, found = [], [], set()
    for _ in range(3):
        desk.run()
        channels = LiveReader(bench.client).channels()
        shown.append(len([name for name in channels if name.startswith("bars:")]))
        found |= {mark.minute.product for mark in bench.marks.due(T + 20 * MINUTE, limit=99)}
        owed.append(len(found))
    assert shown == [1, 2, 3]
    assert owed == [1, 2, 3]


def test_the_channel_has_ticks_that_came_a_little_late(bench: Bench) -> None:
    desk = bench.desk()
    bench.move_to(20_000)
    for offset, price in ((1_000, 1.0), (10_000, 2.0), (14_000, 3.0)):
        bench.tick(offset, price)
        desk.run()
        bench.clock.advance(1)
    bench.tick(9_500, 9.0)
    bench.tick(15_000, 4.0)
    desk.run()
    state = bench.shown()
    assert state is not None
    [bar] = state.bars
    assert (bar.open, bar.high, bar.low, bar.close, bar.count) == (1.0, 9.0, 1.0, 4.0, 5)


def test_two_at_once_do_not_roll_up_the_same(bench: Bench) -> None:
    bench.chain(0, 0.2)
    bench.move_to(2 * MINUTE)
    with bench.marks.turn() as ours:
        assert ours
        bench.desk().run()
    assert bench.bars("iv_atm") == []
    bench.desk().run()
    assert len(bench.bars("iv_atm")) == 1


@pytest.fixture
def own_mongo(tmp_path: Path) -> Iterator[MongoServer]:
    server = MongoServer(tmp_path)
    server.start()
    yield server
    server.kill()


def test_without_mongodb_bars_wait_and_are_made_afterwards(redis_client: redis.Redis, own_mongo: MongoServer) -> None:
    database = mongo.connect(own_mongo.url, "aro_test", timeout=1, selection_timeout=0.3)
    bench = Bench(redis_client, database)
    desk = bench.desk()
    bench.chain(0, 0.2)
    bench.tick(0, 25_000.0)
    bench.move_to(2 * MINUTE)
    own_mongo.kill()
    desk.run()
    assert bench.marks.count() == 2
    own_mongo.start()
    bench.clock.advance(RETRY_SECONDS + 0.001)
    desk.run()
    assert len(bench.bars("iv_atm")) == len(bench.bars("spot", PRODUCT_LEVEL)) == 1
    assert bench.marks.count() == 0
    database.client.close()
