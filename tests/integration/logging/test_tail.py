"""Live tails through a real HTTP client."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import urllib3

from aro.contracts.names import STREAM_LOGS
from aro.testing.eventually import eventually
from aro.testing.logging_estate import Keys, LoggingEstate


class Follower:
    """Reads events in a thread."""

    def __init__(self, response: requests.Response) -> None:
        assert response.status_code == 200, response.text
        assert response.headers["Content-Type"].startswith("text/event-stream")
        self.response = response
        self._socket: socket.socket = response.raw._connection.sock
        self.events: list[tuple[str, str, Any]] = []
        self.comments = 0
        self.is_over = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        rest = b""
        with contextlib.suppress(OSError, AttributeError, ValueError, urllib3.exceptions.HTTPError):  # closed by us
            for chunk in self.response.raw.stream(decode_content=False):
                *blocks, rest = (rest + chunk).split(b"\n\n")
                for block in blocks:
                    self._take(block.decode())
        self.is_over = True

    def _take(self, block: str) -> None:
        fields = dict(line.partition(": ")[::2] for line in block.splitlines())
        self.comments += "" in fields
        if "event" in fields:
            self.events.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))

    def messages(self) -> list[str]:
        return [data["message"] for event, _, data in self.events if event == "line"]

    def close(self) -> None:
        # Only that wakes the thread, and with it the other end: a mere close waits for the next event.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self.response.close()
        self._thread.join(5)


@pytest.fixture(autouse=True)
def all_places_are_free(estate: LoggingEstate) -> None:
    eventually(lambda: estate.metric("log_tails ") == 0, "tails of the test before to end", seconds=25)


@contextlib.contextmanager
def following(estate: LoggingEstate, *, last_id: str | None = None, **query: Any) -> Iterator[Follower]:
    headers = {**estate.bearer(), **({"Last-Event-ID": last_id} if last_id else {})}
    response = requests.get(f"{estate.url}/tail", params=query, headers=headers, stream=True, timeout=30)
    follower = Follower(response)
    try:
        # The first bytes say that it has begun: what is written from now on is seen.
        eventually(lambda: follower.comments, "the tail to begin")
        yield follower
    finally:
        follower.close()


def test_lines_come_as_they_are_written_and_filtered(estate: LoggingEstate) -> None:
    with following(estate) as all_of_it, following(estate, service="auth", level="warning") as some:
        estate.put({"message": "one", "service.name": "auth"}, {"message": "two", "service.name": "storage"})
        estate.put({"message": "three", "service.name": "auth", "log.level": "error", "password": "hunter2"})
        eventually(lambda: all_of_it.messages() == ["one", "two", "three"], "all lines", seconds=5)
        eventually(lambda: some.messages() == ["three"], "the filtered one")
        answer = requests.post(
            estate.url,
            json={"service.name": "my-bot", "lines": [{"message": "posted"}]},
            headers=estate.bearer("a-user", "user"),
            timeout=5,
        )
        assert answer.status_code == 201
        eventually(lambda: all_of_it.messages()[-1] == "posted", "the posted line")
        assert all_of_it.events[-1][2]["service.name"] == "ingest:my-bot"
        assert all_of_it.events[2][2]["labels"] == {"password": "***"}
        # A tail and a search show the same line.
        eventually(lambda: len(estate.messages()) == 4, "the lines to be stored")
        stored = {item["event.id"]: item for item in estate.get()["items"]}
        assert {data["event.id"]: data for _, _, data in all_of_it.events} == stored


def test_a_follower_goes_on_where_it_broke_off(estate: LoggingEstate) -> None:
    with following(estate) as first:
        estate.put({"message": "seen"})
        eventually(lambda: first.messages() == ["seen"], "the first line")
        last_id = first.events[-1][1]
    estate.put(*({"message": f"missed {number}"} for number in range(700)))
    with following(estate, last_id=last_id) as second:
        estate.put({"message": "live"})
        eventually(lambda: second.messages()[-1:] == ["live"], "the live line")
        assert second.messages() == [*(f"missed {number}" for number in range(700)), "live"]
        assert [event for event, _, _ in second.events if event != "line"] == []
    estate.client.xtrim(STREAM_LOGS, maxlen=1, approximate=False)
    with following(estate, last_id=last_id) as third:
        eventually(lambda: third.events, "what is left")
        assert third.events[0][0] == "dropped"
        assert third.events[0][2] == {"lines": None}
    headers = {**estate.bearer(), "Last-Event-ID": "1-x"}
    assert requests.get(f"{estate.url}/tail", headers=headers, timeout=5).status_code == 422


def test_a_quiet_tail_is_kept_alive_and_ends_when_asked(estate: LoggingEstate) -> None:
    with following(estate, seconds=6, contains="never") as follower:
        estate.put({"message": "something else"})
        eventually(lambda: follower.comments >= 2, "a heartbeat", seconds=8)
        eventually(lambda: follower.is_over, "the end", seconds=8)
        assert [(event, data) for event, _, data in follower.events] == [("end", {"reason": "timeout"})]


def test_tails_are_few_and_leave_threads_for_others(estate: LoggingEstate) -> None:
    with following(estate), following(estate), following(estate), following(estate) as last:
        refused = requests.get(f"{estate.url}/tail", headers=estate.bearer(), timeout=5)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert int(refused.headers["Retry-After"]) > 0
        began = time.monotonic()
        for _ in range(5):
            assert estate.get(limit=1)["items"] == []
        assert time.monotonic() - began < 2
        last.close()
        eventually(lambda: estate.metric("log_tails ") == 3, "its place to be free", seconds=10)
        with following(estate) as another:
            estate.put({"message": "hello"})
            eventually(lambda: another.messages() == ["hello"], "the line")
    eventually(lambda: estate.metric("log_tails ") == 0, "all places to be free", seconds=10)
    for _ in range(6):
        assert requests.head(f"{estate.url}/tail", headers=estate.bearer(), timeout=5).status_code == 200


def test_who_is_too_slow_is_told_and_holds_nobody_up(estate: LoggingEstate) -> None:
    slow = socket.create_connection(("127.0.0.1", estate.service.port))
    token = estate.bearer()["Authorization"]
    slow.sendall(f"GET /api/v1/logs/tail HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
    try:
        assert slow.recv(1_000).startswith(b"HTTP/1.1 200")
        with following(estate) as quick:
            # More than the buffers of two sockets hold.
            pad = {f"pad{n}": "x" * 1_900 for n in range(4)}
            for number in range(15):
                estate.put(*({"message": f"{number} {n}", **pad} for n in range(200)))
                last = [f"{number} 199"]
                eventually(lambda last=last: quick.messages()[-1:] == last, "the quick one", seconds=20)
            assert len(quick.messages()) == 3_000
        eventually(lambda: estate.metric("log_tail_dropped_total") > 0, "lines to be dropped")
        received = b""
        slow.settimeout(10)
        while b"event: dropped" not in received:
            received += slow.recv(65_536)
    finally:
        slow.close()


def test_a_tail_ends_with_the_token(estate: LoggingEstate) -> None:
    headers = estate.bearer(lifetime=3)
    follower = Follower(requests.get(f"{estate.url}/tail", headers=headers, stream=True, timeout=30))
    try:
        eventually(lambda: follower.is_over, "the end", seconds=10)
        assert follower.events[-1][::2] == ("end", {"reason": "token_expired"})
    finally:
        follower.close()


def test_a_tail_outlives_redis_and_ends_at_shutdown(tmp_path: Any, keys: Keys) -> None:
    estate = LoggingEstate.on(tmp_path, keys, ARO_LOG_SHIPPING="false")
    try:
        estate.start()
        with following(estate) as follower:
            estate.put({"message": "before"})
            eventually(lambda: follower.messages() == ["before"], "the line")
            estate.redis.restart()
            estate.put({"message": "after"})
            eventually(lambda: follower.messages() == ["before", "after"], "the next line", seconds=15)
            began = time.monotonic()
            assert estate.service.stop() == 0
            assert time.monotonic() - began < 10
            eventually(lambda: follower.is_over, "the end")
            assert follower.events[-1][::2] == ("end", {"reason": "shutdown"})
    finally:
        estate.kill()


@pytest.mark.parametrize("session", ["s-1"])
def test_a_tail_ends_with_the_session(estate: LoggingEstate, session: str) -> None:
    from aro.adapters import revocations

    headers = estate.bearer(session=session)
    follower = Follower(requests.get(f"{estate.url}/tail", headers=headers, stream=True, timeout=30))
    try:
        eventually(lambda: follower.comments, "the tail to begin")
        revocations.announce(estate.client, session, now=time.time())
        eventually(lambda: follower.is_over, "the end", seconds=5)
        assert follower.events[-1][::2] == ("end", {"reason": "token_revoked"})
    finally:
        follower.close()
