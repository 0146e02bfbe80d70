"""The only door to ``bars``: for each product, expiry and minute what every metric did in it.

A metric's five numbers are packed, which the embedded server reads twice as fast as a list. Nobody outside this
module sees the packing.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from pymongo import ASCENDING, DESCENDING, ReplaceOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from aro.adapters.clock import epoch_ms, utc
from aro.adapters.mongo import Document
from aro.adapters.paging import windows
from aro.adapters.writes import DAY_MS, ensure_expiry, ensure_index, expire, raise_unless_duplicates
from aro.contracts.names import COLLECTION_BARS, bar_id

MINUTE_MS: Final = 60_000
PRODUCT_LEVEL: Final = ""
"""The expiry of what belongs to a product: metric ``spot``, from its ticks."""

_PACKING: Final = struct.Struct("<4dI")


class Ohlc(NamedTuple):
    """What `n` values of one minute did."""

    open: float
    high: float
    low: float
    close: float
    n: int


BarRow = tuple[int, float, float, float, float, int]
"""(minute_ts, open, high, low, close, n); the minute is its start in UTC epoch milliseconds."""


@dataclass(frozen=True, slots=True)
class MinuteBars:
    """Metric → what it did in the minute from `minute_ts` on; metrics without a value in it are left out."""

    product: str
    expiry: str
    minute_ts: int
    metrics: Mapping[str, Ohlc]


class BarStore:
    def __init__(self, database: Database[Document]) -> None:
        self._bars = database[COLLECTION_BARS]

    def ensure(self) -> None:
        """Create indexes. Safe to repeat, beside a live system too."""
        # Time comes last: SecantusDB 0.7 loses matches at the end of a range that another key follows.
        by_time = [("product", ASCENDING), ("expiry", ASCENDING), ("source_at", DESCENDING)]
        ensure_index(self._bars, by_time, "product_expiry_time")
        ensure_expiry(self._bars)

    def expire(self, *, now_ms: int, days: float) -> int:
        """Delete what is older than `days`; how many documents."""
        return expire(self._bars, before_ms=now_ms - round(days * DAY_MS))

    def save(self, minutes: Sequence[MinuteBars]) -> None:
        """Each becomes its minute's bars, also where some are stored. Raises `MongoError` if that cannot be known."""
        if not minutes:
            return
        documents = [_document(minute) for minute in minutes]
        try:
            self._bars.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            raise_unless_duplicates(error)
            # An insert costs the embedded server a third of an upsert, and a repeat is rare.
            stored = [documents[failure["index"]] for failure in (error.details or {})["writeErrors"]]
            self._bars.bulk_write([ReplaceOne({"_id": item["_id"]}, item) for item in stored], ordered=False)

    def bars(self, product: str, expiry: str, metric: str, start_ms: int, end_ms: int) -> list[BarRow]:
        """Bars of minutes with start ≤ minute_ts ≤ end, oldest first; minutes without a value are left out."""
        return self.columns(product, expiry, [metric], start_ms, end_ms)[metric]

    def columns(
        self, product: str, expiry: str, metrics: Sequence[str], start_ms: int, end_ms: int
    ) -> dict[str, list[BarRow]]:
        """`bars` of several metrics by name, in one reading."""
        fields = {"_id": 0, "source_at": 1, **{f"metrics.{metric}": 1 for metric in metrics}}
        rows: dict[str, list[BarRow]] = {metric: [] for metric in metrics}
        # A minute is one small document: two months by the hour cost 1,400 questions, most of them about nights.
        for start, stop in windows(start_ms, end_ms, DAY_MS):
            found = self._bars.find(_span(product, expiry, start, stop), fields).sort("source_at", ASCENDING)
            for document in found:
                for metric, column in rows.items():
                    if (row := _row(document, metric)) is not None:
                        column.append(row)
        return rows

    def missing(self, product: str, expiry: str, minutes: Sequence[int]) -> list[int]:
        """Those of `minutes` that have no bars."""
        wanted = {bar_id(product, expiry, minute): minute for minute in minutes}
        stored = {document["_id"] for document in self._bars.find({"_id": {"$in": [*wanted]}}, {"_id": 1})}
        return [minute for name, minute in wanted.items() if name not in stored]


def _span(product: str, expiry: str, start_ms: int, stop_ms: int) -> Document:
    return {"product": product, "expiry": expiry, "source_at": {"$gte": utc(start_ms), "$lt": utc(stop_ms)}}


def _document(minute: MinuteBars) -> Document:
    return {
        "_id": bar_id(minute.product, minute.expiry, minute.minute_ts),
        "product": minute.product,
        "expiry": minute.expiry,
        "source_at": utc(minute.minute_ts),
        "metrics": {name: _PACKING.pack(*bar) for name, bar in minute.metrics.items()},
    }


def _row(document: Document, metric: str) -> BarRow | None:
    packed = document.get("metrics", {}).get(metric)
    return None if packed is None else (epoch_ms(document["source_at"]), *_PACKING.unpack(packed))
