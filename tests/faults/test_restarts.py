"""Restarts and data loss heal by themselves within ten seconds, and nobody is misled about what was lost."""

import signal
import time
from collections.abc import Iterator

import pytest

from aro.adapters.clock import SystemClock
from aro.contracts.names import LIVE_INDEX
from aro.testing.eventually import eventually
from aro.testing.platform import Platform
from aro.testing.witness import ClientWitness
from feed_generator.synthetic.provider import SyntheticProvider

pytestmark = pytest.mark.fault

PRODUCTS = ["NIFTY", "BANKNIFTY"]
CHANNELS = ["ticks:NIFTY", "chain:NIFTY:*", "metrics:NIFTY:*"]
HEAL_SECONDS = 10.0


@pytest.fixture
def client(platform: Platform, token: str) -> Iterator[ClientWitness]:
    everything_is_live(platform)
    witness = ClientWitness(platform.url("gateway"), token, CHANNELS)
    witness.start()
    eventually(lambda: len(witness.channels) == channels_of("NIFTY"), "a snapshot of each channel")
    yield witness
    witness.stop()


def channels_of(product: str) -> int:
    """Ticks, and chains and metrics of the expiries that are listed today."""
    listed = SyntheticProvider([product], seed=7, scenario="calm", exchange_hours=False)
    return 1 + 2 * len(listed.tick(SystemClock().now_ms()).chains)


def everything_is_live(platform: Platform) -> None:
    redis, expected = platform.redis.client(), sum(map(channels_of, PRODUCTS))
    eventually(lambda: redis.scard(LIVE_INDEX) >= expected, "all channels to be live", seconds=20)


def epochs(client: ClientWitness) -> dict[str, str | None]:
    return {name: record.epoch for name, record in client.channels.items()}


def fresh(client: ClientWitness, since_ms: float) -> bool:
    """Whether every channel holds data that the feed made after `since_ms`."""
    return all(record.last_data["source_ts"] > since_ms for record in client.channels.values())


def heal(client: ClientWitness, what: str) -> None:
    since = time.time() * 1000
    eventually(lambda: fresh(client, since), f"fresh data after {what}", seconds=HEAL_SECONDS)
    assert client.faults() == []


@pytest.mark.parametrize("name", ["feed", "mongo"])
def test_an_orderly_restart_keeps_epoch_and_order(platform: Platform, client: ClientWitness, name: str) -> None:
    before = epochs(client)
    platform.processes[name].signal(signal.SIGTERM)
    heal(client, f"restart of {name}")
    assert epochs(client) == before


def test_a_redis_restart_with_its_file_starts_new_epochs(platform: Platform, client: ClientWitness) -> None:
    before = epochs(client)
    platform.processes["redis"].signal(signal.SIGTERM)
    heal(client, "restart of redis")
    after = epochs(client)
    assert all(after[name] != epoch for name, epoch in before.items())
    announced = {message["channel"] for message in client.resyncs}
    assert set(before) <= announced


def test_flushall_starts_new_epochs_and_says_so(platform: Platform, client: ClientWitness) -> None:
    before = epochs(client)
    platform.redis.client().flushall()
    heal(client, "FLUSHALL")
    after = epochs(client)
    assert all(after[name] != epoch for name, epoch in before.items())
    assert set(before) <= {message["channel"] for message in client.resyncs}
