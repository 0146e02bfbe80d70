"""The real processes: consume, work and beat with Celery between them, and the dead-letter command line."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import requests

from aro.adapters.dead_letters import DeadLetters
from aro.adapters.ledger import Ledger
from aro.adapters.live import LiveReader
from aro.contracts.codec import encode_message
from aro.contracts.names import CHANNEL_STATUS, STREAM_CHAINS, STREAM_TICKS
from aro.contracts.status import PlatformStatus
from aro.testing import factories
from aro.testing.eventually import eventually
from aro.testing.platform import Platform

ROLES = ("consume", "work", "beat")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(Path(tmp_path_factory.mktemp("worker")))
    try:
        running.start(ROLES)
        yield running
    finally:
        running.stop()


def test_a_snapshot_goes_through_celery_to_store_and_channels(platform: Platform) -> None:
    client = platform.redis.client()
    seq = factories.SNAPSHOT_TS
    Ledger(client).append(
        [
            (STREAM_CHAINS, encode_message(factories.chain(source_seq=seq))),
            (STREAM_TICKS, encode_message(factories.tick(source_seq=seq))),
        ]
    )
    reader, ledger = LiveReader(client), Ledger(client)
    eventually(lambda: reader.state("chain:NIFTY:2026-11-23"), "the chain to be published")
    eventually(lambda: reader.state("ticks:NIFTY"), "the tick to be published")
    eventually(lambda: ledger.pending(STREAM_CHAINS) == 0, "the entry to be acknowledged")
    eventually(lambda: ledger.lengths() == {STREAM_CHAINS: 0, STREAM_TICKS: 0}, "the ledger to be trimmed")
    text = requests.get(f"http://127.0.0.1:{platform.ports['work']}/metrics", timeout=5).text
    assert 'pipeline_chains_total{product="NIFTY"} 1.0' in text


def test_beat_has_surfaces_fitted(platform: Platform) -> None:
    client = platform.redis.client()
    Ledger(client).append([(STREAM_CHAINS, encode_message(factories.chain(product="BANKNIFTY")))])
    reader = LiveReader(client)
    eventually(lambda: reader.state("surface:BANKNIFTY"), "beat, queue and worker to publish a surface", seconds=15)


def test_beat_has_bars_shown(platform: Platform) -> None:
    client = platform.redis.client()
    Ledger(client).append([(STREAM_TICKS, encode_message(factories.tick(product="FINNIFTY")))])
    reader = LiveReader(client)
    eventually(lambda: reader.state("bars:FINNIFTY:1m"), "beat, queue and worker to publish bars", seconds=15)


def test_status_is_published_and_calls_old_news_stale(platform: Platform) -> None:
    client = platform.redis.client()
    Ledger(client).append([(STREAM_TICKS, encode_message(factories.tick(product="SENSEX")))])
    reader = LiveReader(client)

    def stale() -> bool:
        state = reader.state(CHANNEL_STATUS)
        assert state is not None
        status = msgspec.json.decode(state.data, type=PlatformStatus)
        return [item.state for item in status.products if item.product == "SENSEX"] == ["stale"]

    eventually(stale, "status to call a tick of last week stale")


@pytest.mark.parametrize("role", ROLES)
def test_health_is_served(platform: Platform, role: str) -> None:
    for path in ("livez", "readyz", "health"):
        answer = requests.get(f"http://127.0.0.1:{platform.ports[role]}/{path}", timeout=5)
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def run_dead(platform: Platform, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "worker_enricher", "dead", *arguments]
    environ = {**os.environ, "ARO_REDIS_URL": platform.redis.url}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)


def test_dead_letters_are_listed_retried_and_dropped(platform: Platform) -> None:
    client = platform.redis.client()
    Ledger(client).append([(STREAM_CHAINS, b"not a chain"), (STREAM_CHAINS, encode_message(factories.chain(v=7)))])
    dead = DeadLetters(client)
    eventually(lambda: dead.count() == 2, "both dead letters")
    listed = run_dead(platform, "list").stdout
    assert "2 dead letters" in listed
    assert "malformed" in listed
    assert "message version 7; this worker reads 1" in listed
    assert "sent again as" in run_dead(platform, "retry", "--all").stdout
    eventually(lambda: dead.count() == 2, "both to be dead-lettered again")
    assert "dropped 2 dead letters" in run_dead(platform, "drop", "--all").stdout
    unknown = run_dead(platform, "drop", "123-0")
    assert (unknown.returncode, unknown.stderr.strip()) == (1, "there is no dead letter '123-0'")


def test_a_missing_setting_is_named_and_nothing_starts() -> None:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("ARO_")}
    ended = subprocess.run(
        [sys.executable, "-m", "worker_enricher", "work"],
        env=environ, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    for name in ("ARO_REDIS_URL", "ARO_BROKER_URL", "ARO_MONGO_URL", "ARO_OPERATIONS_PORT"):
        assert name in ended.stderr


def test_sigterm_ends_each_role_cleanly(tmp_path: Path) -> None:
    running = Platform(tmp_path)
    try:
        running.start(ROLES)
        for role in ROLES:
            running.unguard(role)
            assert running.processes[role].stop() == 0, running.processes[role].output()[-2000:]
        assert list(running.temporary.iterdir()) == [], "temporary files are gone"
    finally:
        running.stop()
