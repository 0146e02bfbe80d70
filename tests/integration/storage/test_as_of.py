"""The past is what was served then: the same bytes, versions that caches can trust, and words for what is gone."""

import time
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aro.adapters.chain_store import ChainStore
from aro.adapters.clock import iso
from aro.adapters.mongo import MongoDatabase
from aro.adapters.tick_store import TickStore
from aro.contracts.codec import encode_json
from aro.testing import enriched
from aro.testing.services import HttpService

NEAR, FAR = "2026-11-23", "2026-11-30"
DAY_MS = 86_400_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def ask(storage: HttpService, reader: requests.Session) -> Any:
    def answer(path: str, headers: dict[str, str] | None = None, **query: Any) -> requests.Response:
        return reader.get(f"{storage.url}/api/v1{path}", params=query, headers=headers, timeout=5)

    return answer


def test_what_was_served_is_served_again_byte_for_byte(ask: Any, stored: MongoDatabase) -> None:
    now = now_ms()
    chains, ticks = ChainStore(stored), TickStore(stored)
    served: dict[str, list[requests.Response]] = {"/chains/NIFTY": [], "/chains/NIFTY/metrics": [], "/ticks/NIFTY": []}
    for n in range(8):
        at = now - 400_000 + n * 50_000
        chains.save([enriched.record(at, expiry=NEAR, expiry_ts=now + DAY_MS, spot=25_000.0 + n)])
        ticks.save([enriched.tick(at)])
        for path, answers in served.items():
            answers.append(ask(path))
    for path, answers in served.items():
        assert len({answer.content for answer in answers}) == len(answers)
        for answer in answers:
            again = ask(path, as_of=answer.headers["As-Of"])
            assert again.content == answer.content
            assert again.headers["As-Of"] == answer.headers["As-Of"]
            assert again.headers["ETag"] == answer.headers["ETag"]
            assert again.headers["Cache-Control"] == "private, max-age=86400, immutable"
            assert answer.headers["Cache-Control"] == "private, no-cache"


@given(
    ages=st.lists(st.integers(0, 3 * DAY_MS), min_size=1, max_size=12, unique=True), asked=st.integers(0, 3 * DAY_MS)
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_instant_has_the_newest_that_is_not_later(
    ask: Any, stored: MongoDatabase, ages: list[int], asked: int
) -> None:
    now = now_ms()
    for name in ("chain_snapshots", "chain_metrics", "chain_latest", "presence"):
        stored[name].delete_many({})
    records = [enriched.record(now - age, expiry=NEAR, expiry_ts=now + DAY_MS) for age in ages]
    ChainStore(stored).save(records)
    earlier = [record for record in records if record.chain.source_ts <= now - asked]
    answer = ask("/chains/NIFTY", as_of=now - asked)
    metrics = ask("/chains/NIFTY/metrics", as_of=now - asked)
    if not earlier:
        assert answer.status_code == metrics.status_code == 404
        return
    newest = max(earlier, key=lambda record: record.chain.source_ts)
    assert answer.content == newest.data
    assert metrics.content == encode_json(newest.metrics)


def test_without_expiry_it_is_the_nearest_one_of_that_time(ask: Any, stored: MongoDatabase) -> None:
    now = now_ms()
    store = ChainStore(stored)
    # FAR had data before NEAR had any; NEAR is over since an hour ago.
    store.save([enriched.record(now - 10_000_000, expiry=FAR, expiry_ts=now + DAY_MS)])
    store.save([enriched.record(now - age, expiry=NEAR, expiry_ts=now - 3_600_000) for age in (9_000_000, 3_700_000)])
    expected = {10_000_000: FAR, 9_100_000: FAR, 9_000_000: NEAR, 3_600_001: NEAR, 3_600_000: FAR, 0: FAR}
    for age, expiry in expected.items():
        assert ask("/chains/NIFTY", as_of=now - age).json()["expiry"] == expiry, age
    listed = ask("/products/NIFTY/expiries", as_of=now - 9_000_000).json()["expiries"]
    assert [(item["expiry"], item["source_ts"], item["expired"]) for item in listed] == [
        (NEAR, now - 9_000_000, False),
        (FAR, now - 10_000_000, False),
    ]
    assert ask("/products/NIFTY/expiries", as_of=now - 20_000_000).json()["expiries"] == []


def test_a_chain_that_retention_took_is_not_an_unknown_expiry(ask: Any, stored: MongoDatabase) -> None:
    now = now_ms()
    ChainStore(stored).save([enriched.record(now - age, expiry=NEAR, expiry_ts=now + DAY_MS) for age in (80_000, 0)])
    stored["chain_snapshots"].delete_one({"source_seq": now - 80_000})
    gone = ask("/chains/NIFTY", as_of=now - 70_000)
    assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
    assert "not kept any more" in gone.json()["detail"]
    assert ask("/chains/NIFTY/metrics", as_of=now - 70_000).json()["source_ts"] == now - 80_000


def test_versions_tell_states_and_shapes_apart(ask: Any, stored: MongoDatabase) -> None:
    now = now_ms()
    store = ChainStore(stored)
    store.save([enriched.record(now - 5_000, expiry=NEAR, expiry_ts=now + DAY_MS)])
    forms: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {}),
        ({"shape": "rows"}, {}),
        ({"strikes": "atm:1"}, {}),
        ({"fields": "iv,spot"}, {}),
        ({}, {"Accept": "text/csv"}),
    ]
    versions = [ask("/chains/NIFTY", headers, **query).headers["ETag"] for query, headers in forms]
    assert len(set(versions)) == len(forms)
    for (query, headers), version in zip(forms, versions, strict=True):
        same = ask("/chains/NIFTY", {**headers, "If-None-Match": f'"x", {version}'}, **query)
        assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", version)
        assert same.headers["As-Of"] == iso(now - 5_000)
        weak = ask("/chains/NIFTY", {**headers, "If-None-Match": f"W/{version}"}, **query, as_of=now - 4_000)
        assert weak.status_code == 304
    store.save([enriched.record(now, expiry=NEAR, expiry_ts=now + DAY_MS)])
    for (query, headers), version in zip(forms, versions, strict=True):
        assert ask("/chains/NIFTY", {**headers, "If-None-Match": version}, **query).status_code == 200
