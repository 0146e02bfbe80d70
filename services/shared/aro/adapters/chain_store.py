"""The only door to ``chain_snapshots``, ``chain_latest`` and ``chain_metrics``.

A chain is stored as the JSON bytes that were published, deflated: a third of the size of packed float columns, and
what history answers is what clients were sent. Nobody outside this module sees the packing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database

from aro.adapters.chain_pointers import ChainPointers, Identity, series_of, slot_of
from aro.adapters.clock import epoch_ms, utc
from aro.adapters.mongo import FOLLOWED, Document, plain
from aro.adapters.newest import newest_at
from aro.adapters.packing import pack, unpack
from aro.adapters.paging import ANY_SEQ, Page, read_page, windows
from aro.adapters.presence import Presence
from aro.adapters.writes import (
    DAY_MS,
    HOUR_MS,
    ensure_expiry,
    ensure_index,
    expire,
    insert_new,
)
from aro.contracts.analytics import ChainMetrics, EnrichedChain
from aro.contracts.names import COLLECTION_CHAINS, COLLECTION_LATEST, COLLECTION_METRICS
from aro.contracts.products import PRODUCTS

SWEEP_MS: Final = 60_000
"""How long a document may outlive its retention: to look whether an expiry has such ones costs 0.4 ms."""

WINDOW_MS: Final = 960_000
"""Longest stretch of chains that is read at once: the embedded server takes 35 ms for one of each second."""

_EXPIRY_FIELDS: Final = {"_id": 0, "expiry": 1, "expiry_ts": 1, "source_ts": 1, "source_seq": 1}
_BY_TIME: Final = [("source_at", ASCENDING), ("source_seq", ASCENDING)]


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What identifies a state of a chain or its metrics. `source_ts` is UTC epoch milliseconds."""

    id: str
    product: str
    expiry: str
    source_seq: int
    source_ts: int
    source_time: str


_chain = msgspec.json.Decoder(EnrichedChain)
_head = msgspec.json.Decoder(Head)


def head_of(data: bytes) -> Head:
    """The head of a chain's or metrics' JSON. 0.05 ms for a chain, a tenth of decoding it."""
    return _head.decode(data)


@dataclass(frozen=True, slots=True)
class ChainRecord:
    """What chain it is, its metrics, `data`: the JSON of the chain, and `packed`: that as it is kept and published."""

    chain: Identity
    metrics: ChainMetrics
    data: bytes
    packed: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "packed", pack(self.data))


@dataclass(frozen=True, slots=True)
class StoredChain:
    """A chain of history, still packed: pages of them are held in memory, their JSON is four times as large."""

    source_ts: int
    source_seq: int
    packed: bytes

    @property
    def data(self) -> bytes:
        """The JSON as it was published. Unpacked at each call."""
        return unpack(self.packed)


class ChainStore:
    def __init__(self, database: Database[Document]) -> None:
        self._chains = database[COLLECTION_CHAINS]
        self._latest = database[COLLECTION_LATEST]
        self._metrics = database[COLLECTION_METRICS]
        self._metrics_followed = self._metrics.with_options(write_concern=FOLLOWED)
        self._pointers = ChainPointers(self._latest)
        self._presence = Presence(database, COLLECTION_CHAINS, followed=True)
        self._swept: dict[str, int] = {}
        """Key of a collection and expiry → the slot of `SWEEP_MS` in which this process deleted there last."""

    def ensure(self) -> None:
        """Create indexes. Safe to repeat, beside a live system too."""
        # Time comes last: SecantusDB 0.7 loses matches at the end of a range that another key follows.
        by_time = [("product", ASCENDING), ("expiry", ASCENDING), ("source_at", DESCENDING)]
        for collection in (self._chains, self._metrics):
            ensure_index(collection, by_time, "product_expiry_time")
        ensure_index(self._latest, [("product", ASCENDING), ("expiry", ASCENDING)], "product_expiry")
        ensure_expiry(self._latest)
        self._presence.ensure()

    def expire(self, *, now_ms: int, chain_hours: float, metrics_days: float) -> int:
        """Delete chains older than `chain_hours`, and metrics and last chains older than `metrics_days`; how many."""
        days_ms = metrics_days * DAY_MS
        deleted = 0
        # Expiry by expiry: an index of the time alone costs each insert as much as the one that is there anyway.
        for pointer in list(self._latest.find({}, {"product": 1, "expiry": 1})):
            for collection, age_ms in ((self._chains, chain_hours * HOUR_MS), (self._metrics, days_ms)):
                deleted += self._sweep(collection, pointer, now_ms - round(age_ms))
        return deleted + expire(self._latest, before_ms=now_ms - round(days_ms))

    def save(self, records: Sequence[ChainRecord]) -> int:
        """Store chains with their metrics, leaving those stored already as they are; how many chains were new.

        Raises `MongoError` if anything else kept a document from being stored durably.
        """
        if not records:
            return 0
        chains = [record.chain for record in records]
        # In the journal all of this lies before the chains, for which the server waits.
        self._presence.note((series_of(chain.product, chain.expiry), chain.source_ts) for chain in chains)
        self._pointers.introduce(chains)
        insert_new(self._metrics_followed, [_metrics_document(record.metrics) for record in records])
        inserted = insert_new(self._chains, [_pack(record) for record in records])
        self._pointers.advance(chains)
        return inserted

    def find(self, snapshot_id: str) -> EnrichedChain | None:
        document = self._chains.find_one({"_id": snapshot_id})
        return _unpack(document) if document else None

    def latest(self, product: str, expiry: str) -> bytes | None:
        """The last chain as it was published."""
        pointer = self._latest.find_one({"_id": f"{product}|{expiry}"})
        if pointer is None:
            return None
        document = _last(self._chains, pointer) or (pointer if "data" in pointer else None)
        return unpack(document["data"]) if document else None

    def chain_at(self, product: str, expiry: str, as_of_ms: int) -> bytes | None:
        """The newest chain with source_ts ≤ `as_of_ms`, as it was published; None if retention took it."""
        document = self._newest(self._chains, product, expiry, as_of_ms)
        if document is not None:
            return unpack(document["data"])
        kept = self._latest.find_one({"_id": f"{product}|{expiry}"})
        if kept is None or "data" not in kept:
            return None
        data = unpack(kept["data"])
        # The copy may be a little newer than its pointer says.
        return data if head_of(data).source_ts <= as_of_ms else None

    def keep_last(self, *, idle_since_ms: int) -> int:
        """Copy the last chain of every expiry that got none since then to where retention of chains does not
        reach it; how many were copied. Live expiries are left out: each chain would be written twice."""
        quiet = self._latest.find({"source_at": {"$lt": utc(idle_since_ms)}, "data": {"$exists": False}})
        copied = 0
        for pointer in quiet:
            document = _last(self._chains, pointer)
            if document is not None:
                still_last = {"_id": pointer["_id"], "source_seq": pointer["source_seq"]}
                copied += self._latest.update_one(still_last, {"$set": {"data": document["data"]}}).modified_count
        return copied

    def latest_metrics(self, product: str, expiry: str) -> ChainMetrics | None:
        pointer = self._latest.find_one({"_id": f"{product}|{expiry}"})
        document = _last(self._metrics, pointer) if pointer else None
        return _metrics_message(document) if document else None

    def metrics_at(self, product: str, expiry: str, as_of_ms: int) -> ChainMetrics | None:
        """The newest metrics with source_ts ≤ `as_of_ms`."""
        document = self._newest(self._metrics, product, expiry, as_of_ms)
        return _metrics_message(document) if document else None

    def metric_series(
        self, product: str, expiry: str, fields: Sequence[str], start_ms: int, end_ms: int
    ) -> Iterator[tuple[Any, ...]]:
        """(source_ts, *values of `fields`) of all metrics with start ≤ source_ts ≤ end, oldest first.

        `fields` are names of `ChainMetrics`; what is not computable, or was not known yet, is None.
        """
        # Whole documents, sorted here: to cut out some fields, or to sort, takes the embedded server longer.
        for start, stop in windows(start_ms, end_ms):
            found = map(plain, self._metrics.find(_span(product, expiry, start, stop)))
            for document in sorted(found, key=lambda item: (item["source_ts"], item["source_seq"])):
                yield (document["source_ts"], *(document.get(name) for name in fields))

    def expiries_at(self, product: str, as_of_ms: int) -> list[Document]:
        """What `expiries` was at that instant, as far back as metrics are kept; exact, also in its last two fields."""
        found = (self.expiry_at(product, item["expiry"], as_of_ms) for item in self.expiries(product))
        return [item for item in found if item is not None]

    def expiry_at(self, product: str, expiry: str, as_of_ms: int) -> Document | None:
        """One entry of `expiries_at`."""
        document = self._newest(self._metrics, product, expiry, as_of_ms, _EXPIRY_FIELDS)
        return plain(document) if document else None

    def has_expiry(self, product: str, expiry: str) -> bool:
        """Whether something of it was stored, as far back as `expiries` knows."""
        return self._latest.find_one({"_id": f"{product}|{expiry}"}, {"_id": 1}) is not None

    def expiries(self, product: str) -> list[Document]:
        """``{expiry, expiry_ts, source_ts, source_seq}`` of each expiry that was ever stored, nearest first.

        The last two are up to `POINTER_MS` behind the last chain.
        """
        found = self._latest.find({"product": product}, _EXPIRY_FIELDS)
        return sorted(map(plain, found), key=lambda item: str(item["expiry"]))

    def products(self) -> set[str]:
        """Products with at least one stored chain."""
        # Not `distinct`: the embedded server reads the whole collection for it.
        found = self._latest.find({"product": {"$in": [*PRODUCTS]}}, {"_id": 0, "product": 1})
        return {document["product"] for document in found}

    def chains(
        self, product: str, expiry: str, *, start_ms: int, end_ms: int, limit: int, cursor: str | None
    ) -> Page[StoredChain]:
        """Chains with start ≤ source_ts ≤ end, oldest first."""
        return read_page(
            lambda *span: [_stored(doc) for doc in _window(self._chains, product, expiry, *span)],
            lambda chain: (chain.source_ts, chain.source_seq),
            start_ms=start_ms,
            end_ms=end_ms,
            limit=limit,
            cursor=cursor,
            longest_ms=WINDOW_MS,
            size=lambda chain: len(chain.packed),
        )

    def metrics(
        self, product: str, expiry: str, *, start_ms: int, end_ms: int, limit: int, cursor: str | None
    ) -> Page[ChainMetrics]:
        """Metrics with start ≤ source_ts ≤ end, oldest first."""
        return read_page(
            lambda *span: [_metrics_message(doc) for doc in _window(self._metrics, product, expiry, *span)],
            lambda item: (item.source_ts, item.source_seq),
            start_ms=start_ms,
            end_ms=end_ms,
            limit=limit,
            cursor=cursor,
        )

    def minutes(self, product: str, expiry: str, as_of_ms: int) -> Iterator[int]:
        """Starts of minutes that chains were stored of, from `as_of_ms` back, newest first; ten days at most."""
        for start, _ in self._presence.minutes(series_of(product, expiry), as_of_ms):
            yield start

    def _newest(
        self,
        collection: Collection[Document],
        product: str,
        expiry: str,
        as_of_ms: int,
        fields: Mapping[str, int] | None = None,
    ) -> Document | None:
        minutes = self._presence.minutes(series_of(product, expiry), as_of_ms)
        return newest_at(collection, {"product": product, "expiry": expiry}, as_of_ms, minutes=minutes, fields=fields)

    def _sweep(self, collection: Collection[Document], pointer: Document, before_ms: int) -> int:
        """Delete what is older in one expiry, unless that was done within `SWEEP_MS`; how many documents."""
        key = f"{collection.name}|{pointer['_id']}"
        slot = slot_of(key, before_ms, SWEEP_MS)
        if self._swept.get(key) == slot:
            return 0
        of = {"product": pointer["product"], "expiry": pointer["expiry"]}
        deleted = collection.delete_many({**of, "source_at": {"$lt": utc(before_ms)}}).deleted_count
        self._swept[key] = slot
        return deleted


def _last(collection: Collection[Document], pointer: Document) -> Document | None:
    """The last document of an expiry; the pointer bounds how many have to be looked at."""
    query = {"product": pointer["product"], "expiry": pointer["expiry"], "source_at": {"$gte": pointer["source_at"]}}
    return next(collection.find(query).sort([("source_at", DESCENDING), ("source_seq", DESCENDING)]).limit(1), None)


def _window(
    collection: Collection[Document], product: str, expiry: str, start_ms: int, stop_ms: int, after_seq: int, count: int
) -> list[Document]:
    found = collection.find(_span(product, expiry, start_ms, stop_ms)).sort(_BY_TIME)
    if after_seq == ANY_SEQ:
        return list(found.limit(count))
    # One millisecond, filtered here: with another field in the query the embedded server leaves the index.
    return [document for document in found if document["source_seq"] > after_seq][:count]


def _span(product: str, expiry: str, start_ms: int, stop_ms: int) -> Document:
    return {"product": product, "expiry": expiry, "source_at": {"$gte": utc(start_ms), "$lt": utc(stop_ms)}}


# --- packing -------------------------------------------------------------------------------


def _pack(record: ChainRecord) -> Document:
    chain = record.chain
    return {
        "_id": chain.id,
        "product": chain.product,
        "expiry": chain.expiry,
        "source_seq": chain.source_seq,
        "source_at": utc(chain.source_ts),
        "data": record.packed,
    }


def _unpack(document: Document) -> EnrichedChain:
    return _chain.decode(unpack(document["data"]))


def _stored(document: Document) -> StoredChain:
    return StoredChain(epoch_ms(document["source_at"]), int(document["source_seq"]), document["data"])


def _metrics_document(metrics: ChainMetrics) -> Document:
    document: Document = msgspec.structs.asdict(metrics)
    document["_id"] = document.pop("id")
    document["source_at"] = utc(metrics.source_ts)
    return document


def _metrics_message(document: Document) -> ChainMetrics:
    fields = plain(document)
    fields["id"] = fields.pop("_id")
    del fields["source_at"]
    return ChainMetrics(**fields)
