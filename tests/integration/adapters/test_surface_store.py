"""Surfaces in a real MongoDB-compatible server: the bytes that were published, at an instant and in pages."""

import pytest
from pymongo.database import Database

from aro.adapters.mongo import Document
from aro.adapters.surface_store import StoredSurface, SurfaceStore
from aro.contracts.names import COLLECTION_SURFACES

TS = 1_795_000_000_000
DAY_MS = 86_400_000


@pytest.fixture
def store(database: Database[Document]) -> SurfaceStore:
    made = SurfaceStore(database)
    made.ensure()
    made.ensure()
    return made


def surface(n: int) -> bytes:
    return b'{"product":"NIFTY","source_ts":%d}' % n


def test_at_an_instant_is_the_newest_that_is_not_after_it(store: SurfaceStore) -> None:
    for n in range(5):
        assert store.save([StoredSurface("NIFTY", TS + 2_000 * n, TS + 2_000 * n + 70, surface(n))])
    store.save([StoredSurface("SPY", TS, TS, surface(99))])
    assert store.at("NIFTY", TS - 1) is None
    assert store.at("NIFTY", TS) == surface(0)
    assert store.at("NIFTY", TS + 7_999) == surface(3)
    assert store.at("NIFTY", TS + 60_000) == surface(4)
    assert store.at("NIFTY", TS + 3 * DAY_MS) == surface(4), "after a weekend, too"
    assert store.at("NIFTY", TS + 300 * DAY_MS) is None
    assert store.at("AAPL", TS) is None


def test_repeats_are_stored_once_and_of_one_moment_the_last_published_counts(store: SurfaceStore) -> None:
    assert store.save([StoredSurface("NIFTY", TS, TS + 1, surface(1))])
    assert not store.save([StoredSurface("NIFTY", TS, TS + 1, surface(2))])
    assert store.at("NIFTY", TS) == surface(1)
    assert store.save([StoredSurface("NIFTY", TS, TS + 9, surface(3))])
    assert store.at("NIFTY", TS) == surface(3)


def test_pages_hold_everything_once_in_order(store: SurfaceStore) -> None:
    for n in range(9):
        store.save([StoredSurface("NIFTY", TS + 40_000 * n, TS + 40_000 * n, surface(n))])
    seen: list[bytes] = []
    cursor = None
    while True:
        page = store.window("NIFTY", start_ms=TS + 1, end_ms=TS + 280_000, limit=2, cursor=cursor)
        seen += [item.data for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [surface(n) for n in range(1, 8)]


def test_retention_deletes_what_is_older(store: SurfaceStore, database: Database[Document]) -> None:
    for hour in range(4):
        store.save([StoredSurface("NIFTY", TS + hour * 3_600_000, TS + hour, surface(hour))])
    assert store.expire(now_ms=TS + 3 * 3_600_000, hours=1.5) == 2
    assert database[COLLECTION_SURFACES].count_documents({}) == 2
