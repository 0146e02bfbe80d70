"""A service that is killed, stopped or slow costs its own callers a clear answer in time, and nobody else anything."""

import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from api_gateway.table import ROUTES, STORAGE
from aro.testing.door import Door
from aro.testing.eventually import eventually
from aro.testing.servers import RedisServer

pytestmark = pytest.mark.fault

SICK = "/api/v1/products"
DEADLINE = next(route.terms.seconds for route in ROUTES if route.upstream == STORAGE)
GRACE = 1.0
"""Half a second for a slot, and what a busy machine takes."""
HEAL_SECONDS = 5.0
CALLERS = 24
"""More than the upstream has slots and places to wait."""


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def door(tmp_path: Path, own_redis: RedisServer) -> Iterator[Door]:
    running = Door(tmp_path, own_redis)
    running.start()
    yield running
    running.stop()


class Healthy:
    """Asks a service that is well, again and again, and takes the time."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.seconds: list[float] = []
        self.failures: list[int] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Healthy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        headers = self.door.bearer()
        with requests.Session() as session:
            while not self._stop.wait(0.01):
                answer = session.get(f"{self.door.url}/api/v1/analytics/NIFTY/pcr", headers=headers, timeout=10)
                self.seconds.append(answer.elapsed.total_seconds())
                if answer.status_code != 200:
                    self.failures.append(answer.status_code)

    def p99(self) -> float:
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)]


def ask(door: Door, query: str = "") -> requests.Response:
    return requests.get(f"{door.url}{SICK}{query}", headers=door.bearer(), timeout=30)


def ask_all(door: Door, query: str = "") -> list[requests.Response]:
    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(lambda _: ask(door, query), range(CALLERS)))


def assert_clear(answers: list[requests.Response], *statuses: int) -> None:
    """Each is a problem, came in time, and says when to come back."""
    for answer in answers:
        assert answer.status_code in statuses, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["code"] == {503: "service_unavailable", 504: "upstream_timeout"}[answer.status_code]
        assert answer.elapsed.total_seconds() < DEADLINE + GRACE
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) >= 1


def assert_others_are_well(before: float, healthy: Healthy) -> None:
    assert healthy.failures == []
    assert len(healthy.seconds) > 20
    # An order of magnitude of room: this machine does other things too.
    assert healthy.p99() < max(10 * before, 0.25)


def usual_p99(door: Door) -> float:
    with Healthy(door) as healthy:
        eventually(lambda: len(healthy.seconds) > 100, "enough answers")
    return healthy.p99()


def heals(door: Door) -> None:
    started = time.monotonic()
    eventually(lambda: ask(door).status_code == 200, "the service to be back", seconds=HEAL_SECONDS)
    assert time.monotonic() - started < HEAL_SECONDS


def test_killed(door: Door) -> None:
    before = usual_p99(door)
    upstream = door.upstreams["storage"]
    upstream.kill()
    with Healthy(door) as healthy:
        for _ in range(3):
            answers = ask_all(door)
            assert_clear(answers, 503)
        # Nobody waits for what is known to be away.
        assert max(answer.elapsed.total_seconds() for answer in answers) < 1
        eventually(lambda: len(healthy.seconds) > 50, "enough answers")
    assert_others_are_well(before, healthy)
    assert door.metrics()['circuit_state{upstream="storage"}'] == 2
    upstream.start()
    heals(door)


def is_stopped(pid: int) -> bool:
    """Whether every thread is: on a busy machine some go on for a moment after the signal."""
    states = [file.read_text().rpartition(") ")[2][0] for file in Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) == {"T"}


def test_stopped(door: Door) -> None:
    before = usual_p99(door)
    upstream = door.upstreams["storage"]
    upstream.signal(signal.SIGSTOP)
    try:
        eventually(lambda: is_stopped(upstream.pid), "every thread to stop")
        with Healthy(door) as healthy:
            answers = ask_all(door)
            assert_clear(answers, 503, 504)
            assert any(answer.status_code == 504 for answer in answers)
            # From now on it is left alone.
            assert_clear([ask(door)], 503)
            assert requests.get(f"{door.url}/livez", timeout=1).status_code == 200
        assert_others_are_well(before, healthy)
    finally:
        upstream.signal(signal.SIGCONT)
    heals(door)


def test_slow(door: Door) -> None:
    before = usual_p99(door)
    with Healthy(door) as healthy:
        answers = ask_all(door, "?sleep=10")
        assert_clear(answers, 503, 504)
    assert_others_are_well(before, healthy)
    assert door.metrics()['bulkhead_rejected_total{upstream="storage"}'] > 0
    heals(door)


def test_killed_in_the_middle_of_an_answer(door: Door) -> None:
    url = f"{door.url}{SICK}?chunks=1000&pause=0.05"
    answer = requests.get(url, headers=door.bearer(), stream=True, timeout=10)
    pieces = answer.iter_content(1_000)
    next(pieces)
    door.upstreams["storage"].kill()
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        list(pieces)
    answer.close()
    door.upstreams["storage"].start()
    heals(door)


def test_auth_away(door: Door) -> None:
    """Sessions go on, log-in is told to wait."""
    assert ask(door).status_code == 200
    door.upstreams["auth"].kill()
    assert ask(door).status_code == 200
    answer = requests.post(f"{door.url}/api/v1/auth/login", json={}, timeout=10)
    assert_clear([answer], 503)
    assert requests.get(f"{door.url}/readyz", timeout=5).status_code == 200
    door.upstreams["auth"].start()
    eventually(
        lambda: requests.post(f"{door.url}/api/v1/auth/login", json={}, timeout=10).status_code == 200,
        "log-in to work",
        seconds=HEAL_SECONDS,
    )


def test_redis_away(door: Door, own_redis: RedisServer) -> None:
    """Data and log-in go on; administration waits, for whether its session has ended cannot be known any more."""
    admin = door.bearer("admin", "admin")
    logs = f"{door.url}/api/v1/logs"
    eventually(lambda: requests.get(logs, headers=admin, timeout=5).status_code == 200, "revocations to be known")
    own_redis.kill()
    for _ in range(3):
        assert ask(door).status_code == 200
        assert requests.post(f"{door.url}/api/v1/auth/login", json={}, timeout=5).status_code == 200
    eventually(
        lambda: requests.get(logs, headers=admin, timeout=5).status_code == 503, "administration to wait", seconds=20
    )
    assert ask(door).status_code == 200
    own_redis.start()
    eventually(
        lambda: requests.get(logs, headers=admin, timeout=5).status_code == 200,
        "administration to be back",
        seconds=HEAL_SECONDS,
    )


def test_redis_hung(door: Door, own_redis: RedisServer) -> None:
    """It costs a request half a second now and then, and no more."""
    assert ask(door).status_code == 200
    own_redis.signal(signal.SIGSTOP)
    try:
        answers = [ask(door) for _ in range(30)]
    finally:
        own_redis.signal(signal.SIGCONT)
    assert {answer.status_code for answer in answers} == {200}
    seconds = sorted(answer.elapsed.total_seconds() for answer in answers)
    assert seconds[-1] < 2
    assert seconds[len(seconds) // 2] < 0.25
