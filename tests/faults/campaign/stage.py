"""The platform under load, with links between every service and its stores, and witnesses of what goes in and out."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import redis
import requests

from aro.adapters import mongo, redis_client
from aro.adapters.embedded import LOOPBACK
from aro.adapters.ledger import Ledger
from aro.adapters.live import LiveReader
from aro.adapters.passed_over_store import PassedOverStore
from aro.adapters.redis_vitals import oldest_owed_ms
from aro.contracts.codec import message_id
from aro.contracts.names import FIELD_MESSAGE, LEDGER_STREAMS, parse_channel
from aro.testing import wrong_clock
from aro.testing.balancer import Balancer
from aro.testing.crowd import Crowd, Member
from aro.testing.eventually import eventually
from aro.testing.link import Links
from aro.testing.platform import SERVICES, Platform
from campaign import clients
from campaign.history import Recorder

DATABASE = "aro_platform_test"
CLIENTS_PER_ACCOUNT = 4
TOKEN_SECONDS = 300.0
"""Tokens last 15 minutes; each client gets a new one this often, for when it connects next."""
TAIL_SECONDS = 0.02
WITNESS_PRIORITY = -10
"""For root; others have to do without."""
DISK_BYTES = {"redis": 1 << 29, "mongo": 2 << 30}


class FeedLog:
    """What the feed says it made, and what Redis acknowledged to it: lines of its log, into the history."""

    def __init__(self, path: Path, recorder: Recorder) -> None:
        self._path = path
        self._recorder = recorder
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed log", daemon=True)
        self._rest = b""
        self.acknowledged = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """After what is there now."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._path.exists() and not self._stop.is_set():
            self._stop.wait(TAIL_SECONDS)
        with self._path.open("rb") as file:
            is_over = False
            while not is_over:
                is_over = self._stop.is_set()
                lines = (self._rest + file.read()).split(b"\n")
                self._rest = lines.pop()
                for line in lines:
                    self._take(line)
                self._stop.wait(TAIL_SECONDS)

    def _take(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            return  # a killed process' last words
        if said.get("message") == "made":
            self._recorder.note("made", ids=said["trace.ids"])
        elif said.get("message") == "published":
            stamp = datetime.fromisoformat(said["@timestamp"]).timestamp() * 1000
            self._recorder.note("acknowledged", ids=said["trace.ids"], stamp=round(stamp, 1))
            self.acknowledged += len(said["trace.ids"])


class Stage:
    """Everything that a fault may touch. `close` it whatever happens."""

    def __init__(
        self,
        directory: Path,
        recorder: Recorder,
        *,
        products: Sequence[str],
        interval: float,
        crowd: int,
        seed: int,
        disks: bool,
    ) -> None:
        self.recorder = recorder
        self.products = list(products)
        self._ending = ExitStack()
        self._stop = threading.Event()
        self._has_left = False
        self.skewed: dict[str, float] = {}
        """Service → seconds that its clock is ahead, from its next start on."""
        self.disks: dict[str, Path] = {}
        if disks:
            self._mount(directory)
        feed = ["--provider", "synthetic", "--interval", str(interval), "--seed", str(seed)]
        feed += ["--products", ",".join(products)]
        self.platform = Platform(directory, feed_arguments=feed, own=self._own)
        self.links = Links()
        self._ending.callback(self.links.stop)
        for service in SERVICES:
            self.links.add(f"{service}-redis", self.platform.redis.port)
            self.links.add(f"{service}-mongo", self.platform.mongo.port)
        self.balancer = Balancer([self.platform.ports["gateway"]])
        self.feed_log = FeedLog(directory / "feed.log", recorder)
        self._clients = crowd
        self._interval = interval
        self._series: set[str] = set()
        self.redis: Any = redis_client.connect(self.platform.redis.url, timeout=2.0)
        self.broker: Any = redis_client.connect(self.platform.redis.broker_url, timeout=2.0)
        self.reader, self.ledger = LiveReader(self.redis), Ledger(self.redis)

    def start(self) -> None:
        self._ending.callback(self.platform.stop)
        self.platform.start()
        self._go_first()
        self.feed_log.start()
        self._ending.callback(self.feed_log.stop)
        self.database = mongo.connect(self.platform.mongo.url, DATABASE, timeout=30.0, selection_timeout=10.0)
        self._ending.callback(self.database.client.close)
        self._ending.callback(self.redis.close)
        self._ending.callback(self.broker.close)
        self.balancer.start()
        self._ending.callback(self.balancer.stop)
        self._accounts = [self._account() for _ in range(-(-self._clients // CLIENTS_PER_ACCOUNT))]
        tokens = [self._token(account) for account in self._accounts]
        members = [
            clients.client(number, tokens[number // CLIENTS_PER_ACCOUNT], self.products, self.recorder)
            for number in range(self._clients)
        ]
        eventually(self._all_live, "all series to be live", seconds=60)
        self.crowd = Crowd(self.balancer.port, members)
        self.crowd.start()
        self._ending.callback(self.leave)
        eventually(lambda: self.crowd.subscribed() == self._clients, "all clients to be subscribed", seconds=30)
        renewing = threading.Thread(target=self._renew, name="tokens", daemon=True)
        renewing.start()
        self._ending.callback(renewing.join)
        self._ending.callback(self._stop.set)

    def leave(self) -> None:
        """All clients go, for good."""
        if not self._has_left:
            self.crowd.stop()
        self._has_left = True

    def close(self) -> None:
        self._ending.close()
        for path in self.disks.values():
            subprocess.run(["umount", "--lazy", str(path)], check=False)

    # --- for faults ------------------------------------------------------------------------

    def pid(self, name: str) -> int:
        return self.platform.processes[name].pid

    def signal(self, name: str, number: signal.Signals) -> None:
        """To a process and its children."""
        os.killpg(self.pid(name), number)

    def lose(self, *command: str) -> None:
        """Execute what loses everything, and note what the ledger held at that very moment."""
        pipe = self.redis.pipeline(transaction=True)
        for stream in LEDGER_STREAMS:
            pipe.xrange(stream)
        pipe.execute_command(*command)
        streams = pipe.execute()[: len(LEDGER_STREAMS)]
        names = (message_id(fields.get(FIELD_MESSAGE.encode(), b"")) for entries in streams for _, fields in entries)
        self.recorder.note("held", ids=[name for name in names if name is not None])

    def recovered(self, since: float) -> bool:
        """Whether all is as if there had been no fault before `since`. Raises AssertionError with what is missing."""
        for name, process in self.platform.processes.items():
            assert process.is_running, f"{name} does not run"
        for number, member in enumerate(self.crowd.members):
            late = [name for name in self.series() if not _is_fresh(member, name, since)]
            assert not late, f"client {number} has no fresh news on {late[:3]}"
        self._settled(since)
        for name in SERVICES:
            assert self.platform.is_healthy(name), f"{name} is not healthy"
        return True

    def series(self) -> list[str]:
        """Channels of chains, metrics and ticks."""
        return sorted(self._series)

    def owed(self) -> int:
        """Entries of the ledger that are not acknowledged yet, and those that wait in MongoDB as they came."""
        try:
            ledger = sum(self.ledger.lag(stream) + self.ledger.pending(stream) for stream in LEDGER_STREAMS)
        except redis.RedisError as error:
            raise AssertionError(f"redis: {error}") from None
        return ledger + sum(block.entries for block in PassedOverStore(self.database).blocks())

    def at_rest(self) -> bool:
        """Whether every client has arrived where Redis is."""
        positions = self.reader.positions(self.reader.channels())
        for number, member in enumerate(self.crowd.members):
            shown = member.checked.positions()
            for name, position in positions.items():
                if name in shown and position is not None:
                    there = {"epoch": position.epoch, "seq": position.seq}
                    assert shown[name] == there, f"client {number} is at {shown[name]} of {name}, Redis at {there}"
        return True

    def _go_first(self) -> None:
        """Witnesses that wait for a processor would take their own delay for the platform's. Threads that are started
        from here on inherit it; the platform's watchdog, which starts its processes, does not."""
        for thread in filter(None, (threading.get_native_id(), self.links.native_id)):
            with contextlib.suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, thread, WITNESS_PRIORITY)

    # --- inside ----------------------------------------------------------------------------

    def _settled(self, since: float) -> None:
        """Raises AssertionError while something is owed that the ledger has had since before `since`."""
        try:
            for stream in LEDGER_STREAMS:
                [group] = self.redis.xinfo_groups(stream)
                given = int(group["last-delivered-id"].partition(b"-")[0])
                assert not group["lag"] or given >= since, f"{stream} has not been read up to the fault's end"
                oldest = oldest_owed_ms(self.redis, stream)
                assert oldest is None or oldest >= since, (
                    f"{stream} owes what it had {since - (oldest or 0):.0f} ms before"
                )
        except (redis.RedisError, ValueError) as error:
            raise AssertionError(f"the ledger: {error}") from None

    def _own(self, service: str) -> Mapping[str, str]:
        """Every service reaches its stores through links of its own; some have another clock."""
        by = {"redis": self.links[f"{service}-redis"].port, "mongo": self.links[f"{service}-mongo"].port}
        found = {
            "ARO_REDIS_URL": f"redis://{LOOPBACK}:{by['redis']}/0",
            "ARO_BROKER_URL": f"redis://{LOOPBACK}:{by['redis']}/1",
            "ARO_MONGO_URL": f"mongodb://{LOOPBACK}:{by['mongo']}",
        }
        if service == "feed":
            found["ARO_LOG_LEVEL"] = "DEBUG"  # it then names what it makes
        if service in self.skewed:
            found |= wrong_clock.environ(self.skewed[service])
        return found

    def _mount(self, directory: Path) -> None:
        """Disks of their own for the stores, which a fault may fill."""
        for name, size in DISK_BYTES.items():
            path = directory / name
            path.mkdir(parents=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], check=True)
            self.disks[name] = path

    def _all_live(self) -> bool:
        """As soon as no further series has come for a tick or two, at least one of each kind for every product."""
        before, self._series = self._series, {name for name in self.reader.channels() if _is_series(name)}
        kinds = {(parse_channel(name).kind, parse_channel(name).product) for name in self._series}
        wanted = {(kind, product) for product in self.products for kind in ("ticks", "chain", "metrics")}
        time.sleep(1.5 * self._interval)
        return wanted <= kinds and self._series == before

    def _account(self) -> dict[str, str]:
        account = {"email": f"client-{secrets.token_hex(4)}@example.com", "password": secrets.token_urlsafe(18)}
        answer = requests.post(f"{self.platform.url('auth')}/api/v1/auth/register", json=account, timeout=10)
        answer.raise_for_status()
        return account

    def _token(self, account: Mapping[str, str]) -> str:
        answer = requests.post(f"{self.platform.url('auth')}/api/v1/auth/login", json=account, timeout=10)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def _renew(self) -> None:
        pause = TOKEN_SECONDS
        while not self._stop.wait(pause):
            pause = TOKEN_SECONDS
            try:
                tokens = [self._token(account) for account in self._accounts]
            except requests.RequestException:
                pause = 1.0  # auth is what fails just now
                continue
            for number, member in enumerate(self.crowd.members):
                member.token = tokens[number // CLIENTS_PER_ACCOUNT]


def _is_series(channel: str) -> bool:
    return parse_channel(channel).kind in ("ticks", "chain", "metrics")


def _is_fresh(member: Member, channel: str, since: float) -> bool:
    assert isinstance(member.checked, clients.RecordedContinuity)
    came, made = member.checked.last.get(channel, (0.0, 0.0))
    return came > since and made > since
