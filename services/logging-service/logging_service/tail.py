"""Live tails: one thread follows the stream, each tail has a bounded queue, and what does not fit is said."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from aro.adapters.log_stream import LogEntry, LogStream
from aro.adapters.redis_client import RedisError
from aro.contracts.problems import RateLimited
from aro.runtime.logs import get_logger
from logging_service import metrics
from logging_service.lines import LogLine, of_entry

log = get_logger(__name__)

MAX_TAILS: Final = 4
"""Each holds one of gunicorn's eight threads; the others answer requests."""
QUEUE_LINES: Final = 500
BACKFILL_LINES: Final = 5_000
"""Most that a tail catches up on after a break."""
PAGE_LINES: Final = 500
BLOCK_MS: Final = 500
RETRY_SECONDS: Final = 1.0

Matches = Callable[[LogLine, bytes], bool]


@dataclass(frozen=True, slots=True)
class Item:
    """A line (its JSON) at a position of the stream; with `dropped`, that so many are missing here (-1: unknown)."""

    id: str
    line: bytes = b""
    dropped: int = 0


class Tail:
    """One follower of what comes after `starts_after`. `take` is called by one thread, `put` by the hub's."""

    def __init__(self, matches: Matches, starts_after: str) -> None:
        self.starts_after: Final = starts_after
        self._first = _key(starts_after)
        self._matches = matches
        self._items: deque[Item] = deque()
        self._dropped = 0
        self._filled = threading.Condition()

    def put(self, entry: LogEntry, line: LogLine, data: bytes) -> None:
        # The hub may be behind where this one started.
        if _key(entry.id) <= self._first or not self._matches(line, data):
            return
        with self._filled:
            if len(self._items) >= QUEUE_LINES:
                self._items.popleft()
                self._dropped += 1
                metrics.tail_dropped.inc()
            self._items.append(Item(entry.id, data))
            self._filled.notify()

    def take(self, seconds: float) -> list[Item]:
        """What came, after at most `seconds`; the oldest may say that lines before it were dropped."""
        with self._filled:
            self._filled.wait_for(lambda: bool(self._items), seconds)
            taken = list(self._items)
            self._items.clear()
            dropped, self._dropped = self._dropped, 0
        return [Item("", dropped=dropped), *taken] if dropped else taken

    def select(self, entries: list[LogEntry]) -> list[Item]:
        """The matching ones of entries that were read for this tail alone."""
        lines = [(entry, line, msgspec.json.encode(line)) for entry in entries for line in (of_entry(entry),)]
        return [Item(entry.id, data) for entry, line, data in lines if self._matches(line, data)]


class Tails:
    def __init__(self, open_stream: Callable[[], LogStream]) -> None:
        self._open_stream = open_stream
        self._tails: list[Tail] = []
        self._position = ""
        self._is_following = False
        self._lock = threading.Lock()
        self.is_closing = False
        """Set from a signal handler, so it is a plain attribute: tails end soon after."""

    def open(self, matches: Matches) -> Tail:
        """Raises `RateLimited` if there are too many, `RedisError` if there is no stream to follow. `close` it."""
        now = self._open_stream().last_id()
        with self._lock:
            if len(self._tails) >= MAX_TAILS:
                raise RateLimited(f"{MAX_TAILS} live tails are open, which is the limit", retry_after=10)
            if not self._is_following:
                self._position = now
                threading.Thread(target=self._follow, name="tails", daemon=True).start()
                self._is_following = True
            # What the hub has passed already will not come again.
            tail = Tail(matches, max(now, self._position, key=_key))
            self._tails.append(tail)
            metrics.tails.set(len(self._tails))
        return tail

    def close(self, tail: Tail) -> None:
        """Safe to repeat."""
        with self._lock:
            if tail in self._tails:
                self._tails.remove(tail)
                metrics.tails.set(len(self._tails))

    def missed(self, tail: Tail, after_id: str) -> Iterator[list[Item]]:
        """What a follower that stopped at `after_id` missed until `tail` began, in pages. Raises `RedisError`.

        A gap is said first: what the stream no longer has, or beyond `BACKFILL_LINES` what it would take too long to
        send.
        """
        stream = self._open_stream()
        first = stream.first_id()
        if first is None or _key(after_id) < _key(first):
            yield [Item("", dropped=-1)]
        for _ in range(BACKFILL_LINES // PAGE_LINES):
            entries = stream.between(after_id, tail.starts_after, count=PAGE_LINES)
            if not entries:
                return
            yield tail.select(entries)
            after_id = entries[-1].id
        yield [Item("", dropped=-1)]

    # --- the thread ------------------------------------------------------------------------

    def _follow(self) -> None:
        """Until nobody listens. A Redis that is away is waited for: the position is kept, so nothing is missed."""
        stream = self._open_stream()
        while True:
            with self._lock:
                if not self._tails:
                    self._is_following = False
                    return
            try:
                entries = stream.follow(self._position, count=PAGE_LINES, block_ms=BLOCK_MS)
            except RedisError:
                time.sleep(RETRY_SECONDS)
                continue
            except Exception as error:  # a follower that dies would leave tails that look alive
                log.error("following the stream failed", exc_info=error)
                time.sleep(RETRY_SECONDS)
                continue
            self._hand_out(entries)

    def _hand_out(self, entries: list[LogEntry]) -> None:
        for entry in entries:
            line = of_entry(entry)
            data = msgspec.json.encode(line)
            self._position = entry.id
            with self._lock:
                tails = list(self._tails)
            for tail in tails:
                tail.put(entry, line, data)


def _key(entry_id: str) -> tuple[int, int]:
    milliseconds, _, counter = entry_id.partition("-")
    return int(milliseconds), int(counter or 0)
