"""Three times what the pipeline can do, for a minute: how old what clients see becomes, and what is lost."""

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contestants import DATABASE, Ours, Servers
from laps import STEP_SECONDS, Track
from witness import Witness

from aro.adapters import mongo
from aro.adapters.ledger import Ledger
from aro.adapters.passed_over_store import PassedOverStore
from aro.contracts.codec import message_id
from aro.contracts.names import COLLECTION_CHAINS, STREAM_CHAINS

TIMES: Final = 3.0
CAPACITY_SECONDS: Final = 10.0
SAMPLE_SECONDS: Final = 0.1
CALM_SECONDS: Final = 60.0
"""Longest wait for the ledger to be empty afterwards."""


@dataclass(frozen=True, slots=True)
class Overload:
    """Ages are those of what clients hold of a series just before they get something newer, or at the end."""

    series: int
    capacity: float
    offered: float
    seconds: float
    published: int
    stored_raw: int
    lost: int
    ages_ms: list[float]
    """sorted"""
    most_in_ledger: int
    sent_again: int
    """Entries that nobody acknowledged in time, and batches that MongoDB did not take in time."""
    not_stored: int
    calm_after: float
    """Seconds from the last that was sent until nothing lagged and nothing was pending."""

    def age(self, share: float) -> float:
        return self.ages_ms[min(len(self.ages_ms) - 1, int(len(self.ages_ms) * share))]


class _Ledger:
    """How many entries the chain stream has had at most."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.most = 0

    def __enter__(self) -> "_Ledger":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self.most = max(self.most, self._ledger.lengths()[STREAM_CHAINS])


def overload(directory: Path, series: int, strikes: int, seconds: float, first_seq: int) -> Overload:
    servers = Servers(directory)
    witness = Witness(servers.redis.port)
    try:
        ours = Ours(servers, 2, directory)
        with ours.running(beat=True):
            ours.prepare(series, strikes)
            track = Track(ours, witness, first_seq)  # numbered in the past, so that nothing is passed over
            track.warm_up(2 * series)
            lap = track.run(None, CAPACITY_SECONDS, 2 * strikes)
            return _flood(ours, witness, series, lap.chains / lap.seconds, seconds)
    finally:
        witness.close()
        servers.stop()


def _flood(ours: Ours, witness: Witness, series: int, capacity: float, seconds: float) -> Overload:
    ledger = Ledger(ours.servers.redis.client())
    base = time.time_ns() // 1_000_000
    witness.clear(base)
    first_series = ours.next_series()
    sent_at: list[int] = []
    offered = TIMES * capacity
    started = time.monotonic()
    with _Ledger(ledger) as watched:
        while (elapsed := time.monotonic() - started) < seconds:
            due = round(offered * elapsed) - len(sent_at)
            if due > 0:
                now = time.monotonic_ns()
                ours.send(range(base + len(sent_at), base + len(sent_at) + due))
                sent_at += [now] * due
            time.sleep(STEP_SECONDS)
        ended = time.monotonic()
        calm_after = _calm(ledger, ended)
    heard = list(witness.at[: len(sent_at)])
    # In this order: what is raw now may be enriched, and gone from there, a moment later.
    raw = _raw(ours)
    stored = _stored(ours)
    sent = {base + n for n in range(len(sent_at))}
    return Overload(
        series=series,
        capacity=capacity,
        offered=len(sent_at) / (ended - started),
        seconds=ended - started,
        published=sum(1 for at in heard if at),
        stored_raw=len(raw - stored),
        lost=len(sent - stored - raw),
        ages_ms=sorted(_ages(sent_at, heard, series, first_series, round(ended * 1e9))),
        most_in_ledger=watched.most,
        sent_again=round(ours.counted("consume", "task_redelivered_total")),
        not_stored=round(ours.counted("work", "store_failures_total")),
        calm_after=calm_after,
    )


def _calm(ledger: Ledger, ended: float) -> float:
    while ledger.lag(STREAM_CHAINS) or ledger.pending(STREAM_CHAINS):
        if time.monotonic() - ended > CALM_SECONDS:
            break
        time.sleep(SAMPLE_SECONDS)
    return time.monotonic() - ended


def _ages(sent_at: Sequence[int], heard: Sequence[int], series: int, first: int, end_ns: int) -> list[float]:
    arrivals: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for n, at in enumerate(heard):
        if at:
            arrivals[(first + n) % series].append((at, sent_at[n]))
    ages = []
    for events in arrivals.values():
        events.sort()
        following = [at for at, _ in events[1:]] + [max(end_ns, events[-1][0])]
        ages += [(until - sent) / 1e6 for (_, sent), until in zip(events, following, strict=True) if until <= end_ns]
    missing = series - len(arrivals)
    return ages + missing * [(end_ns - sent_at[0]) / 1e6]


def _stored(ours: Ours) -> set[int]:
    database: Any = mongo.connect(ours.servers.mongo.url, DATABASE, timeout=120)
    return {int(each["_id"].rpartition("|")[2]) for each in database[COLLECTION_CHAINS].find({}, {"_id": 1})}


def _raw(ours: Ours) -> set[int]:
    store = PassedOverStore(mongo.connect(ours.servers.mongo.url, DATABASE, timeout=120))
    names = (message_id(message) for block in store.blocks() for _, message in store.load(block))
    return {int(name.rpartition("|")[2]) for name in names if name is not None}


def report(found: Overload, strikes: int) -> str:
    return "\n".join(
        (
            f"capacity {found.capacity:,.0f} chains/s of {strikes} strikes; offered {found.offered:,.0f}/s for "
            f"{found.seconds:.0f} s in {found.series} series",
            f"age of what clients hold: p50 {found.age(0.5):.0f} ms, p99 {found.age(0.99):.0f} ms, "
            f"at most {found.ages_ms[-1]:.0f} ms",
            f"published {found.published:,}, stored raw and not enriched yet {found.stored_raw:,}, lost {found.lost}; "
            f"entries sent again {found.sent_again:,}, batches not stored in time {found.not_stored}",
            f"most entries in the ledger {found.most_in_ledger:,}; empty {found.calm_after:.1f} s after the end",
        )
    )
