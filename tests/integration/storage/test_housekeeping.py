"""The last chain of a quiet expiry is copied aside by itself, and again after an outage."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aro.adapters import mongo
from aro.adapters.chain_store import ChainStore
from aro.adapters.clock import ManualClock
from aro.testing import enriched
from aro.testing.eventually import eventually
from aro.testing.servers import MongoServer
from storage_service import housekeeping
from storage_service.housekeeping import Housekeeping


@pytest.fixture
def own_mongo(tmp_path: Path) -> Iterator[MongoServer]:
    server = MongoServer(tmp_path)
    server.start()
    yield server
    server.kill()


def test_quiet_expiries_are_found_also_after_an_outage(own_mongo: MongoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "INTERVAL_SECONDS", 0.05)
    opened = mongo.connect(own_mongo.url, "aro_housekeeping_test", timeout=0.3)
    store, clock = ChainStore(opened), ManualClock(enriched.SNAPSHOT_TS)
    store.save([enriched.record(enriched.SNAPSHOT_TS)])
    keeper = Housekeeping(store, clock)
    keeper.start()
    try:
        own_mongo.kill()
        clock.advance(3_600)
        own_mongo.start()
        kept = opened["chain_latest"]
        eventually(lambda: kept.count_documents({"data": {"$exists": True}}) == 1, "the copy")
    finally:
        keeper.stop()
        opened.client.close()
