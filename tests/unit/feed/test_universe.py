"""Universe ``nse``: how much it is, that it is sound, and who knows it."""

import os
import subprocess
import sys

import pytest

from aro.contracts import products
from aro.contracts.codec import decode_chain, decode_tick
from aro.contracts.names import STREAM_CHAINS, STREAM_TICKS
from aro.contracts.products import PRODUCTS
from aro.contracts.universe import underlyings, universe_products
from aro.quant.columns import chain_columns
from feed_generator.feed import Feed
from feed_generator.numbering import SourceSequences
from feed_generator.outbox import Outbox
from feed_generator.synthetic.markets import DEFAULT_PRODUCTS, universe_names
from feed_generator.synthetic.provider import SyntheticProvider

NOON = 1_795_348_800_000


@pytest.fixture
def listed(monkeypatch):
    for item in universe_products("nse"):
        monkeypatch.setitem(products._LISTED, item.name, item)


@pytest.fixture
def entries(listed):
    """What a feed of the whole universe publishes in its second tick."""
    provider = SyntheticProvider(
        universe_names("nse"), seed=1, scenario="calm", exchange_hours=False, with_truths=False
    )
    outbox = Outbox(2_000)
    feed = Feed(provider, SourceSequences({}), outbox)
    feed.tick(NOON)
    outbox.take(len(outbox))
    feed.tick(NOON + 1000)
    return outbox.take(len(outbox))


def test_it_has_220_underlyings_and_some_90_000_contracts(entries):
    ticks = [decode_tick(entry.message) for entry in entries if entry.stream == STREAM_TICKS]
    chains = [decode_chain(entry.message) for entry in entries if entry.stream == STREAM_CHAINS]
    assert len({tick.product for tick in ticks}) == 220
    assert {chain.product for chain in chains} == {tick.product for tick in ticks}
    assert len({(chain.product, chain.expiry) for chain in chains}) == len(chains)
    assert 85_000 <= sum(2 * len(chain.strikes) for chain in chains) <= 95_000
    for chain in chains:
        chain_columns(chain)


def test_its_names_are_unique_and_none_is_listed_already():
    names = [line.name for line in underlyings()]
    assert len(set(names)) == len(names) == 215
    assert not set(names) & set(PRODUCTS)


def test_levels_lots_and_steps_leave_room_for_the_strikes():
    for line in underlyings():
        assert line.lot > 0
        assert line.spot / line.strike_step > 43


def test_without_it_the_defaults_are_fed():
    assert universe_names("listed") == DEFAULT_PRODUCTS


def asked(environ, code):
    """What a process that starts with `environ` prints."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **STORAGE, **environ},
        capture_output=True,
        text=True,
        timeout=30,
    )


KNOWS = """
import os
from aro.runtime.openapi import path_parameter
from aro.runtime.queries import ProductName
from storage_service.settings import StorageSettings
from aro.runtime.settings import load
load(StorageSettings, os.environ)
print("U215" in ProductName().json_schema["enum"], "U215" in path_parameter("product")["schema"]["enum"])
"""
STORAGE = {
    "ARO_PORT": "1",
    "ARO_MONGO_URL": "mongodb://127.0.0.1:1",
    "ARO_REDIS_URL": "redis://127.0.0.1:1",
    "ARO_JWKS_URL": "http://127.0.0.1:1",
}


def test_a_service_knows_it_if_its_environment_says_so():
    assert asked({"ARO_UNIVERSE": "nse"}, KNOWS).stdout == "True True\n"
    assert asked({"ARO_UNIVERSE": ""}, KNOWS).stdout == "False False\n"


def test_an_unknown_universe_is_refused():
    result = asked({"ARO_UNIVERSE": "nyse"}, KNOWS)
    assert result.returncode != 0
    assert "ARO_UNIVERSE must be one of listed, nse, not 'nyse'" in result.stderr
