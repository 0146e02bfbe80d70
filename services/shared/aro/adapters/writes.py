"""Idempotent writes and retention, the same for every collection of the pipeline."""

from typing import Final

from pymongo import ASCENDING
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, OperationFailure

from aro.adapters.clock import utc
from aro.adapters.mongo import Document, is_duplicate_id

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
INDEX_NOT_FOUND: Final = 27


def insert_new(collection: Collection[Document], documents: list[Document]) -> int:
    """Insert what is not stored yet, by `_id`; how many were new. Raises `MongoError` for anything else."""
    if not documents:
        return 0
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        raise_unless_duplicates(error)
        return int((error.details or {}).get("nInserted", 0))
    return len(documents)


def raise_unless_duplicates(error: BulkWriteError) -> None:
    """Pass over a bulk error that only says that `_id`s are stored already."""
    details = error.details or {}
    failures = details.get("writeErrors", [])
    if details.get("writeConcernErrors") or not all(is_duplicate_id(failure) for failure in failures):
        raise error


def ensure_index(collection: Collection[Document], keys: list[tuple[str, int]], name: str) -> None:
    """Create an index, or replace the one of this `name` when it has other keys."""
    existing = collection.index_information().get(name)
    if existing is not None and list(existing["key"]) != keys:
        try:
            collection.drop_index(name)
        except OperationFailure as error:
            if error.code != INDEX_NOT_FOUND:  # another process was faster
                raise
    collection.create_index(keys, name=name)


def ensure_expiry(collection: Collection[Document]) -> None:
    """The index by which `expire` finds what is too old.

    It is a plain one: the embedded server works off TTL indexes by reading whole collections under its lock.
    """
    ensure_index(collection, [("source_at", ASCENDING)], "source_at")


def expire(collection: Collection[Document], *, before_ms: int) -> int:
    """Delete documents of a source time before `before_ms`; how many."""
    return collection.delete_many({"source_at": {"$lt": utc(before_ms)}}).deleted_count
