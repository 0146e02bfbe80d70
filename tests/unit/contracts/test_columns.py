"""What may enter the platform, and with which reason the rest is refused."""

from typing import Any

import numpy as np
import pytest

from aro.contracts.problems import MessageRejected
from aro.quant.columns import chain_columns, check_tick
from aro.testing import factories

NAN, INF = float("nan"), float("inf")
GOOD = factories.chain().calls


def calls(**columns: Any) -> dict[str, Any]:
    return {"calls": factories.quotes(**{"bid": GOOD.bid, "ask": GOOD.ask, **columns})}


def test_null_becomes_nan_and_numbers_stay() -> None:
    columns = chain_columns(factories.chain(**calls(bid=[None, 239.0, 211.0, 185.0, 161.0])))
    np.testing.assert_array_equal(columns.calls.bid, [NAN, 239.0, 211.0, 185.0, 161.0])
    np.testing.assert_array_equal(columns.strikes, factories.chain().strikes)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"product": "TULIP"}, "unknown_product"),
        ({"expiry": "29-12-2026"}, "bad_time"),
        ({"expiry": "20261229"}, "bad_time"),
        ({"expiry": "../../etc"}, "bad_time"),
        ({"source_ts": -5}, "bad_time"),
        ({"source_seq": 2**60}, "bad_time"),
        ({"expiry_ts": 0}, "bad_time"),
        ({"spot": NAN}, "not_finite"),
        ({"spot": -1.0}, "negative"),
        ({"rate": INF}, "not_finite"),
        ({"contract_size": 0}, "negative"),
        ({"future": NAN}, "not_finite"),
        ({"strikes": [24_900.0, 24_900.0, 25_000.0, 25_050.0, 25_100.0]}, "bad_strikes"),
        ({"strikes": [24_900.0, NAN, 25_000.0, 25_050.0, 25_100.0]}, "bad_strikes"),
        ({"strikes": [-1.0, 1.0, 2.0, 3.0, 4.0]}, "bad_strikes"),
        ({"strikes": [1.0, 2.0, 3.0, 4.0, INF]}, "bad_strikes"),
        ({"strikes": []}, "bad_strikes"),
        ({"strikes": [1.0]}, "bad_columns"),
        (calls(ask=[1.0]), "bad_columns"),
        (calls(flags=[0, 0, 0, 0, 999]), "bad_columns"),
        (calls(flags=[0, 0, 0, 0, -1]), "bad_columns"),
        (calls(bid=[NAN, 239.0, 211.0, 185.0, 161.0]), "not_finite"),
        (calls(volume=[INF, 1.0, 1.0, 1.0, 1.0]), "not_finite"),
        (calls(bid=[-1.0, 239.0, 211.0, 185.0, 161.0]), "negative"),
        (calls(ltp=[0.0, 239.0, 211.0, 185.0, 161.0]), "negative"),
        (calls(open_interest=[-1.0, 1.0, 1.0, 1.0, 1.0]), "negative"),
        (calls(bid=[271.0, 239.0, 211.0, 185.0, 161.0]), "crossed"),
    ],
)
def test_what_is_not_sound_is_refused_with_its_reason(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(MessageRejected) as refused:
        chain_columns(factories.chain(**fields))
    assert refused.value.reason == reason


def test_an_open_interest_that_falls_and_a_locked_quote_are_sound() -> None:
    chain_columns(factories.chain(**calls(open_interest_change=[-10.0, None, 0.0, 1.0, 2.0], bid=GOOD.ask)))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"product": "TULIP"}, "unknown_product"),
        ({"price": NAN}, "not_finite"),
        ({"price": 0.0}, "negative"),
        ({"prev_close": -1.0}, "negative"),
        ({"source_ts": 0}, "bad_time"),
    ],
)
def test_ticks_are_checked_too(fields: dict[str, Any], reason: str) -> None:
    check_tick(factories.tick())
    with pytest.raises(MessageRejected) as refused:
        check_tick(factories.tick(**fields))
    assert refused.value.reason == reason
