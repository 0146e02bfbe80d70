"""What is printed from arrays is what the objects would have been encoded to, whichever way was taken."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from aro.contracts.analytics import DECIMALS
from aro.contracts.codec import encode_json, encode_message
from aro.contracts.market import ChainSnapshot
from aro.contracts.problems import MessageRejected
from aro.quant import wire
from aro.testing import factories
from feed_generator.feed import numbered
from feed_generator.synthetic.provider import SyntheticProvider
from worker_enricher.pipeline import enrich_chains
from worker_enricher.published import enrich_records
from worker_enricher.rounding import rounded
from worker_enricher.snapshots import read_chain, sound_chain

NOW = factories.SNAPSHOT_TS
PRODUCTS = ["NIFTY", "SENSEX", "SPY", "AAPL"]


def market(scenario: str) -> list[ChainSnapshot]:
    feed = SyntheticProvider(PRODUCTS, seed=11, scenario=scenario, exchange_hours=False)
    return [numbered(chain, NOW) for step in range(3) for chain in feed.tick(NOW + 1_000 * step).chains]


def odd() -> list[ChainSnapshot]:
    """An expired one, one without any quote, a price of 17 digits, and one strike."""
    nothing = factories.quotes([None] * 5, [None] * 5, ltp=[None] * 5, flags=[3, 0, 63, 8, 16])  # type: ignore[list-item]
    one = factories.quotes([10.0], [11.0])
    return [
        factories.chain(expiry_ts=NOW),
        factories.chain(calls=nothing, puts=nothing, future=25_020.5),
        factories.chain(calls=factories.quotes([0.1 + 0.2] * 5, [0.7] * 5), expiry="2026-11-24"),
        factories.chain(strikes=[25_000.0], calls=one, puts=one, expiry="2026-11-25"),
    ]


@pytest.fixture(params=["compiled", "msgspec"] if wire.compiled else ["msgspec"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "msgspec":
        monkeypatch.setattr(wire, "compiled", None)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("chains", [market("calm"), market("crash"), odd()], ids=["calm", "crash", "odd"])
def test_the_json_is_that_of_the_objects(chains: list[ChainSnapshot]) -> None:
    records = enrich_records([read_chain(encode_message(chain)) for chain in chains], computed_ts=NOW + 40)
    objects = enrich_chains([sound_chain(chain) for chain in chains], computed_ts=NOW + 40)
    assert [record.data for record in records] == [encode_json(chain) for chain, _ in objects]
    assert [encode_json(record.metrics) for record in records] == [encode_json(metrics) for _, metrics in objects]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"product": "TULIP"}, "unknown_product"),
        ({"expiry": "2026-13-01"}, "bad_time"),
        ({"spot": math.nan}, "not_finite"),
        ({"rate": math.inf}, "not_finite"),
        ({"strikes": [2.0, 1.0, 3.0, 4.0, 5.0]}, "bad_strikes"),
        ({"calls": factories.quotes([9.0] * 5, [8.0] * 5)}, "crossed"),
        ({"v": 9}, "wrong_version"),
    ],
)
def test_reasons_do_not_depend_on_the_way(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(MessageRejected) as rejected:
        read_chain(encode_message(factories.chain(**fields)))
    assert rejected.value.reason == reason


def test_of_two_faults_the_first_by_the_rules_is_named() -> None:
    crossed = factories.quotes([9.0] * 5, [8.0] * 5)
    with pytest.raises(MessageRejected) as rejected:
        read_chain(encode_message(factories.chain(calls=crossed, spot=-1.0)))
    assert rejected.value.reason == "negative"
    message = msgspec.msgpack.encode({**msgspec.to_builtins(factories.chain(spot=-1.0)), "calls": 5})
    with pytest.raises(MessageRejected) as rejected:
        read_chain(message)
    assert rejected.value.reason == "malformed"


@pytest.mark.parametrize("kind", ["price", "iv", "ratio"])
def test_rounding_is_pythons(kind: str) -> None:
    random = np.random.default_rng(3)
    decimals = DECIMALS[kind]
    halves = (random.integers(-(10**7), 10**7, size=5_000) + 0.5) / 10**decimals
    values = np.concatenate([halves, random.normal(size=5_000) * 1e4, [0.0, -1e-12, 1e18, math.inf, 2.5e-5]])
    [found] = rounded(values[None], [kind])
    assert found == [round(value, decimals) for value in values.tolist()]
    assert rounded(np.array([[math.nan]]), [kind]) == [[None]]
