"""The only door to ``logs``: one document per line, found by time, and by the id, the service or the severity it has.

A line is stored as the JSON that is answered, deflated. One multikey index serves three questions: a line's `keys`
hold what it is about, which service said it, and ``w`` or ``e`` from warning or error on.
"""

import base64
import binascii
import re
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from aro.adapters.clock import utc
from aro.adapters.log_hours import HOUR_MS, MINUTE_MS, Added, Density, Hour, LogHours, density, windows
from aro.adapters.mongo import Document
from aro.adapters.writes import DAY_MS, ensure_index, raise_unless_duplicates
from aro.contracts.names import COLLECTION_LOGS
from aro.contracts.problems import InvalidRequest

WARNING: Final = 30
ERROR: Final = 40
DEFLATE_LEVEL: Final = 1
DOCUMENT_BYTES: Final = 520
"""What a document takes besides its line: measured on the embedded server, index entries included."""

WINDOW_LINES: Final = 1_000
"""20 ms of the embedded server."""
MAX_SCANNED: Final = 20_000
"""Lines that one search looks at."""
SWEEP_LINES: Final = 500
"""Deleted at once: 85 ms of the embedded server."""
SWEEP_SECONDS: Final = 2.0
KEPT_OF_CAP: Final = 0.95

Test = Callable[[bytes], bool]
_POSITION: Final = re.compile(
    r"(?P<order>[no])\.(?P<start>[0-9]{1,13})\.(?P<end>[0-9]{1,13})\.(?P<at>[0-9]{1,16})\.(?P<id>[A-Za-z0-9_-]{0,80})"
)


@dataclass(frozen=True, slots=True)
class LogRecord:
    """`at_us` is UTC epoch microseconds; `severity` 10 (debug) to 50 (critical); `line` the JSON that is answered."""

    id: str
    at_us: int
    service: str
    severity: int
    traces: tuple[str, ...]
    line: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: `severity` is the least, `trace` an id that a line must be about, `test` looks at its JSON."""

    service: str | None = None
    severity: int = 0
    trace: str | None = None
    test: Test | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """`lines` as JSON. `next_cursor` is None at the end; `is_truncated`: enough was looked at, more may match."""

    lines: list[bytes]
    next_cursor: str | None
    is_truncated: bool


@dataclass(frozen=True, slots=True)
class Position:
    """Lines up to and including (`at_us`, `id`) were answered, of the stretch from `start_ms` to `end_ms`."""

    at_us: int
    id: str
    newest: bool
    start_ms: int
    end_ms: int

    def encode(self) -> str:
        text = f"{'n' if self.newest else 'o'}.{self.start_ms}.{self.end_ms}.{self.at_us}.{self.id}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, *, newest: bool) -> "Position":
        """Raises `InvalidRequest` for a text that `encode` did not make, or made for the other order."""
        try:
            padded = text + "=" * (-len(text) % 4)
            text = base64.urlsafe_b64decode(padded.encode("ascii")).decode("ascii")
            match = _POSITION.fullmatch(text)
            if match is None or match["order"] != ("n" if newest else "o"):
                raise ValueError(text)
            return cls(int(match["at"]), match["id"], newest, int(match["start"]), int(match["end"]))
        except (ValueError, UnicodeError, binascii.Error):
            raise InvalidRequest("not valid: cursor", errors={"cursor": ["Not a cursor of this query."]}) from None

    def is_passed_by(self, at_us: int, line_id: str) -> bool:
        """Whether that line was answered already."""
        return (at_us, line_id) >= (self.at_us, self.id) if self.newest else (at_us, line_id) <= (self.at_us, self.id)


class LogStore:
    def __init__(self, database: Database[Document]) -> None:
        self._logs = database[COLLECTION_LOGS]
        self._hours = LogHours(database)

    def ensure(self) -> None:
        """Create indexes. Safe to repeat."""
        ensure_index(self._logs, [("at", ASCENDING)], "time")
        # Time comes last: SecantusDB 0.7 loses matches at the end of a range that another key follows.
        ensure_index(self._logs, [("keys", ASCENDING), ("at", DESCENDING)], "keys_time")

    # --- writing ---------------------------------------------------------------------------

    def save(self, records: Sequence[LogRecord]) -> int:
        """Store what is not stored yet, by id, durably; how many were new. Raises `MongoError`."""
        if not records:
            return 0
        documents = [_document(record) for record in records]
        known: set[int] = set()
        try:
            self._logs.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            raise_unless_duplicates(error)
            known = {int(failure["index"]) for failure in (error.details or {}).get("writeErrors", [])}
        pairs = zip(records, documents, strict=True)
        self._hours.add(_added([pair for place, pair in enumerate(pairs) if place not in known]))
        return len(records) - len(known)

    # --- reading ---------------------------------------------------------------------------

    def search(
        self,
        wanted: Wanted,
        *,
        start_ms: int,
        end_ms: int,
        limit: int,
        after: Position | None = None,
        newest: bool = True,
        seconds: float = 1.5,
    ) -> Found:
        """Lines with start ≤ time ≤ end, `limit` of them at most. Stops after `MAX_SCANNED` lines, or `seconds`."""
        give_up_at = time.monotonic() + seconds
        query, expected = self._plan(wanted)
        at_position = partial(Position, newest=newest, start_ms=start_ms, end_ms=end_ms)
        if after is not None and newest:
            end_ms = min(end_ms, after.at_us // 1000)
        elif after is not None:
            start_ms = max(start_ms, after.at_us // 1000)
        lines: list[tuple[int, str, bytes]] = []
        scanned = 0
        for a, b in windows(start_ms, end_ms + 1, expected, target=WINDOW_LINES, newest=newest):
            query["at"] = {"$gte": utc(a), "$lt": utc(b)}
            documents = list(self._logs.find(query))
            scanned += len(documents)
            found = [_found(document) for document in documents if _matches(document, wanted)]
            found = [item for item in found if after is None or not after.is_passed_by(item[0], item[1])]
            lines += sorted(filter(_test(wanted), found), reverse=newest)
            if len(lines) > limit:
                last = lines[limit - 1]
                cursor = at_position(last[0], last[1]).encode()
                return Found([item[2] for item in lines[:limit]], cursor, False)
            is_end = a <= start_ms if newest else b > end_ms
            if not is_end and (scanned >= MAX_SCANNED or time.monotonic() > give_up_at):
                # Everything in [a, b) was looked at: no id sorts before the empty one.
                edge = at_position((a if newest else b) * 1000, "").encode()
                return Found([item[2] for item in lines], edge, True)
        return Found([item[2] for item in lines], None, False)

    def services(self) -> list[tuple[str, int, int]]:
        """(name, start of the first hour, end of the last hour with lines of it), in UTC epoch milliseconds."""
        seen: dict[str, tuple[int, int]] = {}
        for hour in self._hours.all():
            for name in hour.services:
                first, _ = seen.get(name, (hour.start_ms, 0))
                seen[name] = (first, hour.start_ms + HOUR_MS)
        return [(name, *span) for name, span in sorted(seen.items())]

    def _plan(self, wanted: Wanted) -> tuple[Document, Density]:
        """The query, without its time, and how many documents it reads in a minute."""
        if wanted.trace is not None:
            return {"keys": trace_key(wanted.trace)}, density(())
        hours = self._hours.all()
        if wanted.severity >= WARNING:
            return {"keys": "e" if wanted.severity >= ERROR else "w"}, density(hours, alerts=True)
        if wanted.service is not None:
            return {"keys": _service_key(wanted.service)}, density(hours, share=0.25)
        return {}, density(hours)

    # --- retention -------------------------------------------------------------------------

    def sweep(self, *, now_ms: int, days: float, max_bytes: int) -> int:
        """Delete what is older than `days`, then the oldest until `max_bytes` hold the rest; how many. What is not
        done in `SWEEP_SECONDS` is left for the next time."""
        hours = self._hours.all()
        before = now_ms - round(days * DAY_MS)
        if sum(hour.bytes for hour in hours) > max_bytes:
            before = max(before, _end_of_surplus(hours, round(max_bytes * KEPT_OF_CAP)))
        return self._delete(hours, before)

    def size(self) -> int:
        """Bytes that the lines take, as counted when they came."""
        return sum(hour.bytes for hour in self._hours.all())

    def _delete(self, hours: Sequence[Hour], before_ms: int) -> int:
        give_up_at = time.monotonic() + SWEEP_SECONDS
        # Without counts there may be lines nevertheless.
        start = min([hour.start_ms for hour in hours] + [before_ms]) if hours else before_ms - 1
        deleted, swept_to = 0, start
        for _, b in windows(start, before_ms, density(hours), target=SWEEP_LINES):
            deleted += self._logs.delete_many({"at": {"$lt": utc(b)}}).deleted_count
            swept_to = b
            if time.monotonic() > give_up_at:
                break
        for hour in hours:
            passed = (swept_to - hour.start_ms) // MINUTE_MS
            if 0 < passed < 60:
                self._hours.take(hour, range(passed))
        self._hours.forget(swept_to)
        return deleted


def trace_key(trace: str) -> str:
    """What lines about `trace` are indexed by: all snapshots of one tick share the number at the end of their ids, so
    a line about 24 of them costs one entry of the index, not 24."""
    return f"t:{trace.rpartition('|')[2]}"


def _service_key(service: str) -> str:
    return f"s:{service}"


def _document(record: LogRecord) -> Document:
    keys = {trace_key(trace) for trace in record.traces}
    keys.add(_service_key(record.service))
    if record.severity >= WARNING:
        keys.add("w")
    if record.severity >= ERROR:
        keys.add("e")
    return {
        "_id": record.id,
        "at": utc(record.at_us // 1000),
        "at_us": record.at_us,
        "service": record.service,
        "severity": record.severity,
        "keys": sorted(keys),
        "line": zlib.compress(record.line, DEFLATE_LEVEL),
    }


def _found(document: Document) -> tuple[int, str, bytes]:
    return int(document["at_us"]), str(document["_id"]), zlib.decompress(document["line"])


def _matches(document: Document, wanted: Wanted) -> bool:
    """What the key of the query left open. In the query it would cost the embedded server its index."""
    return int(document["severity"]) >= wanted.severity and wanted.service in (None, document["service"])


def _test(wanted: Wanted) -> Callable[[tuple[int, str, bytes]], bool]:
    trace = wanted.trace
    # Ids need no escaping in JSON, so the quoted text is in the line exactly if the id is.
    needle = f'"{trace}"'.encode() if trace is not None else b""
    test = wanted.test
    return lambda item: needle in item[2] and (test is None or test(item[2]))


def _added(pairs: Sequence[tuple[LogRecord, Document]]) -> dict[int, Added]:
    news: dict[int, Added] = {}
    for record, document in pairs:
        minute = record.at_us // (MINUTE_MS * 1000)
        added = news.setdefault(minute // 60, Added())
        added.minutes[minute % 60] += 1
        added.bytes += len(document["line"]) + DOCUMENT_BYTES
        added.alerts += record.severity >= WARNING
        added.services.add(record.service)
    return news


def _end_of_surplus(hours: Sequence[Hour], keep: int) -> int:
    """The instant before which everything has to go so that about `keep` bytes are left."""
    surplus = sum(hour.bytes for hour in hours) - keep
    for hour in hours:
        average = hour.bytes / max(1, hour.lines)
        for minute in range(60):
            if surplus <= 0:
                return hour.start_ms + minute * MINUTE_MS
            surplus -= round(hour.minutes.get(minute, 0) * average)
    return hours[-1].start_ms + HOUR_MS if hours else 0
