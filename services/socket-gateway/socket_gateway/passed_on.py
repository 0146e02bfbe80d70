"""What the gateway passed on, said once for each burst: one line with the ids of all snapshots in it."""

from typing import Final

from aro.adapters.live import LiveState
from aro.contracts.names import parse_channel, snapshot_id, tick_id
from aro.runtime.logs import concerning, get_logger

log = get_logger(__name__)

BURST_SECONDS: Final = 0.25
MOST_IDS: Final = 64


class PassedOn:
    """Call `say` often: a burst is over when it is old or large enough, not when the next one begins."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}
        self._messages = 0
        self._began_at = 0.0

    def note(self, news: LiveState, now: float) -> None:
        """`now` is monotonic seconds."""
        channel = parse_channel(news.channel)
        if channel.product is None or channel.kind not in ("chain", "metrics", "ticks"):
            return
        if not self._ids:
            self._began_at = now
        if channel.expiry is None:
            self._ids[tick_id(channel.product, news.source_seq)] = None
        else:
            self._ids[snapshot_id(channel.product, channel.expiry, news.source_seq)] = None
        self._messages += 1

    def say(self, now: float) -> None:
        if self._ids and (now - self._began_at >= BURST_SECONDS or len(self._ids) >= MOST_IDS):
            log.info("passed on", messages=self._messages, **concerning(self._ids))
            self._ids = {}
            self._messages = 0
