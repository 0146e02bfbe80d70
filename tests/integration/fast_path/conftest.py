"""The api-gateway before a Redis that tests publish to, with an echo in the place of every service."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import redis

from aro.testing.echo import EchoService
from aro.testing.eventually import eventually
from aro.testing.gateway import CHAIN, EXPIRY, METRICS, SURFACE, Caller, Gateway, Market
from aro.testing.issuer import Issuer
from aro.testing.servers import RedisServer


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EchoService]:
    service = EchoService(Path(tmp_path_factory.mktemp("echo")))
    service.start()
    yield service
    service.kill()


@pytest.fixture(scope="session")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer, issuer: Issuer, echo: EchoService
) -> Iterator[Gateway]:
    """Shared by the session: do not kill it."""
    made = Gateway(Path(tmp_path_factory.mktemp("gateway")), redis_server.url, issuer, echo)
    made.process.start()
    yield made
    made.process.kill()


@pytest.fixture
def caller(gateway: Gateway, issuer: Issuer) -> Iterator[Caller]:
    with Caller(gateway.url, issuer.token()) as session:
        yield session


@pytest.fixture
def market(redis_client: redis.Redis, caller: Caller) -> Market:
    """An empty market, which the gateway knows to be empty."""
    for path in (CHAIN, METRICS, SURFACE):
        for query in ("", f"expiry={EXPIRY}") if path != SURFACE else ("",):
            eventually(partial(is_passed_on, caller, path, query), "the gateway to have forgotten the test before")
    return Market(redis_client)


def is_passed_on(caller: Caller, path: str, query: str) -> bool:
    return "X-Echo" in caller.ask(path, query).headers
