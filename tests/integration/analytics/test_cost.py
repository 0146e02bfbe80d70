"""What equal questions cost, what is said about freshness, and what heavy questions may take."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from analytics_service import answering, asking, exposures, metrics
from analytics_service.results import Gate
from aro.adapters.live import LivePublisher, Publication
from aro.contracts.codec import encode_json
from aro.contracts.names import chain_channel
from aro.testing.eventually import eventually


def computed(route: str) -> float:
    return metrics.computations.labels(route)._value.get()


def test_a_thousand_equal_questions_cost_one(app: Flask, raw: Any, market: Any, monkeypatch: pytest.MonkeyPatch):
    before, release, gex = computed("gex"), threading.Event(), exposures.gex

    def slow(*arguments: Any, **options: Any) -> Any:
        release.wait(5)
        return gex(*arguments, **options)

    monkeypatch.setattr(exposures, "gex", slow)
    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(raw, "/analytics/NIFTY/gex", scope="all", explain="1") for _ in range(1_000)]
        release.set()
        answers = [future.result(60) for future in futures]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.data for answer in answers}) == 1
    assert computed("gex") == before + 1


def test_a_new_state_is_a_new_answer(raw: Any, market: Any, live: Any):
    """And the parameters in another order are the same question."""
    first = raw("/analytics/NIFTY/max-pain", expiry=market.expiries[-1], explain="1")
    before = computed("max-pain")
    raw("/analytics/NIFTY/max-pain", explain="true", expiry=market.expiries[-1])
    assert computed("max-pain") == before
    chain = market.last(market.expiries[-1]).chain
    channel = chain_channel("NIFTY", chain.expiry)
    LivePublisher(live).publish([Publication(channel, chain.source_seq + 1, encode_json(chain))])
    again = raw("/analytics/NIFTY/max-pain", expiry=market.expiries[-1], explain="1")
    assert computed("max-pain") == before + 1
    assert again.data == first.data


def test_what_the_caller_has_is_not_sent_again(raw: Any, market: Any):
    first = raw("/analytics/NIFTY/pcr")
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = raw("/analytics/NIFTY/pcr", sent={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["As-Of"] == first.headers["As-Of"]
    assert raw("/analytics/NIFTY/pcr", sent={"If-None-Match": '"another"'}).status_code == 200
    as_csv = raw("/ohlc/NIFTY", sent={"Accept": "text/csv"})
    assert as_csv.headers["ETag"] != raw("/ohlc/NIFTY").headers["ETag"]


def test_heavy_questions_leave_room_for_others(raw: Any, market: Any, monkeypatch: pytest.MonkeyPatch):
    """Two compute, two wait, the fifth is refused at once; light ones go on."""
    release, inside = threading.Event(), threading.Semaphore(0)
    history = asking.Series.candles

    def slow(*arguments: Any) -> Any:
        inside.release()
        release.wait(10)
        return history(*arguments)

    monkeypatch.setattr(asking.Series, "candles", slow)
    start = market.start_ms - 13 * 3_600_000
    with ThreadPoolExecutor(8) as pool:
        heavy = [
            pool.submit(raw, "/ohlc/NIFTY", metric=metric, **{"from": start})
            for metric in ("spot", "forward", "iv_atm", "pcr_oi", "max_pain", "gex_net")
        ]
        for _ in range(2):
            assert inside.acquire(timeout=5)
        eventually(lambda: sum(future.done() for future in heavy) == 2, "two to be refused", seconds=1.5)
        assert raw("/analytics/NIFTY/max-pain").status_code == 200
        release.set()
        statuses = sorted(future.result(20).status_code for future in heavy)
    assert statuses == [200, 200, 200, 200, 503, 503]


def test_a_computation_that_takes_too_long_is_given_up(raw: Any, market: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(answering, "LIGHT_SECONDS", 0.000_001)
    answer = raw("/analytics/NIFTY/pcr", interval="1m", **{"from": market.start_ms + 1})
    assert answer.status_code == 503
    assert answer.content_type == "application/problem+json"


def test_gate_counts_what_it_refuses():
    before = metrics.refused._value.get()
    gate = Gate(at_once=1, present=1)
    with gate.presence(), pytest.raises(Exception, match="heavy"), gate.presence():
        pass
    assert metrics.refused._value.get() == before + 1
