"""The processes that are compared, each alone on one core, and the Redis that both read."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests

from aro.adapters.embedded import LOOPBACK
from aro.testing.eventually import eventually
from aro.testing.issuer import Issuer
from aro.testing.servers import Process, free_port

HERE = Path(__file__).parent
UNLIMITED = "1000000000"


class Contestant:
    """A server on `core`; `name` is what the table calls it."""

    def __init__(self, name: str, command: list[str], environ: dict[str, str], port: int, core: int, log: Path) -> None:
        self.name = name
        self.url = f"http://{LOOPBACK}:{port}"
        self._process = Process(["taskset", "-c", str(core), *command], log, environ=environ, cwd=HERE)

    @contextmanager
    def running(self, target: str, token: str) -> Iterator["Contestant"]:
        """`target` is what it must answer before the race."""
        self._process.start()
        try:
            eventually(lambda: self._answers(target, token), f"{self.name} to answer", seconds=30, interval=0.1)
            yield self
        finally:
            self._process.kill()

    def cpu_seconds(self) -> float:
        """Spent since its start, by all its processes."""
        root = psutil.Process(self._process.pid)
        times = [process.cpu_times() for process in (root, *root.children(recursive=True))]
        return float(sum(each.user + each.system for each in times))

    def _answers(self, target: str, token: str) -> bool:
        if not self._process.is_running:
            raise RuntimeError(f"{self.name} ended at start:\n{self._process.output()[-2000:]}")
        try:
            headers = {"Authorization": f"Bearer {token}"}
            return requests.get(f"{self.url}{target}", headers=headers, timeout=2).status_code == 200
        except requests.RequestException:
            return False


def gateway(redis_url: str, issuer: Issuer, directory: Path, core: int) -> Contestant:
    """api-gateway as it runs everywhere: one gunicorn worker. Its limits are out of reach, and counted all the same."""
    port = free_port()
    nobody = f"http://{LOOPBACK}:9"
    environ = {
        **{f"ARO_{name}_URL": nobody for name in ("AUTH", "STORAGE", "ANALYTICS", "LOGGING")},
        "ARO_REDIS_URL": redis_url,
        "ARO_JWKS_URL": issuer.jwks_url,
        "ARO_PORT": str(port),
        "ARO_OPERATIONS_PORT": str(free_port()),
        "ARO_REQUESTS_PER_USER": UNLIMITED,
        "ARO_REQUESTS_PER_ADDRESS": UNLIMITED,
    }
    command = [sys.executable, "-m", "api_gateway"]
    return Contestant("api-gateway", command, environ, port, core, directory / "gateway.log")


def peer(
    python: Path, redis_url: str, issuer: Issuer, directory: Path, core: int, *, remembers: bool, compresses: bool
) -> Contestant:
    port = free_port()
    jwks = requests.get(issuer.jwks_url, timeout=5).json()
    environ = {
        "PEER_JWKS": json.dumps(jwks),
        "PEER_REDIS_URL": redis_url,
        "PEER_REMEMBERS": str(int(remembers)),
        "PEER_COMPRESSES": str(int(compresses)),
    }
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    command = [str(python), "-m", "uvicorn", *options, "--host", LOOPBACK, "--port", str(port), "peer:app"]
    name = "FastAPI, uvicorn" + (", remembers tokens" if remembers else "")
    return Contestant(name, command, environ, port, core, directory / "peer.log")
