"""What a history says, sorted into drawers, and what a checker says about it."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from aro.contracts.names import (
    COLLECTION_CHAINS,
    COLLECTION_METRICS,
    COLLECTION_TICKS,
    Channel,
    snapshot_id,
    tick_id,
)
from campaign.history import Event

What = Literal[
    "lost", "duplicated", "unexpected", "silent hole", "diverged", "stale while live", "not recovered", "dead letter"
]
STATES = ("snapshot", "update", "delta")
STORED_AS = {"chain": COLLECTION_CHAINS, "metrics": COLLECTION_METRICS, "ticks": COLLECTION_TICKS}


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
class Facts:
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


def sort(history: Iterable[Event]) -> Facts:
    facts = Facts()
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


def _sort_seldom(kind: str, event: Event, facts: Facts) -> None:
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


def collections_of(name: str) -> tuple[str, ...]:
    """Where a snapshot or tick must be, by its id."""
    return (COLLECTION_CHAINS, COLLECTION_METRICS) if name.count("|") == 2 else (COLLECTION_TICKS,)


def id_of(channel: Channel, source_seq: int) -> str:
    assert channel.product is not None
    if channel.expiry is None:
        return tick_id(channel.product, source_seq)
    return snapshot_id(channel.product, channel.expiry, source_seq)
