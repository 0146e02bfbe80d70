"""What replay sessions play: enriched as live snapshots are, published on their channels, and stored nowhere."""

from collections.abc import Iterator, Sequence

import msgspec
import redis

from aro.adapters.clock import Clock, iso
from aro.adapters.live import LivePublisher, Publication
from aro.adapters.replay_sessions import ReplayLedger, ReplaySessions
from aro.contracts.codec import encode_json
from aro.contracts.names import CHANNEL_STATUS, chain_channel, metrics_channel, replay_channel, ticks_channel
from aro.contracts.problems import MessageRejected
from aro.contracts.replays import Replayed, ReplayOrder, ReplayProgress, ReplayStatus
from aro.runtime.logs import get_logger
from worker_enricher import metrics
from worker_enricher.pipeline import enrich_tick
from worker_enricher.published import enrich_records
from worker_enricher.snapshots import SoundChain, read_chain, read_tick

log = get_logger(__name__)

_replayed = msgspec.msgpack.Decoder(Replayed)


class ReplayProcessor:
    """One per process. Safe to repeat: what was published already is refused by its number."""

    def __init__(self, client: redis.Redis, publisher: LivePublisher, clock: Clock) -> None:
        self._ledger = ReplayLedger(client)
        self._publisher = publisher
        self._clock = clock

    def process(self, ids: Sequence[str]) -> None:
        """Raises what Redis raises; entries then stay and come again."""
        found = [replayed for data in self._ledger.messages(ids).values() if (replayed := _decoded(data)) is not None]
        ticks = [item for item in found if item.expiry is None]
        chains = [(item, chain) for item in found if item.expiry is not None and (chain := _chain(item)) is not None]
        publications = [publication for item in ticks if (publication := _tick(item)) is not None]
        records = enrich_records([chain for _, chain in chains], computed_ts=self._clock.now_ms())
        for (item, _), record in zip(chains, records, strict=True):
            where = (record.chain.product, record.chain.expiry)
            measured = Publication(_named(item, metrics_channel(*where)), item.source_seq, encode_json(record.metrics))
            channel = _named(item, chain_channel(*where))
            publications += (measured, Publication(channel, item.source_seq, record.data, record.packed))
        published = self._publisher.publish(publications)
        self._ledger.remove(ids)
        metrics.replayed.inc(sum(item.accepted for item in published))


def _decoded(data: bytes) -> Replayed | None:
    try:
        return _replayed.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _note(MessageRejected("malformed", str(error)))
        return None


def _chain(item: Replayed) -> SoundChain | None:
    try:
        return read_chain(item.message)
    except MessageRejected as error:
        _note(error)
        return None


def _tick(item: Replayed) -> Publication | None:
    try:
        tick = enrich_tick(read_tick(item.message))
    except MessageRejected as error:
        _note(error)
        return None
    return Publication(_named(item, ticks_channel(tick.product)), item.source_seq, encode_json(tick))


def _note(error: MessageRejected) -> None:
    """No dead letter: it still stands in the recording."""
    metrics.replay_rejected.labels(error.reason).inc()
    log.warning("replayed message rejected", reason=error.reason, detail=error.detail)


def _named(item: Replayed, channel: str) -> str:
    return replay_channel(item.session, channel)


# --- without a player ----------------------------------------------------------------------


class Interruptions:
    """Tells who listens to a session that no process plays it, as long as that is so."""

    def __init__(self, sessions: ReplaySessions, publisher: LivePublisher, clock: Clock) -> None:
        self._sessions = sessions
        self._publisher = publisher
        self._clock = clock

    def publish(self) -> None:
        """Raises what Redis raises."""
        if self._sessions.has_player():
            return
        orders, progress = self._sessions.orders(), self._sessions.all_progress()
        self._publisher.publish(list(_interruptions(orders, progress, self._clock.now_ms())))


def _interruptions(
    orders: dict[str, ReplayOrder], progress: dict[str, ReplayProgress], now_ms: int
) -> Iterator[Publication]:
    for session, order in orders.items():
        known = progress.get(session, ReplayProgress())
        status = ReplayStatus(
            session=session,
            state="interrupted",
            position_ts=known.position_ts,
            position_time=None if known.position_ts is None else iso(known.position_ts),
            first_ts=known.first_ts,
            last_ts=known.last_ts,
            speed=order.speed,
            messages=known.messages,
            detail="no process plays it now; it goes on when one is back",
            server_ts=now_ms,
        )
        yield Publication(replay_channel(session, CHANNEL_STATUS), now_ms, encode_json(status))
