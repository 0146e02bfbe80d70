"""The newest at an instant, against a plain search, whatever lies between."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.collection import Collection

from aro.adapters.clock import utc
from aro.adapters.newest import LOOK_BACK_MS, NEAR_MS, newest_at
from aro.testing.recorder import Recorder, recorded
from aro.testing.servers import MongoServer

NOW = 1_795_000_000_000
DAY_MS = 86_400_000
AGES = st.integers(0, 30) | st.integers(NEAR_MS - 3, NEAR_MS + 3) | st.integers(0, LOOK_BACK_MS + 10_000)

Watched = tuple[Collection[Any], Recorder]


@pytest.fixture
def watched(mongo_server: MongoServer) -> Iterator[Watched]:
    with recorded(mongo_server.url, "aro_lookback_test") as (database, recorder):
        collection = database["lookback"]
        collection.drop()
        collection.create_index([("product", 1), ("source_at", -1)], name="by_time")
        yield collection, recorder


def put(collection: Collection[Any], instants: list[int]) -> None:
    collection.delete_many({})
    documents = [
        {"_id": f"{product}{n}", "product": product, "source_seq": n, "source_at": utc(at)}
        for n, at in enumerate(instants)
        for product in ("A", "B")
    ]
    if documents:
        collection.insert_many(documents)


@given(ages=st.lists(AGES, max_size=30), asked=st.integers(-20, 20) | AGES.map(lambda age: -age))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_is_the_newest_that_is_not_later(watched: Watched, ages: list[int], asked: int) -> None:
    collection, _ = watched
    instants = [NOW - age for age in ages]
    put(collection, instants)
    as_of = NOW + asked
    candidates = [(at, n) for n, at in enumerate(instants) if as_of - LOOK_BACK_MS <= at <= as_of]
    found = newest_at(collection, {"product": "A"}, as_of)
    assert (found["_id"] if found else None) == (f"A{max(candidates)[1]}" if candidates else None)


@pytest.mark.parametrize(
    ("as_of", "queries"),
    [(NOW, 20), (NOW - DAY_MS, 20), (NOW - 3 * DAY_MS, 1), (NOW - 3 * DAY_MS + 9_000, 1), (0, 2)],
)
def test_a_gap_costs_few_queries_and_the_present_one(watched: Watched, as_of: int, queries: int) -> None:
    collection, recorder = watched
    put(collection, [NOW - LOOK_BACK_MS + 5, *(NOW - 3 * DAY_MS - n * 500 for n in range(200))])
    recorder.commands.clear()
    found = newest_at(collection, {"product": "A"}, as_of)
    assert found is None if as_of == 0 else found["_id"] == "A1"
    assert len(recorder.commands) <= queries
