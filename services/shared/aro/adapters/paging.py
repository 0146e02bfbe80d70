"""Cursor paging over time: a cursor is the position after the last item of a page, and opaque to clients."""

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from aro.contracts.problems import InvalidRequest

T = TypeVar("T")

FIRST_WINDOW_MS: Final = 60_000
LONGEST_WINDOW_MS: Final = 3_600_000
"""Pages are read in windows of time that double up to an hour: a server that sorts what a window matches
never sorts more than that, also where a long gap is followed by dense data."""

Fetch = Callable[[int, int, int, int], list[T]]
"""(start_ms, stop_ms, after_seq, count) → the first `count` items of [start, stop) whose `source_seq` is above
`after_seq`, ordered by (source_ts, source_seq)."""

ANY_SEQ: Final = -1


@dataclass(frozen=True, slots=True)
class Cursor:
    """Items up to and including (`ts`, `source_seq`) were delivered. `ts` is UTC epoch milliseconds."""

    ts: int
    source_seq: int

    def encode(self) -> str:
        return base64.urlsafe_b64encode(f"{self.ts}.{self.source_seq}".encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Raises `InvalidRequest` for a text that `encode` did not make."""
        try:
            padded = text + "=" * (-len(text) % 4)
            ts, _, seq = base64.urlsafe_b64decode(padded.encode("ascii")).decode("ascii").partition(".")
            return cls(int(ts), int(seq))
        except (ValueError, UnicodeError, binascii.Error):
            raise InvalidRequest("not valid: cursor", errors={"cursor": ["Not a cursor of this API."]}) from None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`next_cursor` is None on the last page."""

    items: list[T]
    next_cursor: str | None


def windows(start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """[start, end] in half-open windows [a, b) that double in length up to `LONGEST_WINDOW_MS`."""
    width = FIRST_WINDOW_MS
    while start_ms <= end_ms:
        stop = min(start_ms + width, end_ms + 1)
        yield start_ms, stop
        start_ms, width = stop, min(width * 2, LONGEST_WINDOW_MS)


def read_page(
    fetch: Fetch[T],
    position: Callable[[T], tuple[int, int]],
    *,
    start_ms: int,
    end_ms: int,
    limit: int,
    cursor: str | None,
) -> Page[T]:
    """Collect up to `limit` items with start ≤ source_ts ≤ end, oldest first. `position` is an item's (ts, seq)."""
    items: list[T] = []
    for a, b, after_seq in _spans(start_ms, end_ms, Cursor.decode(cursor) if cursor else None):
        # One more than asked for tells whether there is a next page.
        items.extend(fetch(a, b, after_seq, limit + 1 - len(items)))
        if len(items) > limit:
            items = items[:limit]
            return Page(items, Cursor(*position(items[-1])).encode())
    return Page(items, None)


def _spans(start_ms: int, end_ms: int, after: Cursor | None) -> Iterator[tuple[int, int, int]]:
    if after is not None and after.ts >= start_ms:
        if after.ts <= end_ms:
            # What shares the cursor's millisecond, then everything later: two plain ranges that an index serves.
            yield after.ts, after.ts + 1, after.source_seq
        start_ms = after.ts + 1
    for a, b in windows(start_ms, end_ms):
        yield a, b, ANY_SEQ
