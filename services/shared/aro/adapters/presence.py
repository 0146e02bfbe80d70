"""Which minutes hold data of a series, so that the newest at an instant is found across any gap without searching.

The embedded server reads every document that a range of time matches, whatever the limit; a bit per minute, in one
document per hour that is found by its `_id`, tells where to look. A writer sets a bit once a minute, for the next
minute and at another moment for each key: at the turn of the minute all keys at once would hold up what they are about.
"""

from collections.abc import Iterable, Iterator
from typing import Final
from zlib import crc32

from pymongo import UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from aro.adapters.clock import utc
from aro.adapters.mongo import FOLLOWED, Document
from aro.adapters.writes import DAY_MS, HOUR_MS, ensure_expiry, expire, raise_unless_duplicates
from aro.contracts.names import COLLECTION_PRESENCE

MINUTE_MS: Final = 60_000
LOOK_BACK_HOURS: Final = 10 * 24
"""Longer than any exchange stays closed."""
_ASKED_AT_ONCE: Final = (2, 24, LOOK_BACK_HOURS - 26)
"""Hours: an hour that is there costs the embedded server 0.16 ms, one that is not 0.01 ms."""


class Presence:
    """One per process and series of documents; `series` is the name of their collection.

    `followed`: each `note` is followed by a durable write of what it is about.
    """

    def __init__(self, database: Database[Document], series: str, *, followed: bool = False) -> None:
        hours = database[COLLECTION_PRESENCE]
        self._hours = hours.with_options(write_concern=FOLLOWED) if followed else hours
        self._series = series
        self._noted: dict[str, tuple[int, int]] = {}
        """Key → the first and last of consecutive minutes that this process has noted."""

    def ensure(self) -> None:
        """Create the index of retention. Safe to repeat."""
        ensure_expiry(self._hours)

    def note(self, moments: Iterable[tuple[str, int]]) -> None:
        """Say that data of each key is stored for this instant (UTC epoch milliseconds).

        Call it before that is acknowledged: a minute that is not marked is never looked at, one that is marked for
        nothing costs one look. Raises `MongoError`.
        """
        news = [(key, span) for key, span in sorted(set(map(_span, moments))) if not self._is_noted(key, span)]
        bits: dict[tuple[str, int], int] = {}
        for key, (first, last) in news:
            for minute in range(first, last + 1):
                hour, position = divmod(minute, 60)
                bits[key, hour] = bits.get((key, hour), 0) | 1 << position
        if not bits:
            return
        updates = [
            UpdateOne(
                {"_id": self._id(key, hour)},
                {"$bit": {"minutes": {"or": mask}}, "$setOnInsert": {"source_at": utc(hour * HOUR_MS)}},
                upsert=True,
            )
            for (key, hour), mask in bits.items()
        ]
        try:
            self._hours.bulk_write(updates, ordered=False)
        except BulkWriteError as error:
            raise_unless_duplicates(error)
            # Somebody else began the hour at this very moment: now there is something to update.
            self._hours.bulk_write(updates, ordered=False)
        for key, span in news:
            self._keep(key, span)

    def minutes(self, key: str, as_of_ms: int) -> Iterator[tuple[int, int]]:
        """Half-open minutes [a, b) that hold data of `key` and begin at or before `as_of_ms`, newest first; and the
        first of a gap, sometimes."""
        last = as_of_ms // MINUTE_MS
        newest = last // 60
        for count in _ASKED_AT_ONCE:
            hours = {self._id(key, hour): hour for hour in range(newest, newest - count, -1)}
            found = {hours[item["_id"]]: int(item["minutes"]) for item in self._hours.find({"_id": {"$in": [*hours]}})}
            for hour in sorted(found, reverse=True):
                for position in range(59, -1, -1):
                    minute = hour * 60 + position
                    if found[hour] >> position & 1 and minute <= last:
                        yield minute * MINUTE_MS, (minute + 1) * MINUTE_MS
            newest -= count

    def _is_noted(self, key: str, span: tuple[int, int]) -> bool:
        first, last = self._noted.get(key, (0, -1))
        return first <= span[0] and span[1] <= last

    def _keep(self, key: str, span: tuple[int, int]) -> None:
        first, last = self._noted.get(key, (0, -1))
        joins = first <= span[0] <= last + 1
        self._noted[key] = (first, max(last, span[1])) if joins else span

    def _id(self, key: str, hour: int) -> str:
        return f"{self._series}|{key}|{hour}"


def _span(moment: tuple[str, int]) -> tuple[str, tuple[int, int]]:
    """The key, the minute of the instant, and that or the next: the next, once the key's own moment in it has come."""
    key, ts = moment
    return key, (ts // MINUTE_MS, (ts + crc32(key.encode()) % MINUTE_MS) // MINUTE_MS)


def expire_presence(database: Database[Document], *, now_ms: int, days: float) -> int:
    """Delete what is older than `days`, for all series; how many documents."""
    return expire(database[COLLECTION_PRESENCE], before_ms=now_ms - round(days * DAY_MS))
