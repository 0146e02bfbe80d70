"""Storage as a process of its own, somebody who reads from it, and the database that it reads."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from aro.adapters import mongo
from aro.adapters.mongo import MongoDatabase
from aro.testing.issuer import Issuer
from aro.testing.servers import MongoServer
from aro.testing.services import HttpService

DATABASE = "aro_storage_test"
KEPT = ("schema_migrations",)


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """Tokens without an auth service."""
    made = Issuer()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def storage(
    tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer, issuer: Issuer
) -> Iterator[HttpService]:
    """Shared by the session: do not kill it."""
    settings = {"ARO_MONGO_URL": mongo_server.url, "ARO_MONGO_DATABASE": DATABASE, "ARO_JWKS_URL": issuer.jwks_url}
    service = HttpService("storage_service", Path(tmp_path_factory.mktemp("storage")), settings)
    service.start()
    yield service
    service.kill()


@pytest.fixture(scope="session")
def reader(issuer: Issuer) -> Iterator[requests.Session]:
    """A session with an access token."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {issuer.token()}"
        yield session


@pytest.fixture
def stored(mongo_server: MongoServer, storage: HttpService) -> Iterator[MongoDatabase]:
    """The database that storage reads: its collections and indexes, and no data."""
    opened = mongo.connect(mongo_server.url, DATABASE)
    for name in opened.list_collection_names():
        if name not in KEPT:
            opened[name].delete_many({})
    yield opened
    opened.client.close()
