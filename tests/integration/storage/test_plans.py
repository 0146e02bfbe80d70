"""No public route reads more than it answers: every query that it makes is served by an index, and bounded.

Where all fields that are asked for are in the index and the range of time has a limit, what the server reads does not
grow with what is stored.
"""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from flask import Flask
from flask.testing import FlaskClient

from aro.adapters.chain_store import WINDOW_MS, ChainStore
from aro.adapters.clock import SystemClock
from aro.adapters.mongo import Document, MongoDatabase
from aro.adapters.paging import LONGEST_WINDOW_MS, Cursor
from aro.adapters.tick_store import TickStore
from aro.runtime.preparation import Preparation
from aro.testing import enriched
from aro.testing.issuer import Issuer
from aro.testing.recorder import Recorder, plan, recorded
from aro.testing.servers import MongoServer
from storage_service.app import build
from storage_service.migrations import migrate
from storage_service.settings import StorageSettings

DATABASE: Final = "aro_plans_test"
NEAR, FAR = "2026-11-23", "2026-11-30"
DAY_MS = 86_400_000
NOW = SystemClock().now_ms()

CURSOR: Final = Cursor(NOW - 50_000, 1).encode()

Watched = tuple[FlaskClient, Recorder, MongoDatabase]

ROUTES: Final = {
    "products": "/api/v1/products",
    "expiries": "/api/v1/products/NIFTY/expiries",
    "expiries as of": f"/api/v1/products/NIFTY/expiries?as_of={NOW - 50_000}",
    "chain": "/api/v1/chains/NIFTY",
    "chain of an expiry": f"/api/v1/chains/NIFTY?expiry={FAR}",
    "chain as of": f"/api/v1/chains/NIFTY?as_of={NOW - 50_000}",
    "chain across a gap": f"/api/v1/chains/NIFTY?expiry={NEAR}&as_of={NOW + 2 * DAY_MS}",
    "chain of nothing": f"/api/v1/chains/NIFTY?expiry=2031-01-01&as_of={NOW}",
    "metrics": "/api/v1/chains/NIFTY/metrics",
    "metrics as of": f"/api/v1/chains/NIFTY/metrics?expiry={NEAR}&as_of={NOW - 50_000}",
    "metrics across a gap": f"/api/v1/chains/NIFTY/metrics?expiry={NEAR}&as_of={NOW + 2 * DAY_MS}",
    "tick": "/api/v1/ticks/NIFTY",
    "tick as of": f"/api/v1/ticks/NIFTY?as_of={NOW - 50_000}",
    "chain history": f"/api/v1/chains/NIFTY/history?from={NOW - 60_000}&to={NOW}",
    "chain history, next page": f"/api/v1/chains/NIFTY/history?to={NOW}&cursor={CURSOR}",
    "metrics history": f"/api/v1/chains/NIFTY/metrics/history?from={NOW - 60_000}&to={NOW}&limit=50",
    "metrics history, next page": (f"/api/v1/chains/NIFTY/metrics/history?to={NOW}&cursor={CURSOR}&limit=50"),
    "tick history": f"/api/v1/ticks/NIFTY/history?from={NOW - 60_000}&to={NOW}&limit=50",
    "tick history, next page": f"/api/v1/ticks/NIFTY/history?to={NOW}&cursor={CURSOR}&limit=50",
}


def app_over(database: MongoDatabase, mongo_url: str, jwks_url: str) -> Flask:
    settings = StorageSettings(mongo_url=mongo_url, mongo_database=DATABASE, jwks_url=jwks_url, port=1)
    preparation = Preparation(lambda: None, retry_on=OSError)
    preparation.check = lambda: None  # type: ignore[method-assign]
    return build(settings, database, preparation)


@pytest.fixture(scope="module")
def watched(mongo_server: MongoServer, issuer: Issuer) -> Iterator[Watched]:
    """The app in this process, over a database whose reads are recorded."""
    with recorded(mongo_server.url, DATABASE) as (database, recorder):
        database.client.drop_database(DATABASE)
        migrate(database, SystemClock())
        fill(database, seconds=60)
        client = app_over(database, mongo_server.url, issuer.jwks_url).test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {issuer.token()}"
        yield client, recorder, database
        database.client.drop_database(DATABASE)


def fill(database: MongoDatabase, *, seconds: int) -> None:
    """Two expiries and a tick of one product, each second up to now."""
    moments = [NOW - 1_000 * n for n in range(seconds)]
    for expiry, days in ((NEAR, 1), (FAR, 8)):
        ChainStore(database).save([enriched.record(at, expiry=expiry, expiry_ts=NOW + days * DAY_MS) for at in moments])
    TickStore(database).save([enriched.tick(at) for at in moments])


def stages(part: Any) -> Iterator[Document]:
    """Every stage of a plan."""
    if isinstance(part, dict):
        if "stage" in part:
            yield part
        for value in part.values():
            yield from stages(value)
    elif isinstance(part, list):
        for value in part:
            yield from stages(value)


def check(command: Document, queryplanner: Document) -> None:
    found = list(stages(queryplanner["winningPlan"]))
    kinds = {stage["stage"] for stage in found}
    assert "COLLSCAN" not in kinds, command
    scans = [stage for stage in found if stage["stage"] in ("IXSCAN", "IDHACK", "EXPRESS_IXSCAN")]
    assert scans, (command, kinds)
    asked = command["filter"]
    if "_id" in asked:
        assert list(asked) == ["_id"], "with another field the embedded server leaves the index of ids"
        return
    # Every field that is asked for is in the index, so nothing is read and then thrown away.
    assert set(asked) <= {*scans[0]["keyPattern"]}, command
    if "source_at" in asked:
        span = asked["source_at"]
        if "$lt" in span:
            longest = WINDOW_MS if command["find"] == "chain_snapshots" else LONGEST_WINDOW_MS
            assert (span["$lt"] - span["$gte"]).total_seconds() * 1_000 <= longest, command
        else:  # from the pointer of an expiry, which is at most seconds old
            assert "$gte" in span, command


@pytest.mark.parametrize("route", ROUTES)
def test_every_query_is_served_by_an_index_and_bounded(watched: Watched, route: str) -> None:
    client, recorder, database = watched
    recorder.clear()
    answer = client.get(ROUTES[route])
    assert answer.status_code == (404 if route == "chain of nothing" else 200), answer.text
    commands = [dict(command) for command in recorder.commands]
    assert 1 <= len(commands) <= 12
    for command in commands:
        assert next(iter(command)) == "find", command
        check(command, plan(database, command)["queryPlanner"])


def test_all_public_routes_are_here(watched: Watched) -> None:
    client, _, _ = watched
    paths = {rule.rule.replace("<product>", "NIFTY") for rule in client.application.url_map.iter_rules()}
    assert {path for path in paths if path.startswith("/api/")} == {url.partition("?")[0] for url in ROUTES.values()}
