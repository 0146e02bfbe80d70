"""The servers that are compared, all on one core, and for each the crowd of clients that listens to it."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import psutil
import redis
import requests
from crowd import Crowd, Feed
from frames import Dialect, gateway, message, stock
from publisher import Publisher

from aro.adapters.embedded import LOOPBACK
from aro.adapters.live import LivePublisher, Publication
from aro.contracts.names import chain_channel
from aro.testing.eventually import eventually
from aro.testing.issuer import Issuer
from aro.testing.servers import Process, RedisServer, free_port

HERE = Path(__file__).parent
OURS, NODE, STOCK = "socket-gateway", "Node socket.io", "Flask-SocketIO"
PRIMING_BYTES = 64
EARLY = 8
"""Clients that connect before memory is looked at: the first ones bring what is loaded at first use."""


class Contestant:
    """A running server with its crowd. `idle_kb` is what one more idle connection added to its resident memory."""

    def __init__(self, name: str, process: Process, port: int, dialect: Dialect, publisher: Publisher) -> None:
        self.name = name
        self._server = psutil.Process(process.pid)
        self._port = port
        self._publisher = publisher
        self.size = PRIMING_BYTES
        self.feed = Feed(dialect, sized(PRIMING_BYTES), publisher.next_n)
        self.crowd = Crowd(dialect, self.feed)
        self.idle_kb = 0.0

    def gather(self, clients: int, meanwhile: Callable[[], None]) -> None:
        self.crowd.join(self._port, 1, meanwhile=meanwhile)
        self.crowd.join(self._port, EARLY - 1, meanwhile=meanwhile)
        before = self._server.memory_info().rss
        self.crowd.join(self._port, clients - EARLY, meanwhile=meanwhile)
        self.idle_kb = (self._server.memory_info().rss - before) / (clients - EARLY) / 1024

    def resize(self, size: int) -> None:
        """Messages of `size` bytes from now on."""
        self.size = size
        self.feed.change(sized(size))

    def publish(self, due_ns: int, count: int = 1) -> None:
        for _ in range(count):
            self._publisher.add(self.feed.publish(due_ns))
        self._publisher.flush()

    def settle(self) -> None:
        self._publisher.settle()

    def cpu_seconds(self) -> float:
        """By all its threads since its start, in nanoseconds: ticks of 10 ms are too coarse for a run of 1 s."""
        threads = Path(f"/proc/{self._server.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def close(self) -> None:
        self.crowd.leave()
        self._publisher.close()


def sized(size: int) -> Callable[[int], bytes]:
    return partial(message, size=size, source_ts=time.time_ns() // 1_000_000)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where servers run: on `core`, until the end of `stack`."""

    redis: RedisServer
    issuer: Issuer
    clients: int
    directory: Path
    core: int
    stack: ExitStack

    def serve(self, name: str, command: list[str], port: int, ready: str, **environ: str) -> Process:
        """Started when it says anything but 5xx to a request for `ready`."""
        own = {key: value for key, value in os.environ.items() if not key.startswith("ARO_")}
        log = self.directory / f"{name.split()[0]}.log"
        process = Process(["taskset", "-c", str(self.core), *command], log, environ={**own, **environ})
        process.start()
        self.stack.callback(process.kill)

        def answers() -> bool:
            if not process.is_running:
                raise RuntimeError(f"{name} ended at start:\n{process.output()[-2000:]}")
            try:
                return requests.get(f"http://{LOOPBACK}:{port}{ready}", timeout=2).status_code < 500
            except requests.RequestException:
                return False

        eventually(answers, f"{name} to be ready", seconds=30, interval=0.1)
        return process


@contextmanager
def running(
    names: Sequence[str], clients: int, directory: Path, core: int, redis_core: int
) -> Iterator[list[Contestant]]:
    """All of `names` on one core, each with `clients` connected and nothing published to them yet."""
    found: list[Contestant] = []

    def keep_alive() -> None:
        for one in found:
            one.crowd.turn(0)

    directory.mkdir()
    with ExitStack() as stack:
        server, issuer = RedisServer(directory / "redis"), Issuer()
        stack.callback(server.kill)
        server.start()
        os.sched_setaffinity(server.pid, {redis_core})
        stack.callback(issuer.stop)
        issuer.start()
        stage = Stage(server, issuer, clients, directory, core, stack)
        for name in names:
            one = _ENTER[name](stage)
            stack.callback(one.close)
            one.gather(clients, keep_alive)
            found.append(one)
        yield found


class Noted:
    """A client of Redis that keeps the one command of a pipeline, instead of sending it and waiting for the answer."""

    command: tuple[Any, ...]

    def __init__(self, client: redis.Redis) -> None:
        self.info, self.script_load = client.info, client.script_load

    def pipeline(self, **_options: bool) -> "Noted":
        return self

    def evalsha(self, *arguments: Any) -> None:
        self.command = ("EVALSHA", *arguments)

    def execute(self) -> list[Any]:
        return []


def _ours(stage: Stage) -> Contestant:
    channel, priming = chain_channel("NIFTY", "2030-01-31"), sized(PRIMING_BYTES)(1)
    client = stage.redis.client()
    stage.stack.callback(client.close)
    live = LivePublisher(client)
    [published] = live.publish([Publication(channel, 1, priming)])
    port = free_port()
    process = stage.serve(
        OURS,
        [sys.executable, "-m", "socket_gateway"],
        port,
        "/readyz",
        ARO_REDIS_URL=stage.redis.url,
        ARO_JWKS_URL=stage.issuer.jwks_url,
        ARO_PORT=str(port),
        ARO_GATEWAY_MAX_SOCKETS=str(stage.clients + 8),
        ARO_GATEWAY_MAX_SOCKETS_PER_USER=str(stage.clients),
        # All clients come from one address, as fast as they can: peers have no such limits.
        ARO_GATEWAY_MAX_SOCKETS_PER_ADDRESS=str(stage.clients + 8),
        ARO_GATEWAY_HANDSHAKES_PER_SECOND=str(stage.clients + 8),
        ARO_GATEWAY_HANDSHAKES_PER_ADDRESS=str(2 * stage.clients + 8),
    )
    noted = Noted(client)
    publisher_of_ours, epoch = LivePublisher(cast(Any, noted)), published.epoch.encode()

    def command(n: int, data: bytes) -> tuple[Any, ...]:
        publisher_of_ours.publish([Publication(channel, n, data)])
        return noted.command

    def sound(n: int, answer: Any) -> bool:
        return bool(answer == [[1, epoch, n]])

    dialect = gateway(channel, published.epoch, stage.issuer.token(), 1, priming)
    publisher = Publisher(stage.redis.port, command, sound, next_n=2)
    return Contestant(OURS, process, port, dialect, publisher)


def _peer(name: str, programme: list[str], stage: Stage) -> Contestant:
    port, feed = free_port(), name.split()[0]
    process = stage.serve(
        name,
        programme,
        port,
        "/socket.io/",
        PEER_REDIS_URL=stage.redis.url,
        PEER_CHANNEL=feed,
        PEER_PORT=str(port),
        PEER_CLIENTS=str(stage.clients),
        NODE_ENV="production",
    )
    client = stage.redis.client()
    stage.stack.callback(client.close)
    eventually(lambda: client.pubsub_numsub(feed)[0][1] == 1, f"{name} to listen to Redis", seconds=20)

    def command(_n: int, data: bytes) -> tuple[Any, ...]:
        return ("PUBLISH", feed, data)

    publisher = Publisher(stage.redis.port, command, lambda _n, answer: answer == 1, next_n=1)
    return Contestant(name, process, port, stock(), publisher)


def _node(stage: Stage) -> Contestant:
    node = shutil.which("node")
    assert node is not None, "bench.sh looks for it"
    return _peer(NODE, [node, str(HERE / "node" / "server.js")], stage)


def _stock(stage: Stage) -> Contestant:
    return _peer(STOCK, [sys.executable, str(HERE / "stock.py")], stage)


_ENTER = {OURS: _ours, NODE: _node, STOCK: _stock}
EVERYBODY = tuple(_ENTER)


def versions() -> str:
    packages = json.loads((HERE / "node" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    return (
        f"socket.io {packages['socket.io']} on Node; Flask-SocketIO {version('flask-socketio')} "
        f"on eventlet {version('eventlet')}"
    )
