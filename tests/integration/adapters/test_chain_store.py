"""Chains and metrics in a real MongoDB-compatible server: exact, once, and in pages."""

import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.database import Database

from aro.adapters.chain_pointers import POINTER_MS
from aro.adapters.chain_store import ChainRecord, ChainStore, head_of
from aro.adapters.clock import utc
from aro.adapters.mongo import Document
from aro.contracts.codec import encode_json
from aro.contracts.names import COLLECTION_CHAINS, COLLECTION_LATEST
from aro.testing import factories
from worker_enricher.pipeline import enrich_chains, sound_chain

TS = factories.SNAPSHOT_TS


def enriched(seq: int, ts: int = TS, expiry: str = "2026-11-23") -> ChainRecord:
    snapshot = factories.chain(source_seq=seq, source_ts=ts, expiry=expiry)
    [(chain, metrics)] = enrich_chains([sound_chain(snapshot)], computed_ts=ts + 7)
    return ChainRecord(chain, metrics, encode_json(chain))


def test_what_is_read_encodes_to_the_bytes_that_were_published(database: Database[Document]) -> None:
    store, record = ChainStore(database), enriched(TS)
    assert store.save([record]) == 1
    found = store.find(record.chain.id)
    assert found is not None
    assert encode_json(found) == record.data
    assert store.latest_metrics("NIFTY", "2026-11-23") == record.metrics


def test_repeats_are_ignored_and_older_ones_do_not_move_latest_back(database: Database[Document]) -> None:
    store = ChainStore(database)
    newer, older = enriched(TS + 5), enriched(TS + 3)
    assert store.save([newer]) == 1
    assert store.save([older, newer]) == 1
    assert store.save([older, newer]) == 0
    latest = store.latest("NIFTY", "2026-11-23")
    assert latest is not None
    assert head_of(latest).source_seq == TS + 5
    assert database[COLLECTION_CHAINS].count_documents({}) == 2
    assert database[COLLECTION_LATEST].count_documents({}) == 1
    assert [document["expiry"] for document in store.expiries("NIFTY")] == ["2026-11-23"]
    assert store.products() == {"NIFTY"}


def test_latest_is_exact_though_its_pointer_moves_seldom(database: Database[Document]) -> None:
    store = ChainStore(database)
    for n in range(12):
        store.save([enriched(TS + n, TS + 10_000 * n)])
        latest, metrics = store.latest("NIFTY", "2026-11-23"), store.latest_metrics("NIFTY", "2026-11-23")
        assert latest is not None
        assert metrics is not None
        assert head_of(latest).source_seq == metrics.source_seq == TS + n
    [pointer] = store.expiries("NIFTY")
    assert TS + 110_000 - POINTER_MS < pointer["source_ts"] < TS + 110_000


def test_retention_deletes_what_is_older_and_finds_it_by_an_index(database: Database[Document]) -> None:
    store = ChainStore(database)
    store.ensure()
    store.ensure()
    store.save([enriched(TS + hour, TS + hour * 3_600_000) for hour in range(4)])
    assert store.expire(now_ms=TS + 3 * 3_600_000, chain_hours=2, metrics_days=1) == 1
    assert {document["_id"][-1] for document in database[COLLECTION_CHAINS].find({})} == {"1", "2", "3"}
    kept = store.metrics("NIFTY", "2026-11-23", start_ms=TS, end_ms=TS + 36_000_000, limit=9, cursor=None)
    assert len(kept.items) == 4
    assert store.expire(now_ms=TS + 100 * 3_600_000, chain_hours=2, metrics_days=1) == 3 + 4 + 1
    query = {"product": "NIFTY", "expiry": "2026-11-23", "source_at": {"$lt": utc(TS)}}
    assert "COLLSCAN" not in str(database[COLLECTION_CHAINS].find(query).explain()["queryPlanner"]["winningPlan"])


@pytest.mark.parametrize("kind", ["chains", "metrics"])
@given(
    offsets=st.lists(st.integers(0, 400_000), min_size=0, max_size=30),
    limit=st.integers(1, 12),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_join_to_everything_once_in_order(
    database: Database[Document], kind: str, offsets: list[int], limit: int
) -> None:
    for name in database.list_collection_names():
        database[name].delete_many({})
    store = ChainStore(database)
    records = [enriched(TS + n, TS + offset) for n, offset in enumerate(sorted(offsets))]
    store.save(records)
    collected: list[int] = []
    cursor = None
    while True:
        read = store.chains if kind == "chains" else store.metrics
        page = read("NIFTY", "2026-11-23", start_ms=TS, end_ms=TS + 400_000, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        collected.extend(item.source_seq for item in page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert collected == [record.chain.source_seq for record in records]


def test_the_past_is_what_it_was(database: Database[Document]) -> None:
    store = ChainStore(database)
    store.ensure()
    near, far = "2026-11-23", "2026-11-30"
    records = [enriched(TS + n, TS + 500 * n, near) for n in range(20)]
    store.save([*records, enriched(TS + 90, TS + 60_000, far)])
    for n, record in enumerate(records):
        for late in (0, 499):
            assert store.chain_at("NIFTY", near, TS + 500 * n + late) == record.data
            assert store.metrics_at("NIFTY", near, TS + 500 * n + late) == record.metrics
    assert store.chain_at("NIFTY", near, TS - 1) is None
    assert store.metrics_at("NIFTY", near, TS - 1) is None
    assert store.chain_at("NIFTY", near, TS + 4 * 86_400_000) == records[-1].data
    assert store.expiries_at("NIFTY", TS - 1) == []
    assert [item["expiry"] for item in store.expiries_at("NIFTY", TS + 1)] == [near]
    [first, second] = store.expiries_at("NIFTY", TS + 60_000)
    assert (first["source_ts"], second) == (
        TS + 9_500,
        {"expiry": far, "expiry_ts": factories.EXPIRY_TS, "source_ts": TS + 60_000, "source_seq": TS + 90},
    )


def test_the_copy_of_a_last_chain_is_no_answer_for_an_instant_before_it(database: Database[Document]) -> None:
    store = ChainStore(database)
    store.save([enriched(TS, TS)])
    store.save([enriched(TS + 1, TS + 2_000)])  # the pointer stays at the first
    assert store.keep_last(idle_since_ms=TS + 60_000) == 1
    database[COLLECTION_CHAINS].delete_many({})
    assert store.chain_at("NIFTY", "2026-11-23", TS + 1_999) is None
    assert store.chain_at("NIFTY", "2026-11-23", TS + 2_000) == enriched(TS + 1, TS + 2_000).data


def test_a_series_has_the_fields_that_were_asked_for(database: Database[Document]) -> None:
    store = ChainStore(database)
    records = [enriched(TS + n, TS + 45_000 * n) for n in range(9)]
    store.save(records)
    fields = ("spot", "pcr_oi", "iv_status_counts", "gex_flip")
    rows = list(store.metric_series("NIFTY", "2026-11-23", fields, TS + 1, TS + 45_000 * 7))
    expected = [record.metrics for record in records[1:8]]
    assert rows == [(item.source_ts, *(getattr(item, name) for name in fields)) for item in expected]
    assert list(store.metric_series("NIFTY", "2026-11-30", fields, TS, TS + 1)) == []


def test_what_zlib_packed_is_read(database: Database[Document]) -> None:
    """As all chains were until another library wrote the same format."""
    store, chains = ChainStore(database), database[COLLECTION_CHAINS]
    record = enriched(TS)
    store.save([record])
    [document] = chains.find({})
    assert zlib.decompress(document["data"]) == record.data
    chains.update_one({"_id": record.chain.id}, {"$set": {"data": zlib.compress(record.data, 1)}})
    assert store.latest("NIFTY", "2026-11-23") == record.data
