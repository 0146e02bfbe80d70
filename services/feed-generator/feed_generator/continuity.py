"""Where each synthetic market was when clients last saw it, so that a restarted one goes on from there."""

from collections.abc import Iterable

import msgspec
import redis

from aro.adapters.live import LiveReader
from aro.contracts.analytics import EnrichedTick
from aro.contracts.names import ticks_channel

_tick = msgspec.json.Decoder(EnrichedTick)


def last_prices(client: redis.Redis, products: Iterable[str]) -> dict[str, float]:
    """Last published synthetic price per product; products without one are left out."""
    reader = LiveReader(client)
    prices: dict[str, float] = {}
    for name in products:
        state = reader.state(ticks_channel(name))
        if state is None:
            continue
        tick = _tick.decode(state.data)
        if tick.origin == "synthetic":
            prices[name] = tick.price
    return prices
