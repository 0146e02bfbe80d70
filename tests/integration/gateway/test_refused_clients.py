"""Official clients whose handshake is refused over HTTP come back by themselves, whatever the status."""

import select
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import socketio
from players import NEWEST, OLDER, install

from aro.testing.eventually import eventually

NODE_CLIENT = """
const { io } = require(process.argv[1]);
const socket = io(process.argv[2] + "/v1", {
  transports: ["websocket"], auth: { token: process.argv[3] }, reconnectionDelay: 100, reconnectionDelayMax: 300,
});
socket.on("connect", () => console.log("connected"));
process.stdin.on("end", () => process.exit(0)).resume();
"""


class InPython:
    def __init__(self, url: str, token: str) -> None:
        self._client = socketio.Client(reconnection_delay=0.1, reconnection_delay_max=0.3)
        options: dict[str, Any] = {"namespaces": ["/v1"], "transports": ["websocket"], "auth": {"token": token}}
        self._client.start_background_task(lambda: self._client.connect(url, retry=True, **options))

    @property
    def is_connected(self) -> bool:
        return bool(self._client.connected and self._client.namespaces)

    def stop(self) -> None:
        self._client.shutdown()


class InNode:
    def __init__(self, package: str, url: str, token: str) -> None:
        self._process = subprocess.Popen(
            ["node", "-e", NODE_CLIENT, package, url, token],
            cwd=install(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def is_connected(self) -> bool:
        output = self._process.stdout
        assert output is not None
        return bool(select.select([output], [], [], 0.1)[0]) and output.readline() == "connected\n"

    def stop(self) -> None:
        self._process.communicate(timeout=10)


CLIENTS: dict[str, Callable[[str, str], Any]] = {
    "python-socketio": InPython,
    NEWEST: lambda url, token: InNode(NEWEST, url, token),
    OLDER: lambda url, token: InNode(OLDER, url, token),
}
LIMITS = {
    "too_many_sockets_of_address": {"ARO_GATEWAY_MAX_SOCKETS_PER_ADDRESS": "1"},  # 429
    "gateway_full": {"ARO_GATEWAY_MAX_SOCKETS": "1"},  # 503
}


@pytest.fixture(scope="module", params=LIMITS)
def crowded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, stack: Any) -> Iterator[Any]:
    """(stack, how often it has refused for the reason)"""
    directory = Path(tmp_path_factory.mktemp("crowded"))
    with type(stack)(directory, stack.auth, **LIMITS[request.param]) as running:
        yield running, lambda: running.gateway.metric("ws_connects_total", result=request.param)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_refused_client_comes_back(crowded: Any, name: str) -> None:
    stack, refused = crowded
    before = refused()
    with eventually(lambda: taken(stack), "the only place to be free"):
        client = CLIENTS[name](stack.gateway.url, stack.auth.token("patient"))
        eventually(lambda: refused() >= before + 3, "it to be refused again and again")
    try:
        eventually(lambda: client.is_connected, "it to be let in")
    finally:
        client.stop()


def taken(stack: Any) -> Any:
    """A client that has got the only place; None if there is none."""
    try:
        return stack.connected("first")
    except stack.refused:
        return None
