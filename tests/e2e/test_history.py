"""Back-filled history goes through the real pipeline, leads up to the live market, and disturbs nobody."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from aro.adapters import mongo
from aro.adapters.live import LiveReader
from aro.adapters.tick_store import TickStore
from aro.contracts.names import COLLECTION_CHAINS
from aro.testing.eventually import eventually
from aro.testing.platform import Platform

SECONDS, STEP = 300, 10


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    feed = ["--products", "NIFTY,SPY", "--interval", "0.5", "--seed", "3"]
    running = Platform(Path(tmp_path_factory.mktemp("history")), feed_arguments=feed)
    try:
        running.start(("consume", "work", "beat", "feed"))  # beat: what a busy machine passes over is enriched later
        yield running
    finally:
        running.stop()


def backfill(platform: Platform) -> str:
    command = [sys.executable, "-m", "feed_generator", "--products", "NIFTY,SPY"]
    options = ["--backfill", str(SECONDS), "--interval", str(STEP)]
    environ = {**os.environ, "ARO_REDIS_URL": platform.redis.url, "ARO_OPERATIONS_PORT": "1"}
    done = subprocess.run([*command, *options], env=environ, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_history_leads_up_to_the_live_market_and_is_stored_once(platform: Platform) -> None:
    reader = LiveReader(platform.redis.client())
    before = eventually(lambda: reader.state("ticks:NIFTY"), "the live market")
    assert "messages back-filled" in backfill(platform)
    eventually(platform.is_drained, "all of it to be stored", seconds=60)
    database = mongo.connect(platform.mongo.url, "aro_platform_test")
    ticks = TickStore(database).ticks(
        "NIFTY", start_ms=before.ts - 2 * SECONDS * 1000, end_ms=before.ts + 60_000, limit=1_000, cursor=None
    )
    past = [tick for tick in ticks.items if tick.source_ts < before.ts - STEP * 1000]
    assert len(past) >= SECONDS // STEP - 2
    live = next(tick for tick in ticks.items if tick.source_ts > before.ts - STEP * 1000)
    assert past[-1].price == pytest.approx(live.price, rel=2e-3)
    after = reader.state("ticks:NIFTY")
    assert after is not None
    assert after.epoch == before.epoch
    assert after.source_seq > before.source_seq
    stored = [document["_id"] for document in database[COLLECTION_CHAINS].find({}, {"_id": 1})]
    assert len(stored) == len(set(stored))
    database.client.close()


def test_a_restarted_market_goes_on_where_it_was_last_seen(platform: Platform) -> None:
    reader = LiveReader(platform.redis.client())
    before = eventually(lambda: reader.state("ticks:SPY"), "the live market")
    platform.processes["feed"].kill()

    def fresh() -> bytes | None:
        state = reader.state("ticks:SPY")
        return state.data if state is not None and state.ts > before.ts + 2_000 else None

    old, new = msgspec.json.decode(before.data), msgspec.json.decode(eventually(fresh, "the market to go on"))
    assert new["price"] == pytest.approx(old["price"], rel=2e-3)
