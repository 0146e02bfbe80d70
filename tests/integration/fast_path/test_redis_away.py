"""Redis killed or hung: storage answers instead, soon; and the fast path is back as soon as Redis is."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aro.testing.echo import EchoService
from aro.testing.eventually import eventually
from aro.testing.gateway import CHAIN, EXPIRY, Caller, Gateway, Market
from aro.testing.issuer import Issuer
from aro.testing.servers import RedisServer

ASKED = f"expiry={EXPIRY}"


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def own(tmp_path: Path, own_redis: RedisServer, issuer: Issuer, echo: EchoService) -> Iterator[Gateway]:
    made = Gateway(tmp_path / "gateway", own_redis.url, issuer, echo)
    made.process.start()
    yield made
    made.process.kill()


def test_redis_killed(own_redis: RedisServer, own: Gateway, issuer: Issuer) -> None:
    with Caller(own.url, issuer.token()) as caller:
        record = Market(own_redis.client()).publish(EXPIRY)
        assert own.from_loop(caller, CHAIN, ASKED).content == record.data
        own_redis.kill()
        killed_at = time.monotonic()
        eventually(lambda: caller.ask(CHAIN, ASKED).headers.get("X-Echo") == "yes", "storage to answer", seconds=2)
        # A state that nobody confirms any more is not served as the newest.
        assert time.monotonic() - killed_at < 1.0
        for query in (ASKED, ""):
            answer = caller.ask(CHAIN, query)
            assert (answer.status_code, answer.headers["X-Echo"]) == (200, "yes")
            assert answer.elapsed.total_seconds() < 0.5
        own_redis.start()
        record = Market(own_redis.client()).publish(EXPIRY)
        eventually(lambda: caller.ask(CHAIN, ASKED).content == record.data, "the fast path to be back", seconds=5)
        assert own.from_loop(caller, CHAIN, ASKED).content == record.data


def test_redis_hung(own_redis: RedisServer, own: Gateway, issuer: Issuer) -> None:
    with Caller(own.url, issuer.token()) as caller:
        record = Market(own_redis.client()).publish(EXPIRY)
        own.from_loop(caller, CHAIN, ASKED)
        own_redis.signal(signal.SIGSTOP)
        try:
            answers = [caller.ask(CHAIN, ASKED) for _ in range(200)]
            assert answers[-1].headers.get("X-Echo") == "yes"
            assert max(answer.elapsed.total_seconds() for answer in answers) < 2.0
        finally:
            own_redis.signal(signal.SIGCONT)
        eventually(lambda: caller.ask(CHAIN, ASKED).content == record.data, "the fast path to be back", seconds=5)
