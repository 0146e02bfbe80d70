"""The ``status`` channel: which products are live, how old their news is, and how far the pipeline lags."""

import msgspec

from aro.adapters.clock import Clock
from aro.adapters.dead_letters import DeadLetters
from aro.adapters.ledger import Ledger
from aro.adapters.live import LivePublisher, LiveReader, Publication
from aro.contracts.analytics import PlatformStatus, ProductStatus
from aro.contracts.codec import encode_json
from aro.contracts.names import CHANNEL_STATUS, LEDGER_STREAMS, parse_channel


class _Stamp(msgspec.Struct):
    """The only field of a channel's data that matters here; the decoder skips the rest."""

    source_ts: int


_stamp = msgspec.json.Decoder(_Stamp)


def platform_status(
    reader: LiveReader, ledger: Ledger, dead: DeadLetters, *, now_ms: int, stale_after_ms: int
) -> PlatformStatus:
    """The state of the platform at `now_ms`, read from Redis."""
    newest: dict[str, int] = {}
    expiries: dict[str, list[str]] = {}
    for name in sorted(reader.channels()):
        channel = parse_channel(name)
        if channel.kind not in ("ticks", "metrics") or channel.product is None:
            continue
        state = reader.state(name)
        if state is None:
            continue
        source_ts = _stamp.decode(state.data).source_ts
        newest[channel.product] = max(newest.get(channel.product, 0), source_ts)
        known = expiries.setdefault(channel.product, [])
        if channel.expiry and now_ms - source_ts <= stale_after_ms:
            known.append(channel.expiry)
    products = [
        ProductStatus(
            product=product,
            state="live" if now_ms - source_ts <= stale_after_ms else "stale",
            age_ms=max(0, now_ms - source_ts),
            expiries=expiries[product],
        )
        for product, source_ts in newest.items()
    ]
    lag = {stream: ledger.lag(stream) for stream in LEDGER_STREAMS}
    return PlatformStatus(server_ts=now_ms, products=products, stream_lag=lag, dead_letters=dead.count())


def publish_status(
    reader: LiveReader,
    ledger: Ledger,
    dead: DeadLetters,
    publisher: LivePublisher,
    clock: Clock,
    *,
    stale_after_ms: int,
) -> None:
    now = clock.now_ms()
    status = platform_status(reader, ledger, dead, now_ms=now, stale_after_ms=stale_after_ms)
    publisher.publish([Publication(CHANNEL_STATUS, now, encode_json(status))])
