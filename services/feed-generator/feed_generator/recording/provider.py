"""Plays a recording: every message of it once, in its order, stamped as if it were taken now."""

from collections.abc import Iterator, Sequence

import msgspec

from aro.contracts.codec import decode_chain, decode_tick
from aro.contracts.market import ChainSnapshot, UnderlyingTick
from aro.contracts.names import STREAM_TICKS
from aro.contracts.problems import MessageRejected
from aro.runtime.logs import get_logger
from feed_generator import metrics
from feed_generator.provider import UNNUMBERED, Batch, FeedError
from feed_generator.recording.codec import Recorded
from feed_generator.recording.reader import Recording

log = get_logger(__name__)


class RecordingProvider:
    """Each tick publishes all messages whose time has come.

    The recording's own time starts at `start_ts` (or its first message) and runs `speed` times as fast as the clock. A
    message's `source_ts` is the moment it is due and `expiry_ts` keeps its distance from it; the label `expiry` stays.
    After the last message there is nothing more, or with `loop` it starts over.

    Raises `FeedError` if the recording ends before `start_ts`.
    """

    def __init__(
        self, recording: Recording, products: Sequence[str], *, speed: float, loop: bool, start_ts: int | None
    ) -> None:
        if start_ts is not None and start_ts > recording.last_ts:
            raise FeedError("the recording ends before the instant of --from")
        self._recording = recording
        self._products = frozenset(products)
        self._speed = speed
        self._loop = loop
        self._first_ts = recording.first_ts if start_ts is None else max(start_ts, recording.first_ts)
        self._started_ms: int | None = None
        self._entries: Iterator[Recorded] = iter(())
        self._next: Recorded | None = None

    def tick(self, now_ms: int) -> Batch:
        if self._started_ms is None or (self._next is None and self._loop):
            self._start(now_ms)
        batch = Batch()
        while self._next is not None and (due := self._due(self._next)) <= now_ms:
            self._add(batch, self._next, due)
            self._next = next(self._entries, None)
            if self._next is None:
                log.info("the recording is through", starts_over=self._loop)
        return batch

    def _start(self, now_ms: int) -> None:
        self._started_ms = now_ms
        self._entries = self._recording.entries(self._first_ts)
        self._next = next(self._entries, None)

    def _due(self, entry: Recorded) -> int:
        return (self._started_ms or 0) + round((entry.ts - self._first_ts) / self._speed)

    def _add(self, batch: Batch, entry: Recorded, due: int) -> None:
        try:
            if entry.stream == STREAM_TICKS:
                tick = decode_tick(entry.message)
                if self._is_wanted(tick.product):
                    batch.ticks.append(_restamped_tick(tick, due))
            else:
                chain = decode_chain(entry.message)
                if self._is_wanted(chain.product):
                    batch.chains.append(_restamped_chain(chain, due))
        except MessageRejected as error:
            metrics.rejected.labels(error.reason).inc()
            log.warning("recorded message rejected", reason=error.reason, detail=error.detail)

    def _is_wanted(self, product: str) -> bool:
        return not self._products or product in self._products


def _restamped_tick(tick: UnderlyingTick, due: int) -> UnderlyingTick:
    return msgspec.structs.replace(tick, source_seq=UNNUMBERED, source_ts=due, origin="replay")


def _restamped_chain(chain: ChainSnapshot, due: int) -> ChainSnapshot:
    expiry_ts = chain.expiry_ts + (due - chain.source_ts)
    return msgspec.structs.replace(chain, source_seq=UNNUMBERED, source_ts=due, expiry_ts=expiry_ts, origin="replay")
