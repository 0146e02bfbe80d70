"""kill -9 of every process while chains flow: nothing is lost, nothing is stored twice, no client is misled."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from aro.adapters import mongo
from aro.adapters.ledger import Ledger
from aro.contracts.names import COLLECTION_CHAINS, COLLECTION_METRICS, LEDGER_STREAMS
from aro.testing.eventually import eventually
from aro.testing.platform import SERVICES, Platform
from aro.testing.witness import ClientWitness, LedgerWitness

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


def stop_feed_and_drain(platform: Platform) -> None:
    platform.unguard("feed")
    platform.processes["feed"].stop()
    ledger = Ledger(platform.redis.client())

    def drained() -> bool:
        return all(ledger.lag(stream) == 0 and ledger.pending(stream) == 0 for stream in LEDGER_STREAMS)

    eventually(drained, "the ledger to be empty", seconds=60)
