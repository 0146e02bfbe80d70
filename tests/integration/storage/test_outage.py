"""The database killed, and started again; auth away; storage started before either."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from aro.adapters import mongo
from aro.adapters.chain_store import ChainStore
from aro.testing import enriched
from aro.testing.eventually import eventually
from aro.testing.servers import MongoServer
from aro.testing.services import HttpService

DATABASE = "aro_storage_test"
ACCOUNT = {"email": "reader@example.com", "password": "a reader of everything"}


@pytest.fixture
def own_mongo(tmp_path: Path) -> Iterator[MongoServer]:
    """Not started."""
    server = MongoServer(tmp_path / "mongo")
    yield server
    server.kill()


@pytest.fixture
def services(tmp_path: Path, own_mongo: MongoServer) -> Iterator[tuple[HttpService, HttpService]]:
    """auth and storage, started before their database."""
    shared = {"ARO_MONGO_URL": own_mongo.url, "ARO_MONGO_DATABASE": DATABASE}
    auth = HttpService(
        "auth_service", tmp_path, {**shared, "ARO_AUTH_KEY_DIR": str(tmp_path / "keys")}, wait_for="/livez"
    )
    jwks = {"ARO_JWKS_URL": f"{auth.url}/.well-known/jwks.json"}
    storage = HttpService("storage_service", tmp_path, {**shared, **jwks}, wait_for="/livez")
    try:
        auth.start()
        storage.start()
        yield auth, storage
    finally:
        auth.kill()
        storage.kill()


def status(url: str, **options: str) -> int:
    return requests.get(url, timeout=5, headers=options).status_code


def test_outages_are_said_and_healed(services: tuple[HttpService, HttpService], own_mongo: MongoServer) -> None:
    auth, storage = services
    login = f"{auth.url}/api/v1/auth/login"
    # Not there yet: alive, not ready, and refusing at once.
    for service in services:
        assert status(f"{service.url}/livez") == 200
        readiness = requests.get(f"{service.url}/readyz", timeout=5)
        assert readiness.status_code == 503
        assert readiness.json()["checks"]["mongo"] != "ok"
    assert status(f"{auth.url}/.well-known/jwks.json") == 200

    own_mongo.start()
    for service in services:
        eventually(lambda service=service: status(f"{service.url}/readyz") == 200, "readiness", interval=0.1)
    assert requests.post(f"{auth.url}/api/v1/auth/register", json=ACCOUNT, timeout=5).status_code == 201
    token = requests.post(login, json=ACCOUNT, timeout=5).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    opened = mongo.connect(own_mongo.url, DATABASE)
    now = time.time_ns() // 1_000_000
    ChainStore(opened).save([enriched.record(now, expiry_ts=now + 86_400_000)])
    opened.client.close()
    chain = f"{storage.url}/api/v1/chains/NIFTY"
    assert status(chain, **bearer) == 200

    own_mongo.kill()
    for _ in range(3):
        started = time.monotonic()
        answer = requests.get(chain, headers=bearer, timeout=5)
        assert time.monotonic() - started < 3.5
        assert answer.status_code == 503
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["code"] == "service_unavailable"
        assert status(f"{storage.url}/livez") == 200
    assert requests.post(login, json=ACCOUNT, timeout=5).status_code == 503
    assert status(f"{storage.url}/readyz") == 503

    own_mongo.start()
    eventually(lambda: status(chain, **bearer) == 200, "storage to answer again", interval=0.1)
    eventually(lambda: requests.post(login, json=ACCOUNT, timeout=5).status_code == 200, "logins again", interval=0.1)

    # Sessions do not depend on auth.
    auth.kill()
    assert status(chain, **bearer) == 200
    assert status(chain, Authorization="Bearer invented") == 401
