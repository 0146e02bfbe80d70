"""Limits over real sockets and a real Redis: per account, per address, over replicas, and with Redis away."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import requests

from api_gateway.limits import WINDOW_SECONDS, Quota, RedisLedger
from aro.adapters import redis_client
from aro.adapters.clock import ManualClock, SystemClock
from aro.contracts.names import KEY_QUOTA
from aro.testing.door import Door
from aro.testing.eventually import eventually
from aro.testing.servers import RedisServer

PER_USER = 20
PER_ADDRESS = 60
PAGE = "https://app.example.com"


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def door(tmp_path: Path, own_redis: RedisServer) -> Iterator[Door]:
    settings = {
        "ARO_REQUESTS_PER_USER": str(PER_USER),
        "ARO_REQUESTS_PER_ADDRESS": str(PER_ADDRESS),
        "ARO_TRUSTED_PROXIES": "127.0.0.0/8",
        "ARO_CORS_ORIGINS": PAGE,
    }
    running = Door(tmp_path, own_redis, settings)
    running.start()
    yield running
    running.stop()


def ask(door: Door, headers: dict[str, str], address: str) -> requests.Response:
    url = f"{door.url}/api/v1/products"
    return requests.get(url, headers={**headers, "X-Forwarded-For": address}, timeout=5)


def begin(door: Door, callers: Iterable[tuple[dict[str, str], str]]) -> tuple[dict[str, str], str, requests.Response]:
    """The first of these (headers, address) whose minute is not about to end, and the answer to its first request."""
    for headers, address in callers:
        answer = ask(door, headers, address)
        if int(answer.headers["RateLimit-Reset"]) > WINDOW_SECONDS / 2:
            return headers, address, answer
    raise AssertionError("minutes of callers end at different times")


def accounts(door: Door, address: str) -> Iterator[tuple[dict[str, str], str]]:
    return ((door.bearer(f"caller-{number}"), address) for number in range(30))


def test_limits_of_accounts_and_addresses(door: Door) -> None:
    second = door.bearer("second")
    first, _, answer = begin(door, accounts(door, "192.0.2.1"))
    answers = [answer, *(ask(door, first, "192.0.2.1") for _ in range(PER_USER))]
    assert [answer.status_code for answer in answers] == [200] * PER_USER + [429]
    assert [int(answer.headers["RateLimit-Remaining"]) for answer in answers] == [*range(PER_USER - 1, -1, -1), 0]
    refused = answers[-1]
    assert refused.json()["code"] == "rate_limited"
    assert 1 <= int(refused.headers["Retry-After"]) == int(refused.headers["RateLimit-Reset"]) <= 60
    # A page of another origin learns why it was refused.
    told = requests.get(f"{door.url}/api/v1/products", headers={**first, "Origin": PAGE}, timeout=5)
    assert told.status_code == 429
    assert told.headers["Access-Control-Allow-Origin"] == PAGE
    # Another address does not help, another account does.
    assert ask(door, first, "192.0.2.2").status_code == 429
    assert ask(door, second, "192.0.2.1").status_code == 200
    # An address is limited whoever it says it is, and before anybody looks at the token.
    guess = {"Authorization": "Bearer guess"}
    _, address, answer = begin(door, ((guess, f"192.0.2.{number}") for number in range(10, 40)))
    answers = [answer, *(ask(door, {"Authorization": f"Bearer guess-{number}"}, address) for number in range(59))]
    assert {answer.status_code for answer in answers} == {401}
    assert ask(door, second, address).status_code == 429
    assert ask(door, second, "192.0.2.4").status_code == 200
    seen = ask(door, second, "198.51.100.7, 192.0.2.5").json()["headers"]
    assert seen["X-Forwarded-For"] == "192.0.2.5"
    keys = door.redis.client().keys(f"{KEY_QUOTA}:*")
    assert keys
    assert not any(b"caller" in key or b"192.0.2" in key for key in keys)
    assert all(0 < door.redis.client().ttl(key) <= 120 for key in keys)


def test_with_redis_killed_limits_are_counted_in_memory_and_requests_go_on(door: Door, own_redis: RedisServer) -> None:
    caller, _, answer = begin(door, accounts(door, "192.0.2.1"))
    assert answer.status_code == 200
    own_redis.kill()
    answers = [ask(door, caller, "192.0.2.1") for _ in range(PER_USER)]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert sum(answer.status_code == 200 for answer in answers) == PER_USER - 1
    assert max(answer.elapsed.total_seconds() for answer in answers) < 1
    # Administration waits for Redis to say whether the session has ended: fifteen seconds after the last word of it.
    own_redis.start()
    eventually(lambda: ask(door, door.bearer("fourth"), "192.0.2.1").status_code == 200, "life to go on")


def test_replicas_share_what_redis_counts(redis_server: RedisServer) -> None:
    limit, clock = 200, SystemClock()
    frozen = ManualClock(clock.now_ms())
    quotas = [
        Quota("user", limit, RedisLedger(redis_client.connect(redis_server.url, timeout=1), frozen), frozen)
        for _ in range(3)
    ]
    admitted = sum(quotas[number % 3].take("replicated").admitted for number in range(3 * limit))
    assert admitted == limit


def test_a_ledger_that_failed_is_left_alone_for_a_second(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.start()
    clock = ManualClock(0)
    ledger = RedisLedger(redis_client.connect(server.url, timeout=0.2), clock)
    assert ledger.draw("user", "somebody", 0, 10) == 0
    assert ledger.draw("user", "somebody", 0, 10) == 10
    server.kill()
    assert ledger.draw("user", "somebody", 0, 10) is None
    server.start()
    assert ledger.draw("user", "somebody", 0, 10) is None
    clock.advance(1.1)
    assert ledger.draw("user", "somebody", 0, 10) is not None
    server.kill()
