"""Real servers on free ports, as child processes that a test can kill, stop and start again."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pymongo
import redis

from aro.adapters import embedded, mongo, redis_client
from aro.testing.eventually import eventually


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((embedded.LOOPBACK, 0))
        return int(probe.getsockname()[1])


class Process:
    """A child process with its own log file; ended by its own pid."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.command = list(command)
        self.log = log
        self.environ: Mapping[str, str] = dict(os.environ if environ is None else environ)
        """Of the next start."""
        self._cwd = cwd
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as sink:
            self._popen = subprocess.Popen(  # noqa: S603 - our own command
                self.command,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=dict(self.environ),
                cwd=self._cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self._popen is not None, "not started"
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9 of the process and the children of its session, and reap it."""
        if self._popen is not None:
            if self.is_running:
                os.killpg(self.pid, signal.SIGKILL)
            self._popen.wait()

    def stop(self, *, seconds: float = 15.0) -> int:
        """SIGTERM, wait, and kill only if that did not help; the exit code."""
        assert self._popen is not None, "not started"
        if self.is_running:
            self.signal(signal.SIGTERM)
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.command[:3]} ignored SIGTERM for {seconds} s; see {self.log}") from None

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""


class Server(Process):
    """A `Process` that is started when `is_up` says so."""

    def __init__(self, command: Sequence[str], log: Path, is_up: Callable[[], Any], **kwargs: Any) -> None:
        super().__init__(command, log, **kwargs)
        self._is_up = is_up

    def start(self) -> None:
        super().start()

        def answering() -> bool:
            if not self.is_running:
                raise RuntimeError(f"{self.command[:3]} ended at start:\n{self.output()[-2000:]}")
            try:
                self._is_up()
            except (OSError, redis.RedisError, mongo.MongoError) as error:
                raise AssertionError(str(error)) from None
            return True

        eventually(answering, f"{self.command[0]} to answer", seconds=20)

    def restart(self) -> None:
        self.kill()
        self.start()


class RedisServer(Server):
    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"redis://{embedded.LOOPBACK}:{self.port}/0"
        self.broker_url = f"redis://{embedded.LOOPBACK}:{self.port}/1"
        super().__init__(
            embedded.redis_command(port=self.port, directory=directory), directory / "redis.log", self._ping
        )

    def client(self) -> redis.Redis:
        return redis_client.connect(self.url)

    def _ping(self) -> None:
        client = redis_client.connect(self.url, timeout=1)
        try:
            client.ping()
        finally:
            client.close()


class MongoServer(Server):
    def __init__(self, directory: Path) -> None:
        data = directory / "data"
        data.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"mongodb://{embedded.LOOPBACK}:{self.port}"
        super().__init__(embedded.mongo_command(port=self.port, directory=data), directory / "mongo.log", self._ping)

    def _ping(self) -> None:
        with socket.create_connection((embedded.LOOPBACK, self.port), timeout=1):
            pass
        client: pymongo.MongoClient[mongo.Document]
        # Polling, or a client that is closed so soon may leave a connection of its monitor behind.
        with pymongo.MongoClient(self.url, timeoutMS=2_000, serverMonitoringMode="poll") as client:
            client.admin.command("ping")
