"""One task's work: decode ▸ enrich ▸ store ▸ publish ▸ owe bars ▸ acknowledge, in this order and safe to repeat."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from pymongo.errors import BulkWriteError

from aro.adapters.bar_marks import Minute
from aro.adapters.bar_store import PRODUCT_LEVEL
from aro.adapters.chain_store import ChainRecord
from aro.adapters.clock import Clock
from aro.adapters.dead_letters import DeadLetters
from aro.adapters.ledger import Ledger
from aro.adapters.live import Publication, Published
from aro.adapters.mongo import MongoError
from aro.contracts.analytics import EnrichedTick
from aro.contracts.codec import encode_json, message_id
from aro.contracts.market import UnderlyingTick
from aro.contracts.names import (
    LEDGER_STREAMS,
    STREAM_CHAINS,
    STREAM_TICKS,
    chain_channel,
    metrics_channel,
    ticks_channel,
)
from aro.contracts.problems import MessageRejected
from aro.runtime import tracing
from aro.runtime.logs import TRACE_ID, concerning, get_logger
from worker_enricher import metrics
from worker_enricher.bars import minute_of
from worker_enricher.pipeline import enrich_tick
from worker_enricher.published import enrich_records
from worker_enricher.snapshots import SoundChain, read_chain, read_tick

log = get_logger(__name__)

STORE_PAUSE_SECONDS: Final = 2.0
"""After MongoDB failed, batches go live without waiting for it this long; the ledger keeps them owed."""

M = TypeVar("M")


class Chains(Protocol):
    def save(self, records: Sequence[ChainRecord]) -> int: ...


class Ticks(Protocol):
    def save(self, ticks: Sequence[EnrichedTick], *, followed: bool = False) -> int: ...


class Owed(Protocol):
    def note(self, minutes: Iterable[Minute], unpublished: Collection[Minute]) -> None: ...


class Publisher(Protocol):
    def publish(self, publications: Sequence[Publication]) -> list[Published]: ...

    def behind(self, newest: Mapping[str, int]) -> set[str]: ...


@dataclass
class _Work:
    """What one task has in hand. `chain_ids` and `tick_ids` are the ledger entries behind the messages."""

    chain_ids: list[str] = field(default_factory=list)
    chains: list[SoundChain] = field(default_factory=list)
    tick_ids: list[str] = field(default_factory=list)
    ticks: list[UnderlyingTick] = field(default_factory=list)


class BatchProcessor:
    def __init__(
        self,
        ledger: Ledger,
        dead: DeadLetters,
        chains: Chains,
        ticks: Ticks,
        publisher: Publisher,
        owed: Owed,
        clock: Clock,
        *,
        consumer: str,
    ) -> None:
        self._ledger = ledger
        self._dead = dead
        self._chains = chains
        self._ticks = ticks
        self._publisher = publisher
        self._owed = owed
        self._clock = clock
        self._consumer = consumer
        self._store_paused_until = 0.0

    def process(self, batch: Mapping[str, Sequence[str]]) -> None:
        """Raises what Redis raises; entries then stay owed and come again."""
        started = time.perf_counter()
        with _timed("decode"):
            work = self._decode(self._fetch(batch))
        with _timed("compute"):
            ticks = [enrich_tick(tick) for tick in work.ticks]
            chains, failed = self._enrich(work)
        outcome = self._store(chains, ticks)
        unpublished = self._publish(chains, ticks)
        self._measure_ages(chains, ticks)
        if outcome.stored:
            self._owed.note(_minutes(chains, ticks), unpublished)
        done = {
            STREAM_CHAINS: [entry for entry in work.chain_ids if entry not in failed],
            STREAM_TICKS: work.tick_ids,
        }
        for stream, ids in done.items():
            self._settle(stream, ids, outcome)
        self._measure(chains, ticks)
        took = round((time.perf_counter() - started) * 1000, 1)
        # One line for all of them: a line for each would be half of what the platform says.
        log.info("batch enriched", stored=outcome.stored, milliseconds=took, **_about(chains, ticks))

    def complete(self, stream: str, entries: Sequence[tuple[str, bytes]]) -> bool:
        """Enrich and store entries that left the ledger raw; whether none of them is owed any more.

        Clients get what is newer than what they have: nothing, unless the newest could not be enriched. Nobody sends
        these again, so what cannot be enriched or stored is a dead letter at once. Raises what Redis raises.
        """
        work = self._decode({stream: entries})
        ticks = [enrich_tick(tick) for tick in work.ticks]
        chains, failed = self._enrich(work)
        outcome = self._store(chains, ticks)
        if not outcome.stored:
            if outcome.error is None:
                return False
            if len(entries) > 1:
                return all(self.complete(stream, [entry]) for entry in entries)
            failed = {entry for entry, _ in entries}
        else:
            minutes = set(_minutes(chains, ticks))
            self._owed.note(minutes, minutes)
            self._publish_news(chains, ticks)
        for entry, message in entries:
            if entry in failed:
                detail = outcome.error or self._dead.last_error(stream, entry) or "it could not be enriched"
                self._bury(stream, entry, message, reason="delivery_limit", detail=detail)
        self._count(chains, ticks)
        log.info("passed over batch enriched", stored=outcome.stored, **_about(chains, ticks))
        return True

    # --- decode ----------------------------------------------------------------------------

    def _fetch(self, batch: Mapping[str, Sequence[str]]) -> dict[str, list[tuple[str, bytes]]]:
        """Messages by stream, with the ids of their entries."""
        found = {}
        for stream in LEDGER_STREAMS:
            ids = batch.get(stream, ())
            pairs = zip(ids, self._ledger.fetch(stream, ids), strict=True)
            found[stream] = [(entry, message) for entry, message in pairs if message is not None]
            # Acknowledged by an earlier delivery and trimmed, or lost with Redis' data.
            metrics.duplicates.labels("ledger").inc(len(ids) - len(found[stream]))
        return found

    def _decode(self, messages: Mapping[str, Sequence[tuple[str, bytes]]]) -> _Work:
        work = _Work()
        for entry, snapshot in self._sound(STREAM_CHAINS, messages.get(STREAM_CHAINS, ()), read_chain):
            work.chain_ids.append(entry)
            work.chains.append(snapshot)
        for entry, tick in self._sound(STREAM_TICKS, messages.get(STREAM_TICKS, ()), read_tick):
            work.tick_ids.append(entry)
            work.ticks.append(tick)
        return work

    def _sound(
        self, stream: str, messages: Sequence[tuple[str, bytes]], read: Callable[[bytes], M]
    ) -> Iterator[tuple[str, M]]:
        for entry, message in messages:
            try:
                yield entry, read(message)
            except MessageRejected as error:
                self._bury(stream, entry, message, reason=error.reason, detail=error.detail)

    def _bury(self, stream: str, entry: str, message: bytes, *, reason: str, detail: str) -> None:
        self._dead.bury(stream, entry, message, reason=reason, error=detail)
        metrics.dead_letters.labels(reason).inc()
        log.warning("dead letter", stream=stream, entry=entry, reason=reason, detail=detail, **_named(message))

    # --- enrich ----------------------------------------------------------------------------

    def _enrich(self, work: _Work) -> tuple[list[ChainRecord], set[str]]:
        """All chains in one solve; if that fails, one by one, so that only the culprit stays owed."""
        now = self._clock.now_ms()
        try:
            return enrich_records(work.chains, computed_ts=now), set()
        except Exception as error:
            about = concerning(chain.id for chain in work.chains)
            log.error("batch failed; trying its chains one by one", exc_info=error, **about)
        enriched: list[ChainRecord] = []
        failed: set[str] = set()
        for entry, chain in zip(work.chain_ids, work.chains, strict=True):
            try:
                enriched.extend(enrich_records([chain], computed_ts=now))
            except Exception as error:
                failed.add(entry)
                metrics.enrich_failures.labels("enrich").inc()
                self._dead.note_error(STREAM_CHAINS, entry, f"{type(error).__name__}: {error}")
                log.error("chain failed", exc_info=error, **{TRACE_ID: chain.id})
        return enriched, failed

    # --- store and publish -----------------------------------------------------------------

    def _store(self, chains: Sequence[ChainRecord], ticks: Sequence[EnrichedTick]) -> "_Outcome":
        """Whether everything is durably stored. The live path does not wait for a MongoDB that is away."""
        if not chains and not ticks:
            return _Outcome(stored=True)
        if self._clock.monotonic() < self._store_paused_until:
            return _Outcome(stored=False)
        try:
            with _timed("store"):
                fresh = self._ticks.save(ticks, followed=bool(chains))
                fresh += self._chains.save(chains)
        except BulkWriteError as error:  # MongoDB is there and refuses a document
            detail = str((error.details or {}).get("writeErrors", error))[:500]
            log.error("mongodb refused documents", detail=detail, **_about(chains, ticks))
            metrics.store_failures.inc()
            return _Outcome(stored=False, error=f"MongoDB refused a document of its batch: {detail}")
        except MongoError as error:
            self._store_paused_until = self._clock.monotonic() + STORE_PAUSE_SECONDS
            log.warning("mongodb is away; batch stays owed", reason=type(error).__name__, **_about(chains, ticks))
            metrics.store_failures.inc()
            return _Outcome(stored=False)
        metrics.duplicates.labels("store").inc(len(chains) + len(ticks) - fresh)
        return _Outcome(stored=True)

    def _publish_news(self, chains: Sequence[ChainRecord], ticks: Sequence[EnrichedTick]) -> None:
        newest = {ticks_channel(tick.product): tick.source_seq for tick in sorted(ticks, key=_seq)}
        for record in sorted(chains, key=lambda record: record.chain.source_seq):
            newest[chain_channel(record.chain.product, record.chain.expiry)] = record.chain.source_seq
        behind = self._publisher.behind(newest)
        if behind:
            self._publish(
                [item for item in chains if chain_channel(item.chain.product, item.chain.expiry) in behind],
                [tick for tick in ticks if ticks_channel(tick.product) in behind],
            )

    def _publish(self, chains: Sequence[ChainRecord], ticks: Sequence[EnrichedTick]) -> set[Minute]:
        """Minutes of what was not accepted, being no news."""
        publications = [Publication(ticks_channel(tick.product), tick.source_seq, encode_json(tick)) for tick in ticks]
        for record in chains:
            where, seq = (record.chain.product, record.chain.expiry), record.chain.source_seq
            publications.append(Publication(metrics_channel(*where), seq, encode_json(record.metrics)))
            publications.append(Publication(chain_channel(*where), seq, record.data, record.packed))
        with _timed("publish"):
            published = self._publisher.publish(publications)
        metrics.duplicates.labels("publish").inc(sum(not item.accepted for item in published))
        minutes = [*_minutes((), ticks), *(minute for minute in _minutes(chains, ()) for _ in range(2))]
        return {minute for minute, item in zip(minutes, published, strict=True) if not item.accepted}

    def _settle(self, stream: str, ids: Sequence[str], outcome: "_Outcome") -> None:
        if outcome.stored:
            self._ledger.ack(stream, ids)
            return
        if outcome.error is None:
            # Not the entries' fault: this delivery does not count towards giving them up.
            self._ledger.forgive(stream, self._consumer, ids)
            return
        for entry in ids:
            self._dead.note_error(stream, entry, outcome.error)

    def _measure(self, chains: Sequence[ChainRecord], ticks: Sequence[EnrichedTick]) -> None:
        wait = metrics.stage_seconds.labels("wait")
        for record in chains:
            wait.observe(max(0, record.metrics.computed_ts - record.metrics.source_ts) / 1000)
        self._count(chains, ticks)

    def _count(self, chains: Sequence[ChainRecord], ticks: Sequence[EnrichedTick]) -> None:
        for product, count in Counter(record.metrics.product for record in chains).items():
            metrics.chains_processed.labels(product).inc(count)
        for product, count in Counter(tick.product for tick in ticks).items():
            metrics.ticks_processed.labels(product).inc(count)

    def _measure_ages(self, chains: Sequence[ChainRecord], ticks: Sequence[EnrichedTick]) -> None:
        """Of what was published just now."""
        now_ms = self._clock.now_ms()
        for record in chains:
            metrics.publish_seconds.labels("chain").observe(max(0, now_ms - record.metrics.source_ts) / 1000)
        for tick in ticks:
            metrics.publish_seconds.labels("ticks").observe(max(0, now_ms - tick.source_ts) / 1000)


@dataclass(frozen=True)
class _Outcome:
    """`error` set: MongoDB is there and refused; not set and not stored: it is away."""

    stored: bool
    error: str | None = None


def _named(message: bytes) -> dict[str, str]:
    name = message_id(message)
    return {TRACE_ID: name} if name else {}


def _seq(tick: EnrichedTick) -> int:
    return tick.source_seq


def _about(chains: Sequence[ChainRecord], ticks: Sequence[EnrichedTick]) -> dict[str, list[str]]:
    return concerning([record.chain.id for record in chains] + [tick.id for tick in ticks])


def _minutes(chains: Sequence[ChainRecord], ticks: Sequence[EnrichedTick]) -> Iterator[Minute]:
    for chain in (record.chain for record in chains):
        yield Minute(chain.product, chain.expiry, minute_of(chain.source_ts))
    for tick in ticks:
        yield Minute(tick.product, PRODUCT_LEVEL, minute_of(tick.source_ts))


@contextmanager
def _timed(stage: str) -> Iterator[None]:
    started = time.perf_counter()
    try:
        with tracing.span(stage):
            yield
    finally:
        metrics.stage_seconds.labels(stage).observe(time.perf_counter() - started)
