"""Which processes the local platform consists of, how each is started, and in which order they end."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from aro.adapters import embedded
from aro.contracts.products import product
from local.home import Home
from local.settings import LocalSettings

LOOPBACK: Final = embedded.LOOPBACK
PAGE: Final = Path(__file__).resolve().parents[2] / "services" / "dashboard" / "dist"
"""Where build-page.sh leaves the dashboard."""
Kind = Literal["redis", "mongo", "http"]
STORES, SERVICES, PIPELINE, FEED = 0, 1, 2, 3
"""Tiers: all start together; they end from the last to the first, so that nothing is cut off from what it needs."""

TIERS: Final = {
    "redis": STORES,
    "mongo": STORES,
    "auth": SERVICES,
    "storage": SERVICES,
    "analytics": SERVICES,
    "logging": SERVICES,
    "api-gateway": SERVICES,
    "socket-gateway": SERVICES,
    "consume": PIPELINE,
    "work": PIPELINE,
    "beat": PIPELINE,
    "replay": PIPELINE,
    "feed": FEED,
}

STOP_SECONDS: Final = {"redis": 15, "mongo": 10, "api-gateway": 25, "socket-gateway": 20, "work": 25}
"""A worker finishes its batch, the gateway takes its leave of clients, stores write to disk."""
DEFAULT_STOP_SECONDS: Final = 15


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """What the feed sends: everything synthetic, or some products, or a recording in a loop."""

    replay: Path | None = None
    products: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        chosen = ["--products", ",".join(self.products)] if self.products else []
        if self.replay is None:
            return ["--provider", "synthetic", *chosen]
        return ["--provider", "replay", "--file", str(self.replay), "--loop", *chosen]

    def check(self) -> None:
        """Raises `UnknownProduct`, or FileNotFoundError for a recording that is not there."""
        for name in self.products:
            product(name)
        if self.replay is not None and not self.replay.exists():
            raise FileNotFoundError(f"there is no {self.replay} to replay")


@dataclass(frozen=True, slots=True)
class Program:
    """`variable` is the environment variable that moves `port`; `more_ports` are others that it listens on."""

    name: str
    command: tuple[str, ...]
    kind: Kind
    port: int
    variable: str
    environ: Mapping[str, str] = field(default_factory=dict)
    more_ports: Mapping[str, int] = field(default_factory=dict)

    @property
    def ports(self) -> dict[str, int]:
        """Environment variable → port."""
        return {self.variable: self.port, **self.more_ports}

    @property
    def tier(self) -> int:
        return TIERS[self.name]

    @property
    def stop_seconds(self) -> int:
        return stop_seconds(self.name)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


def stop_seconds(name: str) -> int:
    return STOP_SECONDS.get(name, DEFAULT_STOP_SECONDS)


def programs(home: Home, settings: LocalSettings, feed: FeedOptions) -> list[Program]:
    """In the order in which they start. Raises `ServerNotFound` if there is no store to run."""
    found = [_redis(home, settings.redis_port)]
    if settings.mongo_url is None:
        command = embedded.mongo_command(port=settings.mongo_port, directory=home.data("mongo"))
        found.append(Program("mongo", tuple(command), "mongo", settings.mongo_port, "ARO_MONGO_PORT"))
    return [
        *found,
        _inner("auth", "auth_service", settings.auth_port, "ARO_AUTH_PORT"),
        _inner("storage", "storage_service", settings.storage_port, "ARO_STORAGE_PORT"),
        _inner("analytics", "analytics_service", settings.analytics_port, "ARO_ANALYTICS_PORT"),
        _inner("logging", "logging_service", settings.logging_port, "ARO_LOGGING_PORT"),
        _api_gateway(settings),
        _socket_gateway(settings),
        _worker("consume", settings.consume_port, "ARO_CONSUME_OPERATIONS_PORT"),
        _worker("work", settings.work_port, "ARO_WORK_OPERATIONS_PORT"),
        _worker("beat", settings.beat_port, "ARO_BEAT_OPERATIONS_PORT"),
        _replay(home, settings.replay_port),
        _role("feed", ("feed_generator", *feed.arguments()), settings.feed_port, "ARO_FEED_OPERATIONS_PORT"),
    ]


def environment(home: Home, settings: LocalSettings, password: str) -> dict[str, str]:
    """What all processes share; their ports come on top, from their `Program`."""
    redis = f"redis://:{password}@{LOOPBACK}:{settings.redis_port}"
    auth = f"http://{LOOPBACK}:{settings.auth_port}"
    return {
        "ARO_REDIS_URL": f"{redis}/0",
        "ARO_BROKER_URL": f"{redis}/1",
        "ARO_MONGO_URL": settings.mongo_url or f"mongodb://{LOOPBACK}:{settings.mongo_port}",
        "ARO_JWKS_URL": f"{auth}/.well-known/jwks.json",
        "ARO_AUTH_URL": auth,
        "ARO_STORAGE_URL": f"http://{LOOPBACK}:{settings.storage_port}",
        "ARO_ANALYTICS_URL": f"http://{LOOPBACK}:{settings.analytics_port}",
        "ARO_LOGGING_URL": f"http://{LOOPBACK}:{settings.logging_port}",
        "ARO_AUTH_KEY_DIR": str(home.keys),
        "TMPDIR": str(home.temporary),
        "PYTHONUNBUFFERED": "1",
    }


def _redis(home: Home, port: int) -> Program:
    # The password is in a private file, because anyone on the machine can read a command line.
    server, *arguments = embedded.redis_command(port=port, directory=home.data("redis"))
    command = (server, str(home.redis_configuration), *arguments)
    return Program("redis", command, "redis", port, "ARO_REDIS_PORT")


def _inner(name: str, module: str, port: int, variable: str) -> Program:
    """A service behind the api-gateway, whose word it takes for who asked."""
    program = _service(name, module, port, variable)
    return replace(program, environ={**program.environ, "ARO_TRUSTED_PROXIES": f"{LOOPBACK}/32"})


def _api_gateway(settings: LocalSettings) -> Program:
    program = _service("api-gateway", "api_gateway", settings.api_port, "ARO_API_PORT")
    operations = settings.api_operations_port
    page = {"ARO_PAGE_DIR": str(PAGE)} if (PAGE / "index.html").is_file() else {}
    return replace(
        program,
        environ={
            **program.environ,
            **page,
            "ARO_OPERATIONS_PORT": str(operations),
            "ARO_PUBLIC_SOCKET_URL": f"http://{LOOPBACK}:{settings.gateway_port}",
        },
        more_ports={"ARO_API_OPERATIONS_PORT": operations},
    )


def _socket_gateway(settings: LocalSettings) -> Program:
    program = _service("socket-gateway", "socket_gateway", settings.gateway_port, "ARO_GATEWAY_PORT")
    # The page comes from the api-gateway's port, by either name; a page of the gateway's own origin stays welcome.
    ports = (settings.api_port, settings.gateway_port)
    own = [f"http://{host}:{port}" for port in ports for host in (LOOPBACK, "localhost")]
    origins = ",".join([*own, *settings.cors_origins])
    return replace(program, environ={**program.environ, "ARO_CORS_ORIGINS": origins})


def _service(name: str, module: str, port: int, variable: str) -> Program:
    command = (sys.executable, "-m", module)
    return Program(name, command, "http", port, variable, {"ARO_PORT": str(port)})


def _replay(home: Home, port: int) -> Program:
    program = _role("replay", ("feed_generator", "replay"), port, "ARO_REPLAY_OPERATIONS_PORT")
    return replace(program, environ={**program.environ, "ARO_REPLAY_DIR": str(home.recordings)})


def _worker(role: str, port: int, variable: str) -> Program:
    return _role(role, ("worker_enricher", role), port, variable)


def _role(name: str, module: Sequence[str], port: int, variable: str) -> Program:
    command = (sys.executable, "-m", *module)
    return Program(name, command, "http", port, variable, {"ARO_OPERATIONS_PORT": str(port)})
