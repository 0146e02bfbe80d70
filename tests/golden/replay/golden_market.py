"""Makes the golden recording and its hashes: ``python tests/golden/replay/golden_market.py`` writes what is missing.

The recording is of the synthetic feed with a fixed seed and clock, so that no exchange's data is in the tree. Delete
hashes.json, and only that, after a change that is meant to change what is published.
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from aro.contracts.codec import encode_json
from aro.contracts.names import chain_channel, metrics_channel, ticks_channel
from feed_generator.feed import Feed
from feed_generator.numbering import SourceSequences
from feed_generator.outbox import Outbox
from feed_generator.recording.codec import Recorded
from feed_generator.recording.writer import RecordingWriter
from feed_generator.sessions.sources import Played, RecordingSource
from feed_generator.synthetic.provider import SyntheticProvider
from worker_enricher.pipeline import enrich_tick
from worker_enricher.published import enrich_records
from worker_enricher.snapshots import read_chain, read_tick

FOLDER: Final = Path(__file__).parent
RECORDING: Final = FOLDER / "market.rec"
HASHES: Final = FOLDER / "hashes.json"
START_MS: Final = 1_795_338_000_000
"""2026-11-22T09:00:00Z."""
TICKS: Final = 8
_COMPUTED: Final = re.compile(rb'"computed_ts":\d+')


def record(path: Path, products: Iterable[str], *, ticks: int, interval_ms: int = 1_000, seed: int = 7) -> None:
    """A recording of `ticks` ticks from `START_MS` on, always the same."""
    provider = SyntheticProvider(list(products), seed=seed, scenario="calm", exchange_hours=False, with_truths=False)
    outbox = Outbox(100_000)
    feed = Feed(provider, SourceSequences({}), outbox)
    writer = RecordingWriter(path)
    for number in range(ticks):
        now = START_MS + number * interval_ms
        feed.tick(now)
        for entry in outbox.take(100_000):
            writer.add(Recorded(entry.stream, now, entry.message), now / 1000)
        writer.flush_if_due(now / 1000)
    writer.close()


def published(entries: Iterable[Played]) -> Iterator[tuple[str, bytes]]:
    """(channel, data) of each message, in the worker's own words but without servers."""
    for entry in entries:
        if entry.expiry is None:
            yield ticks_channel(entry.product), encode_json(enrich_tick(read_tick(entry.message)))
        else:
            [made] = enrich_records([read_chain(entry.message)], computed_ts=0)
            yield metrics_channel(entry.product, entry.expiry), encode_json(made.metrics)
            yield chain_channel(entry.product, entry.expiry), made.data


def timeless(data: bytes) -> bytes:
    """What was published, but for when it was computed."""
    return _COMPUTED.sub(b'"computed_ts":0', data)


def hashes(states: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """Channel → SHA-256 of all that was published on it, one after the other."""
    found: dict[str, Any] = {}
    for channel, data in states:
        found.setdefault(channel, hashlib.sha256()).update(timeless(data) + b"\n")
    return {channel: digest.hexdigest() for channel, digest in sorted(found.items())}


def main() -> int:
    if not RECORDING.exists():
        record(RECORDING, ["NIFTY"], ticks=TICKS)
    if not HASHES.exists():
        found = hashes(published(RecordingSource(RECORDING, ()).entries(START_MS)))
        HASHES.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
