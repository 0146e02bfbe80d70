"""The Redis stream that log lines travel in: bounded in entries and in bytes, the oldest go first.

The bounds are for when nobody stores them. Who does keeps it short.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis

from aro.contracts.names import GROUP_LOGGERS, STREAM_LOGS, STREAM_LOGS_LENGTH

STREAM_LOGS_BYTES: Final = 64 * 1024 * 1024
"""Memory of Redis that log lines may take; the ledger lives in the same server."""
MEASURE_SECONDS: Final = 5.0
_LEAST_LENGTH: Final = 1_000

_LINE: Final = b"l"
_STORED: Final = b"s"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """`line` is JSON, from whoever may write to Redis. `is_stored`: the database has it, it only passes by."""

    id: str
    line: bytes
    is_stored: bool = False

    @property
    def ts(self) -> int:
        """When Redis took it, UTC epoch milliseconds."""
        return int(self.id.partition("-")[0])


@dataclass(frozen=True, slots=True)
class StreamState:
    """`waiting` entries were never read, `owed` were read and not acknowledged, `gone` stood between the last read one
    and the first waiting one and were trimmed: the next read jumps over them."""

    waiting: int
    owed: int
    gone: int


class LogStream:
    """Not for use by several threads at once."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._most = STREAM_LOGS_LENGTH
        self._measured_at: float | None = None

    # --- writing ---------------------------------------------------------------------------

    def append(self, lines: Sequence[bytes], *, stored: bool = False) -> None:
        """All in one round trip, in order. Raises if the server refused any; some may be in then."""
        if self._measured_at is None or time.monotonic() - self._measured_at > MEASURE_SECONDS:
            self._measure()
        mark = {_STORED: b"1"} if stored else {}
        pipe = self._redis.pipeline(transaction=False)
        for line in lines:
            pipe.xadd(STREAM_LOGS, {_LINE: line, **mark}, maxlen=self._most, approximate=True)  # type: ignore[dict-item]
        pipe.execute()

    def _measure(self) -> None:
        """Let fewer entries in when they are large."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.xlen(STREAM_LOGS)
        pipe.memory_usage(STREAM_LOGS)
        length, size = pipe.execute()
        average = max(1, (size or 0) // max(1, length))
        self._most = max(_LEAST_LENGTH, min(STREAM_LOGS_LENGTH, STREAM_LOGS_BYTES // average))
        self._measured_at = time.monotonic()

    # --- the group that stores -------------------------------------------------------------

    def ensure_group(self) -> None:
        """Create stream and group where missing, from the first entry on. Safe to repeat."""
        try:
            self._redis.xgroup_create(STREAM_LOGS, GROUP_LOGGERS, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def read_new(self, consumer: str, *, count: int, block_ms: int) -> list[LogEntry]:
        """Entries that no consumer was given yet; empty after `block_ms` without any."""
        answer: Any = self._redis.xreadgroup(GROUP_LOGGERS, consumer, {STREAM_LOGS: ">"}, count=count, block=block_ms)
        return _entries(_of_stream(answer))

    def reclaim(self, consumer: str, *, min_idle_ms: int, count: int) -> tuple[list[LogEntry], int]:
        """Take over what nobody acknowledged for `min_idle_ms`; and how many of these were trimmed meanwhile."""
        answer: Any = self._redis.xautoclaim(
            STREAM_LOGS, GROUP_LOGGERS, consumer, min_idle_time=min_idle_ms, start_id="0-0", count=count
        )
        _, entries, gone = answer
        return _entries(entries), len(gone)

    def ack(self, ids: Sequence[str]) -> None:
        if ids:
            self._redis.xack(STREAM_LOGS, GROUP_LOGGERS, *ids)

    def forget_consumers(self, *, idle_ms: int) -> None:
        """Drop the names of processes that ended; what they owe is claimed by others first."""
        for consumer in self._redis.xinfo_consumers(STREAM_LOGS, GROUP_LOGGERS):
            if consumer["pending"] == 0 and consumer["idle"] > idle_ms:
                self._redis.xgroup_delconsumer(STREAM_LOGS, GROUP_LOGGERS, consumer["name"])

    def trim(self, keep: int) -> None:
        """Drop what was acknowledged, but for about the newest `keep` entries. While any are owed nothing goes: those
        may be the oldest."""
        state = self.state()
        if not state.owed:
            self._redis.xtrim(STREAM_LOGS, maxlen=keep + state.waiting, approximate=True)

    def state(self) -> StreamState:
        pipe = self._redis.pipeline(transaction=False)
        pipe.xinfo_stream(STREAM_LOGS)
        pipe.xinfo_groups(STREAM_LOGS)
        stream, groups = pipe.execute()
        [group] = [item for item in groups if item["name"] == GROUP_LOGGERS.encode()]
        trimmed = int(stream["entries-added"]) - int(stream["length"])
        # The server leaves either out when it cannot tell.
        read, lag = group["entries-read"], group["lag"]
        return StreamState(
            waiting=min(int(stream["length"]), int(lag) if lag is not None else int(stream["length"])),
            owed=int(group["pending"]),
            gone=max(0, trimmed - int(read)) if read is not None else 0,
        )

    # --- those who only look ---------------------------------------------------------------

    def last_id(self) -> str:
        """Of the newest entry; ``0-0`` of an empty stream."""
        newest: Any = self._redis.xrevrange(STREAM_LOGS, count=1)
        return str(newest[0][0].decode()) if newest else "0-0"

    def first_id(self) -> str | None:
        oldest: Any = self._redis.xrange(STREAM_LOGS, count=1)
        return str(oldest[0][0].decode()) if oldest else None

    def follow(self, after_id: str, *, count: int, block_ms: int) -> list[LogEntry]:
        """Entries later than `after_id`; empty after `block_ms` without any."""
        return _entries(_of_stream(self._redis.xread({STREAM_LOGS: after_id}, count=count, block=block_ms)))

    def between(self, after_id: str, last_id: str, *, count: int) -> list[LogEntry]:
        """The first `count` entries later than `after_id` and up to `last_id`."""
        return _entries(self._redis.xrange(STREAM_LOGS, f"({after_id}", last_id, count=count))


def _of_stream(answer: Any) -> Any:
    """The entries of the one stream that was asked for: RESP3 answers are maps and nest one level deeper."""
    pairs = answer.items() if isinstance(answer, Mapping) else answer or []
    for _, entries in pairs:
        return entries[0] if entries and isinstance(entries[0], list) else entries
    return []


def _entries(raw: Any) -> list[LogEntry]:
    return [
        LogEntry(entry_id.decode(), (fields or {}).get(_LINE, b""), _STORED in (fields or {}))
        for entry_id, fields in raw
    ]
