"""The whole platform as child processes on free ports, with a watchdog in the place of supervisor."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import requests

from aro.adapters import mongo
from aro.adapters.embedded import LOOPBACK
from aro.adapters.ledger import Ledger
from aro.adapters.passed_over_store import PassedOverStore
from aro.contracts.names import LEDGER_STREAMS
from aro.testing.eventually import eventually
from aro.testing.servers import MongoServer, Process, RedisServer, free_port

DATABASE: Final = "aro_platform_test"
SERVICES: Final = ("auth", "storage", "analytics", "logging", "api", "gateway", "consume", "work", "beat", "feed")
REPLAY: Final = "replay"
"""Plays sessions; started by those who name it beside `SERVICES`."""
_MODULES: Final = {
    "auth": ("auth_service",),
    "storage": ("storage_service",),
    "analytics": ("analytics_service",),
    "logging": ("logging_service",),
    "api": ("api_gateway",),
    "gateway": ("socket_gateway",),
    "consume": ("worker_enricher", "consume"),
    "work": ("worker_enricher", "work"),
    "beat": ("worker_enricher", "beat"),
    "feed": ("feed_generator",),
    REPLAY: ("feed_generator", "replay"),
}
_HTTP: Final = frozenset({"auth", "storage", "analytics", "logging", "api", "gateway"})
_API_OPERATIONS: Final = "api operations"
_BEHIND: Final = ("auth", "storage", "analytics", "logging")
"""Services that the api-gateway asks, and that believe it who asked."""


class Platform:
    """Start it, ask for `url` of a service, kill any of `processes`; what dies is started again."""

    def __init__(
        self,
        directory: Path,
        *,
        feed_arguments: Sequence[str] = (),
        environ: Mapping[str, str] = {},
        page: Path | None = None,
        own: Callable[[str], Mapping[str, str]] | None = None,
    ) -> None:
        """`page` is the folder of a built dashboard, which api serves then. `environ` holds for all services; what
        `own` says of one wins, and is asked at each of its starts."""
        self.directory = directory
        self.redis = RedisServer(directory / "redis")
        self.mongo = MongoServer(directory / "mongo")
        self.ports = {name: free_port() for name in (*SERVICES, REPLAY, _API_OPERATIONS)}
        self._feed_arguments = list(feed_arguments)
        self._environ = dict(environ)
        self._page = page
        self._own = own
        self.temporary = directory / "tmp"
        """Where processes put what they need for a while; killed ones leave it there."""
        self.temporary.mkdir()
        self.processes: dict[str, Process] = {"redis": self.redis, "mongo": self.mongo}
        self._stop = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._guarded: set[str] = set()
        self._lock = threading.Lock()

    def start(self, services: Iterable[str] = SERVICES) -> None:
        self.redis.start()
        self.mongo.start()
        self._make_collections()
        for name in services:
            process = Process(self._command(name), self.directory / f"{name}.log", environ=self._environment(name))
            self.processes[name] = process
            process.start()
        self._guarded = set(self.processes)
        self._watchdog.start()
        for name in services:
            eventually(partial(self.is_healthy, name), f"{name} to be healthy", seconds=30)

    def stop(self) -> None:
        """kill -9 of everything that is left; tests of orderly shutdown stop the processes themselves."""
        self._stop.set()
        if self._watchdog.is_alive():
            self._watchdog.join()
        for process in reversed(self.processes.values()):
            process.kill()

    def url(self, name: str) -> str:
        return f"http://{LOOPBACK}:{self.ports[name]}"

    def is_healthy(self, name: str) -> bool:
        """Whether /readyz of a service answers 200."""
        try:
            return requests.get(f"{self.url(name)}/readyz", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def is_drained(self) -> bool:
        """Whether all of the ledger was worked off, and all of what was passed over."""
        ledger = Ledger(self.redis.client())
        if any(ledger.lag(stream) or ledger.pending(stream) for stream in LEDGER_STREAMS):
            return False
        database = mongo.connect(self.mongo.url, DATABASE)
        try:
            return not PassedOverStore(database).blocks()
        finally:
            database.client.close()

    def unguard(self, name: str) -> None:
        """From now on nobody starts `name` again."""
        with self._lock:
            self._guarded.discard(name)

    def guard(self, name: str) -> None:
        with self._lock:
            self._guarded.add(name)

    def backfill(self, *arguments: str) -> None:
        """History that leads up to the live market: ``--backfill SECONDS --interval STEP``, and other options."""
        command = [*self._command("feed"), *arguments]
        environ = self._environment("feed") | {"ARO_OPERATIONS_PORT": "1"}
        subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True, timeout=300)  # noqa: S603 - our own

    def _make_collections(self) -> None:
        """Before anybody writes: SecantusDB 0.7 hangs for ever when one connection creates a collection while another
        inserts the first document into it."""
        command = [sys.executable, "-m", "storage_service", "migrate"]
        subprocess.run(  # noqa: S603 - our own command
            command, env=self._environment("storage"), stdout=subprocess.DEVNULL, check=True, timeout=60
        )

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            with self._lock:
                for name in self._guarded:
                    process = self.processes[name]
                    if not process.is_running:
                        process.kill()  # whatever its session left behind
                        if name not in ("redis", "mongo"):
                            process.environ = self._environment(name)
                        Process.start(process)

    def _command(self, name: str) -> list[str]:
        arguments = self._feed_arguments if name == "feed" else []
        return [sys.executable, "-m", *_MODULES[name], *arguments]

    def _environment(self, name: str) -> dict[str, str]:
        own = {"ARO_PORT" if name in _HTTP else "ARO_OPERATIONS_PORT": str(self.ports[name])}
        if name == "api":
            own["ARO_OPERATIONS_PORT"] = str(self.ports[_API_OPERATIONS])
        if name == "api" and self._page is not None:
            own |= {"ARO_PAGE_DIR": str(self._page), "ARO_PUBLIC_SOCKET_URL": self.url("gateway")}
        if name == "gateway" and self._page is not None:
            own["ARO_CORS_ORIGINS"] = self.url("api")
        if name in _BEHIND:
            own["ARO_TRUSTED_PROXIES"] = f"{LOOPBACK}/32"
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("ARO_")},
            "ARO_REDIS_URL": self.redis.url,
            "ARO_BROKER_URL": self.redis.broker_url,
            "ARO_MONGO_URL": self.mongo.url,
            "ARO_MONGO_DATABASE": DATABASE,
            "ARO_JWKS_URL": f"{self.url('auth')}/.well-known/jwks.json",
            "ARO_AUTH_KEY_DIR": str(self.directory / "keys"),
            "ARO_LOG_LEVEL": "INFO",
            "TMPDIR": str(self.temporary),
            **{f"ARO_{inner.upper()}_URL": self.url(inner) for inner in _BEHIND},
            **own,
            **self._environ,
            **(self._own(name) if self._own is not None else {}),
        }
