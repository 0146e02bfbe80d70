"""How old the data is that clients see. Taken from the message's bytes, which are never decoded."""

import re
from typing import Final

from aro.adapters.live import LiveState
from aro.contracts.names import parse_channel
from socket_gateway import metrics

_SOURCE_TS: Final = re.compile(rb'"source_ts":(\d{1,15})[,}]')
_TAIL_BYTES: Final = 512
"""Every message of the contracts ends with its source's time stamp and a few short fields."""


class Freshness:
    def __init__(self) -> None:
        self._newest: dict[str, int] = {}

    def note(self, news: LiveState, now_ms: int) -> None:
        """Observe a message that was handed over just now."""
        found = _SOURCE_TS.search(news.data, max(0, len(news.data) - _TAIL_BYTES))
        if found is None:
            return
        source_ts = int(found[1])
        channel = parse_channel(news.channel)
        metrics.end_to_end.labels(channel.kind).observe(max(0, now_ms - source_ts) / 1000)
        if channel.product is not None:
            self._newest[channel.product] = max(source_ts, self._newest.get(channel.product, 0))

    def publish(self, now_ms: int) -> None:
        """Set the ages as of now."""
        for product, source_ts in self._newest.items():
            metrics.topic_age.labels(product).set(max(0, now_ms - source_ts) / 1000)
