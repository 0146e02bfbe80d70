"""Alerts: a user's own, evaluated on what is published, stored once however many replicas look."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
import redis
from flask import Flask
from werkzeug.test import TestResponse

from analytics_service.alert_watch import AlertWatch, NotWatching
from aro.adapters.alert_store import AlertStore
from aro.adapters.clock import SystemClock
from aro.adapters.live import LivePublisher, LiveReader, Publication
from aro.adapters.mongo import MongoDatabase
from aro.contracts.codec import encode_json
from aro.contracts.names import metrics_channel
from aro.contracts.problems import Conflict
from aro.testing import enriched
from aro.testing.eventually import eventually
from aro.testing.servers import RedisServer

EXPIRY = "2030-01-18"
RULE = {"product": "AAPL", "metric": "iv_atm", "op": "above", "threshold": 0.5, "once": False}
Ask = Callable[..., TestResponse]


@pytest.fixture
def ask(app: Flask, market: Any, stored: MongoDatabase) -> Ask:
    """As any user; there are no alerts yet."""
    for name in ("alerts", "alert_events"):
        stored[name].delete_many({})
    issuer, client = app.extensions["test_tokens"], app.test_client()

    def asked(user: str, method: str, path: str = "", **options: Any) -> TestResponse:
        token = {"Authorization": f"Bearer {issuer.issue(user, 'user')}"}
        return client.open(f"/api/v1/alerts{path}", method=method, headers=token, **options)

    return asked


def test_a_rule_is_kept_listed_and_deleted(ask: Ask):
    made = ask("me", "POST", json={**RULE, "note": "calm"})
    assert made.status_code == 201
    alert = made.json
    assert made.headers["Location"] == f"/api/v1/alerts/{alert['id']}"
    assert {name: alert[name] for name in RULE} == RULE
    assert (alert["expiry"], alert["active"], alert["note"]) == (None, True, "calm")
    assert ask("me", "GET").json == {"alerts": [alert]}
    assert ask("me", "GET", f"/{alert['id']}").json == alert
    assert ask("me", "GET", f"/{alert['id']}/events").json == {"alert": alert["id"], "events": []}
    assert ask("me", "DELETE", f"/{alert['id']}").status_code == 204
    assert ask("me", "GET").json == {"alerts": []}
    assert ask("me", "DELETE", f"/{alert['id']}").status_code == 404


def test_another_user_s_alert_does_not_exist(ask: Ask):
    own = ask("me", "POST", json=RULE).json["id"]
    for method, path in (("GET", f"/{own}"), ("GET", f"/{own}/events"), ("DELETE", f"/{own}")):
        answer = ask("you", method, path)
        assert (answer.status_code, msgspec.json.decode(answer.data)["code"]) == (404, "not_found")
    assert ask("you", "GET").json == {"alerts": []}
    assert ask("me", "GET", f"/{own}").status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"product": "DOGE"},
        {"metric": "moon"},
        {"metric": "flags"},
        {"op": "equals"},
        {"threshold": "high"},
        {"threshold": True},
        {"threshold": None},
        {"once": 1},
        {"expiry": "soon"},
        {"note": "x" * 201},
        {"owner": "you"},
    ],
)
def test_what_is_no_rule_is_refused_by_name(ask: Ask, change: dict[str, Any]):
    answer = ask("me", "POST", json={**RULE, **change})
    assert answer.status_code == 422
    assert list(msgspec.json.decode(answer.data)["errors"]) == list(change)


def test_a_user_has_so_many_at_most_also_at_once(stored: MongoDatabase, ask: Ask):
    store = AlertStore(stored)

    def add(_: int) -> bool:
        try:
            store.add("me", {**RULE, "expiry": None, "note": ""}, now_ms=1, limit=5)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(add, range(20))) == 5
    assert len(store.of("me")) == 5
    answer = ask("me", "POST", json=RULE)
    assert answer.status_code == 201, "the service's own limit is 50"


# --- evaluation ----------------------------------------------------------------------------


@pytest.fixture
def watches(live_redis: RedisServer, live: redis.Redis, stored: MongoDatabase) -> Iterator[Callable[[], AlertWatch]]:
    """Makes replicas."""
    started: list[AlertWatch] = []

    def start() -> AlertWatch:
        watch = AlertWatch(live_redis.url, LiveReader(live), AlertStore(stored), SystemClock())
        watch.start()
        started.append(watch)
        return watch

    yield start
    for watch in started:
        watch.stop()


class Publisher:
    """Publishes metrics of a product that nothing else here is about, each newer than the one before."""

    def __init__(self, live: redis.Redis) -> None:
        self._publisher = LivePublisher(live)
        now = SystemClock().now_ms()
        self._last = enriched.record(now, product="AAPL", expiry=EXPIRY, expiry_ts=now + 86_400_000).metrics
        self._seq = now

    def publish(self, iv: float | None) -> str:
        self._seq += 1
        state = msgspec.structs.replace(
            self._last, iv_atm=iv, source_seq=self._seq, source_ts=self._seq, id=f"{self._last.id}:{self._seq}"
        )
        channel = metrics_channel("AAPL", EXPIRY)
        self._publisher.publish([Publication(channel, self._seq, encode_json(state))])
        return state.id


def test_replicas_store_an_event_once(ask: Ask, watches: Any, live: redis.Redis, stored: MongoDatabase):
    rule = ask("me", "POST", json={**RULE, "op": "crosses_above"}).json["id"]
    watches()
    watches()
    publisher, alerts = Publisher(live), stored["alerts"]
    publisher.publish(0.4)
    eventually(lambda: alerts.find_one({"_id": rule})["beyond"] is False, "the other side to be noted")
    first = publisher.publish(0.6)
    events = lambda: ask("me", "GET", f"/{rule}/events").json["events"]  # noqa: E731
    eventually(lambda: len(events()) == 1, "the event")
    publisher.publish(0.7)
    publisher.publish(0.3)
    second = publisher.publish(0.8)
    eventually(lambda: len(events()) == 2, "the second event")
    assert [(event["snapshot"], event["value"]) for event in events()] == [(second, 0.8), (first, 0.6)]
    # A replica that starts late knows that it went off already.
    watches()
    eventually(lambda: stored["alert_events"].count_documents({}) == 2, "no third event")
    publisher.publish(0.81)
    eventually(lambda: alerts.find_one({"_id": rule})["beyond"] is True, "the side")
    assert len(events()) == 2


def test_what_is_there_already_is_seen_at_once_and_once_is_once(ask: Ask, watches: Any, live: redis.Redis):
    publisher = Publisher(live)
    there = publisher.publish(0.9)
    rule = ask("me", "POST", json={**RULE, "once": True, "expiry": EXPIRY}).json["id"]
    watches()
    eventually(lambda: not ask("me", "GET", f"/{rule}").json["active"], "the alert to be over")
    publisher.publish(0.1)
    publisher.publish(0.9)
    [event] = ask("me", "GET", f"/{rule}/events").json["events"]
    assert event["snapshot"] == there


def test_deleting_an_alert_takes_its_events(ask: Ask, watches: Any, live: redis.Redis, stored: MongoDatabase):
    publisher = Publisher(live)
    rule = ask("me", "POST", json=RULE).json["id"]
    watches()
    publisher.publish(0.9)
    eventually(lambda: stored["alert_events"].count_documents({}) == 1, "the event")
    assert ask("me", "DELETE", f"/{rule}").status_code == 204
    assert stored["alert_events"].count_documents({}) == 0


def test_nonsense_in_redis_stops_nobody(ask: Ask, watches: Any, live: redis.Redis, stored: MongoDatabase):
    rule = ask("me", "POST", json=RULE).json["id"]
    watch = watches()
    publisher = Publisher(live)
    publisher.publish(0.1)
    eventually(lambda: stored["alerts"].find_one({"_id": rule})["beyond"] is False, "the first state to be seen")
    for nonsense in (b"metrics:AAPL", b"metrics:AAPL:2030-01-18 e x 1 1\n{}", b"metrics:AAPL:2030-01-18 e 1 1 1\n{}"):
        live.publish("live", nonsense)
    there = publisher.publish(0.9)
    eventually(lambda: stored["alert_events"].count_documents({"snapshot": there}) == 1, "the event")
    watch.check()
    watch.stop()
    eventually(lambda: not watch._thread.is_alive(), "the thread to end")
    with pytest.raises(NotWatching):
        watch.check()
