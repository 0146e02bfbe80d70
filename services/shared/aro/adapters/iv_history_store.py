"""The only door to ``iv_history``: one document per product and day of the exchange, its last value so far."""

from collections.abc import Sequence

import msgspec
from pymongo import ASCENDING, DESCENDING, UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from aro.adapters.clock import utc
from aro.adapters.mongo import Document, plain
from aro.adapters.writes import DAY_MS, ensure_expiry, ensure_index, expire, raise_unless_duplicates
from aro.contracts.analytics import IvHistoryPoint
from aro.contracts.names import COLLECTION_IV_HISTORY, history_id


class IvHistoryStore:
    def __init__(self, database: Database[Document]) -> None:
        self._history = database[COLLECTION_IV_HISTORY]

    def ensure(self) -> None:
        """Create indexes. Safe to repeat, beside a live system too."""
        ensure_index(self._history, [("product", ASCENDING), ("day", DESCENDING)], "product_day")
        ensure_expiry(self._history)

    def expire(self, *, now_ms: int, days: float) -> int:
        """Delete what is older than `days`; how many."""
        return expire(self._history, before_ms=now_ms - round(days * DAY_MS))

    def save(self, points: Sequence[IvHistoryPoint]) -> None:
        """Each becomes its day's value unless a later one is stored. Raises `MongoError` if that cannot be known."""
        if not points:
            return
        try:
            self._history.bulk_write([_upsert(point) for point in points], ordered=False)
        except BulkWriteError as error:
            # The upsert of something older collides with the newer document: nothing to do.
            raise_unless_duplicates(error)

    def points(self, product: str, *, before_day: str, limit: int) -> list[IvHistoryPoint]:
        """The last `limit` days before `before_day` (``YYYY-MM-DD``), oldest first."""
        found = (
            self._history.find({"product": product, "day": {"$lt": before_day}}).sort("day", DESCENDING).limit(limit)
        )
        return [_point(document) for document in found][::-1]


def _upsert(point: IvHistoryPoint) -> UpdateOne:
    fields = msgspec.structs.asdict(point)
    fields["source_at"] = utc(point.source_ts)
    older = {"_id": history_id(point.product, point.day), "source_ts": {"$lt": point.source_ts}}
    return UpdateOne(older, {"$set": fields}, upsert=True)


def _point(document: Document) -> IvHistoryPoint:
    fields = plain(document)
    del fields["_id"], fields["source_at"]
    return IvHistoryPoint(**fields)
