"""What sessions play: recordings and captures of one folder. History of MongoDB is in `history`."""

import os
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec

from aro.contracts.codec import encode_message
from aro.contracts.market import ChainSnapshot, UnderlyingTick
from aro.contracts.names import STREAM_TICKS
from aro.contracts.replays import ReplayRecording
from aro.runtime.logs import get_logger
from feed_generator.provider import FeedError
from feed_generator.recording.codec import RecordingError
from feed_generator.recording.reader import Recording, looks_recorded
from feed_generator.replay.capture import Capture
from feed_generator.replay.provider import read_captures

log = get_logger(__name__)

LOOK_BACK_MS: Final = 10_000
"""A session that is sought shows the newest message of every series that is at most so old: ten ticks of a feed."""
_CAPTURES: Final = (".json", ".json.gz")


class Played(NamedTuple):
    """An encoded chain or tick (without `expiry`) that is due at `ts`; see `nothing_until` for one without message."""

    ts: int
    product: str
    expiry: str | None
    message: bytes


def nothing_until(ts: int) -> Played:
    """No message is due before `ts`, and what is due then is not known yet."""
    return Played(ts, "", None, b"")


class Source(Protocol):
    """Raises `FeedError` where it cannot be read (any more)."""

    first_ts: int | None
    last_ts: int | None
    """None where it goes on as time does."""

    def entries(self, from_ts: int) -> Iterator[Played]:
        """In the order of their time, from as far before `from_ts` as shows every series that was alive then."""

    def close(self) -> None: ...


class _Head(msgspec.Struct, frozen=True):
    product: str
    expiry: str | None = None


_head = msgspec.msgpack.Decoder(_Head)


class RecordingSource:
    """Every message at the instant at which Redis took it."""

    def __init__(self, path: Path, products: Collection[str]) -> None:
        self._products = products
        try:
            self._recording = Recording(path)
        except (RecordingError, OSError) as error:
            raise FeedError(str(error)) from None
        self.first_ts: int | None = self._recording.first_ts
        self.last_ts: int | None = self._recording.last_ts

    def entries(self, from_ts: int) -> Iterator[Played]:
        for entry in self._recording.entries(from_ts - LOOK_BACK_MS):
            try:
                head = _head.decode(entry.message)
            except (msgspec.DecodeError, UnicodeDecodeError):
                log.warning("a recorded message cannot be read and is left out", at=entry.ts)
                continue
            if not self._products or head.product in self._products:
                yield Played(
                    entry.ts, head.product, None if entry.stream == STREAM_TICKS else head.expiry, entry.message
                )

    def close(self) -> None:
        self._recording.close()


class CaptureSource:
    """Every capture of NSE at its own time, once."""

    def __init__(self, path: Path, products: Collection[str]) -> None:
        self._captures = read_captures(path, tuple(products))
        self.first_ts: int | None = self._captures[0].ts
        self.last_ts: int | None = self._captures[-1].ts

    def entries(self, from_ts: int) -> Iterator[Played]:
        start = bisect_right(self._captures, from_ts, key=lambda capture: capture.ts)
        current = {capture.product: capture for capture in self._captures[:start]}
        for capture in (*sorted(current.values(), key=lambda capture: capture.ts), *self._captures[start:]):
            yield from _messages(capture)

    def close(self) -> None:
        self._captures = []


def _messages(capture: Capture) -> Iterator[Played]:
    """Numbered by their own time, so that a capture gives the same messages each time."""
    ts = capture.ts
    tick = UnderlyingTick(product=capture.product, price=capture.spot, source_seq=ts, source_ts=ts, origin="replay")
    yield Played(ts, capture.product, None, encode_message(tick))
    for chain in capture.chains:
        numbered: ChainSnapshot = msgspec.structs.replace(chain, source_seq=ts)
        yield Played(ts, chain.product, chain.expiry, encode_message(numbered))


# --- the folder ----------------------------------------------------------------------------


class Folder:
    """What can be played out of one folder, by file name; looked at again only where a file changed."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, tuple[tuple[int, int], ReplayRecording | None]] = {}

    def recordings(self) -> list[ReplayRecording]:
        """Raises OSError where the folder cannot be read."""
        if self._path is None:
            return []
        files = {entry.name: entry for entry in os.scandir(self._path)}
        self._known = {name: self._look(entry) for name, entry in files.items()}
        found = (recording for _, recording in self._known.values() if recording is not None)
        return sorted(found, key=lambda recording: recording.name)

    def open(self, name: str, products: Collection[str]) -> Source:
        """Raises `FeedError`."""
        # Only names that are listed: what a user sends never becomes part of a path otherwise.
        found = next((recording for recording in self.recordings() if recording.name == name), None)
        if found is None or self._path is None:
            raise FeedError(f"there is no recording {name} here (any more)")
        kinds: dict[str, Callable[[Path, Collection[str]], Source]] = {
            "recording": RecordingSource,
            "capture": CaptureSource,
        }
        return kinds[found.kind](self._path / name, products)

    def _look(self, entry: "os.DirEntry[str]") -> tuple[tuple[int, int], ReplayRecording | None]:
        stat = entry.stat()
        mark = (stat.st_size, stat.st_mtime_ns)
        known = self._known.get(entry.name)
        return known if known is not None and known[0] == mark else (mark, _recording(Path(entry.path)))


def _recording(path: Path) -> ReplayRecording | None:
    """None for what is neither, or cannot be read at all."""
    try:
        if looks_recorded(path):
            recording = Recording(path)
            recording.close()
            return ReplayRecording(
                name=path.name, kind="recording", first_ts=recording.first_ts, last_ts=recording.last_ts
            )
        is_capture = path.name.endswith(_CAPTURES) or (
            path.is_dir() and any(file.name.endswith(_CAPTURES) for file in path.iterdir())
        )
    except (RecordingError, OSError) as error:
        log.warning("not a recording that can be played", file=path.name, cause=str(error))
        return None
    return ReplayRecording(name=path.name, kind="capture", first_ts=None, last_ts=None) if is_capture else None
