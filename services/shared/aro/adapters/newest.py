"""The newest document at an instant, found without sorting more than a few seconds of data."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pymongo import DESCENDING
from pymongo.collection import Collection

from aro.adapters.clock import utc
from aro.adapters.mongo import Document

NEAR_MS: Final = 10_000
"""What is sorted at once: the embedded server reads all that a sorted query matches."""
LOOK_BACK_MS: Final = 10 * 86_400_000
"""Longer than any exchange stays closed."""


def newest_at(
    collection: Collection[Document],
    of: Mapping[str, Any],
    as_of_ms: int,
    *,
    fields: Mapping[str, int] | None = None,
    look_back_ms: int = LOOK_BACK_MS,
) -> Document | None:
    """The document with the greatest (source_at, source_seq) that is not after `as_of_ms`, if it is at most
    `look_back_ms` older.

    `of` are the equalities of an index whose last key is ``source_at``. While data flows this is one query; after a
    gap the range is halved by queries for any one document, at most 17 of them.
    """
    stop_ms = as_of_ms + 1
    near_ms = max(0, stop_ms - NEAR_MS)
    found = _newest(collection, of, near_ms, stop_ms, fields)
    if found is not None:
        return found
    known_ms = _any(collection, of, max(0, stop_ms - look_back_ms), near_ms)
    if known_ms is None:
        return None
    stop_ms = near_ms
    while stop_ms - known_ms > NEAR_MS:
        middle_ms = (known_ms + stop_ms) // 2
        later_ms = _any(collection, of, middle_ms, stop_ms)
        if later_ms is None:
            stop_ms = middle_ms
        else:
            known_ms = later_ms
    return _newest(collection, of, known_ms, stop_ms, fields)


def epoch_ms(instant: datetime) -> int:
    """UTC epoch milliseconds of an aware time, as they were before `clock.utc`."""
    return round(instant.timestamp() * 1000)


def _newest(
    collection: Collection[Document],
    of: Mapping[str, Any],
    start_ms: int,
    stop_ms: int,
    fields: Mapping[str, int] | None,
) -> Document | None:
    order = [("source_at", DESCENDING), ("source_seq", DESCENDING)]
    return next(collection.find(_between(of, start_ms, stop_ms), fields).sort(order).limit(1), None)


def _any(collection: Collection[Document], of: Mapping[str, Any], start_ms: int, stop_ms: int) -> int | None:
    """The instant of some document in [start, stop)."""
    found = next(collection.find(_between(of, start_ms, stop_ms), {"source_at": 1}).limit(1), None)
    return epoch_ms(found["source_at"]) if found else None


def _between(of: Mapping[str, Any], start_ms: int, stop_ms: int) -> Document:
    return {**of, "source_at": {"$gte": utc(start_ms), "$lt": utc(stop_ms)}}
