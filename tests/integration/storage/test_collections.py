"""Storage creates what the pipeline writes into: indexes that serve its queries, and retention."""

import os
import subprocess
import sys

from aro.adapters.chain_store import ChainStore
from aro.adapters.clock import SystemClock, utc
from aro.adapters.mongo import MongoDatabase
from aro.adapters.tick_store import TickStore
from aro.testing import enriched
from aro.testing.eventually import eventually

HOUR, DAY = 3_600, 86_400


def test_the_running_service_deletes_what_retention_does_not_keep(stored: MongoDatabase) -> None:
    now = SystemClock().now_ms()
    ages = {"chain_snapshots": 2 * HOUR, "chain_metrics": 7 * DAY, "chain_latest": 7 * DAY, "ticks": 7 * DAY}
    for age in sorted(set(ages.values())):
        for seconds in (age + 60, age - 600):
            record = enriched.record(now - seconds * 1000, expiry=f"2026-01-{10 + age // DAY}")
            ChainStore(stored).save([record])
            TickStore(stored).save([enriched.tick(now - seconds * 1000)])

    def left() -> bool:
        return all(
            min(document["source_at"] for document in stored[name].find({})) > utc(now - age * 1000)
            for name, age in ages.items()
        )

    eventually(left, "what is too old to be deleted", seconds=15)
    assert all(stored[name].count_documents({}) for name in ages)


def test_an_index_with_other_keys_is_replaced(stored: MongoDatabase) -> None:
    metrics = stored["chain_metrics"]
    before = metrics.index_information()["product_expiry_time"]["key"]
    metrics.drop_index("product_expiry_time")
    metrics.create_index([("expiry", 1)], name="product_expiry_time")
    for _ in range(2):
        ChainStore(stored).ensure()
        assert metrics.index_information()["product_expiry_time"]["key"] == before


def test_pages_are_served_by_an_index(stored: MongoDatabase) -> None:
    now = enriched.SNAPSHOT_TS
    ChainStore(stored).save([enriched.record(now + n) for n in range(50)])
    span = {"$gte": utc(now), "$lt": utc(now + 10)}
    order = [("source_at", 1), ("source_seq", 1)]
    for name in ("chain_snapshots", "chain_metrics"):
        query = {"product": "NIFTY", "expiry": "2026-11-23", "source_at": span}
        plan = str(stored[name].find(query).sort(order).limit(5).explain()["queryPlanner"]["winningPlan"])
        assert "IXSCAN" in plan
        assert "COLLSCAN" not in plan
    plan = str(stored["ticks"].find({"product": "NIFTY", "source_at": span}).sort(order).limit(5).explain())
    assert "IXSCAN" in plan


def test_without_settings_it_lists_what_is_missing() -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("ARO_")}
    command = [sys.executable, "-m", "storage_service"]
    environ = {**own, "ARO_CHAIN_RETENTION_HOURS": "-1"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("storage cannot start: ")
    for name in ("ARO_MONGO_URL", "ARO_JWKS_URL", "ARO_PORT"):
        assert f"{name} is missing" in line
    assert "ARO_CHAIN_RETENTION_HOURS must be at least 0.1" in line
