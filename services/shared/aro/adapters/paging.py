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

MAX_PAGE_BYTES: Final = 16 << 20

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


def windows(start_ms: int, end_ms: int, longest_ms: int = LONGEST_WINDOW_MS) -> Iterator[tuple[int, int]]:
    """[start, end] in half-open windows [a, b) that double in length up to `longest_ms`."""
    width = min(FIRST_WINDOW_MS, longest_ms)
    while start_ms <= end_ms:
        stop = min(start_ms + width, end_ms + 1)
        yield start_ms, stop
        start_ms, width = stop, min(width * 2, longest_ms)


def read_page(
    fetch: Fetch[T],
    position: Callable[[T], tuple[int, int]],
    *,
    start_ms: int,
    end_ms: int,
    limit: int,
    cursor: str | None,
    longest_ms: int = LONGEST_WINDOW_MS,
    size: Callable[[T], int] = lambda _: 0,
) -> Page[T]:
    """Collect up to `limit` items with start ≤ source_ts ≤ end, oldest first. `position` is an item's (ts, seq).

    Windows are at most `longest_ms` long. The page ends early at the item with which the sum of `size` passes
    `MAX_PAGE_BYTES`.
    """
    items: list[T] = []
    room = MAX_PAGE_BYTES
    for a, b, after_seq in _spans(start_ms, end_ms, Cursor.decode(cursor) if cursor else None, longest_ms):
        # One more than asked for tells whether there is a next page.
        for item in fetch(a, b, after_seq, limit + 1 - len(items)):
            if len(items) == limit or room < 0:
                return Page(items, Cursor(*position(items[-1])).encode())
            items.append(item)
            room -= size(item)
    return Page(items, None)


def _spans(start_ms: int, end_ms: int, after: Cursor | None, longest_ms: int) -> Iterator[tuple[int, int, int]]:
    if after is not None and after.ts >= start_ms:
        if after.ts <= end_ms:
            # What shares the cursor's millisecond, then everything later: two plain ranges that an index serves.
            yield after.ts, after.ts + 1, after.source_seq
        start_ms = after.ts + 1
    for a, b in windows(start_ms, end_ms, longest_ms):
        yield a, b, ANY_SEQ
