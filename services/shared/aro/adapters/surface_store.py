"""The only door to ``surface_snapshots``: every surface as it was published, deflated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database

from aro.adapters.clock import utc
from aro.adapters.mongo import Document
from aro.adapters.newest import newest_at
from aro.adapters.packing import pack, unpack
from aro.adapters.paging import ANY_SEQ, Page, read_page
from aro.adapters.presence import Presence
from aro.adapters.writes import HOUR_MS, ensure_expiry, ensure_index, expire, insert_new
from aro.contracts.names import COLLECTION_SURFACES, tick_id


@dataclass(frozen=True, slots=True)
class StoredSurface:
    """`data` is the JSON of a `SurfaceState` as clients were sent it; times are UTC epoch milliseconds."""

    product: str
    source_ts: int
    source_seq: int
    data: bytes


class SurfaceStore:
    def __init__(self, database: Database[Document]) -> None:
        self._surfaces = database[COLLECTION_SURFACES]
        self._presence = Presence(database, COLLECTION_SURFACES, followed=True)

    def ensure(self) -> None:
        """Create indexes. Safe to repeat, beside a live system too."""
        # Time comes last: SecantusDB 0.7 loses matches at the end of a range that another key follows.
        ensure_index(self._surfaces, [("product", ASCENDING), ("source_at", DESCENDING)], "product_time")
        ensure_expiry(self._surfaces)
        self._presence.ensure()

    def expire(self, *, now_ms: int, hours: float) -> int:
        """Delete what is older than `hours`; how many."""
        return expire(self._surfaces, before_ms=now_ms - round(hours * HOUR_MS))

    def save(self, surfaces: Sequence[StoredSurface]) -> int:
        """Store surfaces durably, leaving those stored already as they are; how many were new.

        Raises `MongoError` if anything else kept one from being stored; the others are then.
        """
        # A minute that is marked for nothing costs one look, one that is not marked is never looked at.
        self._presence.note((surface.product, surface.source_ts) for surface in surfaces)
        return insert_new(self._surfaces, [_document(surface) for surface in surfaces])

    def at(self, product: str, as_of_ms: int) -> bytes | None:
        """The newest surface with source_ts ≤ `as_of_ms`; of several from one moment the one published last."""
        minutes = self._presence.minutes(product, as_of_ms)
        newest = newest_at(self._surfaces, {"product": product}, as_of_ms, minutes=minutes)
        return None if newest is None else unpack(newest["data"])

    def window(
        self, product: str, *, start_ms: int, end_ms: int, limit: int, cursor: str | None
    ) -> Page[StoredSurface]:
        """Surfaces with start ≤ source_ts ≤ end, oldest first."""

        def fetch(a: int, b: int, after_seq: int, count: int) -> list[StoredSurface]:
            found = self._surfaces.find(_within(product, a, b)).sort(
                [("source_at", ASCENDING), ("source_seq", ASCENDING)]
            )
            if after_seq == ANY_SEQ:
                return [_surface(document) for document in found.limit(count)]
            # One millisecond, filtered here: with another field in the query the embedded server leaves the index.
            return [_surface(document) for document in found if document["source_seq"] > after_seq][:count]

        return read_page(
            fetch,
            lambda surface: (surface.source_ts, surface.source_seq),
            start_ms=start_ms,
            end_ms=end_ms,
            limit=limit,
            cursor=cursor,
        )


def _within(product: str, start_ms: int, stop_ms: int) -> dict[str, Any]:
    return {"product": product, "source_at": {"$gte": utc(start_ms), "$lt": utc(stop_ms)}}


def _document(surface: StoredSurface) -> Document:
    return {
        # Not by source_ts: one moment may be fitted twice, when the first attempt was stored and then not published.
        "_id": tick_id(surface.product, surface.source_seq),
        "product": surface.product,
        "source_seq": surface.source_seq,
        "source_ts": surface.source_ts,
        "source_at": utc(surface.source_ts),
        "data": pack(surface.data),
    }


def _surface(document: Document) -> StoredSurface:
    return StoredSurface(
        product=document["product"],
        source_ts=int(document["source_ts"]),
        source_seq=int(document["source_seq"]),
        data=unpack(document["data"]),
    )
