"""The gateway as its own process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aro.testing.door import Door
from aro.testing.servers import RedisServer


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Iterator[Door]:
    """Shared by a module: its upstreams are not to be killed."""
    running = Door(Path(tmp_path_factory.mktemp("api_gateway")), redis_server)
    try:
        running.start()
        yield running
    finally:
        running.stop()
