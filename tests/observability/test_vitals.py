"""How Redis, MongoDB and tasks are measured, against real servers."""

import ast
import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from celery import signals
from expressions import METRIC_MODULES
from prometheus_client import REGISTRY, generate_latest

from aro.adapters import mongo
from aro.adapters.clock import ManualClock
from aro.adapters.ledger import Ledger
from aro.adapters.mongo_vitals import MongoVitals, mongo_vitals
from aro.adapters.redis_vitals import oldest_owed_ms, redis_vitals
from aro.contracts.names import QUEUE_PERIODIC, STREAM_CHAINS, STREAM_DEAD
from aro.runtime.metrics import counter
from aro.testing.servers import MongoServer, RedisServer, free_port
from storage_service import vitals as storage_vitals
from worker_enricher import task_times, vitals
from worker_enricher.settings import WorkerSettings


def sample(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_redis_tells_how_it_is(redis_client: redis.Redis) -> None:
    before = redis_vitals(redis_client)
    redis_client.set("something", b"x" * 2_000_000)
    found = redis_vitals(redis_client)
    assert found.memory_used > before.memory_used + 1_500_000
    assert found.memory_limit > found.memory_used
    assert found.clients >= 1
    assert found.persistence_ok
    assert (found.evicted_keys, found.rejected_connections) == (0, 0)


def test_the_oldest_debt_is_the_oldest_entry_that_is_not_acknowledged(redis_client: redis.Redis) -> None:
    assert oldest_owed_ms(redis_client, STREAM_CHAINS) is None, "there is no group yet"
    ledger = Ledger(redis_client)
    ledger.ensure_groups()
    for stamp in ("1000-0", "2000-0"):
        redis_client.xadd(STREAM_CHAINS, {"m": b""}, id=stamp)
    assert oldest_owed_ms(redis_client, STREAM_CHAINS) is None, "nobody was given one yet"
    ledger.read_new("somebody", count=10, block_ms=None)
    assert oldest_owed_ms(redis_client, STREAM_CHAINS) == 1000
    ledger.ack(STREAM_CHAINS, ["1000-0"])
    assert oldest_owed_ms(redis_client, STREAM_CHAINS) == 2000


def test_beat_sets_its_gauges_and_says_when_redis_is_away(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis")
    server.start()
    settings = WorkerSettings(
        redis_url=server.url,
        broker_url=server.broker_url,
        mongo_url="mongodb://127.0.0.1:1",
        operations_port=free_port(),
    )
    try:
        client = server.client()
        Ledger(client).ensure_groups()
        client.xadd(STREAM_CHAINS, {"m": b""}, id="5000-0")
        Ledger(client).read_new("somebody", count=1, block_ms=None)
        client.xadd(STREAM_DEAD, {"m": b""})
        measured = vitals.Vitals(settings, ManualClock(65_000))
        measured.take()
        assert sample("redis_up") == 1
        assert sample("pipeline_oldest_pending_seconds", stream=STREAM_CHAINS) == 60
        assert sample("dead_letter_entries") == 1
        assert sample("celery_queue_length", queue=QUEUE_PERIODIC) == 0
        client.close()
    finally:
        server.kill()
    measured.take()
    assert sample("redis_up") == 0


def test_mongo_tells_how_it_is(tmp_path: Path) -> None:
    server = MongoServer(tmp_path)
    server.start()
    database = mongo.connect(server.url, "vitals", timeout=1, selection_timeout=0.5)
    try:
        assert mongo_vitals(database) == MongoVitals(is_up=True, has_primary=True, replication_lag=0)
        server.kill()
        storage_vitals.Vitals(database).take()
        assert sample("mongo_up") == 0
    finally:
        server.kill()
        database.client.close()


class _Member(SimpleNamespace):
    """A server description as the driver has it."""


@pytest.mark.parametrize(
    ("members", "lag"),
    [
        ([("RSPrimary", 100.0), ("RSSecondary", 99.0), ("RSSecondary", 88.0)], 12.0),
        ([("RSPrimary", 100.0), ("RSSecondary", 101.0)], 0.0),
        ([("RSSecondary", 88.0)], 0.0),
        ([("RSPrimary", 100.0), ("RSArbiter", None)], 0.0),
    ],
)
def test_replication_lag_is_that_of_the_slowest_secondary(members: list[Any], lag: float, monkeypatch: Any) -> None:
    described = {n: _Member(server_type_name=kind, last_write_date=when) for n, (kind, when) in enumerate(members)}
    known = SimpleNamespace(server_descriptions=lambda: described, has_writable_server=lambda: True)
    monkeypatch.setattr(mongo, "ping", lambda _: None)
    database: Any = SimpleNamespace(client=SimpleNamespace(topology_description=known))
    assert mongo_vitals(database).replication_lag == lag


def test_a_task_is_timed_from_its_sending_to_its_end(monkeypatch: Any) -> None:
    clock = ManualClock(10_000)
    monkeypatch.setattr(task_times, "_clock", clock)
    task_times.stamp_tasks()
    task_times.observe_tasks()
    headers: dict[str, Any] = {}
    signals.before_task_publish.send(sender="timed", headers=headers)
    clock.advance(2)
    task = SimpleNamespace(name="timed", request=headers)
    signals.task_prerun.send(sender="timed", task_id="1", task=task)
    signals.task_postrun.send(sender="timed", task_id="1", task=task, state="FAILURE")
    assert sample("celery_task_wait_seconds_sum", task="timed") == 2
    assert sample("celery_task_duration_seconds_count", task="timed", state="failed") == 1
    # One that was sent by an older version has no stamp, and is timed all the same.
    task.request = {}
    signals.task_prerun.send(sender="timed", task_id="2", task=task)
    signals.task_postrun.send(sender="timed", task_id="2", task=task, state="SUCCESS")
    assert sample("celery_task_wait_seconds_count", task="timed") == 1
    assert sample("celery_task_duration_seconds_count", task="timed", state="ok") == 1


def test_known_values_of_a_label_are_served_from_the_start() -> None:
    counter("observed_total", "Of this test", ["kind"], values=("good", "bad"))
    text = generate_latest().decode()
    assert 'observed_total{kind="good"} 0.0' in text
    assert 'observed_total{kind="bad"} 0.0' in text


@pytest.mark.parametrize("module", [name for name in METRIC_MODULES if name.endswith("metrics")])
def test_no_metric_is_declared_that_nobody_sets(module: str) -> None:
    path = Path(importlib.import_module(module).__file__ or "")
    declared = {
        node.targets[0].id
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Call)
    }
    others = [found.read_text(encoding="utf-8") for found in path.parent.rglob("*.py") if found != path]
    used = {
        name
        for text in others
        for node in ast.walk(ast.parse(text))
        for name in (
            [node.attr] if isinstance(node, ast.Attribute) else [node.id] if isinstance(node, ast.Name) else []
        )
    }
    assert declared
    assert declared <= used
