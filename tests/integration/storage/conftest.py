"""An account that reads, and the database that storage reads."""

from collections.abc import Iterator

import pytest
import requests

from aro.adapters import mongo
from aro.adapters.mongo import MongoDatabase
from aro.testing.servers import MongoServer
from aro.testing.services import HttpService

ACCOUNT = {"email": "reader@example.com", "password": "a reader of everything"}


@pytest.fixture(scope="session")
def storage(storage_process: HttpService) -> HttpService:
    return storage_process


@pytest.fixture(scope="session")
def reader(auth_process: HttpService) -> Iterator[requests.Session]:
    """A session with an access token."""
    for route in ("register", "login"):
        answer = requests.post(f"{auth_process.url}/api/v1/auth/{route}", json=ACCOUNT, timeout=5)
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield session


@pytest.fixture
def stored(mongo_server: MongoServer, storage: HttpService) -> Iterator[MongoDatabase]:
    """The database that storage reads: its collections and indexes, and no data of any product."""
    opened = mongo.connect(mongo_server.url, storage.settings["ARO_MONGO_DATABASE"])
    for name in opened.list_collection_names():
        if name != "users":
            opened[name].delete_many({})
    yield opened
    opened.client.close()
