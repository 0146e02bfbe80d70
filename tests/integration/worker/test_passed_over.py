"""What overload passes over: stored raw once, acknowledged only then, enriched when there is time, and never published
in front of something newer."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from pymongo.database import Database

from aro.adapters import mongo
from aro.adapters.bar_marks import BarMarks
from aro.adapters.chain_store import ChainStore
from aro.adapters.clock import ManualClock
from aro.adapters.dead_letters import DeadLetters
from aro.adapters.ledger import Ledger
from aro.adapters.live import LivePublisher, LiveReader
from aro.adapters.mongo import Document
from aro.adapters.passed_over_store import BLOCK_BYTES, PassedOverStore
from aro.adapters.tick_store import TickStore
from aro.contracts.codec import MAX_MESSAGE_BYTES, encode_message
from aro.contracts.names import COLLECTION_PASSED_OVER, COLLECTION_PASSED_OVER_BLOCKS, STREAM_CHAINS, STREAM_TICKS
from aro.testing import factories
from aro.testing.servers import MongoServer
from worker_enricher.batch import BatchProcessor
from worker_enricher.owed_bars import OwedBars
from worker_enricher.passed_over import MOST_PENDING, RETRY_SECONDS, CatchUpDesk, PassedOverKeeper

TS = factories.SNAPSHOT_TS
EXPIRY = "2026-11-23"
CHAIN = f"chain:NIFTY:{EXPIRY}"


@dataclass
class Bench:
    client: redis.Redis
    database: Database[Document]
    clock: ManualClock

    def __post_init__(self) -> None:
        self.ledger, self.dead, self.reader = Ledger(self.client), DeadLetters(self.client), LiveReader(self.client)
        self.chains, self.ticks = ChainStore(self.database), TickStore(self.database)
        self.store, self.marks = PassedOverStore(self.database), BarMarks(self.client)
        owed, publisher = OwedBars(self.marks, self.clock), LivePublisher(self.client)
        self.processor = BatchProcessor(
            self.ledger, self.dead, self.chains, self.ticks, publisher, owed, self.clock, consumer="test"
        )
        self.keeper = PassedOverKeeper(self.ledger, self.dead, self.store, consumer="test")
        self.desk = CatchUpDesk(self.client, self.ledger, self.store, self.processor, self.clock)
        self.ledger.ensure_groups()

    def deliver(self, *messages: bytes, stream: str = STREAM_CHAINS) -> dict[str, list[str]]:
        self.ledger.append([(stream, message) for message in messages])
        return self.ledger.read_new("test", count=1_000, block_ms=10)

    def pending(self) -> int:
        return self.ledger.pending(STREAM_CHAINS) + self.ledger.pending(STREAM_TICKS)

    def source_seq(self, channel: str) -> int | None:
        state = self.reader.state(channel)
        return None if state is None else state.source_seq


@pytest.fixture
def bench(redis_client: redis.Redis, database: Database[Document]) -> Bench:
    return Bench(redis_client, database, ManualClock(TS + 40))


def chain_bytes(seq: int, **fields: object) -> bytes:
    return encode_message(factories.chain(source_seq=seq, source_ts=seq, **fields))


def test_it_is_stored_raw_then_enriched_and_clients_do_not_go_back(bench: Bench) -> None:
    older = bench.deliver(*(chain_bytes(TS + n) for n in range(3)))
    ticks = bench.deliver(encode_message(factories.tick(source_seq=TS)), stream=STREAM_TICKS)
    bench.processor.process(bench.deliver(chain_bytes(TS + 3)))
    bench.keeper.keep({**older, **ticks})
    assert bench.pending() == 0
    assert bench.chains.find(f"NIFTY|{EXPIRY}|{TS}") is None, "history has only what was enriched"
    assert sum(block.entries for block in bench.store.blocks()) == 4
    bench.desk.run()
    for n in range(4):
        chain = bench.chains.find(f"NIFTY|{EXPIRY}|{TS + n}")
        assert chain is not None
        assert chain.source_seq == TS + n
        assert bench.chains.metrics_at("NIFTY", EXPIRY, TS + n) is not None
    assert bench.ticks.tick_at("NIFTY", TS) is not None
    state = bench.reader.state(CHAIN)
    assert state is not None
    assert (state.seq, state.source_seq) == (1, TS + 3), "published once, and nothing older after it"
    assert bench.source_seq("ticks:NIFTY") == TS, "what nobody had seen yet is published"
    assert bench.marks.count() == 2, "bars are owed of it"
    for name in (COLLECTION_PASSED_OVER, COLLECTION_PASSED_OVER_BLOCKS):
        assert bench.database[name].count_documents({}) == 0
    assert bench.ledger.passed_over() == 0


def test_a_repeat_stores_nothing_twice(bench: Bench) -> None:
    batch = bench.deliver(*(chain_bytes(TS + n) for n in range(3)))
    for _ in range(2):
        bench.keeper.keep(batch)
    assert [block.entries for block in bench.store.blocks()] == [3]
    bench.keeper.keep({STREAM_CHAINS: batch[STREAM_CHAINS][1:]})
    bench.processor.process(batch)
    bench.desk.run()
    assert bench.store.blocks() == []
    page = bench.chains.chains("NIFTY", EXPIRY, start_ms=TS, end_ms=TS + 9, limit=9, cursor=None)
    assert [item.source_seq for item in page.items] == [TS, TS + 1, TS + 2]
    assert bench.source_seq(CHAIN) == TS + 2


def test_poison_in_it_is_a_dead_letter_and_its_neighbours_pass(bench: Bench) -> None:
    poison = chain_bytes(TS + 1, spot=-5.0)
    too_large = chain_bytes(TS + 2) + b"x" * MAX_MESSAGE_BYTES
    bench.keeper.keep(bench.deliver(chain_bytes(TS), poison, too_large))
    bench.desk.run()
    assert bench.chains.find(f"NIFTY|{EXPIRY}|{TS}") is not None
    assert {letter.reason for letter in bench.dead.list(limit=9)} == {"negative", "too_large"}
    assert bench.store.blocks() == []
    assert bench.pending() == 0


def test_what_the_newest_does_not_bring_clients_get_from_what_was_passed_over(bench: Bench) -> None:
    bench.processor.process(bench.deliver(chain_bytes(TS)))
    older = bench.deliver(chain_bytes(TS + 1))
    bench.processor.process(bench.deliver(chain_bytes(TS + 2, spot=-5.0)))
    bench.keeper.keep(older)
    bench.desk.run()
    assert bench.source_seq(CHAIN) == TS + 1


def test_it_waits_while_others_wait(bench: Bench) -> None:
    bench.keeper.keep(bench.deliver(chain_bytes(TS)))
    under_way = bench.deliver(*(chain_bytes(TS + n) for n in range(1, MOST_PENDING + 2)))
    bench.desk.run()
    assert bench.ledger.passed_over() == 1
    bench.processor.process(under_way)
    bench.desk.run()
    assert bench.ledger.passed_over() == 0
    assert bench.chains.find(f"NIFTY|{EXPIRY}|{TS}") is not None


def test_blocks_stay_small_and_come_back_in_order(bench: Bench) -> None:
    entries = [(f"{TS + n // 3}-{n % 3}", bytes([n]) * (BLOCK_BYTES // 4)) for n in range(12)]
    bench.store.save(STREAM_CHAINS, entries[8:])
    bench.store.save(STREAM_CHAINS, entries[:8])
    blocks = bench.store.blocks()
    assert len(blocks) == 3
    assert [entry for block in blocks for entry in bench.store.load(block)] == entries
    bench.store.remove(blocks[0])
    assert bench.store.load(blocks[0]) == []
    assert bench.store.blocks() == blocks[1:]


@pytest.fixture
def own_mongo(tmp_path: Path) -> Iterator[MongoServer]:
    server = MongoServer(tmp_path)
    server.start()
    yield server
    server.kill()


def test_without_mongodb_it_stays_owed(redis_client: redis.Redis, own_mongo: MongoServer) -> None:
    database = mongo.connect(own_mongo.url, "aro_test", timeout=2, selection_timeout=0.3)
    bench = Bench(redis_client, database, ManualClock(TS))
    kept, owed = bench.deliver(chain_bytes(TS)), bench.deliver(chain_bytes(TS + 1))
    bench.keeper.keep(kept)
    own_mongo.kill()
    bench.keeper.keep(owed)
    assert bench.pending() == 1
    [claim] = bench.ledger.reclaim(STREAM_CHAINS, "test", min_idle_ms=0, count=9)
    assert claim.deliveries == 2, "a failure of MongoDB must not count as a delivery"
    bench.desk.run()
    own_mongo.start()
    bench.clock.advance(RETRY_SECONDS + 1)
    bench.keeper.keep(owed)
    bench.desk.run()
    assert bench.pending() == 0
    for n in range(2):
        assert bench.chains.find(f"NIFTY|{EXPIRY}|{TS + n}") is not None, "what was acknowledged outlives kill -9"
    database.client.close()
