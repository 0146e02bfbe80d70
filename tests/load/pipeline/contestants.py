"""The two pipelines that are compared, on the same Redis and the same MongoDB-compatible server."""

import os
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
import redis
import requests
from celery import Celery
from messages import Entries, snapshots
from pymongo import MongoClient

from aro.adapters.embedded import LOOPBACK
from aro.contracts.market import ChainSnapshot
from aro.testing.eventually import eventually
from aro.testing.servers import MongoServer, Process, RedisServer, free_port

HERE = Path(__file__).parent
DATABASE = "pipeline"
PEER_BACKLOG = 64
"""Messages of the peer that are made beforehand, and sent in turn."""
_STAGE = re.compile(r'^pipeline_stage_latency_seconds_sum\{stage="(\w+)"\} (\S+)$', re.MULTILINE)
_ENTRIES = re.compile(r"^pipeline_batch_entries_(sum|count) (\S+)$", re.MULTILINE)


class Servers:
    def __init__(self, directory: Path) -> None:
        self.redis, self.mongo = RedisServer(directory / "redis"), MongoServer(directory / "mongo")
        self.redis.start()
        self.mongo.start()

    def empty(self) -> None:
        self.redis.client().flushall()
        client: MongoClient[dict[str, Any]] = MongoClient(self.mongo.url)
        for name in (DATABASE, "peer"):
            client.drop_database(name)
        client.close()

    def stop(self) -> None:
        self.redis.kill()
        self.mongo.kill()


class Contestant:
    """Started processes that take chains, solved or not, to clients. `name` is what the table calls it."""

    name: str

    def __init__(self, servers: Servers, processes: int, directory: Path) -> None:
        self.servers, self.processes, self._directory = servers, processes, directory
        self._running: dict[str, Process] = {}
        self._made: dict[tuple[int, int], list[ChainSnapshot]] = {}

    @contextmanager
    def running(self, *, beat: bool = False) -> Iterator[None]:
        """`beat`: with what is periodic, where there is such a thing."""
        self._has_beat = beat
        self.servers.empty()
        try:
            self._start()
            yield
        finally:
            for process in self._running.values():
                process.kill()
            self._running.clear()

    def prepare(self, series: int, strikes: int) -> None:
        """Make the messages that `send` is going to send."""
        raise NotImplementedError

    def send(self, seqs: range) -> None:
        raise NotImplementedError

    def stages(self) -> dict[str, float]:
        """Seconds spent so far by stage; sums over all processes."""
        return {}

    def cpu_seconds(self) -> dict[str, float]:
        """Spent so far, by part."""
        roots = {"redis": self.servers.redis.pid, "mongo": self.servers.mongo.pid}
        spent: Counter[str] = Counter()
        for name, process in self._running.items():
            root = psutil.Process(process.pid)
            spent[name] += _seconds(root)
            for child in root.children(recursive=True):
                spent[f"{name} children"] += _seconds(child)
        # Redis rewrites its file in a child.
        for name, pid in roots.items():
            root = psutil.Process(pid)
            spent[name] += _seconds(root) + sum(root.cpu_times()[2:4])
        return dict(spent)

    def _start(self) -> None:
        raise NotImplementedError

    def _run(self, name: str, command: list[str], environ: dict[str, str]) -> None:
        log = self._directory / f"{name}.log"
        self._running[name] = Process(command, log, environ={**os.environ, **environ}, cwd=HERE)
        self._running[name].start()


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


class Ours(Contestant):
    name = "option-aro"

    def _start(self) -> None:
        self._ports = {role: free_port() for role in ("consume", "work", *(["beat"] if self._has_beat else []))}
        environ = {
            "ARO_REDIS_URL": self.servers.redis.url,
            "ARO_BROKER_URL": self.servers.redis.broker_url,
            "ARO_MONGO_URL": self.servers.mongo.url,
            "ARO_MONGO_DATABASE": DATABASE,
            "ARO_WORKER_CONCURRENCY": str(self.processes),
            # As many as are taken are under way: they wait for longer than clients should, and each is to be enriched.
            **({} if self._has_beat else {"ARO_CONFLATE_AFTER_MS": "60000"}),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        migrate = [sys.executable, "-m", "storage_service", "migrate"]
        ready = {"ARO_PORT": str(free_port()), "ARO_JWKS_URL": f"http://{LOOPBACK}:9"}
        subprocess.run(
            migrate, env={**os.environ, **environ, **ready}, stdout=subprocess.DEVNULL, check=True, timeout=60
        )
        for role, port in self._ports.items():
            command = [sys.executable, "-m", "worker_enricher", role]
            self._run(role, command, {**environ, "ARO_OPERATIONS_PORT": str(port)})
        for port in self._ports.values():
            eventually(lambda port=port: self._is_ready(port), "the pipeline to be ready", seconds=30)
        self._socket = socket.create_connection((LOOPBACK, self.servers.redis.port))

    def prepare(self, series: int, strikes: int) -> None:
        made = self._made.get((series, strikes))
        if made is None:
            made = self._made[series, strikes] = snapshots(series, strikes, now_ms=1_795_000_000_000)
        self._entries = Entries(made)

    def next_series(self) -> int:
        """Which of the prepared series the next message is of."""
        return self._entries.position

    def send(self, seqs: range) -> None:
        self._socket.sendall(b"".join(self._entries.take(seq) for seq in seqs))
        answered = 0
        while answered < len(seqs):  # an entry's id is one line of 23 bytes and its length
            answered += self._socket.recv(1 << 16).count(b"$")

    def stages(self) -> dict[str, float]:
        work = self._metrics("work")
        found = {stage: float(value) for stage, value in _STAGE.findall(work)}
        return {**found, **{f"batch {key}": float(value) for key, value in _ENTRIES.findall(self._metrics("consume"))}}

    def counted(self, role: str, counter: str) -> float:
        """All of a counter of a process."""
        lines = self._metrics(role).splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if re.match(rf"{counter}[ {{]", line))

    def _metrics(self, role: str) -> str:
        return requests.get(f"http://{LOOPBACK}:{self._ports[role]}/metrics", timeout=10).text

    def _is_ready(self, port: int) -> bool:
        try:
            return requests.get(f"http://{LOOPBACK}:{port}/readyz", timeout=2).status_code == 200
        except requests.RequestException:
            return False


class Peer(Contestant):
    name = "a task per chain"

    def _start(self) -> None:
        self._app = Celery("peer", broker=self.servers.redis.broker_url)
        environ = {
            "PEER_BROKER_URL": self.servers.redis.broker_url,
            "PEER_REDIS_URL": self.servers.redis.url,
            "PEER_MONGO_URL": self.servers.mongo.url,
        }
        self._run("work", [sys.executable, "peer_app.py", str(self.processes)], environ)
        client: redis.Redis = self.servers.redis.client()
        # Sent tasks wait, so it is enough that it will come: the warm-up waits for what they lead to.
        eventually(client.ping, "redis", seconds=10)

    def prepare(self, series: int, strikes: int) -> None:
        made = snapshots(min(series, PEER_BACKLOG), strikes, now_ms=1_795_000_000_000)
        self._chains = [in_rows(chain) for chain in made]

    def send(self, seqs: range) -> None:
        for seq in seqs:
            chain = {**self._chains[seq % len(self._chains)], "source_seq": seq}
            self._app.send_task("peer.store_chain", args=[chain])


def in_rows(chain: ChainSnapshot) -> dict[str, Any]:
    """As exchanges' web pages and most programs have it: an object for each strike with one for each of its sides."""
    head = {name: getattr(chain, name) for name in chain.__struct_fields__ if name not in ("strikes", "calls", "puts")}
    columns = {name: msgspec.structs.asdict(side) for name, side in (("CE", chain.calls), ("PE", chain.puts))}
    rows = [
        {"strike": strike} | {name: {key: column[i] for key, column in side.items()} for name, side in columns.items()}
        for i, strike in enumerate(chain.strikes)
    ]
    return {**head, "data": rows}
