"""Cursor paging over time: a cursor is the position after the last item of a page, and opaque to clients."""

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from aro.contracts.problems import InvalidRequest

T = TypeVar("T")

FIRST_WINDOW_MS: Final = 60_000
"""Pages are read in windows of time that double from here: no query ever sorts more than it must."""


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
            raise InvalidRequest("the cursor is not one that this API returned", errors={"cursor": text[:80]}) from None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`next_cursor` is None on the last page."""

    items: list[T]
    next_cursor: str | None


def windows(start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """[start, end] in half-open windows [a, b) that double in length."""
    width = FIRST_WINDOW_MS
    while start_ms <= end_ms:
        stop = min(start_ms + width, end_ms + 1)
        yield start_ms, stop
        start_ms, width = stop, width * 2


def read_page(
    fetch: Callable[[int, int], list[T]],
    position: Callable[[T], tuple[int, int]],
    *,
    start_ms: int,
    end_ms: int,
    limit: int,
    cursor: str | None,
) -> Page[T]:
    """Collect up to `limit` items, oldest first.

    `fetch` returns the items of a window [a, b) ordered by `position`, which is (ts, source_seq) of an item.
    """
    after = Cursor.decode(cursor) if cursor else None
    items: list[T] = []
    for a, b in windows(max(start_ms, after.ts) if after else start_ms, end_ms):
        items.extend(item for item in fetch(a, b) if after is None or position(item) > (after.ts, after.source_seq))
        if len(items) > limit:
            items = items[:limit]
            return Page(items, Cursor(*position(items[-1])).encode())
    return Page(items, None)
