"""Plays captures: which one is current at a moment, stamped as if it were taken now."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import Final

import msgspec

from aro.contracts.market import ChainSnapshot, UnderlyingTick
from aro.runtime.logs import get_logger
from feed_generator.provider import UNNUMBERED, Batch, FeedError
from feed_generator.replay.capture import Capture, read_capture

log = get_logger(__name__)

_SUFFIXES: Final = (".json", ".json.gz")
_LONE_CAPTURE_MS: Final = 1000


def read_captures(path: Path, products: Sequence[str] = ()) -> list[Capture]:
    """The capture in file `path`, or all of folder `path`, ordered by the time they were taken.

    `products` restricts them where given.

    Raises
    ------
    FeedError
        If there is none, or one of the files cannot be read at all.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.name.endswith(_SUFFIXES))
        if not files:
            raise FeedError(f"{path}: no *.json or *.json.gz in this folder")
    else:
        files = [path]
    captures = [capture for capture in map(read_capture, files) if not products or capture.product in products]
    if not captures:
        raise FeedError(f"{path}: holds no chain of {', '.join(products)}")
    for capture in captures:
        if capture.skipped:
            log.warning("capture rows skipped", file=str(capture.path), skipped=dict(capture.skipped))
    return sorted(captures, key=lambda capture: capture.ts)


class ReplayProvider:
    """Each tick publishes, per product, the capture that is current at the replay's own time.

    That time starts at `start_ts`, or at the first capture if that is later, and runs `speed` times as fast as the
    clock. A capture stays current, and is published anew at every tick, until the next one's time has come. After the
    last one it stays that way, or with `loop` starts over. Times move so that time to expiry is the capture's:
    `source_ts` is now and `expiry_ts` keeps its distance from it; the label `expiry` stays.

    Raises `FeedError` if the captures end before `start_ts`.
    """

    def __init__(self, captures: Sequence[Capture], *, speed: float, loop: bool, start_ts: int | None = None) -> None:
        by_product: dict[str, list[Capture]] = {}
        for capture in sorted(captures, key=lambda capture: capture.ts):
            by_product.setdefault(capture.product, []).append(capture)
        self._by_product: Mapping[str, Sequence[Capture]] = by_product
        times = sorted({capture.ts for capture in captures})
        self._first_ts = times[0]
        # One usual gap after the last capture, so that it is seen before the replay starts over.
        gaps = [later - earlier for earlier, later in pairwise(times)]
        self._length = times[-1] - times[0] + (median_low(gaps) if gaps else _LONE_CAPTURE_MS)
        skipped = max((start_ts or 0) - self._first_ts, 0)
        if skipped >= self._length:
            raise FeedError("the captures end before the instant of --from")
        self._first_ts += skipped
        self._length -= skipped
        self._speed = speed
        self._loop = loop
        self._started_ms: int | None = None

    def tick(self, now_ms: int) -> Batch:
        if self._started_ms is None:
            self._started_ms = now_ms
        played = max(now_ms - self._started_ms, 0) * self._speed
        replay_ts = self._first_ts + (played % self._length if self._loop else played)
        batch = Batch()
        for captures in self._by_product.values():
            index = bisect_right(captures, replay_ts, key=lambda capture: capture.ts) - 1
            if index >= 0:
                capture = captures[index]
                batch.ticks.append(_tick(capture, now_ms))
                batch.chains.extend(_restamped(chain, now_ms) for chain in capture.chains)
        return batch


def _tick(capture: Capture, now_ms: int) -> UnderlyingTick:
    return UnderlyingTick(
        product=capture.product, price=capture.spot, source_seq=UNNUMBERED, source_ts=now_ms, origin="replay"
    )


def _restamped(chain: ChainSnapshot, now_ms: int) -> ChainSnapshot:
    return msgspec.structs.replace(chain, source_ts=now_ms, expiry_ts=chain.expiry_ts + (now_ms - chain.source_ts))
