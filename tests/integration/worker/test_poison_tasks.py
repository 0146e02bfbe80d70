"""Messages in Celery's queue that are no tasks, or tasks of nobody: the worker lives on, and so do batches."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from aro.adapters.dead_letters import DeadLetters
from aro.adapters.ledger import Ledger
from aro.adapters.live import LiveReader
from aro.adapters.redis_client import connect
from aro.contracts.codec import encode_message
from aro.contracts.names import QUEUE_ENRICH, STREAM_CHAINS, TASK_ENRICH
from aro.runtime.celery_app import create_celery
from aro.testing import factories
from aro.testing.eventually import eventually
from aro.testing.platform import Platform

NO_TASKS = ["no JSON", "\x00\xff", "7", "[]", "{}", json.dumps({"body": "", "headers": {}, "properties": {}})]
TASKS_OF_NOBODY = [
    ("aro.nonsense", []),
    (TASK_ENRICH, []),
    (TASK_ENRICH, ["nonsense"]),
    (TASK_ENRICH, [{STREAM_CHAINS: ["no entry"]}]),
    (TASK_ENRICH, [{STREAM_CHAINS: 7}]),
]


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    running = Platform(tmp_path)
    try:
        running.start(("consume", "work"))
        yield running
    finally:
        running.stop()


def test_they_cost_nothing_but_themselves(platform: Platform) -> None:
    client, broker = platform.redis.client(), connect(platform.redis.broker_url)
    worker = platform.processes["work"].pid
    broker.lpush(QUEUE_ENRICH, *NO_TASKS)
    app = create_celery("nobody", broker_url=platform.redis.broker_url)
    for name, arguments in TASKS_OF_NOBODY:
        app.send_task(name, args=arguments, queue=QUEUE_ENRICH)
    app.close()
    ledger = Ledger(client)
    ledger.append([(STREAM_CHAINS, encode_message(factories.chain(source_seq=factories.SNAPSHOT_TS)))])
    eventually(lambda: LiveReader(client).state("chain:NIFTY:2026-11-23"), "the chain to be published", seconds=20)
    eventually(lambda: ledger.pending(STREAM_CHAINS) == 0, "the entry to be acknowledged", seconds=20)
    assert broker.llen(QUEUE_ENRICH) == 0
    assert platform.processes["work"].pid == worker
    assert DeadLetters(client).count() == 0
    text = requests.get(f"http://127.0.0.1:{platform.ports['work']}/metrics", timeout=5).text
    assert f'task_failures_total{{task="unreadable"}} {len(NO_TASKS):.1f}' in text
    for connection in (client, broker):
        connection.close()
