"""The same data as JSON, as lines and as CSV; some strikes, some fields; and answers too large to be built at once."""

import csv
import io
import json
import time
from typing import Any

import pytest
import requests

from aro.adapters.chain_store import ChainStore
from aro.adapters.mongo import MongoDatabase
from aro.adapters.tick_store import TickStore
from aro.contracts.shapes import IDENTITY
from aro.testing import enriched
from aro.testing.services import HttpService

NEAR = "2026-11-23"
DAY_MS = 86_400_000
CSV, LINES = {"Accept": "text/csv"}, {"Accept": "application/x-ndjson"}
HISTORIES = ("/chains/NIFTY/history", "/chains/NIFTY/metrics/history", "/ticks/NIFTY/history")
STATES = ("/chains/NIFTY", "/chains/NIFTY/metrics", "/ticks/NIFTY")


@pytest.fixture
def ask(storage: HttpService, reader: requests.Session) -> Any:
    def answer(path: str, headers: dict[str, str] | None = None, **query: Any) -> requests.Response:
        url = path if path.startswith("/api") else f"/api/v1{path}"
        return reader.get(f"{storage.url}{url}", params=query, headers=headers, timeout=10)

    return answer


@pytest.fixture
def now(stored: MongoDatabase) -> int:
    """The instant of the last of 25 chains, metrics and ticks, ten seconds apart."""
    newest = time.time_ns() // 1_000_000
    moments = [newest - 10_000 * n for n in range(25)]
    ChainStore(stored).save([enriched.record(at, expiry=NEAR, expiry_ts=newest + DAY_MS) for at in moments])
    TickStore(stored).save([enriched.tick(at) for at in moments])
    return newest


def table(answer: requests.Response) -> list[dict[str, str]]:
    assert answer.headers["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.mark.parametrize("path", HISTORIES)
def test_lines_and_tables_say_what_json_says(ask: Any, now: int, path: str) -> None:
    items = ask(path, limit=20).json()["items"]
    lines = ask(path, LINES, limit=20)
    assert lines.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line) for line in lines.text.splitlines()] == items
    rows = table(ask(path, CSV, limit=20))
    seen = dict.fromkeys((row["source_seq"], row["source_time"]) for row in rows)
    assert list(seen) == [(str(item["source_seq"]), item["source_time"]) for item in items]
    per_item = 2 * len(enriched.STRIKES) if path == HISTORIES[0] else 1
    assert len(rows) == len(items) * per_item


@pytest.mark.parametrize("path", HISTORIES)
@pytest.mark.parametrize("headers", [{}, CSV, LINES])
def test_link_leads_through_all_pages(ask: Any, now: int, path: str, headers: dict[str, str]) -> None:
    seen: list[str] = []
    answer = ask(path, headers, limit=7, **{"from": str(now - 240_000), "to": str(now)})
    while True:
        if headers == CSV:
            found = [row["id"] for row in table(answer)]
        elif headers == LINES:
            found = [json.loads(line)["id"] for line in answer.text.splitlines()]
        else:
            found = [item["id"] for item in answer.json()["items"]]
        seen += dict.fromkeys(found)
        if "next" not in answer.links:
            break
        answer = ask(answer.links["next"]["url"], headers)
    assert len(seen) == len(set(seen)) == 25


@pytest.mark.parametrize("path", STATES)
def test_a_state_as_a_table(ask: Any, now: int, path: str) -> None:
    rows = table(ask(path, CSV))
    assert {row["source_ts"] for row in rows} == {str(now)}
    assert len(rows) == (2 * len(enriched.STRIKES) if path == STATES[0] else 1)


@pytest.mark.parametrize("path", [*STATES, *HISTORIES])
def test_a_form_that_is_not_there_is_refused(ask: Any, now: int, path: str) -> None:
    for wanted in ("image/png", "text/html", "application/xml;q=0.9, text/plain"):
        answer = ask(path, {"Accept": wanted})
        assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert ask(path, {"Accept": "text/html, */*;q=0.1"}).headers["Content-Type"] == "application/json"


def test_some_strikes_and_fields(ask: Any, now: int) -> None:
    query = {"strikes": "atm:0", "fields": "spot,iv"}
    chain = ask("/chains/NIFTY", **query).json()
    assert set(chain) == {*IDENTITY, "spot", "strikes", "calls", "puts"}
    assert (chain["strikes"], chain["calls"]) == ([25_000.0], {"iv": [None]})
    history = ask("/chains/NIFTY/history", **query, limit=3).json()["items"]
    assert [set(item) for item in history] == [set(chain)] * 3
    rows = ask("/chains/NIFTY", shape="rows", **query).json()["rows"]
    assert [(row["option_type"], row["iv"]) for row in rows] == [("CE", None), ("PE", None)]
    metrics = ask("/chains/NIFTY/metrics", fields="pcr_oi").json()
    assert set(metrics) == {*IDENTITY, "pcr_oi"}
    history = ask("/chains/NIFTY/metrics/history", fields="pcr_oi,max_pain").json()["items"]
    assert all(set(item) == {*IDENTITY, "pcr_oi", "max_pain"} for item in history)
    assert table(ask("/chains/NIFTY/metrics", CSV, fields="max_pain"))[0]["max_pain"] == "25000.0"


@pytest.mark.parametrize("path", [*STATES, *HISTORIES, "/products", "/products/NIFTY/expiries"])
def test_head_is_get_without_a_body(
    storage: HttpService, reader: requests.Session, ask: Any, now: int, path: str
) -> None:
    head = reader.head(f"{storage.url}/api/v1{path}", timeout=5)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == ask(path).headers["Content-Type"]


def test_a_large_page_arrives_in_pieces(storage: HttpService, reader: requests.Session, stored: MongoDatabase) -> None:
    now = time.time_ns() // 1_000_000
    TickStore(stored).save([enriched.tick(now - n) for n in range(5_000)])
    query = {"limit": 5_000, "from": now - 10_000, "to": now}
    with reader.get(f"{storage.url}/api/v1/ticks/NIFTY/history", params=query, stream=True, timeout=10) as answer:
        assert answer.headers["Transfer-Encoding"] == "chunked"
        pieces = list(answer.iter_content(None))
    assert max(map(len, pieces)) < sum(map(len, pieces)) // 5
    body = json.loads(b"".join(pieces))
    assert len(body["items"]) == 5_000
    assert body["next_cursor"] is None
