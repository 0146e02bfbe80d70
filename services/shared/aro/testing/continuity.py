"""What a socket client may be told, and in which order: finds silent holes, reordering and invented data. No I/O.

Per channel an `update` or `delta` carries the last seq + 1. A `snapshot` may jump, and only forwards within an epoch.
Another epoch is announced by `resync`, or begins with a new connection; one that was left never comes back. On a new
connection ``recovered: true`` promises that messages go on where the client was, and anything else promises a snapshot.
A heartbeat promises that everything up to its positions was sent before it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Message = Mapping[str, Any]


class Truth:
    """What each (channel, epoch, seq) holds, whoever says it first: publisher or client."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str, int], Any] = {}

    def agrees(self, channel: str, epoch: str, seq: int, data: Any) -> bool:
        return bool(self._said.setdefault((channel, epoch, seq), data) == data)


@dataclass
class _Followed:
    """`expects` is what may come next: ``nothing`` before the ack of this connection."""

    epoch: str | None = None
    seq: int = 0
    data: Any = None
    expects: Literal["nothing", "step", "snapshot", "new epoch"] = "nothing"
    at_least: int = 0
    left: set[str] = field(default_factory=set)


class Continuity:
    """One client, over all its connections. `faults` holds what must never happen; `told` counts what did.

    `told` has each event by name, ``skipped`` (messages that a snapshot stands for, and the client knows) and
    ``recovered`` and ``not recovered`` resumptions.
    """

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._channels: dict[str, _Followed] = {}
        self.faults: list[str] = []
        self.told: Counter[str] = Counter()

    def positions(self) -> dict[str, dict[str, Any]]:
        """For `resume`: where the client is on each channel."""
        return {
            name: {"epoch": followed.epoch, "seq": followed.seq}
            for name, followed in self._channels.items()
            if followed.epoch is not None
        }

    def data(self, channel: str) -> Any:
        followed = self._channels.get(channel)
        return followed.data if followed else None

    def connected(self) -> None:
        """A new connection: what was promised on the last one does not hold any more."""
        for followed in self._channels.values():
            followed.expects = "nothing"

    def answered(self, entries: Iterable[Message]) -> None:
        """``ok`` of the ack of a subscription."""
        for entry in entries:
            followed = self._channels.setdefault(entry["channel"], _Followed())
            followed.at_least = entry["seq"] or 0
            recovered = entry.get("recovered")
            if recovered is not None:
                self.told["recovered" if recovered else "not recovered"] += 1
            if recovered and (followed.epoch != entry["epoch"] or followed.seq > entry["seq"]):
                self._fault(entry, f"recovered, but the client was at {followed.epoch}/{followed.seq}")
            followed.expects = "step" if recovered else "new epoch"

    def take(self, event: str, message: Message) -> None:
        """One event of the server; payloads of deltas applied by the caller, who gives the whole state as `data`."""
        self.told[event] += 1
        if event == "heartbeat":
            self._compare(message["channels"])
        elif event in ("resync", "snapshot", "update", "delta"):
            followed = self._channels.get(message["channel"])
            if followed is None or followed.expects == "nothing":
                self._fault(message, f"{event} without a subscription")
            elif event == "resync":
                followed.expects = "new epoch"
            else:
                self._follow(event, message, followed)

    def end(self, final: Mapping[str, tuple[str, int]]) -> None:
        """All is quiet: every channel that is followed must have arrived at its `final` (epoch, seq)."""
        for name, followed in self._channels.items():
            if name in final and (followed.epoch, followed.seq) != final[name]:
                self.faults.append(f"{name}: ended at {followed.epoch}/{followed.seq} instead of {final[name]}")

    def _follow(self, event: str, message: Message, followed: _Followed) -> None:
        if event == "snapshot":
            self._check_snapshot(message, followed)
        else:
            self._check_step(event, message, followed)
        if not self._truth.agrees(message["channel"], message["epoch"], message["seq"], message["data"]):
            self._fault(message, f"{event} holds other data than the same position did elsewhere")
        if followed.epoch not in (None, message["epoch"]):
            followed.left.add(str(followed.epoch))
        followed.epoch, followed.seq, followed.data = message["epoch"], message["seq"], message["data"]
        followed.expects = "step"

    def _check_step(self, event: str, message: Message, followed: _Followed) -> None:
        if followed.expects != "step":
            self._fault(message, f"{event} instead of a snapshot")
        if message["epoch"] != followed.epoch or message["seq"] != followed.seq + 1:
            self._fault(message, f"{event} after {followed.epoch}/{followed.seq}")
        if event == "delta" and message["prev_seq"] != followed.seq:
            self._fault(message, f"delta from {message['prev_seq']} after {followed.epoch}/{followed.seq}")

    def _check_snapshot(self, message: Message, followed: _Followed) -> None:
        if message["epoch"] != followed.epoch:
            if followed.expects == "step":
                self._fault(message, f"another epoch than {followed.epoch}, unannounced")
            if message["epoch"] in followed.left:
                self._fault(message, "an epoch that was left before")
            return
        is_asked = followed.expects != "step"
        if message["seq"] < followed.seq + (0 if is_asked else 1):
            self._fault(message, f"snapshot after {followed.epoch}/{followed.seq}")
        if is_asked and message["seq"] < followed.at_least:
            self._fault(message, f"snapshot older than the answer, which said {followed.at_least}")
        self.told["skipped"] += max(0, message["seq"] - followed.seq - 1)

    def _compare(self, promised: Mapping[str, int | None]) -> None:
        for name, seq in promised.items():
            followed = self._channels.get(name)
            if followed is not None and followed.expects == "step" and seq is not None and seq > followed.seq:
                self.faults.append(f"{name}: heartbeat says {seq}, but nothing came after {followed.seq}")

    def _fault(self, message: Message, text: str) -> None:
        self.faults.append(f"{message['channel']}: {message.get('epoch')}/{message.get('seq')}: {text}")
