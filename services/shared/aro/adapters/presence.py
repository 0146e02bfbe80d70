"""Which minutes hold data of a series, so that the newest at an instant is found across any gap without searching.

The embedded server reads every document that a range of time matches, whatever the limit; a bit per minute, in one
document per hour that is found by its `_id`, tells where to look. A writer sets a bit once a minute.
"""

from collections.abc import Iterable, Iterator
from typing import Final

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
        self._noted: dict[str, int] = {}
        """Key → the minute that this process noted last."""

    def ensure(self) -> None:
        """Create the index of retention. Safe to repeat."""
        ensure_expiry(self._hours)

    def note(self, moments: Iterable[tuple[str, int]]) -> None:
        """Say that data of each key is stored for this instant (UTC epoch milliseconds).

        Call it before that is acknowledged: a minute that is not marked is never looked at, one that is marked for
        nothing costs one look. Raises `MongoError`.
        """
        minutes = {(key, ts // MINUTE_MS) for key, ts in moments}
        news = sorted((key, minute) for key, minute in minutes if self._noted.get(key) != minute)
        bits: dict[tuple[str, int], int] = {}
        for key, minute in news:
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
        self._noted.update(news)

    def minutes(self, key: str, as_of_ms: int) -> Iterator[tuple[int, int]]:
        """Half-open minutes [a, b) that hold data of `key` and begin at or before `as_of_ms`, newest first."""
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

    def _id(self, key: str, hour: int) -> str:
        return f"{self._series}|{key}|{hour}"


def expire_presence(database: Database[Document], *, now_ms: int, days: float) -> int:
    """Delete what is older than `days`, for all series; how many documents."""
    return expire(database[COLLECTION_PRESENCE], before_ms=now_ms - round(days * DAY_MS))
