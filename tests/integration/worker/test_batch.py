"""A task's work against real servers: what is stored, published, dead-lettered, and left owed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from pymongo.database import Database
from pymongo.errors import AutoReconnect

from aro.adapters import mongo
from aro.adapters.bar_marks import BarMarks, Minute
from aro.adapters.bar_store import PRODUCT_LEVEL
from aro.adapters.chain_store import ChainStore
from aro.adapters.clock import ManualClock
from aro.adapters.dead_letters import DeadLetters
from aro.adapters.ledger import Ledger
from aro.adapters.live import LivePublisher, LiveReader
from aro.adapters.mongo import Document
from aro.adapters.tick_store import TickStore
from aro.contracts.codec import MAX_MESSAGE_BYTES, encode_message
from aro.contracts.names import COLLECTION_CHAINS, COLLECTION_TICKS, STREAM_CHAINS, STREAM_TICKS
from aro.testing import factories
from aro.testing.servers import MongoServer
from worker_enricher import batch as batch_module
from worker_enricher.bars import minute_of
from worker_enricher.batch import STORE_PAUSE_SECONDS, BatchProcessor
from worker_enricher.owed_bars import OwedBars, due_ms

TS = factories.SNAPSHOT_TS
CHAIN = "chain:NIFTY:2026-11-23"


@dataclass
class Bench:
    client: redis.Redis
    database: Database[Document]
    clock: ManualClock

    def __post_init__(self) -> None:
        self.ledger, self.dead, self.reader = Ledger(self.client), DeadLetters(self.client), LiveReader(self.client)
        self.marks = BarMarks(self.client)
        self.ledger.ensure_groups()

    def processor(self) -> BatchProcessor:
        chains, ticks = ChainStore(self.database), TickStore(self.database)
        publisher, owed = LivePublisher(self.client), OwedBars(self.marks, self.clock)
        return BatchProcessor(self.ledger, self.dead, chains, ticks, publisher, owed, self.clock, consumer="test")

    def deliver(self, *messages: bytes, stream: str = STREAM_CHAINS) -> dict[str, list[str]]:
        self.ledger.append([(stream, message) for message in messages])
        return self.ledger.read_new("test", count=100, block_ms=10)

    def stored(self) -> list[str]:
        return sorted(document["_id"] for document in self.database[COLLECTION_CHAINS].find({}, {"_id": 1}))


@pytest.fixture
def bench(redis_client: redis.Redis, database: Database[Document]) -> Bench:
    return Bench(redis_client, database, ManualClock(TS + 40))


def chain_bytes(seq: int = TS, **fields: Any) -> bytes:
    return encode_message(factories.chain(source_seq=seq, **fields))


def test_a_batch_is_stored_published_and_acknowledged(bench: Bench) -> None:
    bench.ledger.append([(STREAM_TICKS, encode_message(factories.tick()))])
    bench.processor().process(bench.deliver(chain_bytes(TS), chain_bytes(TS + 1)))
    assert bench.stored() == [f"NIFTY|2026-11-23|{TS}", f"NIFTY|2026-11-23|{TS + 1}"]
    assert bench.database[COLLECTION_TICKS].count_documents({}) == 1
    assert bench.reader.channels() == {CHAIN, "metrics:NIFTY:2026-11-23", "ticks:NIFTY"}
    state = bench.reader.state(CHAIN)
    assert state is not None
    assert (state.seq, state.source_seq) == (2, TS + 1)
    assert bench.ledger.pending(STREAM_CHAINS) == bench.ledger.pending(STREAM_TICKS) == 0
    minute = minute_of(TS)
    marks = bench.marks.due(due_ms(minute, bench.clock.now_ms()), limit=9)
    expected = {Minute("NIFTY", "2026-11-23", minute), Minute("NIFTY", PRODUCT_LEVEL, minute)}
    assert {mark.minute for mark in marks} == expected, "bars are owed"


def test_what_nobody_was_sent_is_said_of_its_minute(bench: Bench) -> None:
    """Its channel's log has none of it, so that its bar is made of what is stored."""
    bench.processor().process(bench.deliver(chain_bytes(TS + 1)))
    due = due_ms(minute_of(TS), bench.clock.now_ms())
    assert [mark.unpublished for mark in bench.marks.due(due, limit=9)] == [False]
    bench.processor().process(bench.deliver(chain_bytes(TS)))
    assert [mark.unpublished for mark in bench.marks.due(due, limit=9)] == [True]
    bench.ledger.append([(STREAM_TICKS, encode_message(factories.tick()))])
    bench.processor().process(bench.ledger.read_new("test", count=9, block_ms=10))
    assert {mark.minute.expiry: mark.unpublished for mark in bench.marks.due(due, limit=9)} == {
        "2026-11-23": True,
        PRODUCT_LEVEL: False,
    }


def test_repeating_a_batch_changes_nothing(bench: Bench) -> None:
    delivered = bench.deliver(chain_bytes(TS), chain_bytes(TS + 1))
    for _ in range(3):
        bench.processor().process(delivered)
    assert len(bench.stored()) == 2
    state = bench.reader.state(CHAIN)
    assert state is not None
    assert state.seq == 2


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        (b"garbage bytes", "malformed"),
        (chain_bytes(v=9), "wrong_version"),
        (chain_bytes(spot=float("nan")), "not_finite"),
        (chain_bytes(spot=-5.0), "negative"),
        (chain_bytes(calls=factories.quotes([9.0] * 5, [8.0] * 5)), "crossed"),
        (b"x" * (10 * MAX_MESSAGE_BYTES), "too_large"),
        (chain_bytes(product="TULIP"), "unknown_product"),
    ],
)
def test_poison_is_dead_lettered_and_its_neighbours_pass(bench: Bench, poison: bytes, reason: str) -> None:
    bench.processor().process(bench.deliver(chain_bytes(TS), poison, chain_bytes(TS + 1)))
    assert len(bench.stored()) == 2
    [letter] = bench.dead.list(limit=9)
    assert (letter.reason, letter.size) == (reason, len(poison))
    assert letter.is_whole == (reason != "too_large")
    assert bench.ledger.pending(STREAM_CHAINS) == 0


def test_a_failure_of_the_maths_leaves_only_its_own_entry_owed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    enrich = batch_module.enrich_records

    def flawed(chains: Any, *, computed_ts: int) -> Any:
        if any(chain.snapshot.source_seq == TS + 1 for chain in chains):
            raise ZeroDivisionError("a bug")
        return enrich(chains, computed_ts=computed_ts)

    monkeypatch.setattr(batch_module, "enrich_records", flawed)
    delivered = bench.deliver(chain_bytes(TS), chain_bytes(TS + 1), chain_bytes(TS + 2))
    bench.processor().process(delivered)
    assert len(bench.stored()) == 2
    assert bench.ledger.pending(STREAM_CHAINS) == 1
    assert bench.dead.last_error(STREAM_CHAINS, delivered[STREAM_CHAINS][1]) == "ZeroDivisionError: a bug"


@pytest.fixture
def own_mongo(tmp_path: Path) -> Iterator[MongoServer]:
    server = MongoServer(tmp_path)
    server.start()
    yield server
    server.kill()


def test_without_mongodb_the_stream_goes_on_and_the_ledger_remembers(
    redis_client: redis.Redis, own_mongo: MongoServer
) -> None:
    database = mongo.connect(own_mongo.url, "aro_test", timeout=1, selection_timeout=0.3)
    bench = Bench(redis_client, database, ManualClock(TS))
    processor = bench.processor()
    own_mongo.kill()
    with pytest.raises(AutoReconnect):
        mongo.ping(database)
    delivered = bench.deliver(chain_bytes(TS))
    processor.process(delivered)
    state = bench.reader.state(CHAIN)
    assert state is not None
    assert state.source_seq == TS
    assert bench.ledger.pending(STREAM_CHAINS) == 1
    [claim] = bench.ledger.reclaim(STREAM_CHAINS, "test", min_idle_ms=0, count=9)
    assert bench.marks.count() == 0, "no bars are owed of what is not stored"
    assert claim.deliveries == 2, "a failure of MongoDB must not count as a delivery"
    own_mongo.start()
    bench.clock.advance(STORE_PAUSE_SECONDS + 1)
    processor.process(delivered)
    assert bench.stored() == [f"NIFTY|2026-11-23|{TS}"]
    assert bench.ledger.pending(STREAM_CHAINS) == 0
    after = bench.reader.state(CHAIN)
    assert after is not None
    assert after.seq == state.seq
    assert bench.marks.count() == 1
    database.client.close()
