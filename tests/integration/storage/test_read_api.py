"""What is stored comes back: latest, in pages, and with problems that name what is wrong."""

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
from aro.contracts.products import PRODUCTS
from aro.testing import enriched
from aro.testing.services import HttpService

DAY_MS = 86_400_000
NEAR, FAR, OVER = "2026-11-23", "2026-11-30", "2026-11-16"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def get(storage: HttpService, reader: requests.Session, stored: MongoDatabase) -> Any:
    def ask(path: str, status: int = 200, **query: Any) -> Any:
        answer = reader.get(f"{storage.url}/api/v1{path}", params=query, timeout=5)
        assert answer.status_code == status, answer.text
        kind = "application/json" if status == 200 else "application/problem+json"
        assert answer.headers["Content-Type"] == kind
        return answer.json()

    return ask


@pytest.fixture
def three_expiries(stored: MongoDatabase) -> int:
    """NIFTY with one expiry that is over and two that are not; the instant of the last chains."""
    now = now_ms()
    store = ChainStore(stored)
    for expiry, expiry_ts in ((OVER, now - 1), (FAR, now + 9 * DAY_MS), (NEAR, now + 2 * DAY_MS)):
        store.save([enriched.record(now - age, expiry=expiry, expiry_ts=expiry_ts) for age in (2_000, 1_000, 0)])
    return now


def test_products_are_all_listed_with_their_terms(get: Any, three_expiries: int) -> None:
    listed = {item["product"]: item for item in get("/products")["products"]}
    assert set(listed) == set(PRODUCTS)
    assert listed["NIFTY"]["has_data"]
    assert not listed["SPY"]["has_data"]
    assert (listed["SPY"]["contract_size"], listed["SPY"]["tick_size"], listed["SPY"]["currency"]) == (100, 0.01, "USD")


def test_expiries_are_listed_nearest_first(get: Any, three_expiries: int) -> None:
    answer = get("/products/NIFTY/expiries")
    assert answer["product"] == "NIFTY"
    assert [(item["expiry"], item["expired"]) for item in answer["expiries"]] == [
        (OVER, True),
        (NEAR, False),
        (FAR, False),
    ]
    assert answer["expiries"][0]["source_ts"] == three_expiries
    assert get("/products/SPY/expiries") == {"product": "SPY", "expiries": []}


def test_products_whose_names_begin_alike_do_not_mix(get: Any, stored: MongoDatabase) -> None:
    now = now_ms()
    ChainStore(stored).save([enriched.record(now, product="NIFTYNXT50", expiry_ts=now + DAY_MS)])
    assert get("/products/NIFTY/expiries")["expiries"] == []
    assert len(get("/products/NIFTYNXT50/expiries")["expiries"]) == 1


def test_the_latest_chain_is_what_was_published(
    storage: HttpService, reader: requests.Session, get: Any, three_expiries: int
) -> None:
    for query, expiry, expiry_ts in (
        ("", NEAR, three_expiries + 2 * DAY_MS),
        (f"?expiry={FAR}", FAR, three_expiries + 9 * DAY_MS),
        (f"?expiry={OVER}", OVER, three_expiries - 1),
    ):
        answer = reader.get(f"{storage.url}/api/v1/chains/NIFTY{query}", timeout=5)
        assert answer.content == enriched.record(three_expiries, expiry=expiry, expiry_ts=expiry_ts).data
    rows = get("/chains/NIFTY", shape="rows")["rows"]
    assert len(rows) == 2 * len(enriched.STRIKES)
    assert rows[2]["iv"] is None
    assert rows[2]["iv_status"] == "no_price"


def test_the_latest_metrics_are_those_of_the_latest_chain(get: Any, three_expiries: int) -> None:
    answer = get("/chains/NIFTY/metrics")
    assert (answer["expiry"], answer["source_ts"]) == (NEAR, three_expiries)
    assert answer["pcr_volume"] is None
    assert get("/chains/NIFTY/metrics", expiry=FAR)["expiry"] == FAR


def test_the_last_chain_outlives_the_retention_of_chains(get: Any, stored: MongoDatabase) -> None:
    now = now_ms()
    store = ChainStore(stored)
    records = [enriched.record(now - 300_000, expiry_ts=now + DAY_MS), enriched.record(now, expiry_ts=now + DAY_MS)]
    store.save(records[:1])
    assert store.keep_last(idle_since_ms=now - 60_000) == 1
    assert store.keep_last(idle_since_ms=now - 60_000) == 0
    stored["chain_snapshots"].delete_many({})  # what the retention does at some minute
    assert get("/chains/NIFTY")["source_ts"] == now - 300_000
    store.save(records[1:])
    assert get("/chains/NIFTY")["source_ts"] == now
    assert store.keep_last(idle_since_ms=now - 60_000) == 0


PROBLEMS = [
    ("/chains/DOGE", {}, 404, "unknown_product", None),
    ("/chains/nifty%20or%201", {}, 404, "unknown_product", None),
    ("/chains/DOGE/history", {}, 404, "unknown_product", None),
    ("/chains/DOGE/metrics", {}, 404, "unknown_product", None),
    ("/chains/DOGE/metrics/history", {}, 404, "unknown_product", None),
    ("/ticks/DOGE/history", {}, 404, "unknown_product", None),
    ("/products/DOGE/expiries", {}, 404, "unknown_product", None),
    ("/chains/SPY", {}, 404, "unknown_expiry", None),
    ("/chains/NIFTY", {"expiry": "2031-01-01"}, 404, "unknown_expiry", None),
    ("/chains/NIFTY/history", {"expiry": "2031-01-01"}, 404, "unknown_expiry", None),
    ("/chains/NIFTY", {"expiry": "soon"}, 422, "invalid_request", ["expiry"]),
    ("/chains/NIFTY", {"expiry": "2026-02-30"}, 422, "invalid_request", ["expiry"]),
    ("/chains/NIFTY", {"shape": "round"}, 422, "invalid_request", ["shape"]),
    ("/chains/NIFTY", {"expiri": NEAR}, 422, "invalid_request", ["expiri"]),
    ("/chains/NIFTY", {"fields": "spot,colour"}, 422, "invalid_request", ["fields"]),
    ("/chains/NIFTY", {"strikes": "all"}, 422, "invalid_request", ["strikes"]),
    ("/chains/NIFTY", {"strikes": "9..8"}, 422, "invalid_request", ["strikes"]),
    ("/chains/NIFTY/history", {"fields": "colour"}, 422, "invalid_request", ["fields"]),
    ("/chains/NIFTY/metrics", {"fields": ""}, 422, "invalid_request", ["fields"]),
    ("/chains/NIFTY/metrics/history", {"fields": "bid"}, 422, "invalid_request", ["fields"]),
    ("/chains/NIFTY", {"as_of": "yesterday"}, 422, "invalid_request", ["as_of"]),
    ("/chains/NIFTY", {"as_of": "1000"}, 404, "unknown_expiry", None),
    ("/chains/NIFTY", {"as_of": "1000", "expiry": NEAR}, 404, "unknown_expiry", None),
    ("/chains/NIFTY/metrics", {"as_of": "1000"}, 404, "unknown_expiry", None),
    ("/ticks/DOGE", {}, 404, "unknown_product", None),
    ("/ticks/NIFTY", {}, 404, "not_found", None),
    ("/products", {"page": "2"}, 422, "invalid_request", ["page"]),
    ("/chains/NIFTY/history", {"limit": "0"}, 422, "invalid_request", ["limit"]),
    ("/chains/NIFTY/history", {"limit": "501"}, 422, "invalid_request", ["limit"]),
    ("/chains/NIFTY/metrics/history", {"limit": "10001"}, 422, "invalid_request", ["limit"]),
    ("/ticks/NIFTY/history", {"limit": "20001"}, 422, "invalid_request", ["limit"]),
    ("/ticks/NIFTY/history", {"limit": "9" * 3000}, 422, "invalid_request", ["limit"]),
    ("/ticks/NIFTY/history", {"from": "2026-11-22T10:00:00"}, 422, "invalid_request", ["from"]),
    ("/ticks/NIFTY/history", {"from": "yesterday", "to": "x"}, 422, "invalid_request", ["from", "to"]),
    ("/ticks/NIFTY/history", {"from": "2000", "to": "1000"}, 422, "invalid_request", ["from"]),
    ("/ticks/NIFTY/history", {"from": "0"}, 422, "invalid_request", ["from"]),
    ("/ticks/NIFTY/history", {"cursor": "$gt"}, 422, "invalid_request", ["cursor"]),
    ("/ticks/NIFTY/history", {"cursor": "LTEuLTE"}, 422, "invalid_request", ["from"]),
]


@pytest.mark.parametrize(("path", "query", "status", "code", "fields"), PROBLEMS)
def test_what_cannot_be_answered_says_why(
    get: Any, three_expiries: int, path: str, query: dict[str, str], status: int, code: str, fields: list[str] | None
) -> None:
    body = get(path, status, **query)
    assert body["code"] == code
    assert sorted(body.get("errors", {})) == (fields or [])


def test_an_instant_may_be_written_in_each_way(get: Any, stored: MongoDatabase) -> None:
    now = now_ms()
    TickStore(stored).save([enriched.tick(now - age) for age in (3_000, 2_000, 1_000)])
    for start in (str(now - 2_000), iso(now - 2_000), iso(now - 2_000).replace("+00:00", "Z")):
        answer = get("/ticks/NIFTY/history", **{"from": start, "to": str(now)})
        assert [item["source_ts"] for item in answer["items"]] == [now - 2_000, now - 1_000]
        assert (answer["from_ts"], answer["to_ts"], answer["next_cursor"]) == (now - 2_000, now, None)


def test_history_of_chains_is_byte_for_byte_what_was_published(
    storage: HttpService, reader: requests.Session, three_expiries: int
) -> None:
    answer = reader.get(f"{storage.url}/api/v1/chains/NIFTY/history?expiry={NEAR}", timeout=5)
    for age in (2_000, 1_000, 0):
        expected = enriched.record(three_expiries - age, expiry=NEAR, expiry_ts=three_expiries + 2 * DAY_MS)
        assert expected.data in answer.content
    rows = reader.get(f"{storage.url}/api/v1/chains/NIFTY/history?shape=rows&limit=2", timeout=5).json()
    assert [len(item["rows"]) for item in rows["items"]] == [6, 6]


KINDS = {
    "ticks": ("/ticks/NIFTY/history", "ticks"),
    "metrics": (f"/chains/NIFTY/metrics/history?expiry={NEAR}", "chain_metrics"),
    "chains": (f"/chains/NIFTY/history?expiry={NEAR}", "chain_snapshots"),
}


@pytest.mark.parametrize("kind", KINDS)
@given(
    ages=st.lists(st.integers(0, 40) | st.integers(0, 3_000_000), max_size=25),
    limit=st.integers(1, 9),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_join_to_everything_once_in_order(
    storage: HttpService, reader: requests.Session, stored: MongoDatabase, kind: str, ages: list[int], limit: int
) -> None:
    path, collection = KINDS[kind]
    now = now_ms()
    stored[collection].delete_many({})
    stored["chain_latest"].delete_many({})
    moments = [(now - age, now - 4_000_000 + n) for n, age in enumerate(ages)]
    anchor = (now - 3_600_000, 1)  # so that the expiry is known also when no age was drawn; outside the span
    if kind == "ticks":
        TickStore(stored).save([enriched.tick(*moment) for moment in [anchor, *moments]])
    else:
        records = [enriched.record(*moment, expiry=NEAR, expiry_ts=now + DAY_MS) for moment in [anchor, *moments]]
        ChainStore(stored).save(records)
    query: dict[str, Any] = {"from": now - 3_000_000, "to": now, "limit": limit}
    collected: list[tuple[int, int]] = []
    while True:
        page = reader.get(f"{storage.url}/api/v1{path}", params=query, timeout=5).json()
        assert len(page["items"]) <= limit
        collected += [(item["source_ts"], item["source_seq"]) for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert collected == sorted(moments)


def test_a_slow_reader_with_nothing_but_cursors_misses_nothing(get: Any, stored: MongoDatabase) -> None:
    now = now_ms()
    # Older than the usual hour: the second page starts where the first one ended, not an hour ago.
    TickStore(stored).save([enriched.tick(now - 7_200_000 + n * 60_000) for n in range(120)])
    page = get("/ticks/NIFTY/history", **{"from": now - 7_200_000, "limit": 10})
    seen = [item["source_ts"] for item in page["items"]]
    while page["next_cursor"]:
        page = get("/ticks/NIFTY/history", cursor=page["next_cursor"], limit=10)
        seen += [item["source_ts"] for item in page["items"]]
    assert seen == [now - 7_200_000 + n * 60_000 for n in range(120)]


def test_a_gap_before_dense_data_costs_no_more_than_a_page(
    storage: HttpService, reader: requests.Session, stored: MongoDatabase
) -> None:
    now = now_ms()
    records = [enriched.record(now - 600_000 + n * 1_000, expiry=NEAR, expiry_ts=now + DAY_MS) for n in range(600)]
    ChainStore(stored).save(records)
    query = {"from": now - 80_000_000, "to": now, "limit": 5}
    answer = reader.get(f"{storage.url}/api/v1/chains/NIFTY/history", params=query, timeout=5).json()
    assert [item["source_ts"] for item in answer["items"]] == [now - 600_000 + n * 1_000 for n in range(5)]
