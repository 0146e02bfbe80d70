"""What beat asks for every few seconds: the last minutes of every price on its channel, and bars that are owed."""

from collections.abc import Iterator, Sequence
from itertools import groupby, takewhile
from typing import Final

import msgspec

from aro.adapters.bar_marks import BarMarks, Mark, Minute
from aro.adapters.bar_store import MINUTE_MS, PRODUCT_LEVEL, BarStore, MinuteBars
from aro.adapters.chain_store import ChainStore
from aro.adapters.clock import Clock
from aro.adapters.live import LivePublisher, LiveReader, Publication
from aro.adapters.mongo import MongoError
from aro.adapters.tick_store import TickStore
from aro.contracts.analytics import BarsState
from aro.contracts.codec import encode_json
from aro.contracts.names import bars_channel, parse_channel, ticks_channel
from aro.runtime.logs import get_logger
from worker_enricher import metrics
from worker_enricher.bar_values import BarValues
from worker_enricher.bars import bars_state, minute_bars, runs
from worker_enricher.live_bars import LiveBars
from worker_enricher.owed_bars import due_ms

log = get_logger(__name__)

RETRY_SECONDS: Final = 15.0
"""After MongoDB failed it is left alone this long; what is owed stays owed."""
BUDGET_SECONDS: Final = 0.08
"""One child is busy for no longer with what is owed, however much that is; the rest comes with the next task. All of an
exchange, 900 minutes each minute, take it 2 s."""
SHORT_SECONDS: Final = 0.02
"""The same for the channel."""
SEARCH_SECONDS: Final = 0.01
"""The same for what is looked for on disk: 20 ms for each product."""
MAX_DUE: Final = 1_000
RUN_MINUTES: Final = 30
"""Consecutive minutes that are read at once."""
SAVE_AT_ONCE: Final = 100
SEARCH_PAUSE_MS: Final = 600_000
CATCH_UP_MS: Final = 24 * 3_600_000
"""So far back."""
LEFT_ALONE_MS: Final = 3 * MINUTE_MS
"""What is younger has not had its turn yet."""

Key = tuple[str, str]
"""(product, expiry)"""


class _Stamp(msgspec.Struct):
    source_ts: int


_stamp = msgspec.json.Decoder(_Stamp)


class BarDesk:
    """One per process."""

    def __init__(
        self,
        reader: LiveReader,
        publisher: LivePublisher,
        chains: ChainStore,
        ticks: TickStore,
        store: BarStore,
        marks: BarMarks,
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._publisher = publisher
        self._chains = chains
        self._values = BarValues(reader, marks, chains, ticks)
        self._store = store
        self._live = LiveBars(store, self._values)
        self._marks = marks
        self._clock = clock
        self._tried: dict[str, int] = {}
        """When each channel was looked at last: one without news must not be the first for ever."""
        self._to_look_at: list[str] = []
        """Products that the present catching up has not come to yet."""
        self._paused_until = 0.0

    def run(self) -> None:
        """Raises what Redis raises. A MongoDB that is away costs nothing but the time until it is back."""
        if self._clock.monotonic() < self._paused_until:
            return
        with self._marks.turn() as ours:
            if not ours:
                return
            try:
                with metrics.stage_seconds.labels("bars").time():
                    self._publish()
                    self._catch_up()
                    self._roll_up()
            except MongoError as error:
                self._paused_until = self._clock.monotonic() + RETRY_SECONDS
                log.warning("mongodb is away; bars wait", reason=type(error).__name__)

    # --- the channel -----------------------------------------------------------------------

    def _publish(self) -> None:
        until = self._clock.monotonic() + SHORT_SECONDS
        names = (parse_channel(text) for text in self._reader.channels() if text.startswith("ticks:"))
        shown = {bars_channel(item.product): item.product for item in names if item.product is not None}
        publications = []
        for channel in self._reader.oldest_first(shown, self._tried):
            if self._clock.monotonic() > until:
                break
            self._tried[channel] = self._clock.now_ms()
            state = self._state(shown[channel])
            if state is not None:
                publications.append(Publication(channel, state.computed_ts, encode_json(state)))
        self._publisher.publish(publications)

    def _state(self, name: str) -> BarsState | None:
        """None if there is nothing new to show."""
        ticks, shown = (self._reader.state(channel) for channel in (ticks_channel(name), bars_channel(name)))
        if ticks is None:
            return None
        newest_ts = _stamp.decode(ticks.data).source_ts
        if shown is not None and newest_ts <= _stamp.decode(shown.data).source_ts:
            return None
        rows, source_ts = self._live.rows(name, newest_ts)
        return bars_state(name, rows, source_ts=source_ts, computed_ts=self._clock.now_ms()) if rows else None

    # --- what is owed ----------------------------------------------------------------------

    def _roll_up(self) -> None:
        until = self._clock.monotonic() + BUDGET_SECONDS
        due = self._marks.due(self._clock.now_ms(), limit=MAX_DUE)
        done: list[Mark] = []
        minutes: list[MinuteBars] = []
        for stretch in sorted(_stretches(due), key=_cost):
            minutes += self._bars(stretch)
            done += stretch
            is_late = self._clock.monotonic() > until
            if is_late or len(minutes) >= SAVE_AT_ONCE:
                self._settle(minutes, done)
                done, minutes = [], []
            if is_late:
                break
        self._settle(minutes, done)
        metrics.bars_owed.set(self._marks.count())

    def _settle(self, minutes: Sequence[MinuteBars], done: Sequence[Mark]) -> None:
        self._store.save(minutes)
        self._marks.done(done)
        metrics.bars.inc(len(minutes))

    def _bars(self, stretch: Sequence[Mark]) -> list[MinuteBars]:
        product, expiry = stretch[0].minute.product, stretch[0].minute.expiry
        found = minute_bars(*self._values.of(stretch))
        return [MinuteBars(product, expiry, minute, bars) for minute, bars in sorted(found.items())]

    def _catch_up(self) -> None:
        """Now and then: owe what Redis forgot, and what was stored before there were bars."""
        if self._marks.may_search(pause_ms=SEARCH_PAUSE_MS):
            try:
                self._to_look_at = sorted(self._chains.products(), reverse=True)
            except MongoError:
                self._marks.search_again()
                raise
        until, now = self._clock.monotonic() + SEARCH_SECONDS, self._clock.now_ms()
        while self._to_look_at:
            product = self._to_look_at[-1]
            of_product: set[int] = set()
            for pointer in self._chains.expiries(product):
                minutes = self._chains.minutes(product, pointer["expiry"], now - LEFT_ALONE_MS)
                recent = list(takewhile(lambda minute: minute > now - CATCH_UP_MS, minutes))
                self._owe_missing(product, pointer["expiry"], recent)
                of_product.update(recent)
            self._owe_missing(product, PRODUCT_LEVEL, sorted(of_product, reverse=True))
            self._to_look_at.pop()
            if self._clock.monotonic() > until:
                return

    def _owe_missing(self, product: str, expiry: str, minutes: Sequence[int]) -> None:
        """`minutes` are the newest first; where some have their bars, all before them do."""
        now = self._clock.now_ms()
        for start in range(0, len(minutes), RUN_MINUTES):
            missing = self._store.missing(product, expiry, minutes[start : start + RUN_MINUTES])
            # Redis may have forgotten what it lacks of them.
            owed = (Mark(Minute(product, expiry, minute), due_ms(minute, now), unpublished=True) for minute in missing)
            self._marks.mark(owed, only_new=True)
            if not missing:
                return


def _cost(stretch: Sequence[Mark]) -> tuple[bool, int]:
    """What a log may still have comes first, for MongoDB takes five times as long; of either, the newest."""
    return any(mark.unpublished for mark in stretch), -stretch[-1].minute.minute_ts


def _stretches(marks: Sequence[Mark]) -> Iterator[list[Mark]]:
    """Marks of one product and expiry, of up to `RUN_MINUTES` consecutive minutes each."""

    def key(mark: Mark) -> Key:
        return mark.minute.product, mark.minute.expiry

    for _, group in groupby(sorted(marks, key=key), key):
        by_minute = {mark.minute.minute_ts: mark for mark in group}
        for first, last in runs(by_minute, longest=RUN_MINUTES):
            yield [by_minute[minute] for minute in range(first, last + 1, MINUTE_MS)]
