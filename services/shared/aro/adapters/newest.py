"""The newest document at an instant, found without reading more than a few seconds of data.

SecantusDB 0.7 reads all that a range of time matches before it looks at sort and limit, so ranges stay short.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from pymongo import DESCENDING
from pymongo.collection import Collection

from aro.adapters.clock import utc
from aro.adapters.mongo import Document

NEAR_MS: Final = 10_000
LOOK_BACK_MS: Final = 10 * 86_400_000
"""Longer than any exchange stays closed."""
_MINUTES: Final = 4
"""The minute of the instant itself may have begun with data that is later, one may be marked whose data is still owed,
and one that data never came for; the one before them is neither."""


def newest_at(
    collection: Collection[Document],
    of: Mapping[str, Any],
    as_of_ms: int,
    *,
    minutes: Iterable[tuple[int, int]] = (),
    fields: Mapping[str, int] | None = None,
) -> Document | None:
    """The document with the greatest (source_at, source_seq) that is not after `as_of_ms`, at most `LOOK_BACK_MS` ago.

    `of` are the equalities of an index whose last key is ``source_at``. While data flows this is one query. After a
    gap `minutes` say where data is (see `Presence.minutes`; they are asked for only then); without them ranges double
    until one has something, and reading that one may take a second for every 30,000 documents.
    """
    stop_ms = as_of_ms + 1
    near_ms = max(0, stop_ms - NEAR_MS)
    found = _newest(collection, of, near_ms, stop_ms, fields)
    if found is not None:
        return found
    known = list(islice(minutes, _MINUTES))
    for start, stop in known or _widening(near_ms, stop_ms - LOOK_BACK_MS):
        found = _newest(collection, of, start, min(stop, stop_ms), fields)
        if found is not None:
            return found
    return None


def _widening(stop_ms: int, oldest_ms: int) -> Iterator[tuple[int, int]]:
    """Half-open ranges backwards from `stop_ms`, each twice as long as the one after it."""
    oldest_ms = max(0, oldest_ms)
    width = 2 * NEAR_MS
    while stop_ms > oldest_ms:
        start_ms = max(oldest_ms, stop_ms - width)
        yield start_ms, stop_ms
        stop_ms, width = start_ms, 2 * width


def _newest(
    collection: Collection[Document],
    of: Mapping[str, Any],
    start_ms: int,
    stop_ms: int,
    fields: Mapping[str, int] | None,
) -> Document | None:
    query = {**of, "source_at": {"$gte": utc(start_ms), "$lt": utc(stop_ms)}}
    order = [("source_at", DESCENDING), ("source_seq", DESCENDING)]
    return next(collection.find(query, fields).sort(order).limit(1), None)
