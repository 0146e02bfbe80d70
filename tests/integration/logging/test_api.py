"""What admins may ask, what everybody may post, and what a hostile program gets for trying."""

import json
from typing import Any

import pytest
import requests

from aro.adapters.clock import SystemClock, iso
from aro.testing.eventually import eventually
from aro.testing.logging_estate import Keys, LoggingEstate

SNAPSHOT = "NIFTY|2026-12-29|1795000000000"


def post(estate: LoggingEstate, body: Any, *, account: str = "a-user", **headers: str) -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **estate.bearer(account, "user"), **headers}
    return requests.post(estate.url, data=data, headers=sent, timeout=10)


def lines(*messages: str, **fields: Any) -> dict[str, Any]:
    return {"service.name": "my-bot", "lines": [{"message": message, **fields} for message in messages]}


def test_one_id_finds_the_story_of_a_snapshot_across_services(estate: LoggingEstate) -> None:
    now = SystemClock().now_ms()
    others = ["SPY|2026-12-31|1795000000000", "NIFTY|1795000000000"]
    story = [
        {"service.name": "feed-generator", "message": "published", "trace.ids": [*others, SNAPSHOT]},
        {"service.name": "worker-enricher-consume", "message": "dispatched", "trace.ids": [SNAPSHOT]},
        {"service.name": "worker-enricher-work", "message": "chain failed", "trace.id": SNAPSHOT, "log.level": "error"},
        {"service.name": "socket-gateway", "message": "relayed", "trace.ids": [SNAPSHOT, *others]},
    ]
    noise = [{"service.name": "auth", "message": "request", "trace.id": "abcdefgh"}] * 3
    told = [{**line, "@timestamp": iso(now + place)} for place, line in enumerate(story)]
    estate.put(*noise, *told, *noise)
    eventually(lambda: len(estate.messages(request_id=SNAPSHOT)) == 4, "the story")
    page = estate.get(request_id=SNAPSHOT, order="oldest")
    assert [item["message"] for item in page["items"]] == ["published", "dispatched", "chain failed", "relayed"]
    assert page["items"][0]["trace.ids"] == [*others, SNAPSHOT]
    assert (page["next_cursor"], page["truncated"]) == (None, False)
    # Everything that is kept, without being asked for a time.
    assert page["until_ts"] - page["since_ts"] == 7 * 86_400_000
    assert estate.messages(request_id=SNAPSHOT, level="warning") == ["chain failed"]
    assert estate.messages(request_id=others[0], service="socket-gateway") == ["relayed"]
    assert estate.messages(level="error") == ["chain failed"]
    assert estate.messages(contains="CHAIN fail") == ["chain failed"]
    assert estate.messages(contains='"published"') == []
    names = [entry["name"] for entry in estate.get("/services")["services"]]
    assert names == ["auth", "feed-generator", "socket-gateway", "worker-enricher-consume", "worker-enricher-work"]


def test_pages_go_on_where_they_ended(estate: LoggingEstate) -> None:
    now = SystemClock().now_ms()
    estate.put(*({"message": f"{number}", "@timestamp": iso(now - number)} for number in range(250)))
    eventually(lambda: len(estate.messages(limit=1000)) == 250, "the lines")
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = estate.get(limit=60, **cursor)
        seen += [item["message"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [str(number) for number in range(250)]
    span = {"since": iso(now - 10), "until": iso(now - 5)}
    assert estate.messages(**span) == [str(number) for number in range(5, 11)]
    assert estate.messages(**span, order="oldest", limit=2) == ["10", "9"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"level": "loud"}, "level"),
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-11-22T00:00:00Z", "until": "2026-11-21T00:00:00Z"}, "since"),
        ({"cursor": "x"}, "cursor"),
        ({"service": "$ne"}, "service"),
        ({"service[$ne]": "x"}, "service[$ne]"),
        ({"request_id": "a\nb"}, "request_id"),
        ({"contains": "x" * 201}, "contains"),
        ({"order": "random"}, "order"),
        ({"sort": "asc"}, "sort"),
    ],
)
def test_what_cannot_be_asked_is_named(estate: LoggingEstate, query: dict[str, Any], named: str) -> None:
    answer = requests.get(estate.url, params=query, headers=estate.bearer(), timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert named in answer.json()["errors"]


def test_reading_is_for_admins_and_posting_for_scope_write(estate: LoggingEstate) -> None:
    for path in ("", "/services", "/tail"):
        url = f"{estate.url}{path}"
        assert requests.get(url, timeout=5).status_code == 401
        user = requests.get(url, headers=estate.bearer("a-user", "user"), timeout=5)
        assert (user.status_code, user.json()["code"]) == (403, "forbidden")
        # The role alone is not enough: a personal token of an admin reads nothing here.
        limited = estate.bearer(scopes=frozenset({"read", "write"}))
        assert requests.get(url, headers=limited, timeout=5).status_code == 403
    assert requests.post(estate.url, json=lines("x"), timeout=5).status_code == 401
    reads = estate.bearer("a-user", "user", scopes=frozenset({"read"}))
    assert requests.post(estate.url, json=lines("x"), headers=reads, timeout=5).status_code == 403
    for method in ("PUT", "PATCH", "DELETE"):
        assert requests.request(method, estate.url, headers=estate.bearer(), timeout=5).status_code == 405
    assert requests.head(estate.url, headers=estate.bearer(), timeout=5).status_code == 200


def test_a_posted_line_is_stored_marked_and_found(estate: LoggingEstate) -> None:
    answer = post(
        estate, lines("placed an order", **{"trace.id": SNAPSHOT, "log.level": "warning", "labels": {"n": 1}})
    )
    assert answer.status_code == 201
    assert answer.json()["accepted"] == 1
    # At once: what is acknowledged is on disk.
    [item] = estate.get(request_id=SNAPSHOT)["items"]
    assert item["event.id"] == answer.json()["ids"][0]
    assert (item["service.name"], item["event.provider"], item["user.id"]) == ("ingest:my-bot", "ingest", "a-user")
    assert item["labels"] == {"n": 1}
    assert estate.messages(service="ingest:my-bot", level="warning") == ["placed an order"]
    assert estate.messages(service="my-bot") == []


def test_nobody_can_pass_for_a_service_or_for_another_account(estate: LoggingEstate) -> None:
    body = {"service.name": "auth", "lines": [{"message": "x", "event.id": "same"}]}
    for account in ("a-user", "another", "a-user"):
        assert post(estate, body, account=account).status_code == 201
    items = estate.get()["items"]
    assert sorted(item["user.id"] for item in items) == ["a-user", "another"]
    assert {item["service.name"] for item in items} == {"ingest:auth"}
    for forged in ({"user.id": "somebody"}, {"event.provider": "service"}, {"service.name": "auth"}):
        assert post(estate, lines("x", **forged)).status_code == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"service.name": "my-bot", "lines": [{"message": NaN}]}', 400),
        (b'{"service.name": "my-bot", "lines": [{"message": "\\ud800"}]}', 400),
        (b'{"service.name": "my-bot", "lines": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", 400),
        (b'{"service.name": "my-bot", "lines": [{"message": "' + b"x" * 1_000_000 + b'"}]}', 413),
        ([], 422),
        ({"service.name": "my-bot"}, 422),
        ({"service.name": "my-bot", "lines": []}, 422),
        ({"service.name": "my-bot", "lines": [{"message": "x"}] * 101}, 422),
        ({"service.name": "my-bot", "lines": ["x"]}, 422),
        ({"service.name": "../etc", "lines": [{"message": "x"}]}, 422),
        ({"service.name": "a\x00b", "lines": [{"message": "x"}]}, 422),
        ({"service.name": {"$ne": ""}, "lines": [{"message": "x"}]}, 422),
        (lines(""), 422),
        (lines("x" * 8_001), 422),
        (lines("x", **{"$where": "1"}), 422),
        (lines("x", **{"a.b": "1"}), 422),
        (lines("x", labels={"$set": 1}), 422),
        (lines("x", labels={"a\x00": 1}), 422),
        (lines("x", labels={"": 1}), 422),
        (lines("x", labels={"__proto__": 1}), 422),
        (lines("x", labels={"n" * 65: 1}), 422),
        (lines("x", labels={f"n{n}": 1 for n in range(33)}), 422),
        (lines("x", labels={"deep": {"er": 1}}), 422),
        (lines("x", labels={"big": 2**60}), 422),
        (lines("x", labels={"long": "x" * 2_001}), 422),
        (lines("x", labels=[1]), 422),
        (lines("x", **{"trace.id": {"$gt": ""}}), 422),
        (lines("x", **{"@timestamp": "now"}), 422),
        (lines("x", **{"event.id": "a/b"}), 422),
        (lines("x", labels={"dotted.name": 1, "ok-name_2": None, "f": 1.5, "t": True}), 201),
        (lines("é" * 8_000), 201),
        (lines("\x00\x1b[31m\n\u2028"), 201),
    ],
)
def test_hostile_bodies_are_refused_whole(estate: LoggingEstate, body: Any, status: int) -> None:
    answer = post(estate, body)
    assert answer.status_code == status, answer.text
    assert len(estate.messages()) == (1 if status == 201 else 0)


def test_a_wrong_media_type_is_refused(estate: LoggingEstate) -> None:
    assert post(estate, lines("x"), **{"Content-Type": "text/plain"}).status_code == 415


def test_secrets_in_posted_lines_are_not_stored(estate: LoggingEstate) -> None:
    secret = "aro_pat_" + "s" * 43
    body = lines(f"login with {secret}", labels={"password": "hunter2", "url": "redis://:hunter2@h/"})
    assert post(estate, body).status_code == 201
    [item] = estate.get()["items"]
    assert secret not in json.dumps(item)
    assert "hunter2" not in json.dumps(item)
    assert item["labels"]["password"] == "***"


def test_a_line_of_long_ago_is_filed_under_now(estate: LoggingEstate) -> None:
    assert post(estate, lines("old", **{"@timestamp": "2001-01-01T00:00:00Z"})).status_code == 201
    [item] = estate.get()["items"]
    assert item["labels"]["timestamp_given"].startswith("2001-01-01T00:00:00")
    recent = iso(SystemClock().now_ms() - 3_600_000)
    assert post(estate, lines("recent", **{"@timestamp": recent})).status_code == 201
    [item] = estate.get(until=recent, since=recent)["items"]
    assert item["@timestamp"].startswith(recent[:23])


def test_a_quota_holds_for_each_account(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> None:
    small = {"ARO_LOG_INGEST_LINES_PER_MINUTE": "10", "ARO_LOG_SHIPPING": "false"}
    estate = LoggingEstate.on(tmp_path_factory.mktemp("quota"), keys, **small)
    try:
        estate.start()
        assert post(estate, lines(*"0123456789")).status_code == 201
        refused = post(estate, lines("one more"))
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert 1 <= int(refused.headers["Retry-After"]) <= 7
        assert post(estate, lines("of another"), account="another").status_code == 201
        assert len(estate.messages()) == 11
    finally:
        estate.kill()


def test_posting_does_not_need_redis(own_estate: LoggingEstate) -> None:
    own_estate.redis.kill()
    assert post(own_estate, lines("while away")).status_code == 201
    assert requests.get(f"{own_estate.service.url}/livez", timeout=5).status_code == 200
    own_estate.redis.start()
    # Whether an admin's session has ended is known again soon.
    eventually(
        lambda: requests.get(own_estate.url, headers=own_estate.bearer(), timeout=5).status_code == 200,
        "reading",
        seconds=15,
    )
    assert own_estate.messages(contains="while away") == ["while away"]
