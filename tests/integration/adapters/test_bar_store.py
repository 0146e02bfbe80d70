"""Bars in a real MongoDB-compatible server, and the marks by which they come about."""

import pytest
import redis
from pymongo.database import Database

from aro.adapters.bar_marks import BarMarks, Mark, Minute
from aro.adapters.bar_store import PRODUCT_LEVEL, BarStore, MinuteBars, Ohlc
from aro.adapters.mongo import Document
from aro.contracts.names import COLLECTION_BARS, KEY_BARS_TURN

MINUTE = 60_000
TS = 1_794_999_960_000
assert TS % MINUTE == 0
EXPIRY = "2026-11-23"


@pytest.fixture
def store(database: Database[Document]) -> BarStore:
    made = BarStore(database)
    made.ensure()
    made.ensure()
    return made


def minute(n: int, expiry: str = EXPIRY, **metrics: Ohlc) -> MinuteBars:
    return MinuteBars("NIFTY", expiry, TS + n * MINUTE, metrics)


def test_what_is_stored_comes_back_exactly_and_only_where_there_is_something(store: BarStore) -> None:
    first, second = Ohlc(0.1, 25_000.05, -0.0, 1e-9, 60), Ohlc(1.0, 2.0, 1.0, 1.5, 4_000_000_000)
    store.save([minute(2, forward=second), minute(0, forward=first, iv_atm=second), minute(1, iv_atm=first)])
    store.save([minute(0, PRODUCT_LEVEL, spot=first)])
    span = (TS, TS + 2 * MINUTE)
    assert store.bars("NIFTY", EXPIRY, "forward", *span) == [(TS, *first), (TS + 2 * MINUTE, *second)]
    assert store.bars("NIFTY", EXPIRY, "iv_atm", TS + 1, TS + 2 * MINUTE) == [(TS + MINUTE, *first)]
    assert store.bars("NIFTY", PRODUCT_LEVEL, "spot", *span) == [(TS, *first)]
    assert store.bars("NIFTY", EXPIRY, "pcr_oi", *span) == []
    assert store.bars("NIFTY", EXPIRY, "iv", *span) == []
    assert store.bars("SPY", EXPIRY, "forward", *span) == []


def test_a_minute_is_replaced_beside_new_ones(store: BarStore, database: Database[Document]) -> None:
    old, new = Ohlc(1.0, 1.0, 1.0, 1.0, 1), Ohlc(1.0, 3.0, 0.5, 2.0, 7)
    store.save([minute(0, forward=old), minute(1, forward=old)])
    store.save([minute(1, forward=new), minute(2, forward=new)])
    store.save([])
    rows = store.bars("NIFTY", EXPIRY, "forward", TS, TS + 9 * MINUTE)
    assert [row[5] for row in rows] == [1, 7, 7]
    assert database[COLLECTION_BARS].count_documents({}) == 3


def test_days_of_bars_come_in_order_from_many_windows(store: BarStore) -> None:
    store.save([minute(n, forward=Ohlc(n, n, n, n, 1)) for n in range(0, 3_000, 7)])
    rows = store.bars("NIFTY", EXPIRY, "forward", TS, TS + 3_000 * MINUTE)
    assert [row[1] for row in rows] == [float(n) for n in range(0, 3_000, 7)]
    assert store.missing("NIFTY", EXPIRY, [TS + n * MINUTE for n in (15, 14, 7, 1)]) == [TS + 15 * MINUTE, TS + MINUTE]
    assert store.missing("NIFTY", PRODUCT_LEVEL, [TS]) == [TS]
    assert store.missing("NIFTY", EXPIRY, []) == []


def test_retention_deletes_what_is_older(store: BarStore, database: Database[Document]) -> None:
    store.save([minute(n * 720, forward=Ohlc(1, 1, 1, 1, 1)) for n in range(5)])
    assert store.expire(now_ms=TS + 4 * 720 * MINUTE, days=1) == 2
    assert database[COLLECTION_BARS].count_documents({}) == 3


def mark(n: int, due_ms: int, expiry: str = EXPIRY) -> Mark:
    return Mark(Minute("NIFTY", expiry, TS + n * MINUTE), due_ms)


def test_marks_come_when_they_are_due_and_go_when_done(redis_client: redis.Redis) -> None:
    marks = BarMarks(redis_client)
    marks.mark([])
    marks.mark([mark(0, 500), mark(1, 300, PRODUCT_LEVEL), mark(2, 900)])
    assert marks.due(299, limit=9) == []
    assert marks.due(500, limit=9) == [mark(0, 500), mark(1, 300, PRODUCT_LEVEL)]
    assert marks.due(999, limit=1) == [mark(2, 900)]
    marks.done([mark(1, 300, PRODUCT_LEVEL), mark(5, 1)])
    marks.done([])
    assert marks.count() == 2


def test_what_was_marked_again_meanwhile_is_not_forgotten(redis_client: redis.Redis) -> None:
    marks = BarMarks(redis_client)
    marks.mark([mark(0, 500)])
    [taken] = marks.due(600, limit=9)
    marks.mark([mark(0, 700)])
    marks.done([taken])
    assert marks.due(700, limit=9) == [mark(0, 700)]


def test_a_turn_is_for_one_and_ends_by_itself(redis_client: redis.Redis) -> None:
    one, two = BarMarks(redis_client), BarMarks(redis_client)
    with one.turn() as ours:
        assert ours
        assert 0 < redis_client.pttl(KEY_BARS_TURN) <= 12_000
        with two.turn() as theirs:
            assert not theirs
        with two.turn() as theirs:
            assert not theirs, "who was refused must not give back what is another's"
    with two.turn() as theirs:
        assert theirs
