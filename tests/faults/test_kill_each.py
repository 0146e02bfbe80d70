"""kill -9 of every process while chains flow: nothing is lost or stored twice, bars are right, no client is misled."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from aro.adapters import mongo
from aro.adapters.bar_marks import BarMarks
from aro.adapters.bar_store import MINUTE_MS, BarStore
from aro.adapters.chain_store import ChainStore
from aro.adapters.clock import ManualClock, SystemClock
from aro.adapters.live import LivePublisher, LiveReader
from aro.adapters.mongo import MongoDatabase
from aro.adapters.tick_store import TickStore
from aro.contracts.names import COLLECTION_CHAINS, COLLECTION_METRICS
from aro.testing.eventually import eventually
from aro.testing.platform import SERVICES, Platform
from aro.testing.witness import ClientWitness, LedgerWitness
from worker_enricher.bar_desk import BarDesk
from worker_enricher.bars import minute_bars

pytestmark = pytest.mark.fault

CHANNELS = ["ticks:NIFTY", "ticks:BANKNIFTY", "chain:NIFTY:*", "metrics:NIFTY:*"]
HEAL_SECONDS = 10.0


@pytest.fixture
def ledger_witness(platform: Platform) -> Iterator[LedgerWitness]:
    witness = LedgerWitness(platform.redis.url)
    witness.start()
    yield witness
    witness.stop()


@pytest.fixture
def client(platform: Platform, token: str) -> Iterator[ClientWitness]:
    witness = ClientWitness(platform.url("gateway"), token, CHANNELS)
    eventually(lambda: platform.redis.client().exists("live:ticks:NIFTY"), "first data")
    witness.start()
    yield witness
    witness.stop()


def test_kill_9_of_each_process_loses_duplicates_and_misleads_nothing(
    platform: Platform, ledger_witness: LedgerWitness, client: ClientWitness
) -> None:
    for name in (*SERVICES, "redis", "mongo"):
        kill_and_heal(platform, client, name)
    stop_feed_and_drain(platform)
    database = mongo.connect(platform.mongo.url, "aro_platform_test")
    for collection in (COLLECTION_CHAINS, COLLECTION_METRICS):
        stored = Counter(document["_id"] for document in database[collection].find({}, {"_id": 1}))
        assert ledger_witness.seen - set(stored) == set()
        assert [key for key, count in stored.items() if count > 1] == []
    bars_are_what_is_stored(platform, database)
    database.client.close()
    assert len(ledger_witness.seen) > 50
    assert client.faults() == []


def kill_and_heal(platform: Platform, client: ClientWitness, name: str) -> None:
    eventually(lambda: client.total_updates() > 0, "the stream to flow")
    process = platform.processes[name]
    killed = process.pid
    process.kill()
    eventually(lambda: process.is_running and process.pid != killed, f"a new {name}")
    back = time.monotonic()
    if name in SERVICES:
        eventually(lambda: platform.is_healthy(name), f"{name} to be healthy", seconds=HEAL_SECONDS)
    before = client.total_updates()
    eventually(lambda: client.total_updates() > before + 4, f"fresh updates after {name}", seconds=HEAL_SECONDS)
    assert time.monotonic() - back <= HEAL_SECONDS, name
    assert client.faults() == [], name


def bars_are_what_is_stored(platform: Platform, database: MongoDatabase) -> None:
    """Roll up what is owed, as if two minutes had passed, and compare with what all stored metrics at once say."""
    client, chains, store = platform.redis.client(), ChainStore(database), BarStore(database)
    marks, later = BarMarks(client), ManualClock(SystemClock().now_ms() + 2 * MINUTE_MS)
    desk = BarDesk(LiveReader(client), LivePublisher(client), chains, TickStore(database), store, marks, later)

    def nothing_is_owed() -> bool:
        desk.run()
        return marks.count() == 0

    eventually(nothing_is_owed, "all bars to be made", seconds=20)
    for product in ("NIFTY", "BANKNIFTY"):
        for expiry in (str(item["expiry"]) for item in chains.expiries(product)):
            span = (later.now_ms() - 30 * MINUTE_MS, later.now_ms())
            series = list(chains.metric_series(product, expiry, ["forward"], *span))
            expected = minute_bars([ts for ts, _ in series], {"forward": [value for _, value in series]})
            rows = store.bars(product, expiry, "forward", *span)
            assert [(row[0], row[1:]) for row in rows] == [
                (at, bars["forward"]) for at, bars in sorted(expected.items())
            ]
            assert rows, (product, expiry)


def stop_feed_and_drain(platform: Platform) -> None:
    platform.unguard("feed")
    platform.processes["feed"].stop()
    eventually(platform.is_drained, "the ledger to be empty, and nothing to be passed over", seconds=60)
