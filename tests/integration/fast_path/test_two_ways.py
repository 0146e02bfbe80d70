"""The event loop's answers are those of a thread, header by header; and it declines whatever is not plain."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
import requests

from aro.adapters.revocations import announce
from aro.contracts.names import chain_channel, live_key
from aro.testing.echo import EchoService
from aro.testing.eventually import eventually
from aro.testing.gateway import CHAIN, EXPIRY, Caller, Gateway, Market
from aro.testing.issuer import Issuer
from aro.testing.servers import RedisServer

ASKED = f"expiry={EXPIRY}"
OF_EACH_REQUEST = {"Date", "X-Request-ID", "RateLimit-Remaining", "RateLimit-Reset", "Age"}


@pytest.mark.parametrize("state", ["fresh", "known"])
@pytest.mark.parametrize("accept", ["*/*", "text/csv"])
@pytest.mark.parametrize("origin", ["", "https://app.example", "https://evil.example"])
def test_both_ways_say_the_same(
    gateway: Gateway, market: Market, caller: Caller, state: str, accept: str, origin: str
) -> None:
    if origin:
        caller.headers["Origin"] = origin
    market.publish(EXPIRY)
    known = {} if state == "fresh" else {"If_None_Match": caller.ask(CHAIN, ASKED, Accept=accept).headers["ETag"]}
    slow = gateway.from_thread(caller, CHAIN, ASKED, Accept=accept, **known)
    fast = gateway.from_loop(caller, CHAIN, ASKED, Accept=accept, **known)
    assert slow.status_code == fast.status_code == (200 if state == "fresh" else 304)
    assert slow.content == fast.content
    assert set(slow.headers) == set(fast.headers) >= OF_EACH_REQUEST
    for name in set(slow.headers) - OF_EACH_REQUEST:
        assert slow.headers[name] == fast.headers[name], name


def test_what_every_answer_carries_is_there_too(gateway: Gateway, market: Market, caller: Caller) -> None:
    market.publish(EXPIRY)
    of_the_app = caller.ask("/api/v1/products").headers
    fast = gateway.from_loop(caller, CHAIN, ASKED).headers
    of_the_content = {"X-Echo", "Content-Type", "Content-Length", "Cache-Control", "Vary"}
    for name in set(of_the_app) - of_the_content - OF_EACH_REQUEST:
        assert fast[name] == of_the_app[name], name
    assert set(fast) >= OF_EACH_REQUEST
    assert len(set(of_the_app) - of_the_content) >= 10


def test_a_request_id_is_kept_and_is_in_the_log(gateway: Gateway, market: Market, caller: Caller) -> None:
    market.publish(EXPIRY)

    def logged(ask: Callable[..., requests.Response]) -> dict[str, Any] | None:
        given = f"traced-{time.monotonic_ns()}"
        assert ask(caller, CHAIN, ASKED, X_Request_ID=given).headers["X-Request-ID"] == given
        lines = map(json.loads, gateway.process.output().splitlines())
        found = [line for line in lines if line.get("trace.id") == given and line["message"] == "request"]
        return found[0] if found else None

    for ask in (gateway.from_thread, gateway.from_loop):
        # Of very many requests in one second, as other tests make, some are counted instead of logged.
        line = eventually(partial(logged, ask), "a request that is logged", seconds=10)
        assert line["http.route"] == "/api/v1/chains/<product>"
        assert line["http.response.status_code"] == 200
    refused = gateway.from_loop(caller, CHAIN, ASKED, X_Request_ID="no\tgood <id>")
    assert refused.headers["X-Request-ID"] != "no\tgood <id>"


def test_every_request_counts_against_the_limit(
    tmp_path: Path, redis_server: RedisServer, issuer: Issuer, echo: EchoService, market: Market
) -> None:
    gateway = Gateway(tmp_path, redis_server.url, issuer, echo, ARO_REQUESTS_PER_USER="100")
    gateway.process.start()
    try:
        market.publish(EXPIRY)
        with Caller(gateway.url, issuer.token(f"counted-{time.monotonic_ns()}")) as caller:
            answers = [caller.ask(CHAIN, ASKED) for _ in range(101)]
            statuses = [answer.status_code for answer in answers]
            assert gateway.answered("loop") > 50
        if int(answers[0].headers["RateLimit-Reset"]) > 5:  # no window ended in between
            assert statuses == [200] * 100 + [429]
            assert [int(answer.headers["RateLimit-Remaining"]) for answer in answers[:100]] == list(range(99, -1, -1))
            assert answers[-1].json()["code"] == "rate_limited"
    finally:
        gateway.process.kill()


def test_a_session_that_ends_is_refused_within_a_second(
    gateway: Gateway, market: Market, issuer: Issuer, redis_client: redis.Redis
) -> None:
    market.publish(EXPIRY)
    session = f"session-{time.monotonic_ns()}"
    with Caller(gateway.url, issuer.token(session=session)) as caller:
        gateway.from_loop(caller, CHAIN, ASKED)
        announce(redis_client, session, now=time.time())
        eventually(lambda: caller.ask(CHAIN, ASKED).status_code == 401, "the refusal", seconds=1)
        assert caller.ask(CHAIN, ASKED).json()["code"] == "token_revoked"


# --- on the wire ---------------------------------------------------------------------------


class Wire:
    """A connection on which a test writes bytes of its own."""

    def __init__(self, port: int, token: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._token = token

    def head(self, target: str = f"{CHAIN}?{ASKED}", *, version: str = "1.1", **more: str) -> bytes:
        lines = [f"GET {target} HTTP/{version}", "Host: gateway", f"Authorization: Bearer {self._token}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self) -> tuple[int, bytes]:
        """Status and body of the next answer, which says how long it is."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, body = received.partition(b"\r\n\r\n")
        [length] = [
            int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-l")
        ]
        while len(body) < length:
            body += self._receive()
        assert len(body) == length, "there is more than one answer"
        return int(head.split(b" ")[1]), body

    def is_closed(self) -> bool:
        return self._socket.recv(1) == b""

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> bytes:
        data = self._socket.recv(1 << 16)
        assert data, "the server closed the connection"
        return data


@pytest.fixture
def wire(gateway: Gateway, market: Market, issuer: Issuer) -> Iterator[Wire]:
    """A connection that was used already, so that the loop is asked first."""
    market.publish(EXPIRY)
    made = Wire(gateway.process.port, issuer.token())
    made.send(made.head())
    assert made.answer()[0] == 200
    yield made
    made.close()


def test_a_head_in_pieces_is_put_together(wire: Wire) -> None:
    data = wire.head()
    for piece in (data[:10], data[10:60], data[60:-3], data[-3:]):
        wire.send(piece)
    assert wire.answer()[0] == 200
    wire.send(wire.head())
    assert wire.answer()[0] == 200


def test_two_requests_at_once_get_two_answers_in_order(wire: Wire) -> None:
    wire.send(wire.head(f"{CHAIN}?{ASKED}&fields=spot") + wire.head(f"{CHAIN}?{ASKED}&fields=forward"))
    received = b""
    while received.count(b"HTTP/1.1 200 OK") < 2 or not received.endswith(b"}"):
        received += wire._receive()
    assert received.index(b'"spot"') < received.index(b'"forward"')


def test_a_body_is_read_and_not_taken_for_the_next_request(wire: Wire) -> None:
    smuggled = wire.head(f"{CHAIN}/history")
    wire.send(wire.head(Content_Length=str(len(smuggled))) + smuggled)
    assert wire.answer()[0] == 200
    wire.send(wire.head())
    assert wire.answer()[0] == 200


@pytest.mark.parametrize(
    "bad",
    [
        {"Transfer_Encoding": "chunked", "Content_Length": "5"},
        {"Host": "another"},
        {"Content_Length": "-1"},
    ],
)
def test_what_gunicorn_refuses_is_refused(wire: Wire, bad: dict[str, str]) -> None:
    wire.send(wire.head(**bad))
    assert wire.answer()[0] == 400
    assert wire.is_closed()


def test_connection_close_closes(wire: Wire) -> None:
    wire.send(wire.head(Connection="close"))
    assert wire.answer()[0] == 200
    assert wire.is_closed()


def test_an_old_version_of_http_closes(wire: Wire) -> None:
    wire.send(wire.head(version="1.0"))
    assert wire.answer()[0] == 200
    assert wire.is_closed()


def test_a_client_that_does_not_read_holds_up_nobody(
    gateway: Gateway, market: Market, issuer: Issuer, redis_client: redis.Redis
) -> None:
    market.publish(EXPIRY)
    # One answer that no socket buffer takes whole.
    channel = live_key(chain_channel("NIFTY", EXPIRY))
    data = redis_client.hget(channel, "data")
    assert isinstance(data, bytes)
    large = data[:-1] + b',"padding":"' + b"x" * (12 << 20) + b'"}'
    redis_client.hset(channel, mapping={"data": large, "seq": 2})
    with Caller(gateway.url, issuer.token()) as caller:
        assert len(gateway.from_loop(caller, CHAIN, ASKED).content) == len(large)
        lazy = Wire(gateway.process.port, issuer.token())
        lazy.send(lazy.head(f"{CHAIN}?{ASKED}&fields=spot"))
        assert lazy.answer()[0] == 200
        lazy.send(lazy.head())
        assert gateway.from_loop(caller, CHAIN, f"{ASKED}&fields=spot").status_code == 200
        status, body = lazy.answer()
        assert (status, len(body)) == (200, len(large))
        lazy.send(lazy.head(f"{CHAIN}?{ASKED}&fields=spot"))
        assert lazy.answer()[0] == 200
        lazy.close()


def test_many_clients_at_once_each_get_their_own_answer(gateway: Gateway, market: Market, issuer: Issuer) -> None:
    records = {f"2030-03-{day:02}": market.publish(f"2030-03-{day:02}") for day in range(1, 9)}
    wrong: list[str] = []

    def ask(expiry: str) -> None:
        with Caller(gateway.url, issuer.token(expiry)) as caller:
            for _ in range(40):
                answer = caller.ask(CHAIN, f"expiry={expiry}")
                if answer.content != records[expiry].data:
                    wrong.append(f"{expiry}: {answer.status_code}")

    threads = [threading.Thread(target=ask, args=(expiry,)) for expiry in records for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_probes_and_pages_are_no_business_of_the_fast_path(gateway: Gateway) -> None:
    assert requests.get(f"{gateway.url}/livez", timeout=5).status_code == 200
