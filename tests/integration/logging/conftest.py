"""A logging service shared by a module, or one that a test may do anything to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aro.adapters.log_store import LogStore
from aro.adapters.mongo import MongoDatabase
from aro.testing.eventually import eventually
from aro.testing.logging_estate import Keys, LoggingEstate


@pytest.fixture(scope="session")
def keys() -> Iterator[Keys]:
    made = Keys()
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared_logging(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[LoggingEstate]:
    # Its own lines would be among those that tests count.
    estate = LoggingEstate.on(tmp_path_factory.mktemp("logging"), keys, ARO_LOG_SHIPPING="false")
    try:
        estate.start()
        yield estate
    finally:
        estate.kill()


@pytest.fixture
def estate(shared_logging: LoggingEstate) -> LoggingEstate:
    """Shared by a module, and without lines. Do not kill it."""
    eventually(shared_logging.is_idle, "lines of the test before to be stored", seconds=30)
    shared_logging.forget()
    return shared_logging


@pytest.fixture
def own_estate(tmp_path: Path, keys: Keys) -> Iterator[LoggingEstate]:
    made = LoggingEstate.on(tmp_path, keys)
    try:
        made.start()
        yield made
    finally:
        made.kill()


@pytest.fixture
def log_store(database: MongoDatabase) -> LogStore:
    """In an empty database."""
    store = LogStore(database)
    store.ensure()
    return store
