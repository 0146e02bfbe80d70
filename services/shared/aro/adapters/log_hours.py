"""How many lines each hour and minute of ``logs`` holds: what bounds a search before it is made, and the disk.

The embedded server reads every document that a range matches, whatever the limit says, so a search has to know how
wide a range may be. Counts are hints: they may lag behind, and nothing is ever left out because of them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.database import Database

from aro.adapters.mongo import Document
from aro.contracts.names import COLLECTION_LOG_HOURS

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
WIDEST_MS: Final = 6 * HOUR_MS
"""Of one window, however quiet it was."""
NARROWEST_MS: Final = 20

Density = Callable[[int], float]
"""Epoch minute → lines expected in it."""


@dataclass(slots=True)
class Added:
    """What one batch adds to an hour."""

    bytes: int = 0
    alerts: int = 0
    minutes: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    services: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Hour:
    """`number` counts hours since 1970; `minutes` are lines by minute of the hour."""

    number: int
    lines: int
    bytes: int
    alerts: int
    minutes: dict[int, int]
    services: tuple[str, ...]

    @property
    def start_ms(self) -> int:
        return self.number * HOUR_MS


class LogHours:
    def __init__(self, database: Database[Document]) -> None:
        self._hours = database[COLLECTION_LOG_HOURS]

    def add(self, news: dict[int, Added]) -> None:
        updates = [
            UpdateOne(
                {"_id": number},
                {
                    "$inc": {
                        "lines": sum(added.minutes.values()),
                        "bytes": added.bytes,
                        "alerts": added.alerts,
                        **{f"minutes.{minute}": lines for minute, lines in added.minutes.items()},
                    },
                    "$addToSet": {"services": {"$each": sorted(added.services)}},
                },
                upsert=True,
            )
            for number, added in news.items()
        ]
        if updates:
            self._hours.bulk_write(updates, ordered=False)

    def all(self) -> list[Hour]:
        """Oldest first."""
        return sorted((_hour(document) for document in self._hours.find({})), key=lambda hour: hour.number)

    def take(self, hour: Hour, minutes: Iterable[int]) -> None:
        """These `minutes` of the hour hold no lines any more; the share of its bytes goes with them."""
        gone = {minute: hour.minutes[minute] for minute in minutes if hour.minutes.get(minute)}
        lines = sum(gone.values())
        if lines:
            size = hour.bytes * lines // max(1, hour.lines)
            changes = {"lines": -lines, "bytes": -size, **{f"minutes.{minute}": -n for minute, n in gone.items()}}
            self._hours.update_one({"_id": hour.number}, {"$inc": changes})

    def forget(self, before_ms: int) -> None:
        """Drop hours that ended by then."""
        self._hours.delete_many({"_id": {"$lt": before_ms // HOUR_MS}})


def density(hours: Iterable[Hour], *, share: float = 1.0, alerts: bool = False) -> Density:
    """Lines expected in a minute: all of them times `share`, or only warnings and worse."""
    if alerts:
        by_hour = {hour.number: hour.alerts / 60 for hour in hours}
        return lambda minute: by_hour.get(minute // 60, 0.0)
    by_minute = {
        hour.number * 60 + minute: lines * share for hour in hours for minute, lines in hour.minutes.items() if lines
    }
    return lambda minute: by_minute.get(minute, 0.0)


def windows(
    start_ms: int, end_ms: int, expected: Density, *, target: int, newest: bool = False
) -> Iterator[tuple[int, int]]:
    """[start, end) in half-open windows with about `target` lines each, in time's order or against it."""
    edge = end_ms if newest else start_ms
    while (edge > start_ms) if newest else (edge < end_ms):
        width = _width(edge, expected, target, newest=newest)
        if newest:
            a = max(start_ms, edge - width)
            yield a, edge
            edge = a
        else:
            b = min(end_ms, edge + width)
            yield edge, b
            edge = b


def _width(edge: int, expected: Density, target: int, *, newest: bool) -> int:
    """How far to go from `edge`: whole minutes while they are few lines together, part of a minute that is many."""
    step = -1 if newest else 1
    minute = (edge - 1 if newest else edge) // MINUTE_MS
    width = edge - minute * MINUTE_MS if newest else (minute + 1) * MINUTE_MS - edge
    lines = expected(minute)
    if lines > target:
        return max(NARROWEST_MS, min(width, int(MINUTE_MS * target / lines)))
    while width < WIDEST_MS:
        minute += step
        lines += expected(minute)
        if lines > target:
            break
        width += MINUTE_MS
    return min(width, WIDEST_MS)


def _hour(document: dict[str, Any]) -> Hour:
    return Hour(
        number=int(document["_id"]),
        lines=int(document.get("lines", 0)),
        bytes=int(document.get("bytes", 0)),
        alerts=int(document.get("alerts", 0)),
        minutes={int(minute): int(lines) for minute, lines in document.get("minutes", {}).items()},
        services=tuple(document.get("services", ())),
    )
