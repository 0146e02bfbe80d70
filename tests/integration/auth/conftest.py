"""One auth service of its own, with limits that only the tests of limits meet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aro.testing.servers import MongoServer
from aro.testing.services import HttpService

UNLIMITED = {
    "ARO_LOGINS_PER_MINUTE": "100000",
    "ARO_LOGIN_FAILURES": "100000",
    "ARO_REGISTRATIONS_PER_HOUR": "100000",
}


@pytest.fixture(scope="session")
def auth(tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer) -> Iterator[HttpService]:
    directory = Path(tmp_path_factory.mktemp("auth"))
    settings = {
        "ARO_MONGO_URL": mongo_server.url,
        "ARO_MONGO_DATABASE": "aro_auth_test",
        "ARO_AUTH_KEY_DIR": str(directory / "keys"),
        **UNLIMITED,
    }
    service = HttpService("auth_service", directory, settings)
    service.start()
    yield service
    assert service.stop() == 0
