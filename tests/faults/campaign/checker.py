"""Did the platform keep its promises? A function of the history alone, in the manner of Jepsen's checkers.

What is promised, and by which decision:

* What Redis acknowledged to the feed is in MongoDB once, whatever is killed, hung, cut off or slow: the feed sends
  again what a dying Redis may take along (`feed_generator.sender`), and the ledger what no worker acknowledged.
* A Redis that loses everything takes along what the ledger held at that moment, except what was acknowledged less than
  `AT_RISK_MS` before the newest acknowledgement: that much the feed sends again. Nothing else is excused.
* MongoDB holds nothing that the feed did not make, and what clients were shown is what is stored.
* A client's sequence has no hole and no step back that it was not told of (`aro.testing.continuity`); a restarted
  Redis is a new epoch (decision 0002).
* MongoDB away or broken does not stop the live stream (decision 0003).
* While the status says that a product is live, what a client shows of it is at most `live_age_ms` old.
* After the last fault clients, Redis and MongoDB hold the same.
"""

from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from aro.contracts.names import (
    COLLECTION_CHAINS,
    COLLECTION_METRICS,
    COLLECTION_TICKS,
    Channel,
    chain_channel,
    metrics_channel,
    parse_channel,
    snapshot_id,
    tick_id,
)
from aro.testing.continuity import Continuity, Truth
from campaign.history import Event

AT_RISK_MS = 3_000
"""See `feed_generator.sender.AT_RISK_SECONDS`."""
FUZZ_MS = 300
"""The log of the feed is read this much later at most; an acknowledgement as old as that may be on either side."""
LASTING_MS = 800
"""A status comes each second."""
STATUS_MS = 3_000
"""An older status says nothing about now."""

What = Literal[
    "lost", "duplicated", "unexpected", "silent hole", "diverged", "stale while live", "not recovered", "dead letter"
]
_STATES = ("snapshot", "update", "delta")
_STORED_AS = {"chain": COLLECTION_CHAINS, "metrics": COLLECTION_METRICS, "ticks": COLLECTION_TICKS}


@dataclass(frozen=True, slots=True)
class Violation:
    """`about` are ids, channels or clients; `at` is where in the history to look."""

    what: What
    at: float
    about: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Healing:
    """A fault, how long it lasted, and how long after it the last client had its first fresh message."""

    number: int
    name: str
    target: str
    began: float
    lasted_ms: float
    fresh_ms: float | None


@dataclass
class Report:
    violations: list[Violation] = field(default_factory=list)
    healings: list[Healing] = field(default_factory=list)
    made: int = 0
    acknowledged: int = 0
    excused: int = 0
    """Acknowledged, held by a Redis that lost everything, and gone."""
    stored: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    oldest_live_ms: float = 0.0
    """The oldest that a client showed while the status said live."""

    def count(self, what: What) -> int:
        return sum(violation.what == what for violation in self.violations)


@dataclass
class _Facts:
    """The history, sorted into drawers."""

    made: set[str] = field(default_factory=set)
    acknowledged: dict[str, Event] = field(default_factory=dict)
    """Id → the event that said it last."""
    acknowledgements: list[Event] = field(default_factory=list)
    held: list[Event] = field(default_factory=list)
    faults: list[Event] = field(default_factory=list)
    healed: dict[int, float] = field(default_factory=dict)
    recovered: dict[int, Event] = field(default_factory=dict)
    poison: dict[str, Event] = field(default_factory=dict)
    silent: set[tuple[str, str, int]] = field(default_factory=set)
    clients: dict[int, list[Event]] = field(default_factory=lambda: defaultdict(list))
    stored: dict[str, dict[str, Event]] = field(default_factory=lambda: defaultdict(dict))
    live: dict[str, Event] = field(default_factory=dict)
    dead: list[Event] = field(default_factory=list)
    end: Event | None = None


def check(history: Iterable[Event], *, live_age_ms: float, heal_ms: float) -> Report:
    """`heal_ms`: how long after a fault every client must have fresh news again."""
    facts = _sort(history)
    report = Report(made=len(facts.made), acknowledged=len(facts.acknowledged))
    report.stored.update({name: len(found) for name, found in facts.stored.items()})
    excused = _excused(facts)
    rules: list[Callable[[_Facts, set[str], Report], Iterator[Violation]]] = [
        _lost,
        _stored_once,
        _unexpected,
        _dead_letters,
        _end,
    ]
    for rule in rules:
        report.violations += rule(facts, excused, report)
    truth = Truth()
    for client, events in sorted(facts.clients.items()):
        report.violations += _client(client, events, facts, excused, truth, report, live_age_ms)
    report.healings = [_healing(fault, facts) for fault in facts.faults]
    report.violations += _heals(report.healings, facts, heal_ms)
    report.violations.sort(key=lambda violation: violation.at)
    return report


def _sort(history: Iterable[Event]) -> _Facts:
    facts = _Facts()
    for event in history:
        kind = event["kind"]
        if kind == "client":
            facts.clients[event["client"]].append(event)
        elif kind == "stored":
            facts.stored[event["collection"]][event["id"]] = event
        elif kind == "made":
            facts.made.update(event["ids"])
        elif kind == "acknowledged":
            facts.acknowledgements.append(event)
            facts.acknowledged.update(dict.fromkeys(event["ids"], event))
        else:
            _sort_seldom(kind, event, facts)
    return facts


def _sort_seldom(kind: str, event: Event, facts: _Facts) -> None:
    if kind == "held":
        facts.held.append(event)
    elif kind == "fault":
        facts.faults.append(event)
    elif kind == "healed":
        facts.healed[event["number"]] = event["at"]
    elif kind == "recovered":
        facts.recovered[event["number"]] = event
    elif kind == "poison":
        facts.poison[event["entry"]] = event
    elif kind == "silent":
        facts.silent.add((event["channel"], event["epoch"], event["seq"]))
    elif kind == "live":
        facts.live[event["channel"]] = event
    elif kind == "dead":
        facts.dead.append(event)
    elif kind == "end":
        facts.end = event
    else:
        raise ValueError(f"a history knows no {kind!r}")


def _excused(facts: _Facts) -> set[str]:
    """What a Redis that lost everything may have taken along."""
    excused: set[str] = set()
    for loss in facts.held:
        before = [event for event in facts.acknowledgements if event["at"] <= loss["at"] + FUZZ_MS]
        newest = max((event["stamp"] for event in before), default=0.0)
        sent_again = {
            name for event in before if newest - event["stamp"] <= AT_RISK_MS - FUZZ_MS for name in event["ids"]
        }
        excused.update(set(loss["ids"]) - sent_again)
    return excused


def _lost(facts: _Facts, excused: set[str], report: Report) -> Iterator[Violation]:
    dead = {letter["id"]: letter["reason"] for letter in facts.dead}
    for name, event in facts.acknowledged.items():
        missing = [collection for collection in _collections(name) if name not in facts.stored[collection]]
        if missing and name in excused:
            report.excused += 1
        elif missing:
            why = f", a dead letter: {dead[name]}" if name in dead else ""
            text = f"{name} was acknowledged and is not in {', '.join(missing)}{why}"
            yield Violation("lost", event["at"], (name,), text)


def _stored_once(facts: _Facts, _: set[str], __: Report) -> Iterator[Violation]:
    for collection, documents in facts.stored.items():
        for name, event in documents.items():
            if event["times"] != 1:
                text = f"{name} is {event['times']} times in {collection}"
                yield Violation("duplicated", event["at"], (name,), text)


def _unexpected(facts: _Facts, _: set[str], __: Report) -> Iterator[Violation]:
    for collection, documents in facts.stored.items():
        for name, event in documents.items():
            if name not in facts.made:
                text = f"{name} is in {collection}; the feed never made it"
                yield Violation("unexpected", event["at"], (name,), text)


def _dead_letters(facts: _Facts, _: set[str], __: Report) -> Iterator[Violation]:
    """Each poison is one, for its reason, and nothing else is; a Redis that lost everything lost them."""
    found = {letter["entry"]: letter for letter in facts.dead}
    last_loss = max((loss["at"] for loss in facts.held), default=0.0)
    for entry, poison in facts.poison.items():
        reason = found[entry]["reason"] if entry in found else None
        if reason != poison["reason"] and poison["at"] > last_loss:
            text = f"{entry} must be a dead letter for {poison['reason']} and is one for {reason}"
            yield Violation("dead letter", poison["at"], (entry,), text)
    for letter in facts.dead:
        if letter["entry"] not in facts.poison:
            text = f"{letter['id'] or letter['entry']} is a dead letter: {letter['reason']}"
            yield Violation("dead letter", letter["at"], (letter["id"] or letter["entry"],), text)


def _end(facts: _Facts, _: set[str], __: Report) -> Iterator[Violation]:
    """Redis and MongoDB hold the same last states, and nothing is owed."""
    if facts.end is None or not facts.end["drained"]:
        at = facts.end["at"] if facts.end else 0.0
        yield Violation("not recovered", at, (), "the ledger was not empty at the end")
    newest: dict[tuple[str, str], str] = {}
    for name in facts.stored[COLLECTION_CHAINS]:
        product, expiry, seq = name.split("|")
        last = newest.get((product, expiry))
        if last is None or int(seq) > int(last.rpartition("|")[2]):
            newest[product, expiry] = name
    for (product, expiry), name in newest.items():
        channel, document = chain_channel(product, expiry), facts.stored[COLLECTION_CHAINS][name]
        live = facts.live.get(channel)
        if live is None or snapshot_id(product, expiry, live["source_seq"]) != name:
            shown = live["source_seq"] if live else "nothing"
            yield Violation("diverged", document["at"], (name, channel), f"{channel}: MongoDB {name}, Redis {shown}")
        elif live["exact"] != document["exact"]:
            text = f"{channel}: Redis and MongoDB hold different bytes of {name}"
            yield Violation("diverged", document["at"], (name, channel), text)


def _client(
    client: int,
    events: list[Event],
    facts: _Facts,
    excused: set[str],
    truth: Truth,
    report: Report,
    live_age_ms: float,
) -> Iterator[Violation]:
    continuity, order, age = Continuity(truth), _Order(facts), _Age(live_age_ms)
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


class _Order:
    """Of one client: what it is shown exists, is the same as what is stored, and no `source_seq` comes twice."""

    def __init__(self, facts: _Facts) -> None:
        self._facts = facts
        self._last: dict[str, tuple[str, int, int]] = {}

    def take(self, event: Event, excused: set[str]) -> Iterator[tuple[What, str]]:
        if event["event"] not in _STATES:
            return
        channel, source_seq = parse_channel(event["channel"]), event["source_seq"]
        if channel.kind not in _STORED_AS:
            return
        name = _id(channel, source_seq)
        if name not in self._facts.made:
            yield "unexpected", f"{event['channel']} shows {name}, which the feed never made"
            return
        stored = self._facts.stored[_STORED_AS[channel.kind]].get(name)
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


class _Age:
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
        elif event["event"] not in _STATES:
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


def _healing(fault: Event, facts: _Facts) -> Healing:
    number, began = fault["number"], fault["at"]
    healed = facts.healed.get(number)
    if healed is None:
        return Healing(number, fault["name"], fault["target"], began, 0.0, None)
    first = [_first_fresh(events, healed) for events in facts.clients.values()]
    worst = max((arrival - healed for arrival in first if arrival is not None), default=None)
    fresh = None if None in first else worst
    return Healing(number, fault["name"], fault["target"], began, healed - began, fresh)


def _first_fresh(events: list[Event], since: float) -> float | None:
    """When a client first had what the source made after `since`."""
    for event in events[bisect_right(events, since, key=lambda event: event["at"]) :]:
        if event["event"] in _STATES and (event.get("source_ts") or 0) > since:
            return float(event["at"])
    return None


def _heals(healings: list[Healing], facts: _Facts, heal_ms: float) -> Iterator[Violation]:
    for healing in healings:
        about = (f"fault {healing.number}",)
        recovered = facts.recovered.get(healing.number)
        where = f"{healing.name} of {healing.target}" if healing.target else healing.name
        at = healing.began + healing.lasted_ms
        if healing.fresh_ms is None or healing.fresh_ms > heal_ms:
            took = "for ever" if healing.fresh_ms is None else f"{healing.fresh_ms / 1000:.1f} s"
            yield Violation("not recovered", at, about, f"after {where} a client waited {took} for fresh news")
        if recovered is None or not recovered["ok"]:
            why = recovered["detail"] if recovered else "the campaign ended"
            yield Violation("not recovered", at, about, f"after {where}: {why}")


def _collections(name: str) -> tuple[str, ...]:
    """Where a snapshot or tick must be, by its id."""
    return (COLLECTION_CHAINS, COLLECTION_METRICS) if name.count("|") == 2 else (COLLECTION_TICKS,)


def _id(channel: Channel, source_seq: int) -> str:
    assert channel.product is not None
    if channel.expiry is None:
        return tick_id(channel.product, source_seq)
    return snapshot_id(channel.product, channel.expiry, source_seq)


def _channel_of(fault: str) -> str:
    """`Continuity` begins each fault with its channel."""
    return fault.partition(": ")[0]


def window(history: Iterable[Event], violation: Violation, *, most: int = 16) -> list[Event]:
    """The least of the history that shows `violation`: what concerns it, and the faults before and after it."""
    around = [event for event in history if _concerns(event, violation)]
    last = max(
        (event["number"] for event in around if event["kind"] == "fault" and event["at"] <= violation.at), default=0
    )
    around = [event for event in around if event.get("number", last) in (last, last + 1)]
    before = [event for event in around if event["at"] <= violation.at][-most * 3 // 4 :]
    after = [event for event in around if event["at"] > violation.at][: most // 4]
    return before + after


def _concerns(event: Event, violation: Violation) -> bool:
    if event["kind"] in ("fault", "healed", "recovered"):
        return True
    if event["kind"] == "client":
        return str(event["client"]) in violation.about and event.get("channel") in (None, *violation.about)
    if "ids" in event:
        return not set(event["ids"]).isdisjoint(violation.about)
    return any(event.get(name) in violation.about for name in ("id", "channel", "entry"))
