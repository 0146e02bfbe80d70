"""From the stream to the database: what was acknowledged is there, whatever is killed, and losses are counted."""

import itertools
import json
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from aro.adapters.clock import SystemClock, iso
from aro.adapters.log_store import LogStore, Wanted
from aro.adapters.log_stream import LogStream
from aro.contracts.names import STREAM_LOGS
from aro.testing.eventually import eventually
from aro.testing.logging_estate import Keys, LoggingEstate
from logging_service import collector as module
from logging_service.collector import Collector


def line(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "message": f"line {number}",
        "event.id": f"source-{number:08d}",
        "service.name": "a-service",
        "log.level": "info",
        "@timestamp": iso(SystemClock().now_ms()),
        **fields,
    }


def test_kills_under_load_lose_and_repeat_nothing(own_estate: LoggingEstate) -> None:
    running = own_estate
    stop = threading.Event()
    sent = 0

    def produce() -> None:
        nonlocal sent
        stream = LogStream(running.redis.client())
        for number in itertools.count():
            if stop.wait(0.01):
                return
            stream.append([json.dumps(line(number * 5 + n)).encode() for n in range(5)])
            sent += 5

    producer = threading.Thread(target=produce)
    producer.start()
    posted: list[str] = []
    try:
        for turn in range(3):
            before = len(running.stored_ids())
            eventually(lambda before=before: len(running.stored_ids()) > before + 100, "lines to be stored", seconds=30)
            for number in range(3):
                body = {"service.name": "my-bot", "lines": [{"message": f"posted {turn} {number}"}]}
                answer = requests.post(running.url, json=body, headers=running.bearer(role="user"), timeout=10)
                assert answer.status_code == 201
                posted += answer.json()["ids"]
            # kill -9 in the middle of whatever it does, together with the children of its session.
            running.service.restart()
    finally:
        stop.set()
        producer.join()
    eventually(running.is_idle, "everything to be acknowledged", seconds=60)
    ids = running.stored_ids()
    assert len(ids) == len(set(ids))
    assert {identity for identity in ids if identity.startswith("source-")} == {
        f"source-{number:08d}" for number in range(sent)
    }
    assert set(posted) <= set(ids)


def test_a_database_that_is_away_or_hung_is_waited_for(own_estate: LoggingEstate) -> None:
    running = own_estate
    running.put(line(1))
    eventually(lambda: "source-00000001" in running.stored_ids(), "the first line")
    running.mongo.kill()
    running.put(*(line(number) for number in range(2, 50)))
    eventually(
        lambda: requests.get(f"{running.service.url}/readyz", timeout=5).status_code == 503, "the outage to be said"
    )
    answer = requests.get(running.url, headers=running.bearer(), timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    body = {"service.name": "my-bot", "lines": [{"message": "lost?"}]}
    answer = requests.post(running.url, json=body, headers=running.bearer(), timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert requests.get(f"{running.service.url}/livez", timeout=5).status_code == 200
    running.mongo.start()
    eventually(
        lambda: {f"source-{number:08d}" for number in range(1, 50)} <= set(running.stored_ids()), "the rest", seconds=30
    )

    running.mongo.signal(signal.SIGSTOP)
    running.put(line(50))
    running.mongo.signal(signal.SIGCONT)
    eventually(lambda: "source-00000050" in running.stored_ids(), "the last line", seconds=30)
    said = [json.loads(text) for text in running.service.output().splitlines() if text.startswith("{")]
    # One line for each outage: what it says comes back to it.
    assert sum(entry["message"] == "collecting is interrupted" for entry in said) <= 3


def test_what_is_no_line_is_kept_as_what_it_is(estate: LoggingEstate) -> None:
    running = estate
    hostile: list[dict[str, Any] | bytes] = [
        b"",
        b"\xff\xfe not text",
        b"not json password=hunter2",
        b"[1, 2]",
        b'{"message": NaN}',
        b'{"a":' * 2_000,
        b"x" * 100_000,
        {
            "message": "names",
            "$where": 1,
            "a.b": 2,
            "__proto__": 3,
            "x" * 300: 4,
            "": 5,
            "ok": 6,
            "labels": {"$set": 1},
        },
        {"message": ["no", "text"], "log.level": 7, "service.name": "$evil", "trace.id": {"$gt": ""}},
        {"message": "deep", "deep": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}, "list": [[[[[[1]]]]]]},
        {"message": "long " + "y" * 1_000_000},
        {"message": "secret", "password": "hunter2", "note": "Bearer hunter2hunter2", "http.route": "/x?token=hunter2"},
        {"message": "time", "@timestamp": "1970-01-01T00:00:00Z", "event.id": "../../etc/passwd"},
        {"message": "number", "big": 2**200, "http.response.status_code": "200"},
    ]
    running.put(*hostile)
    running.put({"message": "the last one"})
    eventually(lambda: "the last one" in running.messages(), "all to be stored")
    items = running.get(limit=1000)["items"]
    assert len(items) == len(hostile) + 1
    by_message = {item["message"]: item for item in items}
    text = json.dumps(items)
    assert "hunter2" not in text
    assert by_message["names"]["labels"] == {"a.b": 2, "ok": 6, "left_out": 5}
    assert by_message["names"]["service.name"] == "unknown"
    assert by_message['["no","text"]']["log.level"] == "info"
    assert "trace.id" not in by_message['["no","text"]']
    assert by_message["time"]["labels"]["timestamp_given"].startswith("1970")
    assert sum(item.get("labels", {}).get("unreadable", False) for item in items) == 8
    assert max(len(json.dumps(item)) for item in items) < 40_000


def test_a_batch_of_a_process_that_died_is_taken_over(
    redis_client: Any, log_store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECLAIM_IDLE_MS", 0)
    stream = LogStream(redis_client)
    stream.ensure_group()
    stream.append([json.dumps(line(number)).encode() for number in range(10)])
    assert len(stream.read_new("the dead", count=4, block_ms=100)) == 4
    collector = Collector(stream, log_store, SystemClock(), consumer="the living", lines_per_second=1_000)
    collector.turn()
    collector.turn()
    assert stream.state().owed == 0
    assert stream.state().waiting == 0
    page = log_store.search(Wanted(), start_ms=0, end_ms=SystemClock().now_ms() + 1_000, limit=100)
    assert len(page.lines) == 10


def test_what_is_stored_does_not_stay_in_redis(
    redis_client: Any, log_store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECLAIM_SECONDS", 0)
    monkeypatch.setattr(module, "RECLAIM_IDLE_MS", 0)
    monkeypatch.setattr(module, "BACKFILL_LINES", 200)
    stream = LogStream(redis_client)
    stream.ensure_group()
    collector = Collector(stream, log_store, SystemClock(), consumer="the living", lines_per_second=1_000)

    def turn() -> int:
        collector.turn()
        return int(redis_client.xlen(STREAM_LOGS))

    def lines(first: int, last: int) -> list[bytes]:
        return [json.dumps(line(number)).encode() for number in range(first, last)]

    stream.append(lines(0, 1_500))
    assert len(stream.read_new("the dead", count=400, block_ms=100)) == 400
    stream.trim(200)
    assert redis_client.xlen(STREAM_LOGS) == 1_500, "400 are owed, and nobody has them"
    lengths = [turn() for _ in range(4)]
    # Redis trims by nodes of 100 entries, so as not to write them anew.
    assert lengths[0] == 1_500, "they were taken over"
    assert 1_300 <= lengths[1] <= 1_400, "1,100 wait, and 200 may be missed by a tail"
    assert 800 <= lengths[2] <= 900
    assert 300 <= lengths[3] <= 400
    assert 200 <= turn() <= 300
    assert (stream.state().owed, stream.state().gone) == (0, 0)
    wanted = Wanted(service="a-service")
    page = log_store.search(wanted, start_ms=0, end_ms=SystemClock().now_ms() + 1_000, limit=2_000)
    assert len(page.lines) == 1_500


def test_what_was_trimmed_unread_is_counted(estate: LoggingEstate) -> None:
    running = estate
    client = running.client
    running.put({"message": "before"})
    eventually(lambda: "before" in running.messages(), "the first line")
    lost = running.metric("log_lines_lost_total")
    running.service.signal(signal.SIGSTOP)
    running.put(*({"message": f"storm {number}"} for number in range(500)))
    client.xtrim(STREAM_LOGS, maxlen=100, approximate=False)
    running.service.signal(signal.SIGCONT)
    eventually(lambda: running.metric("log_lines_lost_total") - lost == 400, "the loss to be counted")
    eventually(lambda: len(running.messages(limit=1000, contains="storm")) == 100, "what was left")


def test_it_stores_no_more_than_it_may(tmp_path: Path, keys: Keys) -> None:
    running = LoggingEstate.on(tmp_path, keys, ARO_LOG_LINES_PER_SECOND="250", ARO_LOG_SHIPPING="false")
    try:
        running.start()
        running.put(*(line(number) for number in range(1_000)))
        began = SystemClock().monotonic()
        eventually(lambda: running.metric("log_lines_stored_total") == 1_000, "all of them", seconds=30, interval=0.2)
        # The first batch of 500 is free, and the next waits for it.
        assert SystemClock().monotonic() - began > 1.5
    finally:
        running.kill()
