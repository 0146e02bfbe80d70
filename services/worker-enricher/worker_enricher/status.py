"""The ``status`` channel: which products are live, how old their news is, how the pipeline, the gateways and all other
processes are."""

from typing import Final

import msgspec
import redis

from aro.adapters.clock import Clock
from aro.adapters.dead_letters import DeadLetters
from aro.adapters.ledger import Ledger
from aro.adapters.live import LivePublisher, LiveReader, Publication
from aro.adapters.vitals import VitalsStore
from aro.contracts.codec import encode_json
from aro.contracts.names import CHANNEL_STATUS, LEDGER_STREAMS, parse_channel
from aro.contracts.status import PlatformStatus, ProductStatus
from aro.contracts.vitals import VITALS_VERSION, WINDOW_SECONDS, ProcessVitals
from aro.runtime.logs import get_logger
from worker_enricher.overview import gateway_statuses, pipeline_status, process_statuses

log = get_logger(__name__)


_TELLING: Final = ("ticks:", "metrics:")
"""Channels that say how old a product is."""


class _Stamp(msgspec.Struct):
    """The only field of a channel's data that matters here; the decoder skips the rest."""

    source_ts: int


_stamp: Final = msgspec.json.Decoder(_Stamp)
_vitals: Final = msgspec.msgpack.Decoder(ProcessVitals)


class StatusDesk:
    """One per process."""

    def __init__(self, client: redis.Redis, publisher: LivePublisher, clock: Clock, *, stale_after_ms: int) -> None:
        self._reader = LiveReader(client)
        self._ledger = Ledger(client)
        self._dead = DeadLetters(client)
        self._processes = VitalsStore(client)
        self._publisher = publisher
        self._clock = clock
        self._stale_after_ms = stale_after_ms
        self._unread: set[str] = set()

    def publish(self) -> None:
        """Raises what Redis raises."""
        status = self.status()
        self._publisher.publish([Publication(CHANNEL_STATUS, status.server_ts, encode_json(status))])

    def status(self) -> PlatformStatus:
        """The state of the platform now, read from Redis."""
        products = self._products()
        owed = {stream: self._ledger.owed(stream) for stream in LEDGER_STREAMS}
        vitals = self._vitals()
        now_ms = self._clock.now_ms()
        return PlatformStatus(
            server_ts=now_ms,
            products=products,
            stream_lag={stream: self._ledger.lag(stream) for stream in LEDGER_STREAMS},
            dead_letters=self._dead.count(),
            stream_pending={stream: count for stream, (count, _) in owed.items()},
            oldest_pending_ms={
                stream: None if oldest is None else max(0, now_ms - oldest) for stream, (_, oldest) in owed.items()
            },
            passed_over=self._ledger.passed_over(),
            window_ms=WINDOW_SECONDS * 1000,
            pipeline=pipeline_status(vitals),
            gateways=gateway_statuses(vitals),
            processes=process_statuses(vitals),
        )

    def _products(self) -> list[ProductStatus]:
        now_ms = self._clock.now_ms()
        newest: dict[str, int] = {}
        expiries: dict[str, list[str]] = {}
        told = [name for name in sorted(self._reader.channels()) if name.startswith(_TELLING)]
        for name, state in self._reader.states(told).items():
            channel = parse_channel(name)
            if channel.product is None or state is None:
                continue
            source_ts = _stamp.decode(state.data).source_ts
            newest[channel.product] = max(newest.get(channel.product, 0), source_ts)
            known = expiries.setdefault(channel.product, [])
            if channel.expiry and now_ms - source_ts <= self._stale_after_ms:
                known.append(channel.expiry)
        return [
            ProductStatus(
                product=product,
                state="live" if now_ms - source_ts <= self._stale_after_ms else "stale",
                age_ms=max(0, now_ms - source_ts),
                expiries=expiries[product],
            )
            for product, source_ts in newest.items()
        ]

    def _vitals(self) -> dict[str, ProcessVitals]:
        """Without those of a release that says it differently; each of them is named once."""
        said = {instance: _read(data) for instance, data in self._processes.all().items()}
        unread = {instance for instance, vitals in said.items() if vitals is None}
        for instance in unread - self._unread:
            log.warning("vitals that cannot be read", instance=instance)
        self._unread = unread
        return {instance: vitals for instance, vitals in said.items() if vitals is not None}


def _read(data: bytes) -> ProcessVitals | None:
    try:
        vitals = _vitals.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return vitals if vitals.v == VITALS_VERSION else None
