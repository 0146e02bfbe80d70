"""One client: whether what it was shown was in order, true, and as fresh as it was told."""

from collections import deque
from collections.abc import Iterator

from aro.contracts.names import chain_channel, metrics_channel, parse_channel
from aro.testing.continuity import Continuity, Truth
from campaign.facts import STATES, STORED_AS, Facts, Report, Violation, What, id_of
from campaign.history import Event

LASTING_MS = 800
"""A status comes each second."""
STATUS_MS = 3_000
"""An older status says nothing about now."""


def check_client(
    client: int,
    events: list[Event],
    facts: Facts,
    excused: set[str],
    truth: Truth,
    report: Report,
    live_age_ms: float,
) -> Iterator[Violation]:
    continuity, order, age = Continuity(truth), Order(facts), Age(live_age_ms)
    known = 0
    for event in events:
        _replay(continuity, event)
        for fault in continuity.faults[known:]:
            yield Violation("silent hole", event["at"], (str(client), _channel_of(fault)), f"client {client}: {fault}")
        known = len(continuity.faults)
        for what, text in (*order.take(event, excused), *age.take(event)):
            about = (str(client), str(event.get("channel", "")))
            yield Violation(what, event["at"], about, f"client {client}: {text}")
    report.told += continuity.told
    report.oldest_live_ms = max(report.oldest_live_ms, age.oldest_ms)
    at = events[-1]["at"] if events else 0.0
    continuity.end({name: (event["epoch"], event["seq"]) for name, event in facts.live.items()})
    for fault in continuity.faults[known:]:
        yield Violation("diverged", at, (str(client), _channel_of(fault)), f"client {client}: {fault}")
    for name, live in facts.live.items():
        shown = continuity.data(name)
        if shown is not None and shown != live["exact"]:
            text = f"client {client}: {name} ends with other bytes than Redis holds"
            yield Violation("diverged", at, (str(client), name), text)


def _replay(continuity: Continuity, event: Event) -> None:
    name = event["event"]
    if name == "connected":
        continuity.connected()
    elif name == "answered":
        continuity.answered(event["ok"])
    else:
        continuity.take(name, {**event, "data": event.get("exact")})


class Order:
    """Of one client: what it is shown exists, is the same as what is stored, and no `source_seq` comes twice."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._last: dict[str, tuple[str, int, int]] = {}

    def take(self, event: Event, excused: set[str]) -> Iterator[tuple[What, str]]:
        if event["event"] not in STATES:
            return
        channel, source_seq = parse_channel(event["channel"]), event["source_seq"]
        if channel.kind not in STORED_AS:
            return
        name = id_of(channel, source_seq)
        if name not in self._facts.made:
            yield "unexpected", f"{event['channel']} shows {name}, which the feed never made"
            return
        stored = self._facts.stored[STORED_AS[channel.kind]].get(name)
        if stored is None and name not in excused:
            yield "lost", f"{event['channel']} showed {name}, which is not stored"
        elif stored is not None and stored["content"] != event["content"]:
            yield "unexpected", f"{event['channel']} showed other numbers of {name} than are stored"
        yield from self._rises(event, source_seq)

    def _rises(self, event: Event, source_seq: int) -> Iterator[tuple[What, str]]:
        channel, epoch, seq = event["channel"], event["epoch"], event["seq"]
        before = self._last.get(channel)
        self._last[channel] = epoch, seq, source_seq
        if before is None:
            return
        last_epoch, last_seq, last_source = before
        if source_seq < last_source:
            yield "silent hole", f"{channel} went back from {last_source} to {source_seq}"
        elif source_seq == last_source and epoch == last_epoch and seq != last_seq:
            steps = range(last_seq + 1, seq + 1)
            if not all((channel, epoch, step) in self._facts.silent for step in steps):
                yield "duplicated", f"{channel} showed {source_seq} as {last_seq} and as {seq}"


class Age:
    """Of one client: how old what it shows is while it is told that it is live, and was `LASTING_MS` before too: in a
    burst the status may come a moment before the news that it is about."""

    def __init__(self, limit_ms: float) -> None:
        self._limit_ms = limit_ms
        self._shown: dict[str, float] = {}
        """Channel → `source_ts` of what it shows."""
        self._statuses: deque[tuple[float, dict[str, float]]] = deque()
        """When one came, and how old what it called live was then; the first is the newest that is old enough."""
        self._is_late: set[str] = set()
        self.oldest_ms = 0.0

    def take(self, event: Event) -> Iterator[tuple[What, str]]:
        if event["event"] == "connected":
            self._shown = {}
            self._statuses.clear()
        elif event["event"] not in STATES:
            return
        elif event["channel"] == "status":
            yield from self._compare(event)
        elif event.get("source_ts") is not None:
            self._shown[event["channel"]] = event["source_ts"]

    def _compare(self, status: Event) -> Iterator[tuple[What, str]]:
        is_news = status["at"] - status["server_ts"] <= STATUS_MS
        ages = {name: self._age(name, status["at"]) for name in (status["live"] if is_news else ())}
        self._statuses.append((status["at"], ages))
        until = status["at"] - LASTING_MS
        while len(self._statuses) > 1 and self._statuses[1][0] <= until:
            self._statuses.popleft()
        came, before = self._statuses[0]
        for name, age in ages.items():
            lasting = min(age, before.get(name, 0.0)) if came <= until else 0.0
            self.oldest_ms = max(self.oldest_ms, lasting)
            if lasting <= self._limit_ms:
                self._is_late.discard(name)
            elif name not in self._is_late:
                self._is_late.add(name)
                yield "stale while live", f"{name} is called live and what is shown is {lasting / 1000:.1f} s old"

    def _age(self, name: str, now: float) -> float:
        """Of an expiry the older one of its chain and metrics, of a product its newest."""
        product, _, expiry = name.partition("|")
        if expiry:
            shown = [self._shown.get(channel(product, expiry)) for channel in (chain_channel, metrics_channel)]
            return max((now - ts for ts in shown if ts is not None), default=0.0)
        known = [ts for channel, ts in self._shown.items() if channel.split(":")[1] == product]
        return now - max(known) if known else 0.0


def _channel_of(fault: str) -> str:
    """`Continuity` begins each fault with its channel."""
    return fault.partition(": ")[0]
