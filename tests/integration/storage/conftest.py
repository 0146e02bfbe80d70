"""Storage and auth as real processes on the session's database server, and an account that reads."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from aro.adapters import mongo
from aro.adapters.mongo import MongoDatabase
from aro.testing.servers import MongoServer
from aro.testing.services import HttpService

DATABASE = "aro_storage_test"
ACCOUNT = {"email": "reader@example.com", "password": "a reader of everything"}


def services(directory: Path, mongo_url: str) -> tuple[HttpService, HttpService]:
    """(auth, storage), not started."""
    shared = {"ARO_MONGO_URL": mongo_url, "ARO_MONGO_DATABASE": DATABASE}
    auth = HttpService("auth_service", directory, {**shared, "ARO_AUTH_KEY_DIR": str(directory / "keys")})
    storage = HttpService("storage_service", directory, {**shared, "ARO_JWKS_URL": f"{auth.url}/.well-known/jwks.json"})
    return auth, storage


def reader_of(auth: HttpService) -> requests.Session:
    """A session with a fresh access token."""
    for route in ("register", "login"):
        answer = requests.post(f"{auth.url}/api/v1/auth/{route}", json=ACCOUNT, timeout=5)
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return session


@pytest.fixture(scope="session")
def running(
    tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer
) -> Iterator[tuple[HttpService, HttpService]]:
    auth, storage = services(Path(tmp_path_factory.mktemp("services")), mongo_server.url)
    auth.start()
    storage.start()
    yield auth, storage
    auth.kill()
    storage.kill()


@pytest.fixture(scope="session")
def storage(running: tuple[HttpService, HttpService]) -> HttpService:
    return running[1]


@pytest.fixture(scope="session")
def reader(running: tuple[HttpService, HttpService]) -> Iterator[requests.Session]:
    session = reader_of(running[0])
    yield session
    session.close()


@pytest.fixture
def stored(mongo_server: MongoServer, storage: HttpService) -> Iterator[MongoDatabase]:
    """The database that storage reads: its collections and indexes, and no data of any product."""
    opened = mongo.connect(mongo_server.url, DATABASE)
    for name in opened.list_collection_names():
        if name != "users":
            opened[name].delete_many({})
    yield opened
    opened.client.close()
