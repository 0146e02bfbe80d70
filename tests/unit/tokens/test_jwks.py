"""Keys fetched from a real HTTP server that can be slow, wrong, or gone."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aro.adapters.clock import ManualClock
from aro.adapters.tokens import JwksKeys, parse_jwks, to_jwk
from aro.contracts.problems import ServiceUnavailable
from aro.testing.eventually import eventually

FIRST, SECOND = Ed25519PrivateKey.generate().public_key(), Ed25519PrivateKey.generate().public_key()


class KeyServer(ThreadingHTTPServer):
    """Counts requests; `release` unset makes it hang until it is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/jwks"
        self.requests = 0
        self.status = 200
        self.document: Any = {"keys": [to_jwk("first", FIRST)]}
        self.release = threading.Event()
        self.release.set()


class _Handler(BaseHTTPRequestHandler):
    server: KeyServer

    def do_GET(self) -> None:
        self.server.requests += 1
        self.server.release.wait(10)
        body = msgspec.json.encode(self.server.document)
        try:
            self.send_response(self.server.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except BrokenPipeError:
            return  # the client did not wait

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[KeyServer]:
    running = KeyServer()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield running
    running.release.set()
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(0)


def test_keys_are_fetched_once_and_cached_for_an_hour(server: KeyServer, clock: ManualClock) -> None:
    keys = JwksKeys(server.url, clock=clock)
    for _ in range(20):
        assert keys.find("first") == FIRST
        clock.advance(100)
    assert server.requests == 1
    clock.advance(JwksKeys.CACHE_SECONDS)
    assert keys.find("first") == FIRST
    assert server.requests == 2


def test_an_unknown_kid_fetches_at_most_once_a_minute(server: KeyServer, clock: ManualClock) -> None:
    keys = JwksKeys(server.url, clock=clock)
    for second in range(180):
        assert keys.find(f"invented-{second}") is None
        clock.advance(1)
    assert server.requests <= 3


def test_a_rotated_key_is_found_within_a_minute(server: KeyServer, clock: ManualClock) -> None:
    keys = JwksKeys(server.url, clock=clock)
    assert keys.find("first") == FIRST
    server.document = {"keys": [to_jwk("first", FIRST), to_jwk("second", SECOND)]}
    clock.advance(JwksKeys.UNKNOWN_KID_SECONDS + 1)
    assert keys.find("second") == SECOND


def test_with_auth_away_old_keys_keep_working(server: KeyServer, clock: ManualClock) -> None:
    keys = JwksKeys(server.url, clock=clock)
    assert keys.find("first") == FIRST
    server.status = 503
    clock.advance(JwksKeys.CACHE_SECONDS * 24)
    assert keys.find("first") == FIRST


def test_with_auth_away_invented_kids_do_not_become_requests(server: KeyServer, clock: ManualClock) -> None:
    keys = JwksKeys(server.url, clock=clock)
    assert keys.find("first") == FIRST
    server.status = 503
    for second in range(120):
        clock.advance(1)
        assert keys.find(f"invented-{second}") is None
    assert server.requests <= 3


@pytest.mark.parametrize("document", [[], {}, {"keys": 5}, {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "?"}]}, "x"])
def test_garbage_does_not_replace_good_keys(server: KeyServer, clock: ManualClock, document: object) -> None:
    keys = JwksKeys(server.url, clock=clock)
    assert keys.find("first") == FIRST
    server.document = document
    clock.advance(JwksKeys.CACHE_SECONDS + 1)
    assert keys.find("first") == FIRST


def test_without_any_key_it_says_so_and_tries_again_each_second(server: KeyServer, clock: ManualClock) -> None:
    server.status = 500
    keys = JwksKeys(server.url, clock=clock)
    for _ in range(10):
        with pytest.raises(ServiceUnavailable):
            keys.find("first")
    assert server.requests == 1
    server.status = 200
    clock.advance(JwksKeys.RETRY_SECONDS + 0.1)
    assert keys.find("first") == FIRST


def test_a_hanging_auth_does_not_delay_those_who_have_their_key(server: KeyServer, clock: ManualClock) -> None:
    keys = JwksKeys(server.url, clock=clock, timeout=5)
    assert keys.find("first") == FIRST
    clock.advance(JwksKeys.CACHE_SECONDS + 1)
    server.release.clear()
    refresher = threading.Thread(target=keys.find, args=("first",))
    refresher.start()
    try:
        while server.requests < 2:
            assert refresher.is_alive()
        started = time.perf_counter()
        assert keys.find("first") == FIRST
        assert time.perf_counter() - started < 0.5
    finally:
        server.release.set()
        refresher.join()


@pytest.mark.parametrize("warm", [False, True])
def test_who_comes_during_a_fetch_gets_its_outcome(server: KeyServer, clock: ManualClock, warm: bool) -> None:
    keys = JwksKeys(server.url, clock=clock, timeout=5)
    if warm:  # a key was rotated since
        assert keys.find("first") == FIRST
        clock.advance(JwksKeys.UNKNOWN_KID_SECONDS + 1)
        server.document = {"keys": [to_jwk("second", SECOND)]}
    kid, key = ("second", SECOND) if warm else ("first", FIRST)
    before = server.requests
    server.release.clear()
    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(keys.find, kid) for _ in range(8)]
        eventually(lambda: server.requests > before and all(one.running() for one in found), "all to ask")
        server.release.set()
        assert [one.result(10) for one in found] == [key] * 8
    assert server.requests == before + 1


def test_only_ed25519_signing_keys_with_a_sound_kid_are_taken() -> None:
    good = to_jwk("first", FIRST)
    keys = parse_jwks(
        {
            "keys": [
                good,
                {"kty": "RSA", "kid": "rsa", "n": "AQAB", "e": "AQAB"},
                {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
                {**good, "kid": "../../etc/passwd"},
                {**good, "kid": ""},
                "not a key",
            ]
        }
    )
    assert list(keys) == ["first"]
