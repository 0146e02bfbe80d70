"""``chain_latest``: one document per expiry that says about when its last chain was, so that nobody searches for it."""

from collections.abc import Iterable
from typing import Final, Protocol
from zlib import crc32

from pymongo import UpdateOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from aro.adapters.clock import utc
from aro.adapters.mongo import FOLLOWED, Document
from aro.adapters.writes import raise_unless_duplicates

POINTER_MS: Final = 60_000
"""How far ``chain_latest`` may be behind: to move one entry costs the embedded server 1 ms, an insert 0.2 ms, and each
worker process moves them all."""


class Identity(Protocol):
    """What tells a state of a chain from every other; `source_ts` is UTC epoch milliseconds."""

    @property
    def id(self) -> str: ...
    @property
    def product(self) -> str: ...
    @property
    def expiry(self) -> str: ...
    @property
    def expiry_ts(self) -> int: ...
    @property
    def source_seq(self) -> int: ...
    @property
    def source_ts(self) -> int: ...


class ChainPointers:
    """Moves them. One per process."""

    def __init__(self, latest: Collection[Document]) -> None:
        # A pointer that a crash takes is behind for a while, as it may be anyway.
        self._pointers = latest.with_options(write_concern=FOLLOWED)
        self._pointed: dict[str, int] = {}
        """Key of an expiry → the slot of `POINTER_MS` in which this process moved its pointer last."""

    def introduce(self, chains: Iterable[Identity]) -> None:
        """Make the pointers of expiries that this process has not met, where nobody made them yet."""
        new = {series_of(chain.product, chain.expiry): chain for chain in chains}
        _upsert(self._pointers, [_introduction(key, new[key]) for key in new.keys() - self._pointed.keys()])

    def advance(self, chains: Iterable[Identity]) -> None:
        """Move those that were not moved in this slot. Call it after the chains were stored."""
        newest: dict[str, Identity] = {}
        slots: dict[str, int] = {}
        for chain in sorted(chains, key=lambda item: item.source_seq):
            key = series_of(chain.product, chain.expiry)
            slot = slot_of(key, chain.source_ts, POINTER_MS)
            if slot > self._pointed.get(key, -1):
                newest[key], slots[key] = chain, slot
        _upsert(self._pointers, [_advance(key, chain) for key, chain in newest.items()])
        self._pointed.update(slots)


def slot_of(key: str, instant_ms: int, length_ms: int) -> int:
    """Number of the stretch of time that an instant is in. They begin at another moment for each key, so that what is
    done once in each is not done for all keys at once."""
    return (instant_ms + crc32(key.encode()) % length_ms) // length_ms


def series_of(product: str, expiry: str) -> str:
    return f"{product}|{expiry}"


def _upsert(pointers: Collection[Document], updates: list[UpdateOne]) -> None:
    if not updates:
        return
    try:
        pointers.bulk_write(updates, ordered=False)
    except BulkWriteError as error:
        # The upsert of something older collides with the newer document: nothing to do.
        raise_unless_duplicates(error)


def _introduction(key: str, chain: Identity) -> UpdateOne:
    return UpdateOne({"_id": key}, {"$setOnInsert": _pointer(chain)}, upsert=True)


def _advance(key: str, chain: Identity) -> UpdateOne:
    older = {"_id": key, "source_seq": {"$lt": chain.source_seq}}
    return UpdateOne(older, {"$set": _pointer(chain), "$unset": {"data": ""}}, upsert=True)


def _pointer(chain: Identity) -> Document:
    return {
        "product": chain.product,
        "expiry": chain.expiry,
        "expiry_ts": chain.expiry_ts,
        "source_seq": chain.source_seq,
        "source_ts": chain.source_ts,
        "source_at": utc(chain.source_ts),
    }
