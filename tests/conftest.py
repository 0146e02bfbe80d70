"""Fixtures shared by all rungs: one Redis, one MongoDB-compatible server, one auth and one storage per test session."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from pymongo.database import Database

from aro.adapters import mongo
from aro.adapters.mongo import Document
from aro.quant import kernel, wire
from aro.testing.servers import MongoServer, RedisServer
from aro.testing.services import HttpService

SERVICES_DATABASE = "aro_services_test"

CAPTURE_VARIABLE = "ARO_NSE_CAPTURE"
NEEDS_CAPTURE = "test_capture.py"
NEEDS_KERNEL = ("test_kernel.py", "test_kernel_smiles.py")
NEEDS_WIRE = "test_wire.py"
KERNELS = ["numpy", "compiled"] if kernel.compiled else ["numpy"]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Tests of the real capture and of the compiled kernel exist only where those do; the report's header says so."""
    missing = {
        NEEDS_CAPTURE: CAPTURE_VARIABLE not in os.environ,
        **dict.fromkeys(NEEDS_KERNEL, kernel.compiled is None),
        NEEDS_WIRE: wire.compiled is None,
    }
    return missing.get(collection_path.name) or None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--floats", type=int, default=10_000_000, help="random bit patterns for implied_volatility")
    parser.addoption("--as-of-seconds", type=float, default=15.0, help="how long live answers are recorded")
    parser.addoption("--storm-clients", type=int, default=200, help="sockets that come back to a killed gateway")
    parser.addoption("--frames", type=int, default=100_000, help="WebSocket frames that slow clients check")
    parser.addoption(
        "--stalled-beside", type=int, default=100, help="clients that must not notice those that never read"
    )
    parser.addoption("--hang-seconds", type=float, default=4.0, help="how long Redis is stopped")
    parser.addoption("--browser-seconds", type=float, default=8.0, help="how long a browser follows channels")


def pytest_report_header() -> list[str]:
    return [
        f"NSE capture: {os.environ.get(CAPTURE_VARIABLE, f'not given ({CAPTURE_VARIABLE}), its tests are left out')}",
        f"aro.quant: {', '.join(KERNELS)}" + ("" if kernel.compiled else ", no compiled kernel was built"),
    ]


@pytest.fixture(scope="module", params=KERNELS)
def each_kernel(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs a module's tests once per form of `aro.quant.kernel` that exists here."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "numpy":
            patch.setattr(kernel, "compiled", None)
        yield request.param


@pytest.fixture(scope="session")
def nse_capture() -> Path:
    return Path(os.environ[CAPTURE_VARIABLE]).resolve(strict=True)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Shared by the session: do not kill it. A test that does starts its own `RedisServer`."""
    server = RedisServer(Path(tmp_path_factory.mktemp("redis")))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis_client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A client of an empty Redis."""
    client = redis_server.client()
    client.flushall()
    yield client
    client.close()


@pytest.fixture(scope="session")
def mongo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """Shared by the session: do not kill it. A test that does starts its own `MongoServer`."""
    server = MongoServer(Path(tmp_path_factory.mktemp("mongo")))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def database(mongo_server: MongoServer) -> Iterator[Database[Document]]:
    """An empty database."""
    opened = mongo.connect(mongo_server.url, "aro_test")
    opened.client.drop_database("aro_test")
    yield opened
    opened.client.close()


@pytest.fixture(scope="session")
def auth_process(tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer) -> Iterator[HttpService]:
    """Shared by the session: do not kill it. Its limits on logins are out of reach."""
    directory = Path(tmp_path_factory.mktemp("auth"))
    settings = {
        "ARO_MONGO_URL": mongo_server.url,
        "ARO_MONGO_DATABASE": SERVICES_DATABASE,
        "ARO_AUTH_KEY_DIR": str(directory / "keys"),
        "ARO_LOGINS_PER_MINUTE": "100000",
        "ARO_LOGIN_FAILURES": "100000",
        "ARO_REGISTRATIONS_PER_HOUR": "100000",
    }
    service = HttpService("auth_service", directory, settings)
    service.start()
    yield service
    service.kill()


@pytest.fixture(scope="session")
def storage_process(
    tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer, auth_process: HttpService
) -> Iterator[HttpService]:
    """Shared by the session: do not kill it. It reads the database `SERVICES_DATABASE`."""
    settings = {
        "ARO_MONGO_URL": mongo_server.url,
        "ARO_MONGO_DATABASE": SERVICES_DATABASE,
        "ARO_JWKS_URL": f"{auth_process.url}/.well-known/jwks.json",
    }
    service = HttpService("storage_service", Path(tmp_path_factory.mktemp("storage")), settings)
    service.start()
    yield service
    service.kill()
