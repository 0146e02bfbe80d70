"""Independent witnesses for fault tests: what entered the ledger, and what a client saw, in which order."""

import threading
from dataclasses import dataclass, field
from typing import Any, Final

import redis

from aro.adapters import redis_client
from aro.contracts.codec import decode_chain
from aro.contracts.names import FIELD_MESSAGE, STREAM_CHAINS, snapshot_id
from aro.contracts.problems import MessageRejected
from aro.testing.ordered_client import OrderedClient

NAMESPACE: Final = "/v1"


class LedgerWitness:
    """Reads the chain stream beside the consumer group and remembers the id of every snapshot it saw."""

    def __init__(self, url: str) -> None:
        self._redis: Any = redis_client.connect(url, timeout=2.0)
        self._last = "0-0"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="witness", daemon=True)
        self.seen: set[str] = set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._redis.close()

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._read()
            except (redis.ConnectionError, redis.TimeoutError):
                self._stop.wait(0.05)

    def _read(self) -> None:
        answer = self._redis.xread({STREAM_CHAINS: self._last}, count=500, block=500)
        pairs = answer.items() if isinstance(answer, dict) else answer or []
        for _, entries in pairs:
            for entry_id, fields in entries[0] if entries and isinstance(entries[0], list) else entries:
                self._last = entry_id.decode()
                try:
                    chain = decode_chain(fields[FIELD_MESSAGE.encode()])
                except (MessageRejected, KeyError):
                    continue
                self.seen.add(snapshot_id(chain.product, chain.expiry, chain.source_seq))


@dataclass
class ChannelRecord:
    """One channel as a client saw it. `faults` holds what must never happen."""

    epoch: str | None = None
    seq: int = 0
    updates: int = 0
    snapshots: int = 0
    epochs: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    last_data: Any = None

    def take_snapshot(self, message: dict[str, Any]) -> None:
        self.snapshots += 1
        self._move_to(message)

    def take_update(self, message: dict[str, Any]) -> None:
        """An update continues its epoch by exactly one; anything else needed a snapshot first."""
        self.updates += 1
        if message["epoch"] != self.epoch or message["seq"] != self.seq + 1:
            self.faults.append(f"update {message['epoch']}/{message['seq']} after {self.epoch}/{self.seq}")
        self._move_to(message)

    def _move_to(self, message: dict[str, Any]) -> None:
        if message["epoch"] != self.epoch:
            self.epochs.append(message["epoch"])
        source_seq = message["data"].get("source_seq")
        before = self.last_data.get("source_seq") if self.last_data else None
        if source_seq is not None and before is not None and source_seq < before:
            self.faults.append(f"source_seq went back from {before} to {source_seq}")
        self.epoch, self.seq, self.last_data = message["epoch"], message["seq"], message["data"]


class ClientWitness:
    """The official Python client, subscribed again after every reconnect, checking the order of what it gets."""

    def __init__(self, url: str, token: str, channels: list[str]) -> None:
        self._url = url
        self._token = token
        self._subscribed = channels
        self._lock = threading.Lock()
        self.channels: dict[str, ChannelRecord] = {}
        self.resyncs: list[dict[str, Any]] = []
        self.errors: list[Any] = []
        self.client = OrderedClient(reconnection_delay=0.2, reconnection_delay_max=1.0)
        self.client.on("connect", self._subscribe, namespace=NAMESPACE)
        self.client.on("snapshot", self._snapshot, namespace=NAMESPACE)
        self.client.on("update", self._update, namespace=NAMESPACE)
        self.client.on("resync", self.resyncs.append, namespace=NAMESPACE)
        self.client.on("error", self.errors.append, namespace=NAMESPACE)

    def start(self) -> None:
        self.client.connect(
            self._url, auth={"token": self._token}, namespaces=[NAMESPACE], transports=["websocket"], wait_timeout=5
        )

    def stop(self) -> None:
        self.client.disconnect()

    def total_updates(self) -> int:
        with self._lock:
            return sum(record.updates + record.snapshots for record in self.channels.values())

    def faults(self) -> list[str]:
        with self._lock:
            return [f"{name}: {fault}" for name, record in self.channels.items() for fault in record.faults]

    def _subscribe(self) -> None:
        self.client.emit("subscribe", {"channels": self._subscribed}, namespace=NAMESPACE)

    def _snapshot(self, message: dict[str, Any]) -> None:
        with self._lock:
            self.channels.setdefault(message["channel"], ChannelRecord()).take_snapshot(message)

    def _update(self, message: dict[str, Any]) -> None:
        with self._lock:
            self.channels.setdefault(message["channel"], ChannelRecord()).take_update(message)
