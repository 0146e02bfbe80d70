"""Health and metrics of processes that are no HTTP service."""

from collections.abc import Iterator

import pytest
import requests
from werkzeug.serving import BaseWSGIServer

from aro.runtime.health import Health
from aro.runtime.operations import serve_operations
from aro.testing.servers import free_port


def broken() -> None:
    raise ConnectionError


@pytest.fixture
def served() -> Iterator[tuple[BaseWSGIServer, Health, str]]:
    health, port = Health(ready={}), free_port()
    server = serve_operations("a-worker", host="127.0.0.1", port=port, health=health)
    yield server, health, f"http://127.0.0.1:{port}"
    server.shutdown()
    server.server_close()


def test_it_answers_probes_and_metrics(served: tuple[BaseWSGIServer, Health, str]) -> None:
    _, health, url = served
    for path in ("/livez", "/readyz", "/health", "/metrics"):
        assert requests.get(url + path, timeout=5).status_code == 200
    health.draining = True
    assert requests.get(f"{url}/readyz", timeout=5).status_code == 503
    assert requests.get(f"{url}/livez", timeout=5).status_code == 200


def test_a_liveness_check_that_fails_says_so(served: tuple[BaseWSGIServer, Health, str]) -> None:
    _, health, url = served
    health.alive = {"loop": broken}
    answer = requests.get(f"{url}/livez", timeout=5)
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"loop": "ConnectionError"}


def test_a_taken_port_is_an_error_at_start(served: tuple[BaseWSGIServer, Health, str]) -> None:
    port = int(served[2].rpartition(":")[2])
    with pytest.raises((OSError, SystemExit)):
        serve_operations("another", host="127.0.0.1", port=port, health=Health())
