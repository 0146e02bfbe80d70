"""Role ``consume``: hands ledger entries to Celery in batches, and takes back what was not acknowledged."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Final, Protocol

import redis
from kombu.exceptions import OperationalError

from aro.adapters.clock import Clock
from aro.adapters.dead_letters import DeadLetters
from aro.adapters.ledger import Claimed, Ledger
from aro.adapters.redis_client import ConnectionLost
from aro.adapters.turns import Turns
from aro.contracts.codec import message_id
from aro.contracts.names import BATCH_TURN, LEDGER_STREAMS, TASK_ENRICH, TASK_STORE_RAW
from aro.runtime.logs import TRACE_ID, concerning, get_logger
from worker_enricher import metrics
from worker_enricher.lanes import Entry, Lanes, Turn

log = get_logger(__name__)

MAX_DELIVERIES: Final = 5
ALONE_FROM_DELIVERY: Final = 3
"""From this delivery on an entry travels alone, so that one that kills its worker takes no others along."""
MAX_QUEUED_TASKS: Final = 3
"""Enough that no worker finds none. More would only age in Celery: what waits, waits in the ledger, where its age is
seen, and makes the next batch larger."""
READ_ON: Final = 256
"""Entries of each stream that are read at once when the end of the ledger is looked for: 3 MB."""
MOST_HELD: Final = 60_000
"""Entries that this process knows of at most: 300 bytes each; it keeps no messages."""
PASSED_AT_ONCE: Final = 256
"""Entries in one task that stores them raw: of chains, as many as fit into one block."""
PASSED_RATIO: Final = (3, 10)
"""Of these entries, of each stream, for one in a batch: few while few wait, for clients come first; many when
`PASSED_MANY` do, for what is behind that nobody sees. An entry costs a tenth in them."""
PASSED_MANY: Final = 20_000
"""Of chains 240 MB, for the ledger keeps everything from the oldest entry on that is owed."""
PASSED_SECONDS: Final = 0.5
"""Then fewer will do."""
LATE_SECONDS: Final = 2.0
"""Overload ends when nothing was late for so long. Conflating makes waits short at once; a batch that is not conflated
then would hold much of a few series, while all others grow old."""
LATE_QUEUED_TASKS: Final = 2
"""In overload: what has left the lanes can no longer give way to something newer."""
READ_ON_SECONDS: Final = 0.03
"""In overload, how often the ledger is read to its end while workers are busy: less is left when they are not."""
STUCK_SECONDS: Final = 1.0
"""Workers that take nothing for so long are gone, not busy. What nobody read needs nobody to take it back."""
QUIET_SECONDS: Final = 0.002
"""A pause this long ends a burst of the feed, and with it the batch."""
LATE_RECLAIM: Final = 4
"""How much longer an entry must be owed in overload until it is sent again."""
MAINTENANCE_SECONDS: Final = 1.0
BACK_OFF_SECONDS: Final = 0.25
BUSY_SECONDS: Final = 0.01
"""Until the end of some task is looked for again: two round trips, a third of what a task takes at its fastest."""
IDLE_BLOCK_MS: Final = 500

Batch = Mapping[str, list[str]]
"""Stream → entry ids, and `BATCH_TURN`."""


class Dispatch(Protocol):
    """Where batches go: the Celery queue, and what comes back."""

    def send(self, batch: Batch) -> None: ...

    def pass_over(self, batch: Batch) -> None:
        """To be stored as it came."""

    def queued(self) -> int:
        """Tasks that no worker has taken yet."""

    def finished(self) -> list[int]:
        """Turns whose tasks are done since the last call."""


class Consumer:
    def __init__(
        self,
        ledger: Ledger,
        dead: DeadLetters,
        dispatch: Dispatch,
        clock: Clock,
        *,
        name: str,
        batch_size: int,
        batch_ms: int,
        reclaim_idle_ms: int,
        conflate_after_ms: int,
    ) -> None:
        self._ledger = ledger
        self._dead = dead
        self._dispatch = dispatch
        self._clock = clock
        self._name = name
        self._batch_size = batch_size
        self._batch_ms = batch_ms
        self._reclaim_idle_ms = reclaim_idle_ms
        self._conflate_after = conflate_after_ms / 1000
        self._maintained_at = -MAINTENANCE_SECONDS
        self._lanes = Lanes(clock.now_ms())
        self._waiting_since = clock.monotonic()
        """At the earliest, of what the lanes hold."""
        self._emptied_at = clock.monotonic()
        """When the end of the ledger was seen last: nothing that waits there is older than that."""
        self._passed: dict[str, deque[str]] = {stream: deque() for stream in LEDGER_STREAMS}
        """Ids of entries that were passed over and are not on their way yet."""
        self._passed_at = clock.monotonic()
        self._late_until = clock.monotonic()
        self._conflated_at = clock.monotonic()
        self._unsent: Batch = {}
        self._unsent_about: list[str] = []
        self.last_turn: float = clock.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Turn until `stop`; a server that is away is waited for, never more than a moment at a time."""
        has_groups = False
        while not stop.is_set():
            try:
                if not has_groups:
                    self._ledger.ensure_groups()
                    has_groups = True
                self.turn(stop)
            except (*ConnectionLost, OperationalError) as error:
                log.warning("waiting for redis", reason=type(error).__name__)
                stop.wait(BACK_OFF_SECONDS)
            except redis.ResponseError as error:
                self._recover(error)
                stop.wait(BACK_OFF_SECONDS)

    def turn(self, stop: threading.Event) -> None:
        """One batch or one moment of waiting, and once a second the upkeep."""
        self.last_turn = self._clock.monotonic()
        if self._unsent:
            self._send_unsent()
        if self.last_turn - self._maintained_at >= MAINTENANCE_SECONDS:
            self.maintain()
            self._maintained_at = self.last_turn
        late, queued = self._is_late(), self._dispatch.queued()
        if queued >= (LATE_QUEUED_TASKS if late else MAX_QUEUED_TASKS):
            if late:
                self._read_on()
            stop.wait(BUSY_SECONDS)
            return
        late = self._take_in(late)
        if (queued or self._lanes.ready < len(self._lanes) / 2) and self._may_grow():
            stop.wait(BUSY_SECONDS)
            return
        enough = self._even_share() if late else None
        turn = self._lanes.take(self._batch_size, self._clock.monotonic(), enough=enough)
        self._waiting_since = self._clock.monotonic()
        if turn is not None:
            self._unsent = self._batch(turn)
            self._send_unsent()
        elif len(self._lanes):
            stop.wait(BUSY_SECONDS)
        self._pass_over(self._batch_size if turn is None else len(turn.entries))

    def maintain(self) -> None:
        """Send again what was lost on the way, bury what was delivered too often, trim, and measure."""
        queued = self._dispatch.queued()
        metrics.queue_length.labels("enrich").set(queued)
        for stream in LEDGER_STREAMS:
            # While tasks wait in the queue, or entries in their lanes, old ones may just be waiting with them; in
            # overload that never ends, but nothing waits for long.
            if queued == 0 and not len(self._lanes):
                self._reclaim(stream, self._reclaim_idle_ms)
            elif self._is_late():
                self._reclaim(stream, LATE_RECLAIM * self._reclaim_idle_ms)
            self._ledger.trim(stream)
            metrics.stream_lag.labels(stream).set(self._ledger.lag(stream))
            metrics.stream_pending.labels(stream).set(self._ledger.pending(stream))

    def _take_in(self, late: bool) -> bool:
        """New entries into their lanes, and open those that may be; whether it is late now."""
        if not late or len(self._lanes) < self._batch_size:
            self._collect()
        late = self._is_late()
        if late:
            self._conflate()
        if self._lanes.has_closed and len(self._lanes):
            self._open_lanes()
        return late

    def _read_on(self) -> None:
        is_time = self.last_turn - self._conflated_at >= READ_ON_SECONDS
        if is_time and self.last_turn - self._waiting_since < STUCK_SECONDS:
            self._conflate()

    def _collect(self) -> None:
        """New entries into their lanes, up to a batch beyond those that must wait; waits for more only while a burst
        lasts, and at most `batch_ms`, and for the first only if nothing else waits."""
        room = min(self._batch_size, self._batch_size * MAX_QUEUED_TASKS - len(self._lanes))
        if room <= 0:
            return
        size = self._gather(room, block_ms=None if len(self._lanes) else IDLE_BLOCK_MS)
        deadline = self._clock.monotonic() + self._batch_ms / 1000
        while 0 < size < room and self._clock.monotonic() < deadline:
            time.sleep(QUIET_SECONDS)
            more = self._gather(room - size, block_ms=None)
            if not more:
                break
            size += more

    def _gather(self, count: int, *, block_ms: int | None) -> int:
        """Put new entries into their lanes; how many."""
        about: list[str | None] = []
        found = self._ledger.read_new(self._name, count=count, block_ms=block_ms, seen=_noting(about))
        entries = [(stream, entry) for stream, ids in found.items() for entry in ids]
        # An entry without message is not seen; then nobody can tell whose the others are.
        names = about if len(about) == len(entries) else [None] * len(entries)
        now = self._clock.monotonic()
        for (stream, entry), name in zip(entries, names, strict=True):
            self._lanes.put(Entry(stream, entry, name), now)
        if len(entries) < count:
            self._emptied_at = now
        return len(entries)

    def _is_late(self) -> bool:
        """Whether something may have waited for longer than clients should notice, here or unread in the ledger, or
        did a moment ago."""
        now = self._clock.monotonic()
        if max(self._lanes.longest_wait(now), now - self._emptied_at) > self._conflate_after:
            self._late_until = now + LATE_SECONDS
        return now < self._late_until

    def _conflate(self) -> None:
        """Read on to the end of the ledger, and keep only the newest of each series for clients."""
        self._conflated_at = self._clock.monotonic()
        while len(self._lanes) + sum(map(len, self._passed.values())) < MOST_HELD:
            if self._gather(READ_ON, block_ms=None) < READ_ON:
                break
        passed = self._lanes.conflate()
        for entry in passed:
            self._passed[entry.stream].append(entry.id)
        for stream, count in Counter(entry.stream for entry in passed).items():
            metrics.conflated.labels(stream).inc(count)

    def _even_share(self) -> int:
        """Of what waits, one of each series: all of it in as few batches as that takes, of one size. Else some series
        would be in every second batch and some in every fourth."""
        waiting = max(1, len(self._lanes))
        return -(-waiting // -(-waiting // self._batch_size))

    def _pass_over(self, enriched: int) -> None:
        """Hand on some of what was passed over, in whole tasks or when it has waited for long enough: a little after
        each batch that clients wait for, so that these have their share of the workers."""
        is_time = self._clock.monotonic() - self._passed_at >= PASSED_SECONDS
        least, most = PASSED_RATIO
        for stream, ids in self._passed.items():
            ratio = least + (most - least) * min(1, len(ids) / PASSED_MANY)
            for _ in range(max(1, round(enriched * ratio / PASSED_AT_ONCE))):
                if len(ids) < PASSED_AT_ONCE and not (ids and is_time):
                    break
                batch = list(islice(ids, PASSED_AT_ONCE))
                self._dispatch.pass_over({stream: batch})
                for _ in batch:
                    ids.popleft()
                self._passed_at = self._clock.monotonic()

    def _batch(self, turn: Turn) -> Batch:
        batch: dict[str, list[str]] = {}
        for stream, entry, name in turn.entries:
            batch.setdefault(stream, []).append(entry)
            if name is not None:
                self._unsent_about.append(name)
        if turn.number is not None:
            batch[BATCH_TURN] = [self._name, str(turn.number)]
        return batch

    def _may_grow(self) -> bool:
        """Whether the next batch would be small and young. While others wait for a worker, or most of what waits is in
        closed lanes, it loses nothing."""
        age = self._clock.monotonic() - self._waiting_since
        return self._lanes.ready < self._batch_size and age < self._batch_ms / 1000

    def _open_lanes(self) -> None:
        for number in self._dispatch.finished():
            self._lanes.done(number)
        self._lanes.give_up(self._clock.monotonic())

    def _send_unsent(self) -> None:
        if self._unsent:
            self._dispatch.send(self._unsent)
            counts = {stream: len(ids) for stream, ids in self._unsent.items() if stream != BATCH_TURN}
            for stream, count in counts.items():
                metrics.entries_dispatched.labels(stream).inc(count)
            entries = sum(counts.values())
            metrics.batch_entries.observe(entries)
            log.info("batch dispatched", entries=entries, **concerning(self._unsent_about))
        self._unsent = {}
        self._unsent_about = []

    def _reclaim(self, stream: str, idle_ms: int) -> None:
        about: list[str | None] = []
        claims = self._ledger.reclaim(
            stream,
            self._name,
            min_idle_ms=idle_ms,
            count=self._batch_size * MAX_QUEUED_TASKS // 2,
            seen=_noting(about),
        )
        together: list[str] = []
        names = about if len(about) == len(claims) else [None] * len(claims)
        now = self._clock.monotonic()
        for claim, name in zip(claims, names, strict=True):
            if claim.deliveries > MAX_DELIVERIES:
                self._bury(stream, claim)
            elif claim.deliveries >= ALONE_FROM_DELIVERY:
                self._dispatch.send({stream: [claim.id]})
            elif self._is_late():
                # Newer ones have come since: most of these will be passed over.
                self._lanes.put(Entry(stream, claim.id, name), now)
            else:
                together.append(claim.id)
        for start in range(0, len(together), self._batch_size):
            self._dispatch.send({stream: together[start : start + self._batch_size]})
        if claims:
            metrics.redelivered.labels(stream).inc(len(claims))
            log.warning("entries sent again", stream=stream, entries=len(claims), **concerning(filter(None, about)))

    def _bury(self, stream: str, claim: Claimed) -> None:
        [message] = self._ledger.fetch(stream, [claim.id])
        error = self._dead.last_error(stream, claim.id) or "its worker died or hung each time"
        detail = f"given up after {MAX_DELIVERIES} deliveries: {error}"
        self._dead.bury(stream, claim.id, message, reason="delivery_limit", error=detail)
        metrics.dead_letters.labels("delivery_limit").inc()
        about = {TRACE_ID: message_id(message)} if message else {}
        log.error("dead letter", stream=stream, entry=claim.id, reason="delivery_limit", detail=detail, **about)

    def _recover(self, error: redis.ResponseError) -> None:
        if "NOGROUP" in str(error) or "no such key" in str(error):
            log.warning("ledger lost its groups; creating them")
            self._ledger.ensure_groups()
        else:
            log.error("redis refused", reason=str(error))


def _noting(ids: list[str | None]) -> Callable[[bytes], None]:
    """Adds the id of each message to `ids`, None for what has none."""
    return lambda message: ids.append(message_id(message))


class CeleryDispatch:
    """Batches as Celery tasks; `queued` asks the broker's list directly, which costs one round trip."""

    def __init__(
        self, send_task: Callable[[str, Batch], None], broker: redis.Redis, queue: str, turns: Turns, consumer: str
    ) -> None:
        self._send_task = send_task
        self._turns = turns
        self._consumer = consumer
        self._broker = broker
        self._queue = queue

    def send(self, batch: Batch) -> None:
        self._send_task(TASK_ENRICH, batch)

    def pass_over(self, batch: Batch) -> None:
        self._send_task(TASK_STORE_RAW, batch)

    def queued(self) -> int:
        return int(self._broker.llen(self._queue))

    def finished(self) -> list[int]:
        return self._turns.finished(self._consumer)
