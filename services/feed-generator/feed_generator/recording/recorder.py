"""``python -m feed_generator record``: follows the ledger beside its consumer group, and takes nothing from it."""

import threading
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import redis

from aro.adapters.clock import Clock
from aro.contracts.names import FIELD_MESSAGE, LEDGER_STREAMS
from feed_generator.recording.codec import Recorded
from feed_generator.recording.writer import RecordingWriter

BLOCK_MS: Final = 200
MOST_PER_READ: Final = 500
_FIELD: Final = FIELD_MESSAGE.encode()


class Summary(NamedTuple):
    """`missed` messages left the ledger before they were read here: the pipeline acknowledged them faster."""

    messages: int
    written_bytes: int
    missed: int


class _Position(NamedTuple):
    """Last entry id of a stream, and how many entries it ever had."""

    last: str
    added: int


class Recorder:
    def __init__(self, client: redis.Redis, writer: RecordingWriter, clock: Clock) -> None:
        self._redis = client
        self._writer = writer
        self._clock = clock
        self._started = {stream: _position(client, stream) for stream in LEDGER_STREAMS}
        self._last = {stream: position.last for stream, position in self._started.items()}
        self._read = dict.fromkeys(LEDGER_STREAMS, 0)

    def run(self, stop: threading.Event, seconds: float | None = None) -> Summary:
        """Record what is appended from construction on, until `stop`, or for `seconds`. Raises OSError and RedisError;
        what was written before stays readable."""
        end = None if seconds is None else self._clock.monotonic() + seconds
        try:
            while not stop.is_set() and (end is None or self._clock.monotonic() < end):
                self.turn()
            missed = self._drain()
        finally:
            self._writer.close()
        return Summary(self._writer.messages, self._writer.written, missed)

    def turn(self) -> None:
        """Take what is new, waiting for it at most `BLOCK_MS`."""
        self._take(block_ms=BLOCK_MS)
        self._writer.flush_if_due(self._clock.monotonic())

    def _take(self, *, block_ms: int | None) -> None:
        positions: dict[Any, Any] = dict(self._last)
        answer: Any = self._redis.xread(positions, count=MOST_PER_READ, block=block_ms)
        found: list[Recorded] = []
        for name, entries in answer.items() if isinstance(answer, Mapping) else answer or []:
            stream = name.decode()
            # RESP3 answers nest a stream's entries one level deeper than RESP2.
            for entry_id, fields in entries[0] if entries and isinstance(entries[0], list) else entries:
                self._last[stream] = entry_id.decode()
                self._read[stream] += 1
                ts = int(entry_id.partition(b"-")[0])
                found.append(Recorded(stream, ts, fields.get(_FIELD, b"")))
        now = self._clock.monotonic()
        # Counters of ids compare within a stream only; the sort is stable, so it keeps every stream's order.
        for entry in sorted(found, key=lambda entry: entry.ts):
            self._writer.add(entry, now)

    def _drain(self) -> int:
        """Read what the streams hold now; how many entries were never seen."""
        return sum(self._missed(stream) for stream in LEDGER_STREAMS)

    def _missed(self, stream: str) -> int:
        while True:
            position, before = _position(self._redis, stream), self._last[stream]
            self._take(block_ms=None)
            if self._last[stream] == before:
                # Nothing is left to read, so every entry up to that position was read or is gone.
                return max(position.added - self._started[stream].added - self._read[stream], 0)


def _position(client: redis.Redis, stream: str) -> _Position:
    if not client.exists(stream):
        return _Position("0-0", 0)
    info: Any = client.xinfo_stream(stream)
    return _Position(info["last-generated-id"].decode(), int(info["entries-added"]))
