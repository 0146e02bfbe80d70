"""The last chain of a quiet expiry is copied aside by itself, also by a process that was there before its database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aro.adapters import mongo
from aro.adapters.chain_store import SWEEP_MS, ChainStore
from aro.adapters.clock import ManualClock
from aro.adapters.mongo import MongoDatabase
from aro.adapters.writes import HOUR_MS
from aro.testing import enriched
from aro.testing.eventually import eventually
from aro.testing.servers import MongoServer
from storage_service import housekeeping
from storage_service.housekeeping import Housekeeping
from storage_service.retention import Retention
from storage_service.settings import StorageSettings


@pytest.fixture
def own_mongo(tmp_path: Path) -> Iterator[MongoServer]:
    """Not started."""
    server = MongoServer(tmp_path)
    yield server
    server.kill()


def test_a_quiet_expiry_is_found(own_mongo: MongoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "INTERVAL_SECONDS", 0.05)
    opened = mongo.connect(own_mongo.url, "aro_housekeeping_test", timeout=1)
    store, clock = ChainStore(opened), ManualClock(enriched.SNAPSHOT_TS)
    keeper = Housekeeping(store, clock, lambda _: 0)
    keeper.start()
    try:
        own_mongo.start()
        store.save([enriched.record(enriched.SNAPSHOT_TS)])
        clock.advance(3_600)
        kept = opened["chain_latest"]
        eventually(lambda: kept.count_documents({"data": {"$exists": True}}) == 1, "the copy")
    finally:
        keeper.stop()
        opened.client.close()


def test_an_expiry_that_was_swept_is_left_alone_for_a_while(database: MongoDatabase) -> None:
    """Of a thousand expiries each pass sweeps some, which only works if one pass knows what another did."""
    settings = StorageSettings(mongo_url="", jwks_url="", port=1, chain_retention_hours=2)
    retention, chains = Retention(settings, database), ChainStore(database)
    chains.ensure()
    now = enriched.SNAPSHOT_TS + 3 * HOUR_MS
    for turn, (later_ms, deleted) in enumerate(((0, 1), (0, 0), (SWEEP_MS, 2))):
        chains.save([enriched.record(enriched.SNAPSHOT_TS + turn)])
        assert retention.expire(now + later_ms) == deleted, turn
