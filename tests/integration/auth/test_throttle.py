"""Limits per address and per account, counted in Redis, and in memory while Redis is away."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from aro.testing.eventually import eventually
from aro.testing.servers import MongoServer, RedisServer
from aro.testing.services import HttpService

LIMITS = {"ARO_LOGINS_PER_MINUTE": "12", "ARO_LOGIN_FAILURES": "3", "ARO_REGISTRATIONS_PER_HOUR": "3"}
ACCOUNT = {"email": "throttled@example.com", "password": "correct horse"}


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(Path(tmp_path_factory.mktemp("redis")))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def strict(
    tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer, own_redis: RedisServer
) -> Iterator[HttpService]:
    directory = Path(tmp_path_factory.mktemp("auth"))
    settings = {
        "ARO_MONGO_URL": mongo_server.url,
        "ARO_MONGO_DATABASE": "aro_throttle_test",
        "ARO_AUTH_KEY_DIR": str(directory / "keys"),
        "ARO_REDIS_URL": own_redis.url,
        **LIMITS,
    }
    service = HttpService("auth_service", directory, settings)
    service.start()
    assert requests.post(f"{service.url}/api/v1/auth/register", json=ACCOUNT, timeout=5).status_code == 201
    yield service
    service.stop()


@pytest.fixture
def forgiven(strict: HttpService, own_redis: RedisServer) -> HttpService:
    """Nothing counted yet."""
    client = own_redis.client()
    client.flushall()
    client.close()
    return strict


def login(service: HttpService, **changes: Any) -> requests.Response:
    return requests.post(f"{service.url}/api/v1/auth/login", json={**ACCOUNT, **changes}, timeout=5)


def assert_throttled(answer: requests.Response, most_seconds: int) -> None:
    assert answer.status_code == 429
    assert answer.json()["code"] == "rate_limited"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert 1 <= int(answer.headers["Retry-After"]) <= most_seconds + 1


def test_guessing_at_one_account_is_stopped_also_for_the_right_guess(forgiven: HttpService) -> None:
    for _ in range(3):
        assert login(forgiven, password="wrong horse").status_code == 401
    assert_throttled(login(forgiven, password="wrong horse"), 300)
    assert_throttled(login(forgiven, email=" THROTTLED@example.com "), 300)
    assert login(forgiven, email="another@example.com").status_code == 401


def test_logging_in_rightly_is_not_counted_against_the_account(forgiven: HttpService) -> None:
    assert [login(forgiven).status_code for _ in range(8)] == [200] * 8


def test_guesses_at_once_are_no_more_than_guesses_in_a_row(forgiven: HttpService) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: login(forgiven, password="wrong horse"), range(10)))
    assert Counter(answer.status_code for answer in answers) == {401: 3, 429: 7}
    for answer in answers:
        if answer.status_code == 429:
            assert_throttled(answer, 300)


def test_what_was_not_a_guess_is_given_back(forgiven: HttpService) -> None:
    assert [login(forgiven).status_code for _ in range(4)] == [200] * 4
    assert [login(forgiven, password="wrong horse").status_code for _ in range(4)] == [401, 401, 401, 429]


def test_one_address_has_so_many_tries_whatever_the_account(forgiven: HttpService) -> None:
    statuses = [login(forgiven, email=f"nobody-{n}@example.com").status_code for n in range(12)]
    assert statuses == [401] * 12
    assert_throttled(login(forgiven), 60)
    # Everything else goes on.
    assert requests.get(f"{forgiven.url}/.well-known/jwks.json", timeout=5).status_code == 200


def test_registrations_are_limited_per_address(forgiven: HttpService) -> None:
    url = f"{forgiven.url}/api/v1/auth/register"
    stamp = time.time_ns()
    bodies = [{"email": f"{stamp}-{n}@example.com", "password": "correct horse"} for n in range(4)]
    answers = [requests.post(url, json=body, timeout=5) for body in bodies]
    assert [answer.status_code for answer in answers[:3]] == [201] * 3
    assert_throttled(answers[3], 3_600)


def test_with_redis_away_logins_work_and_limits_hold(forgiven: HttpService, own_redis: RedisServer) -> None:
    own_redis.kill()
    try:
        started = time.perf_counter()
        assert login(forgiven).status_code == 200
        assert time.perf_counter() - started < 3
        statuses = [login(forgiven, password="wrong horse").status_code for _ in range(4)]
        assert statuses == [401, 401, 401, 429]
        assert requests.get(f"{forgiven.url}/readyz", timeout=5).status_code == 200
    finally:
        own_redis.start()

    def counts_in_redis() -> bool:
        login(forgiven)
        client = own_redis.client()
        try:
            return bool(client.keys("auth:account/*")) and len(client.keys("*")) > 1
        finally:
            client.close()

    eventually(counts_in_redis, "counters to return to Redis", seconds=20, interval=0.5)
