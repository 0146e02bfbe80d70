"""The only door to ``ticks``."""

from collections.abc import Sequence

import msgspec
from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database

from aro.adapters.clock import utc
from aro.adapters.mongo import FOLLOWED, Document, plain
from aro.adapters.newest import newest_at
from aro.adapters.paging import ANY_SEQ, Page, read_page
from aro.adapters.presence import Presence
from aro.adapters.writes import DAY_MS, ensure_expiry, ensure_index, expire, insert_new
from aro.contracts.analytics import EnrichedTick
from aro.contracts.names import COLLECTION_TICKS


class TickStore:
    def __init__(self, database: Database[Document]) -> None:
        self._ticks = database[COLLECTION_TICKS]
        self._followed = self._ticks.with_options(write_concern=FOLLOWED)
        self._presence = Presence(database, COLLECTION_TICKS, followed=True)

    def ensure(self) -> None:
        """Create indexes. Safe to repeat."""
        # Time comes last: SecantusDB 0.7 loses matches at the end of a range that another key follows.
        ensure_index(self._ticks, [("product", ASCENDING), ("source_at", DESCENDING)], "product_time")
        ensure_expiry(self._ticks)
        self._presence.ensure()

    def expire(self, *, now_ms: int, days: float) -> int:
        """Delete what is older than `days`; how many."""
        return expire(self._ticks, before_ms=now_ms - round(days * DAY_MS))

    def save(self, ticks: Sequence[EnrichedTick], *, followed: bool = False) -> int:
        """Store ticks, leaving those stored already as they are; how many were new.

        `followed`: a durable write comes next, and makes these durable too.
        """
        self._presence.note((tick.product, tick.source_ts) for tick in ticks)
        return insert_new(self._followed if followed else self._ticks, [_document(tick) for tick in ticks])

    def tick_at(self, product: str, as_of_ms: int) -> EnrichedTick | None:
        """The newest tick with source_ts ≤ `as_of_ms`."""
        minutes = self._presence.minutes(product, as_of_ms)
        document = newest_at(self._ticks, {"product": product}, as_of_ms, minutes=minutes)
        return _message(document) if document else None

    def ticks(self, product: str, *, start_ms: int, end_ms: int, limit: int, cursor: str | None) -> Page[EnrichedTick]:
        """Ticks with start ≤ source_ts ≤ end, oldest first."""

        def fetch(a: int, b: int, after_seq: int, count: int) -> list[EnrichedTick]:
            query = {"product": product, "source_at": {"$gte": utc(a), "$lt": utc(b)}}
            found = self._ticks.find(query).sort([("source_at", ASCENDING), ("source_seq", ASCENDING)])
            if after_seq == ANY_SEQ:
                return [_message(document) for document in found.limit(count)]
            # One millisecond, filtered here: with another field in the query the embedded server leaves the index.
            return [_message(document) for document in found if document["source_seq"] > after_seq][:count]

        return read_page(
            fetch,
            lambda tick: (tick.source_ts, tick.source_seq),
            start_ms=start_ms,
            end_ms=end_ms,
            limit=limit,
            cursor=cursor,
        )


def _document(tick: EnrichedTick) -> Document:
    document: Document = msgspec.structs.asdict(tick)
    document["_id"] = document.pop("id")
    document["source_at"] = utc(tick.source_ts)
    return document


def _message(document: Document) -> EnrichedTick:
    fields = plain(document)
    fields["id"] = fields.pop("_id")
    del fields["source_at"]
    return EnrichedTick(**fields)
