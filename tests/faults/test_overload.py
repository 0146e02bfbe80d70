"""More than workers can do: clients see the newest, in order; all of it is stored once, some of it later."""

import time
from typing import Any, Final

import pytest
import requests

from aro.adapters import mongo
from aro.adapters.chain_store import ChainStore
from aro.adapters.ledger import Ledger
from aro.adapters.live import LiveReader
from aro.contracts.codec import encode_message
from aro.contracts.names import STREAM_CHAINS, chain_channel
from aro.testing import factories
from aro.testing.eventually import eventually
from aro.testing.platform import DATABASE, Platform
from aro.testing.witness import ClientWitness

pytestmark = pytest.mark.fault

PRODUCT: Final = "FINNIFTY"
"""Not of the feed."""
EXPIRIES: Final = tuple(f"2036-12-{day:02}" for day in range(1, 9))
ENOUGH: Final = 300
"""Chains that are passed over before the flood ends."""
MOST: Final = 4_000
"""Snapshots of each expiry."""


def passed_over(platform: Platform) -> float:
    """Chains that the consumer has passed over so far."""
    text = requests.get(f"{platform.url('consume')}/metrics", timeout=5).text
    [line] = [line for line in text.splitlines() if line.startswith('conflated_total{stream="market:chains"}')]
    return float(line.rpartition(" ")[2])


class Market:
    """Feeds snapshots of all `EXPIRIES`, numbered by their time, and remembers the numbers."""

    def __init__(self, platform: Platform) -> None:
        self._ledger = Ledger(platform.redis.client())
        self.numbers: list[int] = []

    def move(self) -> None:
        now = max(time.time_ns() // 1_000_000, self.numbers[-1] + 1 if self.numbers else 0)
        fields: dict[str, Any] = {"product": PRODUCT, "source_seq": now, "source_ts": now, "expiry_ts": now + 10**9}
        chains = [factories.chain(expiry=expiry, **fields) for expiry in EXPIRIES]
        self._ledger.append([(STREAM_CHAINS, encode_message(chain)) for chain in chains])
        self.numbers.append(now)


def test_in_overload_clients_see_the_newest_and_history_gets_all(platform: Platform, token: str) -> None:
    market, live = Market(platform), LiveReader(platform.redis.client())
    market.move()
    channels = {chain_channel(PRODUCT, expiry) for expiry in EXPIRIES}
    eventually(lambda: channels <= live.channels(), "every channel to be live", seconds=30)
    client = ClientWitness(platform.url("gateway"), token, sorted(channels))
    client.start()
    eventually(lambda: set(client.channels) == channels, "a snapshot of each channel")
    while passed_over(platform) < ENOUGH and len(market.numbers) < MOST:
        for _ in range(50):
            market.move()
    assert passed_over(platform) >= ENOUGH

    def newest_is_shown() -> bool:
        return {record.last_data["source_seq"] for record in client.channels.values()} == {market.numbers[-1]}

    eventually(newest_is_shown, "the newest of each expiry", seconds=30)
    assert client.faults() == []
    eventually(platform.is_drained, "all that was passed over to be enriched", seconds=60)
    database = mongo.connect(platform.mongo.url, DATABASE)
    chains = ChainStore(database)
    for expiry in EXPIRIES:
        assert stored(chains, expiry, market.numbers) == market.numbers, "each once, none missing"
    assert client.faults() == [], "nothing of the past reached a client"
    assert newest_is_shown()
    client.stop()
    database.client.close()


def stored(chains: ChainStore, expiry: str, numbers: list[int]) -> list[int]:
    found: list[int] = []
    cursor = None
    while True:
        page = chains.chains(PRODUCT, expiry, start_ms=numbers[0], end_ms=numbers[-1], limit=500, cursor=cursor)
        found += [item.source_seq for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found
