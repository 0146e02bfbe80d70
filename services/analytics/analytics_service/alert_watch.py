"""Alerts evaluated on what is published, in a thread of each replica."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

import msgspec
import redis

from analytics_service import metrics
from analytics_service.alert_rules import EVENT_DAYS, goes_off, is_beyond
from aro.adapters import redis_client
from aro.adapters.alert_store import Alert, AlertEvent, AlertStore
from aro.adapters.clock import Clock
from aro.adapters.live import LiveReader, parse_announcement
from aro.adapters.mongo import MongoError
from aro.adapters.redis_client import RedisError
from aro.contracts.analytics import ChainMetrics
from aro.contracts.names import PUBSUB_LIVE, parse_channel
from aro.runtime.logs import get_logger

log = get_logger(__name__)

RELOAD_SECONDS: Final = 2.0
EXPIRE_SECONDS: Final = 600.0
RETRY_SECONDS: Final = 1.0
OWED_AT_MOST: Final = 1_000
"""Writes that wait for a MongoDB that is away; the oldest go first."""
STALE_MS: Final = 3_600_000
"""An expiry that brought no metrics for this long is not the nearest one."""
_PREFIX: Final = b"metrics:"

_metrics = msgspec.json.Decoder(ChainMetrics)
Write = Callable[[], None]


class NotWatching(Exception):
    """Nobody evaluates alerts any more."""


class Evaluator:
    """Which alerts a state sets off. Pure but for its memory; one thread."""

    def __init__(self) -> None:
        self._alerts: dict[str, Alert] = {}
        self._beyond: dict[str, bool] = {}
        self._seen: dict[str, dict[str, ChainMetrics]] = {}
        """Product → expiry → its newest metrics."""

    def watch(self, alerts: Iterable[Alert]) -> None:
        """These from now on; what is remembered of the others goes."""
        self._alerts = {alert.id: alert for alert in alerts}
        self._beyond = {key: value for key, value in self._beyond.items() if key in self._alerts}

    def forget(self, alert_id: str) -> None:
        self._alerts.pop(alert_id, None)

    def see(self, state: ChainMetrics) -> list[tuple[Alert, bool, AlertEvent | None]]:
        """(alert, side, event) of each alert whose metric came to be on another side than it was, or is seen first.

        `event` is None where that sets nothing off.
        """
        known = self._seen.setdefault(state.product, {})
        last = known.get(state.expiry)
        if last is not None and last.source_seq >= state.source_seq:
            return []
        known[state.expiry] = state
        nearest = self._nearest(state)
        concerned = [
            alert
            for alert in self._alerts.values()
            if alert.product == state.product and state.expiry == (alert.expiry or nearest)
        ]
        return [change for alert in concerned if (change := self._change(alert, state)) is not None]

    def _change(self, alert: Alert, state: ChainMetrics) -> tuple[Alert, bool, AlertEvent | None] | None:
        value = getattr(state, alert.metric)
        if value is None:
            return None
        now = is_beyond(alert.op, alert.threshold, value)  # type: ignore[arg-type]
        before = self._beyond.get(alert.id, alert.beyond)
        if before is now:
            return None
        self._beyond[alert.id] = now
        if not goes_off(alert.op, was_beyond=before, now_beyond=now):  # type: ignore[arg-type]
            return alert, now, None
        event = AlertEvent(
            alert=alert.id,
            owner=alert.owner,
            snapshot=state.id,
            expiry=state.expiry,
            value=value,
            source_ts=state.source_ts,
        )
        return alert, now, event

    def _nearest(self, state: ChainMetrics) -> str:
        alive = [
            item
            for item in self._seen[state.product].values()
            if item.expiry_ts > state.source_ts and state.source_ts - item.source_ts < STALE_MS
        ]
        return min(alive, key=lambda item: (item.expiry_ts, item.expiry)).expiry if alive else state.expiry


class AlertWatch:
    """Follows announcements as long as there are alerts; after every connection the live states are read, so that a gap
    costs no alert that is still true. With MongoDB away, what has to be written waits."""

    def __init__(self, redis_url: str, reader: LiveReader, store: AlertStore, clock: Clock) -> None:
        self._url = redis_url
        self._reader = reader
        self._store = store
        self._clock = clock
        self._evaluator = Evaluator()
        self._owed: deque[Write] = deque(maxlen=OWED_AT_MOST)
        self._stopped = threading.Event()
        self._is_wanted = False
        """Whether there are alerts: to hear all of an exchange for nothing takes a tenth of a core."""
        self._reload_at = 0.0
        self._expire_at = 0.0
        self._thread = threading.Thread(target=self.run, name="alerts", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def check(self) -> None:
        """A liveness check. Raises `NotWatching` if a defect ended the thread."""
        if not self._thread.is_alive():
            raise NotWatching

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        """Until `stop`; what is away is tried again each second."""
        client = redis_client.connect(self._url)
        while not self._stopped.is_set():
            try:
                self._reload_at = 0.0
                self._keep_up()
                if not self._is_wanted:
                    self._stopped.wait(RELOAD_SECONDS)
                    continue
                with client.pubsub(ignore_subscribe_messages=True) as announcements:  # type: ignore[no-untyped-call]
                    announcements.subscribe(PUBSUB_LIVE)
                    self._follow(announcements)
            except (RedisError, MongoError) as error:
                log.warning("alerts are not evaluated", **{"error.type": type(error).__name__})
                self._stopped.wait(RETRY_SECONDS)
        client.close()

    def _follow(self, announcements: "redis.client.PubSub") -> None:
        self._reload_at = 0.0
        self._keep_up()
        self._resync()
        while self._is_wanted and not self._stopped.is_set():
            message: Any = announcements.get_message(timeout=0.5)
            if message is not None and message["data"].startswith(_PREFIX):
                self._hear(message["data"])
            self._keep_up()

    def _resync(self) -> None:
        for channel in sorted(self._reader.channels()):
            if parse_channel(channel).kind == "metrics":
                state = self._reader.state(channel)
                if state is not None:
                    self._see(state.data)

    def _hear(self, announcement: bytes) -> None:
        try:
            data = parse_announcement(announcement).data
        except ValueError:
            log.warning("an announcement was not understood", size=len(announcement))
            return
        self._see(data)

    def _see(self, data: bytes) -> None:
        """Whatever else may write to Redis must not end this thread."""
        try:
            state = _metrics.decode(data)
        except msgspec.DecodeError as error:
            log.warning("metrics were not understood", detail=str(error))
            return
        for alert, beyond, event in self._evaluator.see(state):
            if event is not None:
                self._owed.append(partial(self._record, event, end=alert.once))
                if alert.once:
                    self._evaluator.forget(alert.id)
            self._owed.append(partial(self._store.note, alert.id, beyond=beyond, source_ts=state.source_ts))
        self._settle()

    def _record(self, event: AlertEvent, *, end: bool) -> None:
        if self._store.record(event, end=end):
            metrics.alert_events.inc()
            log.info("alert went off", alert=event.alert, **{"trace.id": event.snapshot})

    def _settle(self) -> None:
        """Write what is owed, in order; what fails stays owed."""
        while self._owed:
            try:
                self._owed[0]()
            except MongoError as error:
                metrics.alert_failures.inc()
                log.warning("an alert could not be stored yet", **{"error.type": type(error).__name__})
                return
            self._owed.popleft()

    def _keep_up(self) -> None:
        now = time.monotonic()
        if now < self._reload_at:
            return
        self._reload_at = now + RELOAD_SECONDS
        self._settle()
        if self._owed:
            return
        alerts = self._store.watched()
        self._evaluator.watch(alerts)
        self._is_wanted = bool(alerts)
        metrics.alerts_watched.set(len(alerts))
        if now >= self._expire_at:
            self._expire_at = now + EXPIRE_SECONDS
            self._store.expire(now_ms=self._clock.now_ms(), days=EVENT_DAYS)
